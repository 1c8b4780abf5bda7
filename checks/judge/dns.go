package judge

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// slowLookup is many times what CoreDNS takes within a cluster.
	slowLookup = 0.5
	// mostSearchDomains and longestSearchList are what Kubernetes allows
	// (pkg/apis/core/validation, MaxDNSSearchPaths and MaxDNSSearchListChars).
	mostSearchDomains = 32
	longestSearchList = 2048
)

func judgeDNS(facts *checks.Facts) verdict {
	dns := facts.DNS
	details := &checks.DNSDetails{DNSFacts: *dns, AgreesWithEnvironment: agreement(facts)}
	v := verdict{details: details, seconds: dns.Seconds}
	resolved := len(dns.Lookup.Addresses) > 0
	v.problems = append(v.problems, resolverConfiguration(dns.ResolvConf)...)
	if resolved {
		v.problems = append(v.problems, successfulLookup(facts, details)...)
	} else {
		v.problems = append(v.problems, failedLookup(dns.Lookup, facts)...)
	}
	if host := dns.ServiceHost; host != nil && len(host.Addresses) == 0 {
		v.problems = append(v.problems, unresolvableHost(*host, facts)...)
	}
	v.problems = append(v.problems, sparse(facts)...)
	v.well = fmt.Sprintf("%s resolves to %s in %s.", checks.ServiceName, list(dns.Lookup.Addresses), seconds(dns.Lookup.Seconds))
	return v
}

func resolverConfiguration(conf checks.ResolvConf) []problem {
	const expected = "a resolv.conf with a nameserver"
	path := conf.File.Path
	switch {
	case conf.File.Problem == checks.FileMissing:
		return []problem{failing(checks.DNSResolvConfMissingOrEmpty,
			fmt.Sprintf("%s does not exist, so resolvers ask the container itself.", path), expected, "no file")}
	case conf.File.Problem != "":
		return []problem{failing(checks.DNSResolvConfUnreadable,
			fmt.Sprintf("%s cannot be read, so resolvers ask the container itself: %s.", path, fileTrouble(conf.File)), expected, fileTrouble(conf.File))}
	case len(conf.Nameservers) == 0 && len(conf.Ignored) > 0:
		return []problem{failing(checks.DNSResolvConfMissingOrEmpty,
			fmt.Sprintf("%s names no nameserver by address (%s is none), so resolvers ask the container itself.", path, enumerate(conf.Ignored)), expected, "no address")}
	case len(conf.Nameservers) == 0:
		return []problem{failing(checks.DNSResolvConfMissingOrEmpty,
			fmt.Sprintf("%s names no nameserver, so resolvers ask the container itself.", path), expected, "no nameserver line")}
	case len(conf.Search) > mostSearchDomains || len(strings.Join(conf.Search, " ")) > longestSearchList:
		return []problem{warning(checks.DNSSearchListOverLimit,
			fmt.Sprintf("The search list of %s has %d domains, more than Kubernetes and some resolvers keep.", path, len(conf.Search)),
			fmt.Sprintf("at most %d domains and %d characters", mostSearchDomains, longestSearchList), fmt.Sprintf("%d domains", len(conf.Search)))}
	default:
		return nil
	}
}

