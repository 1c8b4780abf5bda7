package judge

import (
	"net/netip"

	"github.com/kube-lifeline/lifeline/checks"
)

// deepened gives facts what deep probes saw.
func deepened(change func(*checks.DeepFacts)) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.Deep = &checks.DeepFacts{Time: noon, DNS: &checks.DeepDNSFacts{Zone: "cluster.local."}, Path: &checks.DeepPathFacts{Target: apiAddress}}
		change(f.Deep)
	}
}

func connectFails(kind checks.FailureKind) func(*checks.Facts) {
	return func(f *checks.Facts) {
		*last(f) = checks.Exchange{Stage: checks.StageConnect, Address: apiAddress, Failure: &checks.Failure{Kind: kind, Message: string(kind)}}
	}
}

func control(what, address string, kind checks.FailureKind) checks.Control {
	c := checks.Control{What: what, Address: netip.MustParseAddrPort(address)}
	if kind != "" {
		c.Failure = &checks.Failure{Kind: kind, Message: string(kind)}
	}
	return c
}

func nameservers(servers ...checks.NameserverFacts) func(*checks.Facts) {
	return deepened(func(d *checks.DeepFacts) { d.DNS.Nameservers = servers })
}

func answer(address string) *checks.Query {
	q := query("NOERROR", func(q *checks.Query) { q.Addresses = []netip.Addr{netip.MustParseAddr(address)} })
	return &q
}

// withoutEDNS has the nameserver answer what has no EDNS(0) alone.
func withoutEDNS(f *checks.Facts) {
	nameservers(checks.NameserverFacts{
		Address: dnsAddress, UDP: silence(), TCP: answer("10.96.0.1"), WithoutEDNS: answer("10.96.0.1"), Paired: &checks.PairedFacts{Pairs: 20},
	})(f)
}

func rcode(code string) *checks.Query { q := query(code); return &q }

func refusedQuery() *checks.Query { q := broken(checks.Refused); return &q }

// refusing has the nameserver answer over UDP, and meet a connection over TCP
// with a failing, none where it is empty.
func refusing(udp *checks.Query, overTCP checks.FailureKind) func(*checks.Facts) {
	return deepened(func(d *checks.DeepFacts) {
		d.DNS.Nameservers = []checks.NameserverFacts{{Address: dnsAddress, UDP: udp}}
		d.Path.Controls = []checks.Control{control(checks.ControlDNSOverTCP, "10.96.0.10:53", overTCP)}
	})
}

func silence() *checks.Query { q := broken(checks.TimedOut); return &q }

func texts(words ...string) *checks.Query {
	q := query("NOERROR", func(q *checks.Query) { q.Texts = words })
	return &q
}

func reverse(names ...string) *checks.Query {
	q := query("NOERROR", func(q *checks.Query) { q.Names = names })
	return &q
}

// late is a lookup that the time limit ended, of which so many seconds were taken by an
// answer and, in vain, by what was asked next.
func late(answer, next float64) func(*checks.Facts) {
	return func(f *checks.Facts) {
		denied, waited := query("NXDOMAIN", authority("ns.dns.cluster.local.")), broken(checks.TimedOut)
		denied.Name, denied.Seconds, waited.Seconds = "kubernetes.default.svc.shop.svc.cluster.local.", answer, next
		unresolved(denied, waited)(f)
		f.DNS.Lookup.Cut = true
	}
}

// answeredFirst has a try before the one that passed.
func answeredFirst(response checks.Response) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.API.ServiceHost.Exchanges = append([]checks.Exchange{{Stage: checks.StageDone, Response: &response}}, f.API.ServiceHost.Exchanges...)
	}
}

// hello is a handshake that did not end: unacked segments of what was sent, and
// received bytes of what came back.
func hello(unacked uint32, received uint64) *checks.Handshake {
	return &checks.Handshake{
		Connected: true, Failure: &checks.Failure{Kind: checks.TimedOut, Message: "i/o timeout"},
		TCP: &checks.TCPFacts{Unacked: unacked, Retransmits: unacked * 3, BytesReceived: received},
	}
}
