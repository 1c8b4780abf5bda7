package observe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// nameserver answers on one loopback address, over UDP and TCP, what its rule
// says. A nil answer is silence.
type nameserver struct {
	address netip.AddrPort
	rule    func(*dns.Msg) *dns.Msg

	mu    sync.Mutex
	asked []string
}

// startNameservers listens on the same port of each address.
func startNameservers(t *testing.T, rules map[string]func(*dns.Msg) *dns.Msg) (port uint16, servers map[string]*nameserver) {
	t.Helper()
	servers = make(map[string]*nameserver)
	for address, rule := range rules {
		server := &nameserver{rule: rule}
		packets, stream := listenBoth(t, address, port)
		server.address = netip.MustParseAddrPort(packets.LocalAddr().String())
		port = server.address.Port()
		for _, running := range []*dns.Server{{PacketConn: packets, Handler: server.over("udp")}, {Listener: stream, Handler: server.over("tcp")}} {
			ended, started := make(chan error, 1), make(chan struct{})
			running.NotifyStartedFunc = func() { close(started) }
			go func() { ended <- running.ActivateAndServe() }()
			// One that is shut down before it has started never ends.
			<-started
			t.Cleanup(func() {
				_ = running.Shutdown()
				if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			})
		}
		servers[address] = server
	}
	return port, servers
}

// listenBoth listens over UDP and TCP on the same port, a free one for 0, which
// somebody may have taken for the other of the two.
func listenBoth(t *testing.T, address string, port uint16) (net.PacketConn, net.Listener) {
	t.Helper()
	var failures []error
	for range 20 {
		packets, err := net.ListenPacket("udp", net.JoinHostPort(address, portText(port)))
		if err != nil {
			t.Skipf("no nameserver at %s: %s", address, err)
		}
		stream, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, stream
		}
		failures = append(failures, err, packets.Close())
	}
	t.Fatal(errors.Join(failures...))
	return nil, nil
}

func portText(port uint16) string {
	return strings.TrimPrefix(netip.AddrPortFrom(netip.IPv4Unspecified(), port).String(), "0.0.0.0:")
}

func (s *nameserver) over(transport string) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, asked *dns.Msg) {
		question := asked.Question[0]
		s.mu.Lock()
		s.asked = append(s.asked, strings.Join([]string{transport, dns.TypeToString[question.Qtype], question.Name}, " "))
		s.mu.Unlock()
		if reply := s.rule(asked); reply != nil {
			_ = w.WriteMsg(reply)
		}
	})
}

// questions are those of A alone: A and AAAA come in no order.
func (s *nameserver) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []string{}
	for _, question := range s.asked {
		if strings.Contains(question, " A ") {
			found = append(found, question)
		}
	}
	return found
}

func rcode(code int) func(*dns.Msg) *dns.Msg {
	return func(asked *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(asked, code) }
}

// only knows an address for one name and says NXDOMAIN to others.
func only(name string) func(*dns.Msg) *dns.Msg {
	return func(asked *dns.Msg) *dns.Msg {
		question := asked.Question[0]
		if question.Name != name {
			return rcode(dns.RcodeNameError)(asked)
		}
		reply := new(dns.Msg).SetReply(asked)
		reply.Authoritative = true
		if question.Qtype == dns.TypeA {
			reply.Answer = append(reply.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 5},
				A:   net.IPv4(10, 96, 0, 1),
			})
		}
		return reply
	}
}

func silent(*dns.Msg) *dns.Msg { return nil }

const found = "kubernetes.default.svc.cluster.local."

// lookUp looks kubernetes.default.svc up by a resolv.conf on loopback.
func lookUp(t *testing.T, resolvConf string, port uint16, limit time.Duration) checks.Lookup {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r := &round{timeout: limit, pod: checks.Pod{DNSPort: port}, memory: &memory{}}
	return newResolver(parseResolvConf(resolvConf), "", r).lookup(ctx, checks.ServiceName)
}

