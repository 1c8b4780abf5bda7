package observe

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestAnAddressThatIsSilentLeavesTimeForTheNext has the first of two addresses never
// answer, and the second at once.
func TestAnAddressThatIsSilentLeavesTimeForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 400 * time.Millisecond
		silent, answering := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		near, far := net.Pipe()
		defer far.Close()
		dialer := &dialer{
			target:   target{port: 6443, addresses: []netip.Addr{silent, answering}},
			deadline: time.Now().Add(limit),
			dial: func(ctx context.Context, _, address string) (net.Conn, error) {
				if netip.MustParseAddrPort(address).Addr() == silent {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return near, nil
			},
		}
		defer dialer.close()
		if _, err := dialer.connect(t.Context()); err != nil {
			t.Fatalf("got %q, want a connection to the second address", err)
		}
		if address, spent, _ := dialer.last(); address.Addr() != answering || spent != limit/2 {
			t.Errorf("got %s after %s, want %s after half of %s", address, spent, answering, limit)
		}
	})
}

func TestARetryAfterIsObeyedWhicheverWayItCame(t *testing.T) {
	answered := &checks.Attempt{Exchanges: []checks.Exchange{{Stage: checks.StageDone, Response: &checks.Response{Status: 200}}}}
	waiting := &checks.Attempt{Exchanges: []checks.Exchange{{Stage: checks.StageDone, Response: &checks.Response{Status: 429, RetryAfterSeconds: 10}}}}
	for name, facts := range map[string]*checks.APIFacts{
		"by address": {ServiceHost: waiting, ByName: answered},
		"by name":    {ServiceHost: answered, ByName: waiting},
	} {
		t.Run(name, func(t *testing.T) {
			observer, answeredAt := &Observer{}, time.Now()
			observer.newRound().obey(facts)
			named := make(chan struct{})
			close(named)
			next := observer.newRound().api(t.Context(), named)
			if next.HeldUntil.Before(answeredAt.Add(10*time.Second)) || next.ServiceHost != facts.ServiceHost || next.ByName != facts.ByName {
				t.Errorf("the next round has %+v, want what the last one met, until ten seconds have passed", next)
			}
		})
	}
}