// failedLookup names what the nameservers have in common. The most telling
// outcome of any query decides, since one that answers proves more than one
// that is silent.
func failedLookup(lookup checks.Lookup, facts *checks.Facts) []problem {
	conf := facts.DNS.ResolvConf
	if len(conf.Nameservers) == 0 {
		return nil
	}
	servers := list(conf.Nameservers)
	failed := func(reason checks.Reason, what, found string) []problem {
		return []problem{failing(reason, fmt.Sprintf("%s does not resolve: %s.", lookup.Name, what), "an address for "+lookup.Name, found)}
	}
	likely := func(reason checks.Reason, what, found string) []problem {
		return []problem{failed(reason, what, found)[0].likely()}
	}
	silent := func(what, found string) []problem {
		return []problem{likely(checks.DNSTimeout, what, found)[0].silent(longestSilence(lookup))}
	}
	queries, settled := deciding(lookup, conf)
	outcomes, cut := outcomesOf(queries), lookup.Cut && !settled
	switch {
	case len(lookup.Queries) == 0 && lookup.Cut:
		return silent(fmt.Sprintf("its time limit was over after %s, before %s was asked", seconds(lookup.Seconds), servers), "no query in time")
	case outcomes.cutOverTCP != nil:
		return likely(checks.DNSTCPBlockedUDPOK, fmt.Sprintf("%s answers over UDP with a cut reply, and over TCP not at all: %s", outcomes.cutOverTCP.Nameserver, outcomes.cutOverTCP.Failure.Message), "a truncated reply")
	case outcomes.alias != nil:
		return likely(checks.DNSCNAMELoop, fmt.Sprintf("the answer of %s for %s is an alias that leads to no address", outcomes.alias.Nameserver, outcomes.alias.Name), "a CNAME without an address")
	case outcomes.rcodes["REFUSED"] > 0:
		return likely(checks.DNSRefusedNoZone, saidBy(lookup, "REFUSED")+" refused to answer for this name (REFUSED)", "REFUSED")
	case outcomes.rcodes["SERVFAIL"] > 0:
		return likely(checks.DNSServfailCoreDNSUnsynced, saidBy(lookup, "SERVFAIL")+" could not answer (SERVFAIL)", "SERVFAIL")
	case outcomes.unheard != "" && (outcomes.empty != nil || outcomes.rcodes["NXDOMAIN"] > 0):
		return silent(fmt.Sprintf("%s answers for some of the %d names that the search list makes of it, and for %s it did not within %s", servers, len(lookup.Candidates), outcomes.unheard, seconds(lookup.Seconds)), "no answer for "+outcomes.unheard)
	case cut && (outcomes.empty != nil || outcomes.rcodes["NXDOMAIN"] > 0):
		return silent(fmt.Sprintf("the time limit of %s ended the search among %d names; answers come late or from some nameservers only", seconds(lookup.Seconds), len(lookup.Candidates)), "no answer in time")
	case outcomes.turnedAway == "" && outcomes.empty != nil && (outcomes.rcodes["NXDOMAIN"] == 0 || isWithin(outcomes.empty.Name, searchedZone(conf))):
		return likely(checks.DNSNoData, fmt.Sprintf("%s says that %s exists and has no address, neither A nor AAAA", outcomes.empty.Nameserver, outcomes.empty.Name), "an answer without an address")
	case outcomes.turnedAway == "" && outcomes.rcodes["NXDOMAIN"] > 0:
		return []problem{nameUnknown(lookup, facts, outcomes)}
	case outcomes.turnedAway == "" && len(outcomes.rcodes) > 0:
		return failed(checks.DNSServerMisbehaving, saidBy(lookup, slices.Collect(maps.Keys(outcomes.rcodes))...)+" answered "+outcomes.codes(), outcomes.codes())
	case outcomes.failures[checks.Invalid] > 0:
		return failed(checks.DNSReplyInvalid, metAt(lookup, checks.Invalid)+" sent back what is no DNS answer to the question", "an invalid reply")
	case outcomes.failures[checks.Refused] > 0 && searchedZone(conf) == "" && onlyLoopback(conf) && hostNetwork(facts) != "":
		return likely(checks.DNSHostNetwork, fmt.Sprintf("resolv.conf has no cluster domain in its search list (%s), and on %s, which is the node itself, nobody answers; %s", enumerate(conf.Search), servers, hostNetwork(facts)), "the node's resolv.conf")
	case outcomes.failures[checks.Refused] > 0 && searchedZone(conf) == "" && onlyLoopback(conf):
		return likely(checks.DNSPolicyDefault, fmt.Sprintf("resolv.conf has no cluster domain in its search list (%s), and on %s, which is the pod itself, nobody answers", enumerate(conf.Search), servers), "a nameserver of its own for each container")
	case outcomes.failures[checks.Refused] > 0 && onlyLoopback(conf):
		return likely(checks.DNSServiceNoEndpoints, metAt(lookup, checks.Refused)+", which is no address of a Service, refused the connection", "connection refused")
	case outcomes.failures[checks.Refused] > 0:
		return likely(checks.DNSServiceNoEndpoints, metAt(lookup, checks.Refused)+" refused the connection", "connection refused")
	case outcomes.unreachable != "":
		return likely(checks.DNSUnreachable, fmt.Sprintf("%s cannot be reached: %s", servers, outcomes.unreachable), outcomes.unreachable)
	case outcomes.failures[checks.TimedOut] > 0 && lookup.Name == checks.ServiceName && searchedZone(conf) == "" && !mayBeTheClusters(facts):
		return []problem{ofTheNode(lookup, facts)}
	case outcomes.failures[checks.TimedOut] > 0:
		return silent(fmt.Sprintf("%s did not answer within %s", servers, seconds(lookup.Seconds)), "no answer")
	default:
		met := first(outcomes.message, "no query was made")
		return likely(checks.DNSUnreachable, fmt.Sprintf("%s cannot be reached: %s", servers, met), met)
	}
}

