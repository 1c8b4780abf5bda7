package judge

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

var (
	apiAddress = netip.MustParseAddrPort("10.96.0.1:443")
	dnsAddress = netip.MustParseAddr("10.96.0.10")
)

func TestRulesNameTheCauseByWhatDeepProbesSaw(t *testing.T) {
	done := &checks.Handshake{Connected: true, Done: true}
	handshakeTimeout := handshakeFailure(checks.TimedOut, "i/o timeout")
	path := func(change func(*checks.DeepPathFacts)) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) { change(d.Path) })
	}
	hellos := func(small, full, clamped *checks.Handshake) func(*checks.Facts) {
		return path(func(p *checks.DeepPathFacts) { p.SmallHello, p.FullHello, p.Clamped = small, full, clamped })
	}
	fresh := func(connections ...checks.FreshConnection) func(*checks.Facts) {
		return path(func(p *checks.DeepPathFacts) { p.Fresh = connections })
	}
	controls := func(controls ...checks.Control) func(*checks.Facts) {
		return path(func(p *checks.DeepPathFacts) { p.Controls = controls })
	}
	issuer := newPKI(t)
	good := checks.FreshConnection{Leaf: "a", LeafNames: []string{"node-1"}, Status: 200, ServerAddress: "10.0.0.1:6443"}
	untrusted := checks.FreshConnection{Leaf: "b", LeafNames: []string{"node-2"}, Failure: &checks.Failure{Kind: checks.Untrusted}}
	unconnected := checks.FreshConnection{Failure: &checks.Failure{Kind: checks.TimedOut}}
	rejected := checks.FreshConnection{Leaf: "b", Status: 401}
	timedOut := unresolved(broken(checks.TimedOut))
	refusal := unresolved(broken(checks.Refused))
	refused := func(address string) checks.NameserverFacts {
		q := broken(checks.Refused)
		return checks.NameserverFacts{Address: netip.MustParseAddr(address), UDP: &q, TCP: &q}
	}
	deaf := func(address string) checks.NameserverFacts {
		return checks.NameserverFacts{Address: netip.MustParseAddr(address), UDP: silence(), TCP: silence(), WithoutEDNS: silence(), Paired: &checks.PairedFacts{Pairs: 2, None: 2}}
	}
	well := checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), TCP: answer("10.96.0.1")}
	passedOver := func(kind checks.FailureKind) func(*checks.Facts) {
		return func(f *checks.Facts) {
			for _, family := range []string{"A", "AAAA"} {
				missed := broken(kind)
				missed.Nameserver, missed.Type, missed.Unanswered = netip.MustParseAddr("169.254.20.10"), family, 3
				f.DNS.Lookup.Queries = append([]checks.Query{missed}, f.DNS.Lookup.Queries...)
			}
		}
	}
	foreign := unresolved(query("NXDOMAIN", authority("a.root-servers.net.")))
	withoutSearch := func(f *checks.Facts) {
		f.DNS.ResolvConf.Search, f.DNS.Lookup.Candidates = nil, []string{"kubernetes.default.svc."}
	}
	silentFor := func(name string) checks.Query {
		q := broken(checks.TimedOut)
		q.Name = name
		return q
	}
	useTCP := func(f *checks.Facts) { f.DNS.ResolvConf.UseTCP = true }
	withoutAAAA := func(more ...checks.Query) func(*checks.Facts) {
		return func(f *checks.Facts) {
			missed := noReply(dnsAddress, "AAAA")[0]
			missed.Name = "kubernetes.default.svc.shop.svc.cluster.local."
			unresolved(append(more, query("NXDOMAIN", authority("ns.dns.cluster.local."), named(missed.Name)), missed)...)(f)
			f.DNS.Lookup.Cut = true
		}
	}
	half := func(recovered, single int) func(*checks.Facts) {
		server := counted(checks.PairedFacts{Pairs: 20, Half: 20, Recovered: recovered}, &checks.SingleFacts{Queries: 40, Lost: single})
		server.AAAA = silence()
		return nameservers(server)
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"a handshake that only small segments bring to its end", both(handshakeTimeout, hellos(done, hello(2, 0), done)), checks.TLSTimeoutMTUBlackHole},
		{"a handshake that only small segments bring to its end, as answers are lost", both(handshakeTimeout, hellos(hello(0, 0), hello(0, 0), done)), checks.TLSTimeoutMTUBlackHole},
		{"a handshake that only a small hello brings to its end", both(handshakeTimeout, hellos(done, hello(1, 0), hello(1, 0))), checks.TLSTimeoutLargeClientHello},
		{"a server that acknowledges and says nothing", both(handshakeTimeout, hellos(hello(0, 0), hello(0, 0), hello(0, 0))), checks.TLSTimeoutServerOverloaded},
		{"a server that acknowledges a small hello alone, and answers none", both(handshakeTimeout, hellos(hello(0, 0), hello(2, 0), hello(3, 0))), checks.TLSTimeoutMTUBlackHole},
		{"a server that acknowledges a small hello, and a large one not at once", both(handshakeTimeout, hellos(hello(0, 0), &checks.Handshake{
			Connected: true, Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{Unacked: 1, Retransmits: 1},
		}, hello(0, 0))), checks.TLSHandshakeTimeout},
		{"a server that neither acknowledges", both(handshakeTimeout, hellos(hello(1, 0), hello(2, 0), hello(3, 0))), checks.TLSHandshakeTimeout},
		{"a handshake that only small segments bring to its end, and others of full size too", both(handshakeTimeout, hellos(done, hello(2, 0), done), func(f *checks.Facts) {
			f.Deep.Path.Fresh = []checks.FreshConnection{unconnected, good, unconnected}
		}), checks.TCPIntermittentOneEndpoint},
		{"handshakes that all end well by now", both(handshakeTimeout, hellos(done, done, done)), checks.TLSHandshakeTimeout},
		{"a handshake of which nothing more is known", handshakeTimeout, checks.TLSHandshakeTimeout},

		{"only the API is silent", both(connectFails(checks.TimedOut), controls(control("dns-over-tcp", "10.96.0.10:53", ""))), checks.TCPTimeoutNetworkPolicy},
		{"only the API is silent, and was not to others a while ago", both(connectFails(checks.TimedOut), controls(control("dns-over-tcp", "10.96.0.10:53", "")), func(f *checks.Facts) {
			f.Deep.Path.Fresh = []checks.FreshConnection{{Failure: &checks.Failure{Kind: checks.Refused}}, {Failure: &checks.Failure{Kind: checks.Refused}}}
		}), checks.TCPTimeout},
		{"only the API is silent, and a round connected since", both(connectFails(checks.TimedOut), controls(control("dns-over-tcp", "10.96.0.10:53", "")), func(f *checks.Facts) {
			f.Deep.Time = noon.Add(-time.Minute)
			f.History = &checks.History{Rounds: 9, ConnectedAt: noon.Add(-time.Second)}
		}), checks.TCPTimeout},
		{"only the API is silent, and DNS has no endpoints", both(connectFails(checks.TimedOut), refusal, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.Refused), control("node", "10.244.0.1:443", checks.Refused))), checks.TCPTimeoutNetworkPolicy},
		{"the API is silent, and a filter resets what is sent to DNS", both(connectFails(checks.TimedOut), timedOut, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.Reset), control("node", "10.244.0.1:443", checks.TimedOut))), checks.TCPTimeoutNetworkPolicy},
		{"only the API is silent, and DNS has no endpoints, which the kernel keeps back over TCP", both(connectFails(checks.TimedOut), refusal, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.TimedOut), control("node", "10.244.0.1:443", checks.Refused))), checks.TCPTimeoutNetworkPolicy},
		{"the API is silent, and nobody serves DNS in this pod", both(connectFails(checks.TimedOut), unresolved(func() checks.Query {
			q := broken(checks.Refused)
			q.Nameserver = netip.MustParseAddr("127.0.0.1")
			return q
		}()), controls(control("dns-over-tcp", "127.0.0.1:53", checks.Refused))), checks.TCPTimeout},
		{"the API is silent, and the cache of the node is down", both(connectFails(checks.TimedOut), unresolved(func() checks.Query {
			q := broken(checks.Refused)
			q.Nameserver = netip.MustParseAddr("169.254.20.10")
			return q
		}()), controls(control("dns-over-tcp", "169.254.20.10:53", checks.Refused))), checks.TCPTimeout},
		{"only Services are silent", both(connectFails(checks.TimedOut), timedOut, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.TimedOut), control("node", "10.244.0.1:443", checks.Refused))), checks.TCPTimeoutKubeProxyNotProgrammed},
		{"only the API is silent, and a policy lets DNS out over UDP alone", both(connectFails(checks.TimedOut), controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.TimedOut), control("node", "10.244.0.1:443", checks.Refused))), checks.TCPTimeoutNetworkPolicy},
		{"all is silent", both(connectFails(checks.TimedOut), timedOut, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.TimedOut), control("node", "10.244.0.1:443", checks.TimedOut))), checks.TCPTimeoutNetworkPolicy},
		{"all was silent, and the API answers again", both(timedOut, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.TimedOut), control("node", "10.244.0.1:443", checks.TimedOut))), checks.DNSTimeout},
		{"all is silent but the node, which has no route on", both(connectFails(checks.TimedOut), timedOut, controls(
			control("dns-over-tcp", "10.96.0.10:53", checks.TimedOut), control("node", "10.244.0.1:443", checks.HostUnreachable))), checks.TCPTimeout},
		{"one of two API servers shakes no hand", both(handshakeTimeout, hellos(hello(0, 0), hello(0, 0), hello(0, 0)), func(f *checks.Facts) {
			f.Deep.Path.Fresh = []checks.FreshConnection{good, unconnected, good, unconnected}
		}), checks.TCPIntermittentOneEndpoint},

		{"all TCP is refused, and UDP answered", both(connectFails(checks.Refused), refusing(answer("10.96.0.1"), checks.Refused)), checks.TCPRefusedSidecarNotReady},
		{"all TCP is refused, and UDP answered NXDOMAIN", both(connectFails(checks.Refused), refusing(rcode("NXDOMAIN"), checks.Refused)), checks.TCPRefusedSidecarNotReady},
		{"all is refused", both(connectFails(checks.Refused), refusing(refusedQuery(), checks.Refused)), checks.TCPRefused},
		{"TCP is refused, and UDP silent", both(connectFails(checks.Refused), refusing(silence(), checks.Refused)), checks.TCPRefused},
		{"the API refuses, and the nameserver does not", both(connectFails(checks.Refused), refusing(answer("10.96.0.1"), "")), checks.TCPRefused},
		{"the API refuses, and the nameserver is silent over TCP", both(connectFails(checks.Refused), refusing(answer("10.96.0.1"), checks.TimedOut)), checks.TCPRefused},
		{"all TCP was refused, and a later connection came about", both(connectFails(checks.Refused), refusing(answer("10.96.0.1"), checks.Refused), func(f *checks.Facts) {
			f.Deep.Path.Fresh = []checks.FreshConnection{good}
		}), checks.TCPRefused},
		{"the API is silent, and all other TCP refused", both(connectFails(checks.TimedOut), refusing(answer("10.96.0.1"), checks.Refused)), checks.TCPTimeoutNetworkPolicy},

		{"one of two certificates is not accepted", both(presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) })), fresh(good, untrusted, good)), checks.CertDiffersByReplica},
		{"one of two certificates is not accepted, and the round met the other", fresh(good, untrusted, good), checks.CertDiffersByReplica},
		{"some API servers reject the token, and the round met another", fresh(good, rejected, good), checks.TokenIntermittentByAPIServer},
		{"some API servers are not reached, and the round met another", fresh(good, unconnected, good, unconnected), checks.TCPIntermittentOneEndpoint},
		{"every certificate is not accepted", both(presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) })), fresh(untrusted, untrusted)), checks.CertServingExpired},
		{"some API servers reject the token", both(answeredWith(401, message("Unauthorized"), unfairly), fresh(good, rejected, good)), checks.TokenIntermittentByAPIServer},
		{"some API servers fail within themselves, and the round met another", fresh(good, checks.FreshConnection{Leaf: "b", Status: 500}, good), checks.HTTP500Internal},
		{"some API servers forbid what others allow, and the round met another", fresh(good, checks.FreshConnection{Leaf: "b", Status: 403}, good), checks.HTTP403DiscoveryRBACRemoved},
		{"all API servers reject the token", both(answeredWith(401, message("Unauthorized"), unfairly), fresh(rejected, rejected)), checks.HTTP401Unattributed},
		{"some API servers reject a Secret's token", both(answeredWith(401, message("Unauthorized"), unfairly), ofSecret, fresh(good, rejected, good)), checks.TokenIntermittentByAPIServer},
		{"all API servers reject a Secret's token", both(answeredWith(401, message("Unauthorized"), unfairly), ofSecret, fresh(rejected, rejected)), checks.TokenLegacyInvalidated},
		{"some API servers are not reached", both(connectFails(checks.TimedOut), fresh(good, unconnected, good, unconnected)), checks.TCPIntermittentOneEndpoint},
		{"one connection of some is not answered, as another round was not", both(connectFails(checks.TimedOut), fresh(good, unconnected, good), lately("+++-+++")), checks.TCPIntermittentOneEndpoint},
		{"one connection of some is not answered, as another round was not on a path that loses more", both(connectFails(checks.TimedOut), fresh(good, unconnected, good), both(lately("+++-+++"), again(5))), checks.TCPTimeout},
		{"one connection of some stands, and is told nothing", both(connectFails(checks.TimedOut), fresh(good, checks.FreshConnection{TCP: &checks.TCPFacts{}, Failure: unconnected.Failure}, good)), checks.TCPIntermittentOneEndpoint},
		{"one connection of some stands, and its handshake is not acknowledged", both(connectFails(checks.TimedOut), fresh(good, checks.FreshConnection{TCP: &checks.TCPFacts{Unacked: 2}, Failure: unconnected.Failure}, good)), checks.TCPTimeout},
		{"one connection of some is not answered", both(connectFails(checks.TimedOut), fresh(good, unconnected, good)), checks.TCPTimeout},
		{"one connection of some is refused", both(connectFails(checks.Refused), fresh(good, checks.FreshConnection{Failure: &checks.Failure{Kind: checks.Refused}}, good)), checks.TCPIntermittentOneEndpoint},

		{"a nameserver of which one backend fails", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), TCP: answer("10.96.0.1"), Version: texts("1.1.0"), Paired: &checks.PairedFacts{Pairs: 20, Known: 11, Failing: 9},
		})), checks.DNSOneBackendBad},
		{"a nameserver of which one backend is of another network", both(foreign, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("NXDOMAIN"), TCP: answer("10.96.0.1"), Version: texts("1.1.0"), Reverse: rcode("NXDOMAIN"), Paired: &checks.PairedFacts{Pairs: 20, Known: 9},
		})), checks.DNSOneBackendBad},
		{"a nameserver of which one backend has no zone", both(unresolved(query("REFUSED")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("REFUSED"), TCP: answer("10.96.0.1"), Paired: &checks.PairedFacts{Pairs: 20, Known: 9},
		})), checks.DNSOneBackendBad},
		{"a nameserver that denied the name but once", both(foreign, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("NXDOMAIN"), Version: texts("1.1.0"), Reverse: rcode("NXDOMAIN"), Paired: &checks.PairedFacts{Pairs: 20, Known: 1},
		})), checks.DNSNXDomainServiceHidden},
		{"a nameserver that refuses some queries and answers others", both(asking(func(q []checks.Query) []checks.Query {
			return append([]checks.Query{broken(checks.Refused)}, q...)
		}), nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: refusedQuery(), TCP: answer("10.96.0.1")})), checks.DNSOneBackendBad},
		{"a nameserver that some queries have no route to, and others an answer of", asking(func(q []checks.Query) []checks.Query {
			return append([]checks.Query{broken(checks.HostUnreachable)}, q...)
		}), checks.DNSOneBackendBad},
		{"a nameserver that refuses the right name, and denied the one before it", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local."), named("kubernetes.default.svc.shop.svc.cluster.local.")), broken(checks.Refused), broken(checks.Refused)), checks.DNSOneBackendBad},
		{"a nameserver of the node that refuses some queries", asking(func(q []checks.Query) []checks.Query {
			refused := broken(checks.Refused)
			refused.Nameserver, q[0].Nameserver = netip.MustParseAddr("169.254.20.10"), netip.MustParseAddr("169.254.20.10")
			return append([]checks.Query{refused}, q...)
		}), checks.DNSNameserverFailing},
		{"a nameserver that fails on its version too", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: rcode("SERVFAIL"), Root: rcode("SERVFAIL"), Paired: &checks.PairedFacts{Pairs: 20, Failing: 20},
		})), checks.DNSServerMisbehaving},
		{"a nameserver that fails on the API server's name, and knows its address", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: texts("1.1.0"), Reverse: reverse("kubernetes.default.svc.Cluster.local."), Paired: &checks.PairedFacts{Pairs: 20, Failing: 19, None: 1},
		})), checks.DNSServerMisbehaving},
		{"a nameserver that failed on the API server's name, and no longer did for pairs", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: texts("1.1.0"), Reverse: reverse("kubernetes.default.svc.cluster.local."), Paired: &checks.PairedFacts{Pairs: 20},
		})), checks.DNSServfailCoreDNSUnsynced},
		{"a nameserver that fails on the API server's name, and has another for its address", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: texts("1.1.0"), Reverse: reverse("node-1.example."), Paired: &checks.PairedFacts{Pairs: 20, Failing: 20},
		})), checks.DNSServfailCoreDNSUnsynced},
		{"a nameserver that fails on all of the zone, and has the API server's address in it", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: rcode("SERVFAIL"), Root: rcode("SERVFAIL"), Reverse: reverse("kubernetes.default.svc.cluster.local."), Paired: &checks.PairedFacts{Pairs: 20, Failing: 20},
		})), checks.DNSServerMisbehaving},
		{"a nameserver of another zone that reaches nobody beyond it", both(unresolved(query("SERVFAIL")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: rcode("SERVFAIL"), Root: rcode("SERVFAIL"), Reverse: reverse("kubernetes.default.svc.other.example."),
		})), checks.DNSNXDomainWrongClusterDomain},
		{"a nameserver of another zone that has no other", both(unresolved(query("REFUSED")), nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: rcode("REFUSED"), Version: rcode("REFUSED"), Root: rcode("REFUSED"), Reverse: reverse("kubernetes.default.svc.other.example."),
		})), checks.DNSNXDomainWrongClusterDomain},
		{"the cluster's nameserver without its zone in the search list, and others behind it that fail", both(unresolved(query("SERVFAIL", named("kubernetes.default.svc."))), withoutSearch, nameservers(well)), checks.DNSPolicyNoneIncomplete},
		{"the cluster's nameserver without its zone in the search list, and others behind it that are silent", both(unresolved(silentFor("kubernetes.default.svc.")), withoutSearch, nameservers(well)), checks.DNSPolicyNoneIncomplete},
		{"the cluster's nameserver without its zone in the search list, and the root behind it", both(unresolved(query("NXDOMAIN", named("kubernetes.default.svc."), authority("a.root-servers.net."))), withoutSearch, nameservers(well)), checks.DNSPolicyNoneIncomplete},
		{"another nameserver that passes the zone on, without it in the search list", both(unresolved(query("NXDOMAIN", named("kubernetes.default.svc."), authority("a.root-servers.net."))), withoutSearch, nameservers(well), func(f *checks.Facts) {
			f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("192.168.1.1")}
		}), checks.DNSPolicyDefault},
		{"a link-local nameserver that refuses, over UDP so often that the kernel keeps it back", both(timedOut, nameservers(checks.NameserverFacts{
			Address: netip.MustParseAddr("169.254.20.10"), UDP: silence(), TCP: refusedQuery(),
		})), checks.DNSNodeLocalDown},
		{"a nameserver that answers over TCP alone", both(timedOut, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: silence(), TCP: answer("10.96.0.1")})), checks.DNSUDPBlockedTCPOK},
		{"a nameserver that is silent over TCP, which resolvers are to use", both(timedOut, useTCP, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), TCP: silence()})), checks.DNSTCPBlockedUDPOK},
		{"a nameserver that refuses over TCP, which resolvers are to use", both(refusal, useTCP, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), TCP: refusedQuery()})), checks.DNSTCPBlockedUDPOK},
		{"a nameserver that refuses over TCP, which resolvers are to use, as over UDP", both(refusal, useTCP, nameservers(refused("10.96.0.10"))), checks.DNSServiceNoEndpoints},
		{"a nameserver that was silent over TCP, which resolvers are to use, and answers by now", both(timedOut, useTCP, nameservers(well)), checks.DNSTimeout},
		{"a nameserver that is silent over TCP, which resolvers are not to use", both(timedOut, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), TCP: silence()})), checks.DNSTimeout},
		{"a nameserver that is silent while the API answers", both(timedOut, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: silence(), TCP: silence()})), checks.DNSEgressPolicyBlocks53},
		{"a nameserver that has no address of a Service and is silent while the API answers", both(timedOut, nameservers(deaf("192.0.2.53")), func(f *checks.Facts) {
			f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("192.0.2.53")}
		}), checks.DNSTimeout},
		{"two nameservers that are silent while the API answers, of which one has an address of a Service", both(timedOut, nameservers(deaf("192.0.2.53"), deaf("10.96.0.10")), func(f *checks.Facts) {
			f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("192.0.2.53"), dnsAddress}
		}), checks.DNSEgressPolicyBlocks53},
		{"a nameserver that is silent as the API is", both(timedOut, connectFails(checks.TimedOut), nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: silence(), TCP: silence()})), checks.TCPTimeout},
		{"a nameserver of which one query met no reply over UDP", both(timedOut, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: silence(), TCP: answer("10.96.0.1"), WithoutEDNS: answer("10.96.0.1"), Paired: &checks.PairedFacts{Pairs: 20},
		})), checks.DNSTimeout},
		{"a nameserver of which one pair had its replies", both(timedOut, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: silence(), TCP: silence(), WithoutEDNS: silence(), Paired: &checks.PairedFacts{Pairs: 2, None: 1},
		})), checks.DNSTimeout},
		{"a nameserver that takes connections and answers nothing, while the API answers", both(timedOut, nameservers(deaf("10.96.0.10")), func(f *checks.Facts) {
			f.Deep.Path.Controls = []checks.Control{control(checks.ControlDNSOverTCP, "10.96.0.10:53", "")}
		}), checks.DNSTimeout},
		{"a nameserver that answers later than the deep probes wait", both(late(0.45, 0.1), nameservers(deaf("10.96.0.10"))), checks.DNSSlow},
		{"a nameserver that answers late since packets are lost", both(late(0.45, 0.1), nameservers(deaf("10.96.0.10")), func(f *checks.Facts) {
			f.DNS.Lookup.Queries[0].Unanswered = 1
		}), checks.DNSTimeout},
		{"a link-local nameserver that takes connections and answers nothing", both(timedOut, nameservers(deaf("169.254.20.10")), func(f *checks.Facts) {
			f.Deep.Path.Controls = []checks.Control{control(checks.ControlDNSOverTCP, "169.254.20.10:53", "")}
		}), checks.DNSTimeout},
		{"a nameserver that answers at once and then no more", both(late(0.001, 0.5), nameservers(deaf("10.96.0.10"))), checks.DNSTimeout},
		{"a nameserver that never answers for AAAA", both(withoutAAAA(), half(0, 0)), checks.DNSAAAABroken},
		{"a nameserver that never answers for AAAA, late", both(asking(func(q []checks.Query) []checks.Query { return append(noReply(dnsAddress, "AAAA"), q[:1]...) }), func(f *checks.Facts) {
			f.DNS.Lookup.Seconds = 1
		}, half(0, 0)), checks.DNSAAAABroken},
		{"a nameserver that answers for AAAA when it is asked again", both(withoutAAAA(), half(20, 0)), checks.DNSTimeout},
		{"a nameserver that never answers for AAAA, and not always for A", both(withoutAAAA(), half(0, 2)), checks.DNSTimeout},
		{"a nameserver that never answered for AAAA, and no longer for A", both(withoutAAAA(noReply(dnsAddress, "A")...), half(0, 0)), checks.DNSTimeout},
		{"a name outside of the zone that is asked for first and not answered", both(unresolved(func() checks.Query {
			q := broken(checks.TimedOut)
			q.Name = "kubernetes.default.svc."
			return q
		}()), nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), Version: texts("1.1.0")})), checks.DNSServfailUpstream},
		{"a name in the zone that is answered by now", both(timedOut, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), Version: texts("1.1.0")})), checks.DNSTimeout},
		{"a link-local nameserver that refuses", both(refusal, nameservers(refused("169.254.20.10"))), checks.DNSNodeLocalDown},
		{"a link-local nameserver of IPv6 that refuses", both(refusal, nameservers(refused("fe80::53"))), checks.DNSNodeLocalDown},
		{"a link-local nameserver that refuses beside one that answers", both(passedOver(checks.Refused), nameservers(refused("169.254.20.10"), well)), checks.DNSNodeLocalDown},
		{"a nameserver that refuses and is not link-local", both(refusal, nameservers(refused("10.96.0.10"))), checks.DNSServiceNoEndpoints},
		{"all nameservers refuse, one of them link-local", both(refusal, nameservers(refused("169.254.20.10"), refused("10.96.0.10"))), checks.DNSServiceNoEndpoints},
		{"a link-local nameserver that refuses UDP alone", both(refusal, nameservers(checks.NameserverFacts{
			Address: netip.MustParseAddr("169.254.20.10"), UDP: refused("169.254.20.10").UDP, TCP: answer("10.96.0.1"),
		})), checks.DNSUDPBlockedTCPOK},
		{"a nameserver that refuses UDP alone", both(refusal, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: refusedQuery(), TCP: answer("10.96.0.1"),
		})), checks.DNSUDPBlockedTCPOK},
		{"a nameserver that refuses UDP alone, so often that the kernel keeps it back", both(timedOut, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: silence(), WithoutEDNS: refusedQuery(), TCP: answer("10.96.0.1"),
		})), checks.DNSUDPBlockedTCPOK},
		{"a nameserver that refuses UDP, and TCP is silent", both(refusal, nameservers(checks.NameserverFacts{
			Address: dnsAddress, UDP: refusedQuery(), TCP: silence(),
		})), checks.DNSServiceNoEndpoints},
		{"a nameserver that refused, and answers by now", both(refusal, nameservers(well)), checks.DNSServiceNoEndpoints},
		{"a link-local nameserver that refuses as the API does", both(refusal, connectFails(checks.Refused), nameservers(refused("169.254.20.10"))), checks.TCPRefused},
		{"a link-local nameserver that is silent", both(timedOut, nameservers(deaf("169.254.20.10"))), checks.DNSPolicyMissesNodeLocal},
		{"a link-local nameserver that is silent beside one that answers", both(passedOver(checks.TimedOut), nameservers(deaf("169.254.20.10"), well)), checks.DNSPolicyMissesNodeLocal},
		{"a link-local nameserver that is silent as another is", both(timedOut, nameservers(deaf("169.254.20.10"), deaf("10.96.0.10"))), checks.DNSEgressPolicyBlocks53},
		{"a link-local nameserver that is silent as the API is", both(timedOut, connectFails(checks.TimedOut), nameservers(deaf("169.254.20.10"))), checks.TCPTimeout},
		{"a wildcard in a search domain, and the cluster's own name beside it", both(wildcardAnswer("corp.example."), nameservers(well)), checks.DNSSearchWildcardHijack},
		{"a wildcard in the only search domain", both(wildcardAnswer("corp.example."), nameservers(well), func(f *checks.Facts) {
			f.DNS.ResolvConf.Search = []string{"corp.example."}
		}), checks.DNSSearchWildcardHijack},
		{"an address in the only search domain that the cluster's own name has too", both(wildcardAnswer("corp.example."), func(f *checks.Facts) {
			f.DNS.ResolvConf.Search = []string{"corp.example."}
		}, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("203.0.113.9")})), checks.DNSAnswerDisagreesWithEnv},
		{"a wildcard that a service host by name cannot be compared with", both(wildcardAnswer("corp.example."), nameservers(well), func(f *checks.Facts) {
			f.Environment.ServiceHost, f.Environment.ServiceAddress = "api.example.com", ""
			f.DNS.ServiceHost = &checks.Lookup{Addresses: []netip.Addr{apiAddress.Addr()}}
		}), checks.DNSSearchWildcardHijack},
		{"replies from a pod", both(timedOut, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: silence(), TCP: silence(), RepliesFrom: netip.MustParseAddr("10.244.0.3")})), checks.DNSReplyFromUnexpectedSource},
		{"nameservers that disagree", both(foreign, nameservers(
			checks.NameserverFacts{Address: netip.MustParseAddr("10.0.0.53"), UDP: rcode("NXDOMAIN")},
			checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1")})), checks.DNSMixedNameservers},
		{"an address that belongs to a name in another zone", both(foreign, nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: reverse("kubernetes.default.svc.other.example.")})), checks.DNSNXDomainWrongClusterDomain},
		{"an address that belongs to a name in another of the zones", both(foreign, nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: reverse("kubernetes.default.svc.other.example."), Version: texts("1.1.0")})), checks.DNSNXDomainForeignResolver},
		{"a zone without the API server", both(foreign, nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: rcode("NXDOMAIN"), Version: texts("1.1.0")})), checks.DNSNXDomainServiceHidden},
		{"a nameserver that denies the zone, its version too, and has the API server's address in it", both(foreign, nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: reverse("kubernetes.default.svc.cluster.local."), Version: rcode("NXDOMAIN")})), checks.DNSNXDomainServiceHidden},
		{"a nameserver that denies the name, and has the API server's address under it", both(unresolved(query("NXDOMAIN")), nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: reverse("kubernetes.default.svc.cluster.local."), Version: texts("1.1.0")})), checks.DNSNXDomainServiceHidden},
		{"a nameserver that denies the zone, and has another name for the API server's address", both(foreign, nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: reverse("node-1.example."), Version: rcode("NXDOMAIN")})), checks.DNSNXDomainForeignResolver},
		{"a nameserver without the zone", both(foreign, nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Reverse: rcode("NXDOMAIN"), Version: rcode("NXDOMAIN")})), checks.DNSNXDomainForeignResolver},
		{"SERVFAIL for other names alone", both(unresolved(query("SERVFAIL", func(q *checks.Query) { q.Name = "kubernetes.default.svc." })), nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), Version: texts("1.1.0")})), checks.DNSServfailUpstream},
		{"SERVFAIL while the API server is gone", both(unresolved(query("SERVFAIL")), connectFails(checks.Refused)), checks.TCPRefused},
		{"a first try that a load balancer answered itself", answeredFirst(checks.Response{Status: 503, Server: "nginx"}), checks.HTTP502503LB},
		{"a first try that an API server answered so", answeredFirst(checks.Response{Status: 503, AuditID: "a"}), checks.HTTPPassedOnRetry},
		{"a token that is none, taken for nobody", both(answeredWith(403, message(`forbidden: User "system:anonymous" cannot get path "/api"`)), deepened(func(d *checks.DeepFacts) {
			d.API = &checks.DeepAPIFacts{WrongToken: &checks.Response{Status: 403, StatusMessage: `forbidden: User "system:anonymous"`}}
		})), checks.HTTP403Anonymous},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			diagnosis := Judge(facts, nil).Diagnosis
			if len(diagnosis) == 0 || diagnosis[0].Reason != test.want {
				t.Fatalf("got %+v first, want %s", diagnosis, test.want)
			}
			if len(diagnosis[0].Evidence) == 0 || diagnosis[0].Severity == "" {
				t.Errorf("the cause has no evidence, or no severity: %+v", diagnosis[0])
			}
			seen := map[checks.Reason]bool{}
			for _, finding := range diagnosis {
				if seen[finding.Reason] {
					t.Errorf("%s is named twice", finding.Reason)
				}
				seen[finding.Reason] = true
			}
		})
	}
}

