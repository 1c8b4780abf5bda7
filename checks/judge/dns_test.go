package judge

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

// unresolved makes the lookup find nothing, with these outcomes of queries.
func unresolved(queries ...checks.Query) func(*checks.Facts) {
	return func(facts *checks.Facts) {
		facts.DNS.Lookup.Addresses, facts.DNS.Lookup.Answered = []netip.Addr{}, ""
		facts.DNS.Lookup.Queries = queries
	}
}

func authority(name string) func(*checks.Query) {
	return func(q *checks.Query) { q.SOA = name }
}

func broken(kind checks.FailureKind) checks.Query {
	return query("", func(q *checks.Query) { q.Failure = &checks.Failure{Kind: kind, Message: string(kind)} })
}

func named(name string) func(*checks.Query) {
	return func(q *checks.Query) { q.Name = name }
}

func TestDNSThatDoesNotResolve(t *testing.T) {
	nodeResolver := func(f *checks.Facts) {
		f.DNS.ResolvConf.Search = []string{"corp.example."}
		f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("192.168.1.1")}
	}
	judgeCases(t, checks.DNS, []verdictCase{
		{"nobody answers", unresolved(broken(checks.TimedOut), broken(checks.TimedOut)), want{checks.Fail, checks.DNSTimeout}},
		{"nobody answers, with a node's search list", both(nodeResolver, unresolved(broken(checks.TimedOut))), want{checks.Fail, checks.DNSPolicyDefault}},
		{"nobody answers, with a node's search list and the hosts file of the host's network", both(nodeResolver, unresolved(broken(checks.TimedOut)), func(f *checks.Facts) {
			f.DNS.HostNetwork = true
		}), want{checks.Fail, checks.DNSHostNetwork}},
		{"nobody answers at the address of a Service, with a node's search list", both(unresolved(broken(checks.TimedOut)), func(f *checks.Facts) {
			f.DNS.ResolvConf.Search = []string{"corp.example."}
		}), want{checks.Fail, checks.DNSTimeout}},
		{"nobody answers at a link-local address, with a node's search list", both(nodeResolver, unresolved(broken(checks.TimedOut)), func(f *checks.Facts) {
			f.DNS.ResolvConf.Nameservers = []netip.Addr{netip.MustParseAddr("169.254.20.10")}
		}), want{checks.Fail, checks.DNSTimeout}},
		{"nobody answers for a service host by name, with a node's search list", both(nodeResolver, func(f *checks.Facts) {
			f.DNS.ServiceHost = &checks.Lookup{Name: "api.example.com", Queries: []checks.Query{broken(checks.TimedOut)}}
		}), want{checks.Fail, checks.DNSTimeout}},
		{"refused connection", unresolved(broken(checks.Refused)), want{checks.Fail, checks.DNSServiceNoEndpoints}},
		{"no route", unresolved(broken(checks.NetworkUnreachable)), want{checks.Fail, checks.DNSUnreachable}},
		{"SERVFAIL", unresolved(query("SERVFAIL")), want{checks.Fail, checks.DNSServfailCoreDNSUnsynced}},
		{"SERVFAIL behind a silent nameserver", unresolved(broken(checks.TimedOut), query("SERVFAIL")), want{checks.Fail, checks.DNSServfailCoreDNSUnsynced}},
		{"REFUSED", unresolved(query("REFUSED")), want{checks.Fail, checks.DNSRefusedNoZone}},
		{"NOTIMP", unresolved(query("NOTIMP")), want{checks.Fail, checks.DNSServerMisbehaving}},
		{"no record of either family", unresolved(query("NXDOMAIN", named("kubernetes.default.svc.shop.svc.cluster.local.")), query("NOERROR")), want{checks.Fail, checks.DNSNoData}},
		{"an alias to nowhere", unresolved(query("NOERROR", func(q *checks.Query) { q.CNAMEs = 8 })), want{checks.Fail, checks.DNSCNAMELoop}},
		{"garbage", unresolved(broken(checks.Invalid)), want{checks.Fail, checks.DNSReplyInvalid}},
		{"a cut reply and no TCP", unresolved(query("NOERROR", func(q *checks.Query) { q.Truncated = true }),
			query("", func(q *checks.Query) {
				q.Transport, q.Failure = "tcp", &checks.Failure{Kind: checks.Refused, Message: "refused"}
			})), want{checks.Fail, checks.DNSTCPBlockedUDPOK}},
		{"NXDOMAIN by the cluster's zone", unresolved(query("NXDOMAIN", authority("ns.dns.cluster.local."))), want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"NXDOMAIN by another cluster domain", unresolved(query("NXDOMAIN", authority("ns.dns.corp.internal."))), want{checks.Fail, checks.DNSNXDomainWrongClusterDomain}},
		{"NXDOMAIN by the root", unresolved(query("NXDOMAIN", authority("a.root-servers.net."))), want{checks.Fail, checks.DNSNXDomainForeignResolver}},
		{"NXDOMAIN with a node's search list", func(f *checks.Facts) {
			nodeResolver(f)
			unresolved(query("NXDOMAIN", authority("ns.corp.example.")))(f)
		}, want{checks.Fail, checks.DNSPolicyDefault}},
		{"NXDOMAIN with a node's search list and the hosts file of the host's network", func(f *checks.Facts) {
			nodeResolver(f)
			f.DNS.HostNetwork = true
			unresolved(query("NXDOMAIN", authority("ns.corp.example.")))(f)
		}, want{checks.Fail, checks.DNSHostNetwork}},
		{"NXDOMAIN with a node's search list and hostname", func(f *checks.Facts) {
			nodeResolver(f)
			f.Hostname, f.Token.Claims.Node = "node-1", "node-1.example.com"
			unresolved(query("NXDOMAIN", authority("ns.corp.example.")))(f)
		}, want{checks.Fail, checks.DNSHostNetwork}},
		{"NXDOMAIN with a node's search list in a pod that is called as its node", func(f *checks.Facts) {
			nodeResolver(f)
			f.Hostname, f.Token.Claims.Node, f.Token.Claims.Pod = "node-1", "node-1", "node-1"
			unresolved(query("NXDOMAIN", authority("ns.corp.example.")))(f)
		}, want{checks.Fail, checks.DNSPolicyDefault}},
		{"NXDOMAIN with a node's search list on another node than the token's", func(f *checks.Facts) {
			nodeResolver(f)
			f.Hostname, f.Token.Claims.Node = "node-1.b.example.com", "node-1.a.example.com"
			unresolved(query("NXDOMAIN", authority("ns.corp.example.")))(f)
		}, want{checks.Fail, checks.DNSPolicyDefault}},
		{"a nameserver that nobody runs on the node, on its network", func(f *checks.Facts) {
			f.DNS.HostNetwork = true
			f.DNS.ResolvConf.Search, f.DNS.ResolvConf.Nameservers = nil, []netip.Addr{netip.MustParseAddr("127.0.0.53")}
			unresolved(broken(checks.Refused))(f)
		}, want{checks.Fail, checks.DNSHostNetwork}},
		{"the cluster's zone in a pod on the host's network", func(f *checks.Facts) {
			f.DNS.HostNetwork = true
			unresolved(query("NXDOMAIN", authority("a.root-servers.net.")))(f)
		}, want{checks.Fail, checks.DNSNXDomainForeignResolver}},
		{"NXDOMAIN by the cluster DNS with a node's search list", func(f *checks.Facts) {
			nodeResolver(f)
			unresolved(query("NXDOMAIN", authority("ns.dns.cluster.local.")))(f)
		}, want{checks.Fail, checks.DNSPolicyNoneIncomplete}},
		{"a search that the time limit ended", func(f *checks.Facts) {
			unresolved(query("NXDOMAIN", authority("ns.dns.cluster.local."), named("kubernetes.default.svc.shop.svc.cluster.local.")), broken(checks.TimedOut))(f)
			f.DNS.Lookup.Cut = true
		}, want{checks.Fail, checks.DNSTimeout}},
		{"a search of which the last name had no answer", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local."), func(q *checks.Query) { q.Name = "kubernetes.default.svc.shop.svc.cluster.local." }),
			broken(checks.TimedOut)), want{checks.Fail, checks.DNSTimeout}},
		{"a search of which the last name had an answer in one family, that there is none", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local.")), noReply(dnsAddress, "AAAA")[0]), want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"a search of which the last name had its answer late", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local."), func(q *checks.Query) { q.Name = "kubernetes.default.svc.shop.svc.cluster.local." }),
			broken(checks.TimedOut), query("NXDOMAIN", authority("ns.dns.cluster.local."))), want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"NXDOMAIN by the cluster's zone, and SERVFAIL outside of it", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local.")), query("SERVFAIL", named("kubernetes.default.svc."))), want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"NXDOMAIN by the cluster's zone, and REFUSED outside of it", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local.")), query("REFUSED", named("kubernetes.default.svc."))), want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"NXDOMAIN by the cluster's zone, and silence outside of it until the time limit", func(f *checks.Facts) {
			unresolved(query("NXDOMAIN", authority("ns.dns.cluster.local.")), query("", named("kubernetes.default.svc."), func(q *checks.Query) {
				q.Failure = &checks.Failure{Kind: checks.TimedOut}
			}))(f)
			f.DNS.Lookup.Cut = true
		}, want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"no record in the cluster's zone, and SERVFAIL outside of it", unresolved(
			query("NOERROR"), query("NOERROR", func(q *checks.Query) { q.Type = "AAAA" }), query("SERVFAIL", named("kubernetes.default.svc."))), want{checks.Fail, checks.DNSNoData}},
		{"no record of one family in the cluster's zone, and SERVFAIL outside of it", unresolved(
			query("NOERROR"), query("SERVFAIL", named("kubernetes.default.svc."))), want{checks.Fail, checks.DNSServfailCoreDNSUnsynced}},
		{"NXDOMAIN in the namespace's part of the zone alone, and SERVFAIL outside of it", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local."), named("kubernetes.default.svc.shop.svc.cluster.local.")), query("SERVFAIL", named("kubernetes.default.svc."))), want{checks.Fail, checks.DNSServfailCoreDNSUnsynced}},
		{"a refusal for A, and an answer for AAAA that there is none", unresolved(
			broken(checks.Refused), query("NOERROR", func(q *checks.Query) { q.Type = "AAAA" })), want{checks.Fail, checks.DNSServiceNoEndpoints}},
		{"a refusal for the right name, and NXDOMAIN for the others", unresolved(
			query("NXDOMAIN", authority("ns.dns.cluster.local."), named("kubernetes.default.svc.shop.svc.cluster.local.")), broken(checks.Refused)), want{checks.Fail, checks.DNSServiceNoEndpoints}},
		{"a refusal of the first try, and NXDOMAIN at the next", unresolved(
			broken(checks.Refused), query("NXDOMAIN", authority("ns.dns.cluster.local."))), want{checks.Fail, checks.DNSNXDomainServiceHidden}},
		{"NXDOMAIN for A, and an empty answer for AAAA of the same name", unresolved(
			query("NXDOMAIN", authority("a.root-servers.net.")), query("NOERROR", func(q *checks.Query) { q.Type = "AAAA" })), want{checks.Fail, checks.DNSNXDomainForeignResolver}},
		{"a filter that says so, and then no more", unresolved(broken(checks.TimedOut), broken(checks.HostUnreachable), broken(checks.TimedOut)), want{checks.Fail, checks.DNSUnreachable}},
		{"a service host by a name that nobody knows", unnamed, want{checks.Fail, checks.EnvServiceHostUnresolvable}},
		{"NXDOMAIN of a Service, without a search list", func(f *checks.Facts) {
			f.DNS.ResolvConf.Search = nil
			unresolved(query("NXDOMAIN"))(f)
		}, want{checks.Fail, checks.DNSPolicyNoneIncomplete}},
		{"the pod itself as nameserver, without a search list", func(f *checks.Facts) {
			f.DNS.ResolvConf.Search, f.DNS.ResolvConf.Nameservers = nil, []netip.Addr{netip.MustParseAddr("127.0.0.1")}
			unresolved(broken(checks.Refused))(f)
		}, want{checks.Fail, checks.DNSPolicyDefault}},
		{"no resolv.conf", func(f *checks.Facts) {
			unresolved(broken(checks.Refused))(f)
			f.DNS.ResolvConf.Nameservers, f.DNS.ResolvConf.File.Problem = nil, checks.FileMissing
		}, want{checks.Fail, checks.DNSResolvConfMissingOrEmpty}},
		{"a nameserver by name", func(f *checks.Facts) {
			unresolved(broken(checks.Refused))(f)
			f.DNS.ResolvConf.Nameservers, f.DNS.ResolvConf.Ignored = nil, []string{"dns.example"}
		}, want{checks.Fail, checks.DNSResolvConfMissingOrEmpty}},
		{"a resolv.conf that is a FIFO", func(f *checks.Facts) {
			unresolved(broken(checks.Refused))(f)
			f.DNS.ResolvConf.Nameservers, f.DNS.ResolvConf.File.Problem, f.DNS.ResolvConf.File.Mode = nil, checks.FileIrregular, "prw-r--r--"
		}, want{checks.Fail, checks.DNSResolvConfUnreadable}},
		{"a service host by name that does not resolve", func(f *checks.Facts) {
			f.DNS.ServiceHost = &checks.Lookup{Name: "api.example.com", Queries: []checks.Query{query("SERVFAIL")}}
		}, want{checks.Fail, checks.DNSServfailCoreDNSUnsynced}},
	})
}