// deciding are the queries of a lookup that tell why it found nothing. Where the API
// server's own name was answered, be it that there is no such name, that decides: the search
// goes on to names outside of the cluster's zone, of which others are asked, who may not be
// reached from a cluster without a way out.
func deciding(lookup checks.Lookup, conf checks.ResolvConf) (queries []checks.Query, settled bool) {
	zone := searchedZone(conf)
	if lookup.Name != checks.ServiceName || zone == "" {
		return lookup.Queries, false
	}
	families := make(map[string]bool)
	for _, query := range lookup.Queries {
		if !strings.EqualFold(query.Name, checks.ServiceName+"."+zone+".") || !wasAnswered(&query) || query.Truncated {
			continue
		}
		families[query.Type] = families[query.Type] || query.Rcode == "NOERROR"
		settled = settled || isUnknown(&query) || families["A"] && families["AAAA"]
	}
	if !settled {
		return lookup.Queries, false
	}
	return slices.DeleteFunc(slices.Clone(lookup.Queries), func(query checks.Query) bool { return !isWithin(query.Name, zone) }), true
}

// ofTheNode judges silence where nothing in resolv.conf is of the cluster, so that no
// answer could be the right one.
func ofTheNode(lookup checks.Lookup, facts *checks.Facts) problem {
	conf := facts.DNS.ResolvConf
	reason, message := checks.DNSPolicyDefault, fmt.Sprintf("%s does not resolve: resolv.conf has no cluster domain in its search list (%s), and %s, which has no address of a Service, did not answer within %s",
		lookup.Name, enumerate(conf.Search), list(conf.Nameservers), seconds(lookup.Seconds))
	if host := hostNetwork(facts); host != "" {
		reason, message = checks.DNSHostNetwork, message+"; "+host
	}
	return failing(reason, message+".", "a search domain svc.<cluster domain>", enumerate(conf.Search)).likely().silent(longestSilence(lookup))
}

// saidBy are the nameservers that answered with one of the codes.
func saidBy(lookup checks.Lookup, rcodes ...string) string {
	return nameserversOf(lookup, func(query *checks.Query) bool { return query.Failure == nil && slices.Contains(rcodes, query.Rcode) })
}

// metAt are the nameservers at which a failure of a kind was met.
func metAt(lookup checks.Lookup, kind checks.FailureKind) string {
	return nameserversOf(lookup, func(query *checks.Query) bool { return kindOf(query.Failure) == kind })
}

func nameserversOf(lookup checks.Lookup, is func(*checks.Query) bool) string {
	var servers []netip.Addr
	for i := range lookup.Queries {
		if query := &lookup.Queries[i]; is(query) {
			servers = union(servers, []netip.Addr{query.Nameserver})
		}
	}
	return list(servers)
}

