package observe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kube-lifeline/lifeline/checks"
)

var later = time.Now().Add(time.Hour)

// versions answers GET /api as the replica of a number does.
func versions(replica int, w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, `{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[
		{"clientCIDR":"0.0.0.0/0","serverAddress":"10.0.0.%d:6443"},{"clientCIDR":"10.96.0.0/12","serverAddress":"10.96.0.1:443"}]}`, replica)
}

func fingerprint(certificate tls.Certificate) string {
	sum := sha256.Sum256(certificate.Certificate[0])
	return hex.EncodeToString(sum[:])
}

func TestFreshConnectionsTellReplicasApart(t *testing.T) {
	authority := newIssuer(t)
	healthy, expired := authority.issue(t, "cp-0", later), authority.issue(t, "cp-1", time.Now().Add(-time.Minute))
	server := startAPI(t, versions, healthy, expired)
	r, facts := deepPod(t, authority, server.address, responseMet(200))

	path := r.deepPath(t.Context(), facts, true)
	good := checks.FreshConnection{
		Leaf: fingerprint(healthy), LeafNames: []string{"cp-0", "127.0.0.1"}, Issuer: "CN=kubernetes", Status: 200, ServerAddress: "10.0.0.0:6443",
	}
	bad := checks.FreshConnection{
		Leaf: fingerprint(expired), LeafNames: []string{"cp-1", "127.0.0.1"}, Issuer: "CN=kubernetes", Failure: &checks.Failure{Kind: checks.Untrusted},
	}
	want := &checks.DeepPathFacts{Target: server.address, Fresh: []checks.FreshConnection{good, bad, good, bad, good, bad}}
	ignore := cmp.Options{
		cmpopts.IgnoreFields(checks.FreshConnection{}, "Seconds", "TCP"), cmpopts.IgnoreFields(checks.Failure{}, "Message"),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	}
	if diff := cmp.Diff(want, path, ignore); diff != "" {
		t.Errorf("the facts differ (-want +got):\n%s", diff)
	}
	wantAsked := slices.Repeat([]asked{{what: "GET /api", authorization: "Bearer " + realToken}}, 3)
	if diff := cmp.Diff(wantAsked, server.asked(), cmp.AllowUnexported(asked{})); diff != "" {
		t.Errorf("the replica that proves itself was asked (-want +got):\n%s", diff)
	}
}

func TestAServerThatProvesNothingIsSentNothing(t *testing.T) {
	stranger := newIssuer(t)
	server := startAPI(t, versions, stranger.issue(t, "cp-0", later))
	r, facts := deepPod(t, newIssuer(t), server.address, responseMet(401))

	path, api := r.deepPath(t.Context(), facts, true), r.deepAPI(t.Context(), facts)
	if got, want := len(path.Fresh), freshConnections; got != want {
		t.Errorf("got %d fresh connections, want %d", got, want)
	}
	for _, fresh := range path.Fresh {
		if fresh.Failure == nil || fresh.Failure.Kind != checks.Untrusted || fresh.Leaf == "" {
			t.Errorf("got %+v, want an untrusted leaf", fresh)
		}
	}
	if failed := api.Failures["version"]; failed == nil || failed.Kind != checks.Untrusted || len(api.Failures) != 1 {
		t.Errorf("got the failures %v, want that the first request met an untrusted server", api.Failures)
	}
	if got := server.asked(); len(got) != 0 {
		t.Errorf("the server was sent %v", got)
	}
}

func TestAnAddressThatRefusesIsTriedAsOftenAsAnother(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := netip.MustParseAddrPort(listener.Addr().String())
	_ = listener.Close()
	r, facts := deepPod(t, newIssuer(t), closed, handshakeMet(checks.TimedOut))
	path := r.deepPath(t.Context(), facts, true)
	if got, want := len(path.Fresh), freshConnections; got != want {
		t.Errorf("got %d fresh connections, want %d", got, want)
	}
	if got := path.FullHello; got.Connected || got.TCP != nil || got.Failure == nil || got.Failure.Kind != checks.Refused {
		t.Errorf("got the handshake %+v, want a refusal", got)
	}
}

func TestNoConnectionIsBegunThatCannotHaveItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, facts := deepPod(t, newIssuer(t), netip.MustParseAddrPort("127.0.0.1:6443"), handshakeMet(checks.TimedOut))
		r.timeout = 750 * time.Millisecond
		r.clamped = nil
		r.dial = func(context.Context, string, string) (net.Conn, error) {
			near, silent := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, silent) }()
			return near, nil
		}
		ctx, cancel := contextFor(t, time.Second)
		defer cancel()
		began := time.Now()
		path := r.deepPath(ctx, facts, true)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s, want no more than a second", took)
		}
		if got := len(path.Fresh); got != 3 {
			t.Errorf("got %d fresh connections of 300 ms in a second, want 3", got)
		}
		for _, fresh := range path.Fresh {
			if fresh.Failure == nil || fresh.Failure.Kind != checks.TimedOut || fresh.Seconds != r.step().Seconds() {
				t.Errorf("got %+v, want a whole time limit", fresh)
			}
		}
	})
}

