package observe

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// defaultZone is the cluster domain of kubeadm and of most clusters.
const defaultZone = "cluster.local."

// deepDNS asks each nameserver by itself. It returns nil where the facts have
// no resolver configuration.
func (r *round) deepDNS(ctx context.Context, facts *checks.Facts) *checks.DeepDNSFacts {
	if facts.DNS == nil {
		return nil
	}
	conf := facts.DNS.ResolvConf
	probe := nameserverProbe{zone: clusterZone(conf.Search), reverse: reverseName(r.serviceHost()), limit: r.step()}
	var servers []netip.Addr
	for _, server := range conf.Nameservers[:min(len(conf.Nameservers), maxNameservers)] {
		if !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	deep := &checks.DeepDNSFacts{Zone: probe.zone, Nameservers: make([]checks.NameserverFacts, len(servers))}
	var asking []func()
	for i, server := range servers {
		asking = append(asking, func() {
			deep.Nameservers[i] = probe.observe(ctx, netip.AddrPortFrom(server, r.pod.DNSPort))
		})
	}
	together(asking...)
	return deep
}

// clusterZone is the cluster domain in a search list, by the entries
// <namespace>.svc.<zone> and svc.<zone> that kubelet writes. The first form is
// looked for first, since a namespace may be called svc.
func clusterZone(search []string) string {
	for _, domain := range search {
		domain = dns.Fqdn(strings.ToLower(domain))
		first, rest, _ := strings.Cut(domain, ".")
		zone, found := strings.CutPrefix(rest, "svc.")
		if !found {
			zone, found = rest, first == "svc"
		}
		if !found || zone == "" {
			continue
		}
		if _, ok := dns.IsDomainName(checks.ServiceName + "." + zone); ok {
			return zone
		}
	}
	return defaultZone
}

// reverseName is the name that has the names of an address, or nothing where
// the host is no address.
func reverseName(host string) string {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	name, err := dns.ReverseAddr(address.Unmap().WithZone("").String())
	if err != nil {
		return ""
	}
	return name
}

// nameserverProbe is what a nameserver is asked about.
type nameserverProbe struct {
	zone string
	// reverse is empty where the API server's address is not known.
	reverse string
	// limit is the time limit of one query and of one pair of them.
	limit time.Duration
}

// way is how a query travels.
type way struct {
	transport string
	edns      bool
}

// observe asks one nameserver. The most telling queries come first, and no more
// are sent than can tell something: a node answers only a few packets with an
// ICMP error before it falls silent for a second (icmp(7), icmp_ratelimit), and
// what is refused would then look as if it were lost.
func (p nameserverProbe) observe(ctx context.Context, server netip.AddrPort) checks.NameserverFacts {
	facts := checks.NameserverFacts{Address: server.Addr()}
	service := checks.ServiceName + "." + p.zone
	together(
		func() { facts.UDP = p.ask(ctx, way{udp, true}, server, service, dns.TypeA) },
		func() { facts.TCP = p.ask(ctx, way{tcp, true}, server, service, dns.TypeA) },
	)
	if failedBy(facts.UDP, checks.TimedOut) || facts.UDP != nil && facts.UDP.Rcode == dns.RcodeToString[dns.RcodeFormatError] {
		facts.WithoutEDNS = p.ask(ctx, way{udp, false}, server, service, dns.TypeA)
	}
	switch {
	case answered(facts.WithoutEDNS):
		p.identify(ctx, way{udp, false}, server, &facts)
	case answered(facts.UDP):
		p.identify(ctx, way{udp, true}, server, &facts)
	case answered(facts.TCP):
		p.identify(ctx, way{tcp, true}, server, &facts)
	}
	switch {
	case answered(facts.UDP), answered(facts.WithoutEDNS),
		failedBy(facts.UDP, checks.Invalid), failedBy(facts.WithoutEDNS, checks.TimedOut, checks.Invalid):
		p.datagrams(ctx, server, &facts)
	}
	return facts
}

// identify asks who it is that answers, by the way that it answered on.
func (p nameserverProbe) identify(ctx context.Context, by way, server netip.AddrPort, facts *checks.NameserverFacts) {
	together(func() {
		if by.transport == udp {
			facts.AAAA = p.ask(ctx, by, server, checks.ServiceName+"."+p.zone, dns.TypeAAAA)
		}
	}, func() {
		facts.Version = p.ask(ctx, by, server, "dns-version."+p.zone, dns.TypeTXT)
	}, func() {
		facts.Root = p.ask(ctx, by, server, ".", dns.TypeNS)
	}, func() {
		if p.reverse != "" {
			facts.Reverse = p.ask(ctx, by, server, p.reverse, dns.TypePTR)
		}
	})
}

// ask puts one question. It returns nil where ctx has ended before.
func (p nameserverProbe) ask(ctx context.Context, by way, server netip.AddrPort, name string, kind uint16) *checks.Query {
	if ended(ctx) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	start := time.Now()
	query := checks.Query{
		Name:       clip(name, maxNameLength),
		Type:       dns.TypeToString[kind],
		Nameserver: server.Addr(),
		Transport:  by.transport,
	}
	reply, err := roundTrip(ctx, by.transport, server, by.question(name, kind), &query)
	query.Seconds = time.Since(start).Seconds()
	if err != nil {
		query.Failure = failure(err)
		return &query
	}
	query = readDeep(query, reply, kind)
	return &query
}

func (w way) question(name string, kind uint16) *dns.Msg {
	message := question(name, kind)
	if !w.edns {
		message.Extra = nil
	}
	return message
}

// readDeep reads what the pulse reads of a reply, and what only the deep probes
// ask for.
func readDeep(query checks.Query, reply *dns.Msg, kind uint16) checks.Query {
	query, _ = read(query, reply, kind)
	query.RecursionAvailable = reply.RecursionAvailable
	var texts, names []string
	for _, record := range reply.Answer {
		switch record := record.(type) {
		case *dns.TXT:
			texts = append(texts, record.Txt...)
		case *dns.PTR:
			names = append(names, record.Ptr)
		case *dns.NS:
			names = append(names, record.Ns)
		}
	}
	query.Texts = clipAll(texts, maxNameLength)
	query.Names = clipAll(names, maxNameLength)
	return query
}

func answered(query *checks.Query) bool { return query != nil && query.Failure == nil }

func failedBy(query *checks.Query, kinds ...checks.FailureKind) bool {
	return query != nil && query.Failure != nil && slices.Contains(kinds, query.Failure.Kind)
}