// longestSilence is how long the query was waited for that was waited for the
// longest in vain, and what turns it needed. Where the time limit came between
// queries, it is that of them all.
func longestSilence(lookup checks.Lookup) (waited float64, turns int) {
	for _, query := range lookup.Queries {
		if isSilent(&query) {
			waited = max(waited, query.Seconds)
		}
	}
	if waited == 0 {
		return lookup.Seconds, turnsOfQuery * max(1, len(lookup.Queries))
	}
	return waited, turnsOfQuery
}

// isWithin tells whether a name is in a zone, as every one is where none is known.
func isWithin(name, zone string) bool {
	return zone == "" || strings.HasSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), "."+strings.ToLower(zone))
}

// unresolvableHost judges KUBERNETES_SERVICE_HOST where it is a name without an
// address. A negative answer speaks of that name and not of the cluster's DNS.
func unresolvableHost(lookup checks.Lookup, facts *checks.Facts) []problem {
	outcomes := outcomesOf(lookup.Queries)
	if lookup.Cut || outcomes.empty == nil && outcomes.rcodes["NXDOMAIN"] == 0 {
		return failedLookup(lookup, facts)
	}
	return []problem{failing(checks.EnvServiceHostUnresolvable,
		fmt.Sprintf("KUBERNETES_SERVICE_HOST is %s, and %s knows no address of that name.", lookup.Name, list(facts.DNS.ResolvConf.Nameservers)),
		"an address, or a name that resolves", lookup.Name)}
}

// nameUnknown tells by whom the name is not known: the SOA of a negative answer
// names the zone, and CoreDNS' kubernetes plugin has ns.dns.<zone> there.
func nameUnknown(lookup checks.Lookup, facts *checks.Facts, outcomes outcomes) problem {
	conf := facts.DNS.ResolvConf
	servers := saidBy(lookup, "NXDOMAIN")
	unknown := func(reason checks.Reason, what, expected, found string) problem {
		return failing(reason, fmt.Sprintf("%s does not resolve: %s.", lookup.Name, what), expected, found).likely()
	}
	zone := searchedZone(conf)
	for _, authority := range outcomes.authorities {
		rooted, ok := strings.CutPrefix(authority, "ns.dns.")
		if !ok {
			continue
		}
		cluster := strings.TrimSuffix(rooted, ".")
		if slices.ContainsFunc(conf.Search, func(domain string) bool { return strings.EqualFold(domain, "svc."+rooted) }) {
			return unknown(checks.DNSNXDomainServiceHidden,
				fmt.Sprintf("%s serves the zone %s and says that the name is not in it (NXDOMAIN)", servers, cluster), "the Service kubernetes in zone "+cluster, "NXDOMAIN from "+authority)
		}
		if zone != "" {
			return unknown(checks.DNSNXDomainWrongClusterDomain,
				fmt.Sprintf("the search list expects the cluster domain %s, while %s serves %s", zone, servers, cluster), "cluster domain "+zone, "cluster domain "+cluster)
		}
		return unknown(checks.DNSPolicyNoneIncomplete,
			fmt.Sprintf("the search list lacks svc.%s, the zone that %s serves", cluster, servers), "svc."+cluster+" in the search list", enumerate(conf.Search))
	}
	if zone == "" && len(outcomes.authorities) == 0 && amongServices(conf, facts.Environment) {
		return unknown(checks.DNSPolicyNoneIncomplete,
			fmt.Sprintf("the search list has no cluster domain (%s), while %s is among the addresses of Services, as the cluster DNS is", enumerate(conf.Search), servers), "a search domain svc.<cluster domain>", enumerate(conf.Search))
	}
	if host := hostNetwork(facts); zone == "" && host != "" {
		return unknown(checks.DNSHostNetwork,
			fmt.Sprintf("resolv.conf is the node's, with no cluster domain in its search list (%s), and %s does not know the name; %s", enumerate(conf.Search), servers, host), "a search domain svc.<cluster domain>", enumerate(conf.Search))
	}
	if zone == "" {
		return unknown(checks.DNSPolicyDefault,
			fmt.Sprintf("resolv.conf has no cluster domain in its search list (%s) and %s does not know the name", enumerate(conf.Search), servers), "a search domain svc.<cluster domain>", enumerate(conf.Search))
	}
	return unknown(checks.DNSNXDomainForeignResolver,
		fmt.Sprintf("%s does not know the zone %s (NXDOMAIN by %s), so it is no cluster DNS", servers, zone, enumerate(outcomes.authorities)), "the cluster DNS", servers)
}