func TestOnlyWhoDeniesANameIsSaidToNotKnowIt(t *testing.T) {
	got := firstOf(t, func(f *checks.Facts) {
		dead := broken(checks.TimedOut)
		dead.Nameserver = netip.MustParseAddr("10.96.0.53")
		f.DNS.ResolvConf.Nameservers = append([]netip.Addr{dead.Nameserver}, f.DNS.ResolvConf.Nameservers...)
		unresolved(dead, query("NXDOMAIN", authority("a.root-servers.net.")))(f)
	})
	if told := got.Evidence[0]; got.Reason != checks.DNSNXDomainForeignResolver || strings.Contains(told, "10.96.0.53") || !strings.Contains(told, "10.96.0.10") {
		t.Errorf("got %s: %s", got.Reason, told)
	}
}

func TestANameserverInThePodIsToldAsOne(t *testing.T) {
	got := firstOf(t, func(f *checks.Facts) {
		refused := broken(checks.Refused)
		refused.Nameserver = netip.MustParseAddr("127.0.0.1")
		f.DNS.ResolvConf.Nameservers = []netip.Addr{refused.Nameserver}
		unresolved(refused)(f)
	})
	if told := got.Evidence[0]; got.Reason != checks.DNSServiceNoEndpoints || !strings.Contains(told, "no address of a Service") {
		t.Errorf("got %s: %s", got.Reason, told)
	}
}