func TestARefinedFindingGoesAndItsEvidenceStays(t *testing.T) {
	facts := healthy(t)
	both(unresolved(broken(checks.TimedOut)), nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: silence(), TCP: answer("10.96.0.1")}))(facts)
	diagnosis := Judge(facts, nil).Diagnosis
	if len(diagnosis) != 1 {
		t.Fatalf("got %d findings, want one", len(diagnosis))
	}
	want := []string{
		"10.96.0.10 answers over TCP (NOERROR in 1ms) and over UDP not at all.",
		diagnosis[0].Evidence[len(diagnosis[0].Evidence)-1],
	}
	if diff := cmp.Diff(want, diagnosis[0].Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if diagnosis[0].Severity != checks.Fail {
		t.Errorf("the cause is a %s, want the severity of what it refines", diagnosis[0].Severity)
	}
}

func TestMoreEvidenceMakesACauseCertain(t *testing.T) {
	foreign := unresolved(query("NXDOMAIN", authority("a.root-servers.net.")))
	refused := func() *checks.Query { q := broken(checks.Refused); return &q }
	unknowing := nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: rcode("NXDOMAIN"), Version: rcode("NXDOMAIN")})
	outside := func(f *checks.Facts) {
		f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("192.168.0.1")}
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
		// likely tells that it becomes no more than that, since a neighbour is left.
		likely bool
	}{
		{"no nameserver has the name that every cluster DNS has", both(foreign, unknowing, outside), checks.DNSNXDomainForeignResolver, false},
		{"the nameserver may be the cluster's own, set up for another zone", both(foreign, unknowing), checks.DNSNXDomainForeignResolver, true},
		{"the zone is there and has no data", both(unresolved(query("SERVFAIL")), nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: texts("1.1.0"), Reverse: rcode("SERVFAIL")})), checks.DNSServfailCoreDNSUnsynced, false},
		{"the zone is there and its name fails, as the root does and the address", both(unresolved(query("SERVFAIL")), nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: texts("1.1.0"), Root: rcode("SERVFAIL"), Reverse: rcode("SERVFAIL")})), checks.DNSServfailCoreDNSUnsynced, true},
		{"the zone is there, its name fails, and others were asked about the address", both(unresolved(query("SERVFAIL")), nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: rcode("SERVFAIL"), Version: texts("1.1.0"), Reverse: rcode("NXDOMAIN")})), checks.DNSServfailCoreDNSUnsynced, true},
		{"the nameserver refuses over both transports", both(unresolved(broken(checks.Refused)), nameservers(
			checks.NameserverFacts{Address: dnsAddress, UDP: refused(), TCP: refused()})), checks.DNSServiceNoEndpoints, true},
		{"the nameserver is silent over both transports and has no address of a Service", both(unresolved(broken(checks.TimedOut)), nameservers(
			checks.NameserverFacts{Address: netip.MustParseAddr("192.0.2.53"), UDP: silence(), TCP: silence()}), func(f *checks.Facts) {
			f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("192.0.2.53")}
		}), checks.DNSTimeout, true},
		{"nothing with EDNS(0) is answered, and all without", both(unresolved(broken(checks.TimedOut)), withoutEDNS), checks.DNSTimeout, true},
		{"nothing else is allowed either", both(answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`)), deepened(func(d *checks.DeepFacts) {
			d.API = &checks.DeepAPIFacts{Self: &checks.Self{Status: 403}}
		})), checks.HTTP403DiscoveryRBACRemoved, true},
		{"one API server forbids and another allows", both(answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`)), deepened(func(d *checks.DeepFacts) {
			d.Path.Fresh = []checks.FreshConnection{{Leaf: "a", Status: 200}, {Leaf: "b", Status: 403}}
			d.API = &checks.DeepAPIFacts{Self: &checks.Self{Status: 201, Username: "system:serviceaccount:shop:web"}}
		})), checks.HTTP403DiscoveryRBACRemoved, true},
		{"the API server knows the pod", both(answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`)), deepened(func(d *checks.DeepFacts) {
			d.API = &checks.DeepAPIFacts{Self: &checks.Self{Status: 201, Username: "system:serviceaccount:shop:web"}}
		})), checks.HTTP403DiscoveryRBACRemoved, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			wanted := checks.Certain
			if test.likely {
				wanted = checks.Likely
			}
			with := Judge(facts, nil).Diagnosis[0]
			facts.Deep = nil
			without := Judge(facts, nil).Diagnosis[0]
			if with.Reason != test.want || without.Reason != test.want || with.Certainty != wanted || without.Certainty != checks.Likely {
				t.Errorf("got %s (%s), and without deep probes %s (%s); want %s, %s with and likely without",
					with.Reason, with.Certainty, without.Reason, without.Certainty, test.want, wanted)
			}
			if len(with.Evidence) <= len(without.Evidence) {
				t.Errorf("the evidence %q is no more than without deep probes", with.Evidence)
			}
		})
	}
}