// onlyLoopback tells a resolv.conf that leads back to the pod, as kubelet writes
// it where its resolvConf setting is empty.
func onlyLoopback(conf checks.ResolvConf) bool {
	return !slices.ContainsFunc(conf.Nameservers, func(server netip.Addr) bool { return !server.IsLoopback() })
}

// hostNetwork says by what a pod shows to be on its node's network; it is empty
// where nothing tells. kubelet heads the hosts file of such a pod so, and leaves
// it the node's hostname in place of the pod's name.
func hostNetwork(facts *checks.Facts) string {
	pod := identity(facts)
	const longestHostname = 63
	switch named := pod.Name[:min(len(pod.Name), longestHostname)]; {
	case facts.DNS.HostNetwork:
		return fmt.Sprintf("%s is the one that kubelet writes for a pod on the host's network", facts.DNS.HostsFile.Path)
	case pod.Node != "" && sameHost(facts.Hostname, pod.Node) && !sameHost(facts.Hostname, named):
		return fmt.Sprintf("the hostname here is the node's, %s, and not the pod's, %s", facts.Hostname, pod.Name)
	default:
		return ""
	}
}

// sameHost compares names of which either may lack its domain: a node is often
// registered by its full name.
func sameHost(a, b string) bool {
	shortA, _, fullA := strings.Cut(a, ".")
	shortB, _, fullB := strings.Cut(b, ".")
	return strings.EqualFold(a, b) || fullA != fullB && strings.EqualFold(shortA, shortB)
}

// amongServices guesses whether a nameserver has the address of a Service: one
// that shares its first half with the API server's, since the ranges of
// Services are seldom smaller than a /16 (or a /64).
func amongServices(conf checks.ResolvConf, env *checks.EnvironmentFacts) bool {
	if env == nil {
		return false
	}
	service, err := netip.ParseAddr(first(env.ServiceAddress, env.ServiceHost))
	if err != nil {
		return false
	}
	bits := service.BitLen() / 2
	around, err := service.Prefix(bits)
	return err == nil && slices.ContainsFunc(conf.Nameservers, around.Contains)
}

// searchedZone is the cluster domain that the search list has, by the entry
// svc.<zone> that kubelet writes behind <namespace>.svc.<zone>. A namespace may be
// called svc, too.
func searchedZone(conf checks.ResolvConf) string {
	for _, domain := range conf.Search {
		if zone, ok := strings.CutPrefix(domain, "svc."); ok {
			return strings.TrimSuffix(strings.TrimPrefix(zone, "svc."), ".")
		}
	}
	return ""
}