func TestALookupAsksAsAnApplicationDoes(t *testing.T) {
	const search = "search a.svc.cluster.local cluster.local\n"
	for _, test := range []struct {
		name       string
		resolvConf string
		rules      map[string]func(*dns.Msg) *dns.Msg
		// want are the questions for A that each nameserver gets.
		want     map[string][]string
		resolves bool
	}{
		{
			name: "the search list in its order, and no further than the answer", resolvConf: search + "nameserver 127.0.0.1\noptions ndots:5\n",
			rules:    map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": only(found)},
			want:     map[string][]string{"127.0.0.1": {"udp A kubernetes.default.svc.a.svc.cluster.local.", "udp A " + found}},
			resolves: true,
		},
		{
			name: "the name as it stands first, where it has dots enough", resolvConf: search + "nameserver 127.0.0.1\noptions ndots:2\n",
			rules:    map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": only("kubernetes.default.svc.")},
			want:     map[string][]string{"127.0.0.1": {"udp A kubernetes.default.svc."}},
			resolves: true,
		},
		{
			name: "NXDOMAIN is final for a name, whatever the next nameserver knows", resolvConf: "nameserver 127.0.0.1\nnameserver 127.0.0.2\n",
			rules: map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": rcode(dns.RcodeNameError), "127.0.0.2": only("kubernetes.default.svc.")},
			want:  map[string][]string{"127.0.0.1": {"udp A kubernetes.default.svc."}, "127.0.0.2": {}},
		},
		{
			name: "after SERVFAIL the next nameserver is asked", resolvConf: "nameserver 127.0.0.1\nnameserver 127.0.0.2\n",
			rules:    map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": rcode(dns.RcodeServerFailure), "127.0.0.2": only("kubernetes.default.svc.")},
			want:     map[string][]string{"127.0.0.1": {"udp A kubernetes.default.svc."}, "127.0.0.2": {"udp A kubernetes.default.svc."}},
			resolves: true,
		},
		{
			name: "all nameservers as often as attempts says", resolvConf: "nameserver 127.0.0.1\noptions attempts:3\n",
			rules: map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": rcode(dns.RcodeRefused)},
			want:  map[string][]string{"127.0.0.1": {"udp A kubernetes.default.svc.", "udp A kubernetes.default.svc.", "udp A kubernetes.default.svc."}},
		},
		{
			name: "TCP alone with use-vc", resolvConf: "nameserver 127.0.0.1\noptions use-vc\n",
			rules:    map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": only("kubernetes.default.svc.")},
			want:     map[string][]string{"127.0.0.1": {"tcp A kubernetes.default.svc."}},
			resolves: true,
		},
		{
			name: "never a fourth nameserver", resolvConf: "nameserver 127.0.0.1\nnameserver 127.0.0.1\nnameserver 127.0.0.1\nnameserver 127.0.0.2\noptions attempts:1\n",
			rules: map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": rcode(dns.RcodeServerFailure), "127.0.0.2": only("kubernetes.default.svc.")},
			want:  map[string][]string{"127.0.0.1": {"udp A kubernetes.default.svc.", "udp A kubernetes.default.svc.", "udp A kubernetes.default.svc."}, "127.0.0.2": {}},
		},
		{
			name: "three times what nothing comes back to, and then the next nameserver", resolvConf: "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions attempts:1\n",
			rules:    map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": silent, "127.0.0.2": only("kubernetes.default.svc.")},
			want:     map[string][]string{"127.0.0.1": slices.Repeat([]string{"udp A kubernetes.default.svc."}, maxSends), "127.0.0.2": {"udp A kubernetes.default.svc."}},
			resolves: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			port, servers := startNameservers(t, test.rules)
			lookup := lookUp(t, test.resolvConf, port, DefaultTimeout)
			for address, want := range test.want {
				if diff := cmp.Diff(want, servers[address].questions()); diff != "" {
					t.Errorf("the questions to %s differ (-want +got):\n%s", address, diff)
				}
			}
			if got := len(lookup.Addresses) > 0; got != test.resolves {
				t.Errorf("got the addresses %v, want some: %t", lookup.Addresses, test.resolves)
			}
		})
	}
}

func TestWhatIsLeftOfAReplyThatWasCutIsNoAnswer(t *testing.T) {
	server := serveDNS(t, "127.0.0.1", func(w dns.ResponseWriter, asked *dns.Msg) {
		reply := clusterReply(asked)
		reply.Truncated = true
		_ = w.WriteMsg(reply)
	}, nil)
	lookup := lookUp(t, "nameserver 127.0.0.1\nsearch cluster.local\noptions ndots:5 attempts:1\n", server.Port(), DefaultTimeout)
	if len(lookup.Addresses) > 0 {
		t.Errorf("got the addresses %v, want none, since nobody answers over TCP", lookup.Addresses)
	}
	if last := lookup.Queries[len(lookup.Queries)-1]; last.Transport != tcp || last.Failure == nil {
		t.Errorf("got %+v last, want a query over TCP that failed", last)
	}
}

func TestEveryNameserverHasItsTurnWithinTheTimeLimit(t *testing.T) {
	port, servers := startNameservers(t, map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": silent, "127.0.0.2": silent, "127.0.0.3": silent})
	const limit = 2 * time.Second
	began := time.Now()
	lookup := lookUp(t, "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\nsearch a b c d e f\noptions ndots:5\n", port, limit)
	if took := time.Since(began); took > limit+slack {
		t.Errorf("the lookup took %s, more than its limit of %s", took, limit)
	}
	if !lookup.Cut {
		t.Error("the lookup does not tell that it was cut short")
	}
	for address, server := range servers {
		// What has been sent lies in the server's socket until it is read.
		for began := time.Now(); len(server.questions()) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > patience {
				t.Fatalf("%s was not asked", address)
			}
		}
	}
}

// lagging is a context past its deadline whose timer has not fired.
type lagging struct{ context.Context } //nolint:containedctx // it is a context

func (lagging) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestALookupEndsByTheClockWhereTheTimerLags(t *testing.T) {
	r := &round{timeout: time.Second, memory: &memory{}}
	lookup := newResolver(parseResolvConf("nameserver 127.0.0.1\nsearch a b c\n"), "", r).lookup(lagging{t.Context()}, checks.ServiceName)
	if !lookup.Cut {
		t.Error("the lookup does not tell that it was cut short")
	}
	if len(lookup.Queries) > 0 {
		t.Errorf("got the queries %v past the deadline, want none", lookup.Queries)
	}
}

func TestRotateBeginsAtTheNextNameserver(t *testing.T) {
	conf := parseResolvConf("nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions rotate\n")
	r := &round{timeout: time.Second, memory: &memory{}}
	var got []string
	for range 3 {
		got = append(got, newResolver(conf, "", r).servers[0].String())
	}
	if diff := cmp.Diff([]string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}, got); diff != "" {
		t.Errorf("the first nameservers differ (-want +got):\n%s", diff)
	}
}