// wildcardAnswer has the name answered in a search domain, at another address
// than the API server's.
func wildcardAnswer(domain string) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.DNS.Lookup.Answered, f.DNS.Lookup.Addresses = checks.ServiceName+"."+domain, []netip.Addr{netip.MustParseAddr("203.0.113.9")}
	}
}

// asking changes the queries of the lookup.
func asking(change func([]checks.Query) []checks.Query) func(*checks.Facts) {
	return func(f *checks.Facts) { f.DNS.Lookup.Queries = change(f.DNS.Lookup.Queries) }
}

// noReply is a query that was sent as often as one is.
func noReply(server netip.Addr, family string) []checks.Query {
	lost := broken(checks.TimedOut)
	lost.Nameserver, lost.Type, lost.Unanswered = server, family, 3
	return []checks.Query{lost}
}

func TestDNSThatResolves(t *testing.T) {
	elsewhere := netip.MustParseAddr("10.96.0.10").Next()
	judgeCases(t, checks.DNS, []verdictCase{
		{"to another address than the environment's", func(f *checks.Facts) { f.DNS.Lookup.Addresses = []netip.Addr{elsewhere} }, want{checks.Warn, checks.DNSAnswerDisagreesWithEnv}},
		{"to another address in a search domain that is not the cluster's", wildcardAnswer("corp.example."), want{checks.Warn, checks.DNSSearchWildcardHijack}},
		{"to another address in a domain that only ends like the cluster's", wildcardAnswer("my-cluster.local."), want{checks.Warn, checks.DNSSearchWildcardHijack}},
		{"to another address in the cluster's zone", wildcardAnswer("shop.svc.Cluster.local."), want{checks.Warn, checks.DNSAnswerDisagreesWithEnv}},
		{"to another address, without a search domain", wildcardAnswer(""), want{checks.Warn, checks.DNSAnswerDisagreesWithEnv}},
		{"to the environment's address in a search domain that is not the cluster's", func(f *checks.Facts) {
			f.DNS.Lookup.Answered = "kubernetes.default.svc.corp.example."
		}, want{checks.OK, ""}},
		{"by the hosts file", func(f *checks.Facts) { f.DNS.Lookup.FromHosts = true }, want{checks.Warn, checks.DNSHostsFileOverride}},
		{"and the hosts file has another address for a longer form", func(f *checks.Facts) {
			f.DNS.HostsEntries = []checks.HostsEntry{{Name: "kubernetes.default.svc.cluster.local", Address: elsewhere}}
		}, want{checks.Warn, checks.DNSHostsFileOverride}},
		{"and the hosts file has the same address for a longer form", func(f *checks.Facts) {
			f.DNS.HostsEntries = []checks.HostsEntry{{Name: "kubernetes.default.svc.cluster.local", Address: netip.MustParseAddr(serviceHost)}}
		}, want{checks.OK, ""}},
		{"slowly", func(f *checks.Facts) { f.DNS.Lookup.Seconds = 1.2 }, want{checks.Warn, checks.DNSSlow}},
		{"without AAAA", func(f *checks.Facts) { f.DNS.Lookup.Queries[1].Rcode = "SERVFAIL" }, want{checks.Warn, checks.DNSAAAABroken}},
		{"with a denial of the name for AAAA", func(f *checks.Facts) { f.DNS.Lookup.Queries[1].Rcode = "NXDOMAIN" }, want{checks.Warn, checks.DNSAAAABroken}},
		{"with a denial of the name for AAAA by another nameserver", func(f *checks.Facts) {
			f.DNS.Lookup.Queries[1].Rcode, f.DNS.Lookup.Queries[1].Nameserver = "NXDOMAIN", elsewhere
		}, want{checks.OK, ""}},
		{"to another address beside the environment's", func(f *checks.Facts) { f.DNS.Lookup.Addresses = append(f.DNS.Lookup.Addresses, elsewhere) }, want{checks.Warn, checks.DNSAnswerDisagreesWithEnv}},
		{"to an address of the other family beside the environment's", func(f *checks.Facts) {
			f.DNS.Lookup.Addresses = append(f.DNS.Lookup.Addresses, netip.MustParseAddr("fd00::1"))
		}, want{checks.OK, ""}},
		{"after a lost packet, at once", asking(func(q []checks.Query) []checks.Query { q[0].Unanswered = 1; return q }), want{checks.OK, ""}},
		{"after a lost packet, late", both(asking(func(q []checks.Query) []checks.Query { q[0].Unanswered = 1; return q }), func(f *checks.Facts) {
			f.DNS.Lookup.Seconds = 0.83
		}), want{checks.Warn, checks.DNSSlow}},
		{"after a question that nothing came back to", asking(func(q []checks.Query) []checks.Query {
			return append(noReply(dnsAddress, "A"), q...)
		}), want{checks.Warn, checks.DNSSlow}},
		{"after a question for AAAA that nothing came back to", asking(func(q []checks.Query) []checks.Query {
			return append(noReply(dnsAddress, "AAAA"), q...)
		}), want{checks.Warn, checks.DNSSlow}},
		{"with one answer for AAAA and one lost", asking(func(q []checks.Query) []checks.Query {
			other := query("NOERROR", func(q *checks.Query) { q.Type = "AAAA" })
			return append(append(noReply(dnsAddress, "AAAA"), other), q[:1]...)
		}), want{checks.Warn, checks.DNSSlow}},
		{"with one datagram for AAAA, which was lost", asking(func(q []checks.Query) []checks.Query {
			lost := noReply(dnsAddress, "AAAA")
			lost[0].Unanswered = 1
			return append(lost, q[:1]...)
		}), want{checks.Warn, checks.DNSSlow}},
		{"without an answer for AAAA", asking(func(q []checks.Query) []checks.Query {
			return append(noReply(dnsAddress, "AAAA"), q[:1]...)
		}), want{checks.Warn, checks.DNSAAAABroken}},
		{"over TCP, and for AAAA not at all", asking(func(q []checks.Query) []checks.Query {
			lost := noReply(dnsAddress, "AAAA")
			lost[0].Unanswered, lost[0].Transport = 0, "tcp"
			return append(lost, q[:1]...)
		}), want{checks.Warn, checks.DNSAAAABroken}},
		{"by the second nameserver", asking(func(q []checks.Query) []checks.Query {
			return append(noReply(elsewhere, "A"), q...)
		}), want{checks.Warn, checks.DNSNameserverFailing}},
		{"by the second nameserver, after one packet to the first", asking(func(q []checks.Query) []checks.Query {
			lost := noReply(elsewhere, "A")
			lost[0].Unanswered = 1
			return append(lost, q...)
		}), want{checks.Warn, checks.DNSSlow}},
		{"by the second nameserver, since the first refuses", asking(func(q []checks.Query) []checks.Query {
			refused := broken(checks.Refused)
			refused.Nameserver = elsewhere
			return append([]checks.Query{refused}, q...)
		}), want{checks.Warn, checks.DNSNameserverFailing}},
		{"after a search domain that does not have it", func(f *checks.Facts) {
			f.DNS.Lookup.Queries = append([]checks.Query{query("NXDOMAIN", authority("ns.dns.cluster.local."))}, f.DNS.Lookup.Queries...)
		}, want{checks.OK, ""}},
		{"with too long a search list", func(f *checks.Facts) {
			for i := range 33 {
				f.DNS.ResolvConf.Search = append(f.DNS.ResolvConf.Search, fmt.Sprintf("d%d.example.", i))
			}
		}, want{checks.Warn, checks.DNSSearchListOverLimit}},
	})
}

func TestTheSearchListTellsTheClustersZone(t *testing.T) {
	for name, test := range map[string]struct {
		search []string
		want   string
	}{
		"of a pod":                            {[]string{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"}, "cluster.local"},
		"of a pod in a namespace called svc":  {[]string{"svc.svc.cluster.local", "svc.cluster.local", "cluster.local"}, "cluster.local"},
		"written in full, of another cluster": {[]string{"svc.corp.example."}, "corp.example"},
		"of a node":                           {[]string{"corp.example"}, ""},
		"empty":                               {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := searchedZone(checks.ResolvConf{Search: test.search}); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
