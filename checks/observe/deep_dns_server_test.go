package observe

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serveDNS serves one port of an address. A transport without a handler is
// closed; the port, where both are, was open a moment ago.
func serveDNS(t *testing.T, address string, overUDP, overTCP dns.HandlerFunc) netip.AddrPort {
	t.Helper()
	target := netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	serve := func(server *dns.Server) {
		// A server that is not yet started cannot be shut down.
		started, ended := make(chan struct{}), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- server.ActivateAndServe() }()
		select {
		case <-started:
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = server.Shutdown()
			if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
	}
	var packets net.PacketConn
	var stream net.Listener
	switch {
	case overUDP != nil && overTCP != nil:
		packets, stream = listenBoth(t, address, 0)
	case overUDP != nil:
		conn, err := net.ListenPacket(udp, target.String())
		if err != nil {
			t.Skipf("no nameserver at %s: %s", target, err)
		}
		packets = conn
	case overTCP != nil:
		listener, err := net.Listen(tcp, target.String())
		if err != nil {
			t.Fatal(err)
		}
		stream = listener
	}
	if packets != nil {
		target = netip.MustParseAddrPort(packets.LocalAddr().String())
		serve(&dns.Server{PacketConn: packets, Handler: overUDP})
	}
	if stream != nil {
		target = netip.MustParseAddrPort(stream.Addr().String())
		serve(&dns.Server{Listener: stream, Handler: overTCP})
	}
	if overUDP == nil && overTCP == nil {
		return closedPort(t)
	}
	return target
}

// cluster answers as the cluster DNS of a cluster whose API server is at
// 10.96.0.1.
func cluster(w dns.ResponseWriter, asked *dns.Msg) {
	_ = w.WriteMsg(clusterReply(asked))
}

func clusterReply(asked *dns.Msg) *dns.Msg {
	known := map[string]string{
		"A " + found:                        found + " 5 IN A 10.96.0.1",
		"TXT dns-version.cluster.local.":    `dns-version.cluster.local. 5 IN TXT "1.1.0"`,
		"PTR 1.0.96.10.in-addr.arpa.":       "1.0.96.10.in-addr.arpa. 5 IN PTR " + found,
		"NS .":                              ". 5 IN NS a.root-servers.net.",
		"A kubernetes.default.svc.example.": "kubernetes.default.svc.example. 5 IN A 10.96.0.1",
	}
	reply := new(dns.Msg).SetReply(asked)
	reply.Authoritative, reply.RecursionAvailable = true, true
	question := asked.Question[0]
	if text := known[dns.TypeToString[question.Qtype]+" "+question.Name]; text != "" {
		record, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		reply.Answer = append(reply.Answer, record)
	}
	return reply
}

func mute(dns.ResponseWriter, *dns.Msg) {}

// unless lets some questions pass by, and answers the others as the cluster.
func unless(passed func(*dns.Msg) bool, instead dns.HandlerFunc) dns.HandlerFunc {
	return func(w dns.ResponseWriter, asked *dns.Msg) {
		if passed(asked) {
			instead(w, asked)
			return
		}
		cluster(w, asked)
	}
}

func hasEDNS(asked *dns.Msg) bool { return asked.IsEdns0() != nil }

func asksAAAA(asked *dns.Msg) bool { return asked.Question[0].Qtype == dns.TypeAAAA }

func everyOther(chosen func(*dns.Msg) bool) func(*dns.Msg) bool {
	var count atomic.Int64
	return func(asked *dns.Msg) bool { return chosen(asked) && count.Add(1)%2 == 0 }
}

// deafToEveryOtherPort answers as the cluster, but never to some of the ports that
// ask without EDNS(0). A port that asks for more than one does, a question once and
// where it is not answered once more, is another's.
func deafToEveryOtherPort() dns.HandlerFunc {
	type port struct {
		deaf  bool
		asked map[uint16]int
	}
	var mu sync.Mutex
	seen, count := make(map[string]port), 0
	isDeafTo := func(from string, kind uint16) bool {
		mu.Lock()
		defer mu.Unlock()
		known := seen[from]
		if all := known.asked[kind] == 2 || known.asked[kind] == 1 && !known.deaf; known.asked == nil || all {
			count++
			known = port{count%2 == 0, make(map[uint16]int)}
			seen[from] = known
		}
		known.asked[kind]++
		return known.deaf
	}
	return func(w dns.ResponseWriter, asked *dns.Msg) {
		if hasEDNS(asked) || !isDeafTo(w.RemoteAddr().String(), asked.Question[0].Qtype) {
			cluster(w, asked)
		}
	}
}

func not(chosen func(*dns.Msg) bool) func(*dns.Msg) bool {
	return func(asked *dns.Msg) bool { return !chosen(asked) }
}

// firstWithoutEDNS chooses one question, after most of the time that a query waits.
func firstWithoutEDNS() func(*dns.Msg) bool {
	var chosen atomic.Bool
	return func(asked *dns.Msg) bool {
		if hasEDNS(asked) || !chosen.CompareAndSwap(false, true) {
			return false
		}
		time.Sleep(probeOfCluster.limit * 2 / 3)
		return true
	}
}

// from answers as the cluster by another socket than the one that was asked.
func from(t *testing.T, address string) dns.HandlerFunc {
	t.Helper()
	other, err := net.ListenPacket(udp, net.JoinHostPort(address, "0"))
	if err != nil {
		t.Skipf("there is no %s: %s", address, err)
	}
	t.Cleanup(func() { _ = other.Close() })
	return func(w dns.ResponseWriter, asked *dns.Msg) {
		packed, err := clusterReply(asked).Pack()
		if err == nil {
			_, err = other.WriteTo(packed, w.RemoteAddr())
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func formatError(w dns.ResponseWriter, asked *dns.Msg) {
	_ = w.WriteMsg(rcode(dns.RcodeFormatError)(asked))
}

func garbage(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write([]byte("this is not DNS")) }

// closedPort is one that nobody listened on a moment ago.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen(tcp, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return netip.MustParseAddrPort(listener.Addr().String())
}