// successfulLookup judges a lookup that found an address.
func successfulLookup(facts *checks.Facts, details *checks.DNSDetails) (problems []problem) {
	lookup := facts.DNS.Lookup
	if lookup.FromHosts {
		problems = append(problems, warning(checks.DNSHostsFileOverride,
			fmt.Sprintf("%s says that %s is %s; DNS is not asked.", facts.DNS.HostsFile.Path, lookup.Name, list(lookup.Addresses)), "the answer of the cluster DNS", "an entry of the hosts file"))
	} else {
		problems = append(problems, otherForms(facts)...)
	}
	disagrees := details.AgreesWithEnvironment != nil && !*details.AgreesWithEnvironment
	if domain := foreignDomain(facts, searchedZone(facts.DNS.ResolvConf)); domain != "" && (disagrees || rootedElsewhere(facts) != nil) {
		problems = append(problems, warning(checks.DNSSearchWildcardHijack,
			fmt.Sprintf("%s resolves to %s, as a name in the search domain %s, which is not the cluster's.", lookup.Name, list(lookup.Addresses), domain),
			"an answer out of the cluster's zone", "an answer for "+lookup.Answered).likely())
	} else if disagrees {
		problems = append(problems, warning(checks.DNSAnswerDisagreesWithEnv,
			fmt.Sprintf("%s resolves to %s (as %s), while KUBERNETES_SERVICE_HOST is %s.", lookup.Name, list(lookup.Addresses), lookup.Answered, facts.Environment.ServiceHost),
			facts.Environment.ServiceHost, list(lookup.Addresses)))
	}
	problems = append(problems, partialFailures(lookup)...)
	return append(problems, slowness(lookup)...)
}

// otherForms judges what the hosts file has for the API server's name as others write it.
func otherForms(facts *checks.Facts) []problem {
	if facts.Environment == nil {
		return nil
	}
	host, err := netip.ParseAddr(facts.Environment.ServiceHost)
	if err != nil {
		return nil
	}
	for _, entry := range facts.DNS.HostsEntries {
		if entry.Address != host.Unmap() {
			return []problem{warning(checks.DNSHostsFileOverride,
				fmt.Sprintf("%s says that %s is %s, while KUBERNETES_SERVICE_HOST is %s; who asks for that form of the name asks no DNS.", facts.DNS.HostsFile.Path, entry.Name, entry.Address, host), "the answer of the cluster DNS", "an entry of the hosts file")}
		}
	}
	return nil
}

// foreignDomain is the domain of the search list, outside of a zone, under which
// the name was answered; it is empty where it was not, and where the zone is not
// known.
func foreignDomain(facts *checks.Facts, zone string) string {
	if facts.DNS == nil || facts.DNS.Lookup.FromHosts || zone == "" {
		return ""
	}
	domain, ok := strings.CutPrefix(strings.ToLower(facts.DNS.Lookup.Answered), checks.ServiceName+".")
	domain, zone = strings.TrimSuffix(domain, "."), strings.ToLower(strings.TrimSuffix(zone, "."))
	if !ok || domain == zone || strings.HasSuffix(domain, "."+zone) {
		return ""
	}
	return domain
}

// enoughLost datagrams to a nameserver, with nothing coming back to any of them,
// are more than what a path that loses a packet now and then explains.
const enoughLost = 3

// partialFailures tells what went wrong on the way to an answer that came. A
// question that nothing came back to is no failing of a nameserver that answers
// others of its kind: that packet was lost, and the lookup is slow.
func partialFailures(lookup checks.Lookup) []problem {
	type asked struct {
		nameserver netip.Addr
		family     string
	}
	answered, lost := make(map[asked]bool), make(map[asked]int)
	for _, query := range lookup.Queries {
		for _, of := range []asked{{query.Nameserver, query.Type}, {query.Nameserver, ""}} {
			answered[of] = answered[of] || query.Failure == nil && (query.Rcode == "NOERROR" || query.Rcode == "NXDOMAIN")
			lost[of] += datagramsLost(query)
		}
	}
	for _, query := range lookup.Queries {
		all := asked{query.Nameserver, ""}
		if answered[all] || query.Truncated || isSilent(&query) && lost[all] < enoughLost {
			continue
		}
		return []problem{warning(checks.DNSNameserverFailing,
			fmt.Sprintf("The nameserver %s does not answer well (%s), so each lookup waits for it before the next is asked.", query.Nameserver, outcome(query)), "an answer from every nameserver", outcome(query)).likely().afterSilence(query.Failure, query.Seconds, turnsOfQuery)}
	}
	if query := denied(lookup); query != nil {
		return []problem{warning(checks.DNSAAAABroken,
			fmt.Sprintf("%s has an address of %s for A, and says for AAAA that there is no such name (NXDOMAIN), which holds for all types: musl takes it so and finds nothing.", query.Nameserver, query.Name), "an empty answer for AAAA", query.Rcode).likely()}
	}
	for _, query := range lookup.Queries {
		of := asked{query.Nameserver, query.Type}
		switch {
		case query.Failure == nil && (query.Rcode == "NOERROR" || query.Rcode == "NXDOMAIN"):
		case isSilent(&query) && (answered[of] || lost[of] < enoughLost):
		case query.Type == "AAAA":
			return []problem{warning(checks.DNSAAAABroken,
				fmt.Sprintf("%s answers for A, and for AAAA of %s not well: %s.", query.Nameserver, query.Name, outcome(query)), "an empty answer for AAAA", outcome(query)).likely().afterSilence(query.Failure, query.Seconds, turnsOfQuery)}
		default:
			return []problem{warning(checks.DNSNameserverFailing,
				fmt.Sprintf("The nameserver %s answered only when it was asked again; the first question met: %s.", query.Nameserver, outcome(query)), "an answer at the first question", outcome(query)).likely().afterSilence(query.Failure, query.Seconds, turnsOfQuery)}
		}
	}
	return nil
}

