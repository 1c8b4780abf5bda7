package observe

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestAnAddressThatIsSilentLeavesTimeForTheNext has the first of two addresses never
// answer, and the second at once.
func TestAnAddressThatIsSilentLeavesTimeForTheNext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const limit = 400 * time.Millisecond
	silent := netip.MustParseAddr("127.0.0.2")
	answering := netip.MustParseAddrPort(listener.Addr().String())
	dialer := &dialer{
		target:   target{port: answering.Port(), addresses: []netip.Addr{silent, answering.Addr()}},
		deadline: time.Now().Add(limit),
		dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if netip.MustParseAddrPort(address).Addr() == silent {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	defer dialer.close()
	if _, err := dialer.connect(t.Context()); err != nil {
		t.Fatalf("got %q, want a connection to the second address", err)
	}
	if address, spent, _ := dialer.last(); address != answering || spent < limit/4 || spent > limit*3/4 {
		t.Errorf("got %s after %s, want %s after half of %s", address, spent, answering, limit)
	}
}

func TestARetryAfterIsObeyedWhicheverWayItCame(t *testing.T) {
	answered := &checks.Attempt{Exchanges: []checks.Exchange{{Stage: checks.StageDone, Response: &checks.Response{Status: 200}}}}
	waiting := &checks.Attempt{Exchanges: []checks.Exchange{{Stage: checks.StageDone, Response: &checks.Response{Status: 429, RetryAfterSeconds: 10}}}}
	for name, facts := range map[string]*checks.APIFacts{
		"by address": {ServiceHost: waiting, ByName: answered},
		"by name":    {ServiceHost: answered, ByName: waiting},
	} {
		t.Run(name, func(t *testing.T) {
			observer := &Observer{}
			observer.newRound().obey(facts)
			named := make(chan struct{})
			close(named)
			next := observer.newRound().api(t.Context(), named)
			if next.HeldUntil.Before(time.Now().Add(9*time.Second)) || next.ServiceHost != facts.ServiceHost || next.ByName != facts.ByName {
				t.Errorf("the next round has %+v, want what the last one met, until ten seconds have passed", next)
			}
		})
	}
}