func TestTheWholePathEndsWhenItsContextDoes(t *testing.T) {
	silent := listen(t, func(_ int, conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	r, facts := deepPod(t, newIssuer(t), silent, handshakeMet(checks.TimedOut))
	r.timeout = 5 * time.Minute
	ctx, cancel := contextFor(t, 100*time.Millisecond)
	defer cancel()
	within(t, patience, func() { r.deepPath(ctx, facts, true) })
}

func TestARequestToWaitEndsTheFreshConnections(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}, authority.issue(t, "cp-0", later))
	waiting := responseMet(http.StatusServiceUnavailable)
	waiting.Response.RetryAfterSeconds = 5
	for name, test := range map[string]struct {
		met  checks.Exchange
		held time.Time
		want int
	}{
		"in the first answer":     {responseMet(200), time.Time{}, 1},
		"in the pulse's":          {waiting, time.Time{}, 0},
		"before the pulse":        {responseMet(200), later, 0},
		"not in a plain 503":      {responseMet(503), time.Time{}, 1},
		"not where none answered": {checks.Exchange{}, time.Time{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := deepPod(t, authority, server.address, test.met)
			facts.API.HeldUntil = test.held
			if got := r.deepPath(t.Context(), facts, true).Fresh; len(got) != test.want {
				t.Errorf("got %d fresh connections, want %d", len(got), test.want)
			}
		})
	}
}

func TestTextsOfTheServerAreCutAndHideTheToken(t *testing.T) {
	authority := newIssuer(t)
	for name, test := range map[string]struct{ body, want string }{
		"token":      {`{"serverAddressByClientCIDRs":[{"serverAddress":"` + realToken + `"}]}`, "[token]"},
		"long":       {`{"serverAddressByClientCIDRs":[{"serverAddress":"` + strings.Repeat("x", 5000) + `"}]}`, strings.Repeat("x", maxNameLength) + "…"},
		"escape":     {`{"serverAddressByClientCIDRs":[{"serverAddress":"a\u001b[31m"}]}`, "a [31m"},
		"none":       {`{"serverAddressByClientCIDRs":[]}`, ""},
		"null":       {`{"serverAddressByClientCIDRs":[null]}`, ""},
		"other type": {`{"serverAddressByClientCIDRs":{"serverAddress":1}}`, ""},
		"no JSON":    {`<html>`, ""},
		"deep":       {strings.Repeat("[", 60000), ""},
		"too large":  {strings.Repeat(" ", 70000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := startAPI(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.body) }, authority.issue(t, "cp-0", later))
			r, facts := deepPod(t, authority, server.address, responseMet(200))
			fresh, _ := r.fresh(t.Context(), first(r.deepTarget(facts)))
			if fresh.ServerAddress != test.want || fresh.Status != 200 {
				t.Errorf("got %q with status %d, want %q with 200", fresh.ServerAddress, fresh.Status, test.want)
			}
			saved(t, fresh)
		})
	}
}

