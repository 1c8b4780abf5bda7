package observe

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// maxHosts bounds the hosts file.
	maxHosts = 1 << 20
	// hostNetworkHosts begins the hosts file of a pod on the host's network.
	hostNetworkHosts = "# Kubernetes-managed hosts file (host network)."
	// maxAddresses bounds the addresses that are kept of one answer.
	maxAddresses = 32
	// minTry is the least time that one try is given.
	minTry = 100 * time.Millisecond
)

// lookups looks the API server's name up, and KUBERNETES_SERVICE_HOST as well
// where that is a name, within one time limit.
func (r *round) lookups(ctx context.Context) *checks.DNSFacts {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()

	file, content := readFile(r.pod.ResolvConf, maxResolvConf)
	conf := parseResolvConf(string(content))
	conf.File = file
	hostsFile, hosts := readFile(r.pod.Hosts, maxHosts)
	facts := &checks.DNSFacts{ResolvConf: conf, HostsFile: hostsFile, HostsEntries: hostsEntries(string(hosts)), HostNetwork: strings.HasPrefix(string(hosts), hostNetworkHosts)}

	resolver := newResolver(conf, string(hosts), r)
	together(func() {
		facts.Lookup = resolver.lookup(ctx, checks.ServiceName)
	}, func() {
		if host := r.serviceHost(); checks.IsHostName(host) {
			lookup := resolver.lookup(ctx, host)
			facts.ServiceHost = &lookup
		}
	})
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// lookup looks another name up, within the time limit of ctx.
func (r *round) lookup(ctx context.Context, name string) checks.Lookup {
	_, conf := readFile(r.pod.ResolvConf, maxResolvConf)
	_, hosts := readFile(r.pod.Hosts, maxHosts)
	return newResolver(parseResolvConf(string(conf)), string(hosts), r).lookup(ctx, name)
}

// needsLookup tells whether the API server cannot be found without DNS.
func (r *round) needsLookup() bool {
	return !isAddress(r.serviceHost()) && (r.wants(checks.TLS) || r.wants(checks.API))
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// resolver asks as the resolver of an application does, of which Go's is the
// model (net/dnsclient_unix.go): A and AAAA at once, nameservers in their
// order, NXDOMAIN and an empty answer final for a name, every other error a
// reason to ask the next.
type resolver struct {
	conf    checks.ResolvConf
	hosts   string
	servers []netip.Addr
	port    uint16
	// try is the time limit of one question.
	try time.Duration
}

func newResolver(conf checks.ResolvConf, hosts string, r *round) resolver {
	servers := conf.Nameservers
	if len(servers) == 0 {
		servers = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	}
	if conf.Rotate {
		first := r.memory.lookups % len(servers)
		r.memory.lookups++
		servers = append(append([]netip.Addr{}, servers[first:]...), servers[:first]...)
	}
	// An application would wait the whole timeout at each try. Here all tries
	// must have their turn within the time limit of the probe.
	share := r.timeout / time.Duration(len(servers)*conf.Attempts)
	return resolver{
		conf:    conf,
		hosts:   hosts,
		servers: servers,
		port:    r.pod.DNSPort,
		try:     max(min(time.Duration(conf.TimeoutSeconds)*time.Second, share), minTry),
	}
}

func (r resolver) lookup(ctx context.Context, name string) checks.Lookup {
	start := time.Now()
	lookup := checks.Lookup{Name: name, Addresses: []netip.Addr{}}
	if addresses := hostsAddresses(r.hosts, name); len(addresses) > 0 {
		lookup.FromHosts, lookup.Answered, lookup.Addresses = true, name, addresses
		return lookup
	}
	lookup.Candidates = candidates(name, r.conf)
	for _, candidate := range lookup.Candidates {
		if ended(ctx) {
			break
		}
		queries, addresses := r.bothFamilies(ctx, candidate)
		lookup.Queries = append(lookup.Queries, queries...)
		if len(addresses) > 0 {
			lookup.Answered, lookup.Addresses = candidate, addresses
			break
		}
	}
	lookup.Cut = ended(ctx) && lookup.Answered == ""
	lookup.Seconds = time.Since(start).Seconds()
	return lookup
}

func (r resolver) bothFamilies(ctx context.Context, name string) ([]checks.Query, []netip.Addr) {
	var ipv4, ipv6 []checks.Query
	together(
		func() { ipv4 = r.ask(ctx, name, dns.TypeA) },
		func() { ipv6 = r.ask(ctx, name, dns.TypeAAAA) },
	)

	queries := append(ipv4, ipv6...)
	var addresses []netip.Addr
	for _, query := range queries {
		// Resolvers make nothing of a reply that was cut but ask again over TCP.
		if !query.Truncated || query.Transport == tcp {
			addresses = append(addresses, query.Addresses...)
		}
	}
	return queries, addresses
}

// ask puts one question until an answer is final.
func (r resolver) ask(ctx context.Context, name string, kind uint16) []checks.Query {
	var queries []checks.Query
	for range r.conf.Attempts {
		for _, server := range r.servers {
			if ended(ctx) {
				return queries
			}
			tries, final := r.exchange(ctx, server, name, kind)
			queries = append(queries, tries...)
			if final {
				return queries
			}
		}
	}
	return queries
}

// exchange asks one nameserver, over TCP too where the reply over UDP is cut.
func (r resolver) exchange(ctx context.Context, server netip.Addr, name string, kind uint16) (tries []checks.Query, final bool) {
	ctx, cancel := context.WithTimeout(ctx, r.try)
	defer cancel()
	target := netip.AddrPortFrom(server, r.port)
	if !r.conf.UseTCP {
		query, final := exchange(ctx, udp, target, name, kind)
		if !query.Truncated || query.Failure != nil {
			return []checks.Query{query}, final
		}
		tries = append(tries, query)
	}
	query, final := exchange(ctx, tcp, target, name, kind)
	return append(tries, query), final
}