// denied is a query for AAAA of which the nameserver denies the name that it has an
// address of (RFC 4074 section 4.2).
func denied(lookup checks.Lookup) *checks.Query {
	type asked struct {
		name       string
		nameserver netip.Addr
	}
	known := make(map[asked]bool)
	for _, query := range lookup.Queries {
		if len(query.Addresses) > 0 {
			known[asked{query.Name, query.Nameserver}] = true
		}
	}
	for i := range lookup.Queries {
		query := &lookup.Queries[i]
		if query.Type == "AAAA" && isUnknown(query) && known[asked{query.Name, query.Nameserver}] {
			return query
		}
	}
	return nil
}

// datagramsLost is how many datagrams of a query nothing came back to. A stream
// that is silent has lost all that the kernel sent again.
func datagramsLost(query checks.Query) int {
	switch {
	case isSilent(&query) && query.Transport == "tcp":
		return enoughLost
	case isSilent(&query):
		return max(query.Unanswered, 1)
	default:
		return query.Unanswered
	}
}

// slowness judges how long a lookup took. Where nothing came back to a question,
// an application waits for as long as resolv.conf says.
func slowness(lookup checks.Lookup) []problem {
	lost := 0
	for _, query := range lookup.Queries {
		lost += datagramsLost(query)
	}
	silent := slices.ContainsFunc(lookup.Queries, func(query checks.Query) bool { return isSilent(&query) })
	if lookup.Seconds <= slowLookup && !silent {
		return nil
	}
	message := fmt.Sprintf("Resolving %s took %s and %d queries", lookup.Name, seconds(lookup.Seconds), len(lookup.Queries))
	if lost > 0 {
		message += fmt.Sprintf("; %d datagrams had no reply and were sent again", lost)
	}
	slow := warning(checks.DNSSlow, message+".", "less than "+seconds(slowLookup), seconds(lookup.Seconds)).likely()
	return []problem{slow.slow(lookup.Seconds, min(lookup.Seconds/2, slowLookup))}
}

func outcome(query checks.Query) string {
	if query.Failure != nil {
		return query.Failure.Message
	}
	return query.Rcode
}

// agreement tells whether the name leads to the address of the environment and to no
// other of its family.
func agreement(facts *checks.Facts) *bool {
	if facts.Environment == nil || len(facts.DNS.Lookup.Addresses) == 0 {
		return nil
	}
	host, err := netip.ParseAddr(facts.Environment.ServiceHost)
	if err != nil {
		return nil
	}
	host = host.Unmap()
	// Clients take now this and now that one of several addresses.
	another := func(address netip.Addr) bool { return address != host && address.Is4() == host.Is4() }
	agrees := slices.Contains(facts.DNS.Lookup.Addresses, host) && !slices.ContainsFunc(facts.DNS.Lookup.Addresses, another)
	return &agrees
}