func TestControlsAreTheOtherAddressesThatThePodKnows(t *testing.T) {
	const table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\neth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n"
	addresses := func(texts ...string) (parsed []netip.Addr) {
		for _, text := range texts {
			parsed = append(parsed, netip.MustParseAddr(text))
		}
		return parsed
	}
	for name, test := range map[string]struct {
		target      string
		nameservers []netip.Addr
		byDNS       []netip.Addr
		environment map[string]string
		itself      string
		want        string
	}{
		"all the same": {
			target: "10.96.0.1:443", nameservers: addresses("10.96.0.10"), byDNS: addresses("10.96.0.1"),
			environment: map[string]string{"KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1"},
			want:        "dns-over-tcp 10.96.0.10:53, node 192.168.1.1:443",
		},
		"an override of the host": {
			target: "192.168.7.7:6443", byDNS: addresses("10.96.0.1", "::ffff:10.96.0.1", "fd00::1"),
			environment: map[string]string{"KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.2"},
			want:        "api-address-by-dns 10.96.0.1:443, api-address-by-dns [fd00::1]:443, api-address-of-kubelet 10.96.0.2:443, node 192.168.1.1:6443",
		},
		"an API server that has told its own address": {
			target: "10.96.0.1:443", nameservers: addresses("10.96.0.10"), byDNS: addresses("10.96.0.1"), itself: "172.30.0.1:6443",
			want: "api-server 172.30.0.1:6443, dns-over-tcp 10.96.0.10:53, node 192.168.1.1:443",
		},
		"an API server that has told the address that is tried": {
			target: "172.30.0.1:6443", itself: "172.30.0.1:6443",
			want: "node 192.168.1.1:6443",
		},
		"an API server that has told a name": {
			target: "10.96.0.1:443", itself: "api.example.com:6443",
			want: "node 192.168.1.1:443",
		},
		"one address found in two ways": {
			target: "192.168.7.7:6443", nameservers: addresses("10.96.0.10", "10.96.0.10", "fd00::a"), byDNS: addresses("10.96.0.1"),
			environment: map[string]string{"KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": "8443"},
			want:        "dns-over-tcp 10.96.0.10:53, dns-over-tcp [fd00::a]:53, api-address-by-dns 10.96.0.1:8443, node 192.168.1.1:6443",
		},
		"no node beside loopback": {
			target: "127.0.0.1:6443", environment: map[string]string{"KUBERNETES_PORT_443_TCP_ADDR": "no address"},
		},
		"many addresses": {
			target: "10.96.0.1:443", byDNS: slices.Repeat(addresses("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"), 2),
			want: "api-address-by-dns 10.0.0.1:443, api-address-by-dns 10.0.0.2:443, api-address-by-dns 10.0.0.3:443, api-address-by-dns 10.0.0.4:443, " +
				"api-address-by-dns 10.0.0.5:443, api-address-by-dns 10.0.0.6:443, api-address-by-dns 10.0.0.7:443, api-address-by-dns 10.0.0.8:443",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := deepPod(t, newIssuer(t), netip.MustParseAddrPort(test.target), responseMet(200))
			r.pod.Environment = test.environment
			r.facts.Environment = r.environment()
			if err := os.WriteFile(r.pod.Routes, []byte(table), 0o600); err != nil {
				t.Fatal(err)
			}
			facts.DNS = &checks.DNSFacts{
				ResolvConf: checks.ResolvConf{Nameservers: test.nameservers}, Lookup: checks.Lookup{Addresses: test.byDNS},
			}
			facts.History = &checks.History{ServerAddress: test.itself}
			var got []string
			for _, control := range r.controls(facts, netip.MustParseAddrPort(test.target)) {
				got = append(got, control.What+" "+control.Address.String())
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestControlsConnectAndSayNothing(t *testing.T) {
	var said bytes.Buffer
	ended := make(chan struct{})
	open := listen(t, func(_ int, conn *net.TCPConn) {
		defer close(ended)
		_, _ = io.Copy(&said, conn)
	})
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := netip.MustParseAddrPort(listener.Addr().String())
	_ = listener.Close()
	r := &round{timeout: patience, dial: new(net.Dialer).DialContext}
	controls := []checks.Control{{Address: open}, {Address: closed}}
	r.tryControls(t.Context(), controls)
	<-ended
	if controls[0].Failure != nil || controls[0].Seconds <= 0 || said.Len() > 0 {
		t.Errorf("got %+v and %q said, want a connection without a word", controls[0], said.String())
	}
	if failed := controls[1].Failure; failed == nil || failed.Kind != checks.Refused {
		t.Errorf("got %+v, want a refusal", controls[1])
	}
}

func TestThereIsNoPathWithoutATarget(t *testing.T) {
	for name, change := range map[string]func(*round, *checks.Facts){
		"no environment":  func(r *round, _ *checks.Facts) { r.facts.Environment = &checks.EnvironmentFacts{} },
		"checks left out": func(r *round, _ *checks.Facts) { r.skip = []checks.Name{checks.TLS, checks.API} },
		"no address": func(r *round, facts *checks.Facts) {
			r.facts.Environment.ServiceHost, facts.API = "api.example.com", nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := deepPod(t, newIssuer(t), netip.MustParseAddrPort("127.0.0.1:1"), responseMet(200))
			change(r, facts)
			if path, api := r.deepPath(t.Context(), facts, true), r.deepAPI(t.Context(), facts); path != nil || api != nil {
				t.Errorf("got %+v and %+v, want nothing", path, api)
			}
		})
	}
}

func TestTheTargetIsThatOfTheEnvironmentWhereThePulseDialledNone(t *testing.T) {
	r, _ := deepPod(t, newIssuer(t), netip.MustParseAddrPort("127.0.0.1:4443"), responseMet(200))
	target, ok := r.deepTarget(&checks.Facts{})
	if got, want := netip.AddrPortFrom(target.addresses[0], target.port).String(), "127.0.0.1:4443"; got != want || !ok {
		t.Errorf("got %s, want %s", got, want)
	}
}
