package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// nameserverRules are about what each nameserver answers by itself.
func nameserverRules() []rule {
	silent := []checks.Reason{checks.DNSTimeout, checks.DNSNameserverFailing}
	unknown := []checks.Reason{checks.DNSNXDomainForeignResolver, checks.DNSNXDomainServiceHidden, checks.DNSNXDomainWrongClusterDomain}
	return []rule{
		{reason: checks.DNSNodeLocalDown, certainty: checks.Likely, refines: append(silent, checks.DNSServiceNoEndpoints), evidence: nodeLocalRefuses},
		{reason: checks.DNSReplyFromUnexpectedSource, certainty: checks.Certain, refines: silent, evidence: repliesFromElsewhere},
		{reason: checks.DNSOneBackendBad, certainty: checks.Likely, refines: append(silent, checks.DNSSlow, checks.DNSAAAABroken, checks.DNSServiceNoEndpoints, checks.DNSUnreachable), evidence: someAreDead},
		{reason: checks.DNSOneBackendBad, certainty: checks.Likely, refines: []checks.Reason{
			checks.DNSNameserverFailing, checks.DNSAAAABroken, checks.DNSServiceNoEndpoints, checks.DNSUnreachable,
		}, evidence: someTurnAway},
		{reason: checks.DNSOneBackendBad, certainty: checks.Likely, refines: append(slices.Clone(unknown),
			checks.DNSNameserverFailing, checks.DNSAAAABroken, checks.DNSServfailCoreDNSUnsynced, checks.DNSServfailUpstream, checks.DNSRefusedNoZone, checks.DNSNoData,
		), evidence: someAnswerOtherwise},
		{reason: checks.DNSAAAABroken, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout, checks.DNSSlow}, evidence: onlyAAAAIsSilent},
		{reason: checks.DNSMixedNameservers, certainty: checks.Certain, refines: unknown, evidence: nameserversDisagree},
		{reason: checks.DNSNXDomainWrongClusterDomain, certainty: checks.Certain, refines: append(slices.Clone(unknown), checks.DNSServfailCoreDNSUnsynced, checks.DNSRefusedNoZone), evidence: knownInAnotherZone},
		{reason: checks.DNSServerMisbehaving, certainty: checks.Likely, refines: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, evidence: failsOnAKnownName},
		{reason: checks.DNSServerMisbehaving, certainty: checks.Likely, refines: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, evidence: failsOnItsOwnName},
		{reason: checks.DNSSlow, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: answersLate},
		{reason: checks.DNSPolicyNoneIncomplete, certainty: checks.Certain, refines: []checks.Reason{
			checks.DNSPolicyNoneIncomplete, checks.DNSPolicyDefault, checks.DNSServfailCoreDNSUnsynced, checks.DNSRefusedNoZone, checks.DNSTimeout,
		}, evidence: knownUnsearched},
		{reason: checks.DNSServfailUpstream, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: onlyOthersAreSilent},
		{reason: checks.DNSTimeout, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: onlyWithoutEDNS},
		{reason: checks.DNSTimeout, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: takeConnectionsAlone},
		{reason: checks.DNSUDPBlockedTCPOK, certainty: checks.Likely, refines: append(silent, checks.DNSServiceNoEndpoints), evidence: onlyOverTCP},
		{reason: checks.DNSTCPBlockedUDPOK, certainty: checks.Likely, refines: append(silent, checks.DNSServiceNoEndpoints), evidence: onlyOverUDP},
		{reason: checks.DNSMixedNameservers, certainty: checks.Likely, refines: silent, evidence: nameserversDisagree},
		{reason: checks.DNSNXDomainServiceHidden, certainty: checks.Certain, refines: unknown, evidence: onlyTheServiceIsUnknown},
		{reason: checks.DNSNXDomainServiceHidden, certainty: checks.Likely, refines: []checks.Reason{checks.DNSNXDomainForeignResolver, checks.DNSNXDomainServiceHidden}, evidence: deniesAKnownName},
		{reason: checks.DNSSearchWildcardHijack, certainty: checks.Likely, explains: []checks.Reason{checks.APIByNameFailing}, moves: true, evidence: leadsOutOfTheCluster},
		{reason: checks.DNSSearchWildcardHijack, certainty: checks.Certain, refines: []checks.Reason{checks.DNSSearchWildcardHijack, checks.DNSAnswerDisagreesWithEnv}, explains: []checks.Reason{checks.APIByNameFailing}, evidence: rootedElsewhere},
		{reason: checks.DNSServfailUpstream, certainty: checks.Likely, refines: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, evidence: onlyOthersFail},
		{reason: checks.DNSNXDomainForeignResolver, certainty: checks.Certain, refines: []checks.Reason{checks.DNSNXDomainForeignResolver}, evidence: strangerKnowsNoCluster},
		{reason: checks.DNSNXDomainForeignResolver, certainty: checks.Likely, refines: []checks.Reason{checks.DNSNXDomainForeignResolver}, evidence: serviceKnowsNoCluster},
		{reason: checks.DNSServfailCoreDNSUnsynced, certainty: checks.Certain, refines: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, evidence: zoneWithoutData},
		{reason: checks.DNSServfailCoreDNSUnsynced, certainty: checks.Likely, refines: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, evidence: zoneThatFails},
		{reason: checks.DNSServiceNoEndpoints, certainty: checks.Likely, refines: []checks.Reason{checks.DNSServiceNoEndpoints}, evidence: refusesBoth},
		{reason: checks.DNSPolicyMissesNodeLocal, certainty: checks.Likely, refines: silent, evidence: onlyNodeLocalIsSilent},
		{reason: checks.DNSServiceNoEndpoints, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: refusedBefore},
		{reason: checks.DNSUnreachable, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: unreachableBefore},
		{reason: checks.DNSEgressPolicyBlocks53, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: onlyTheClustersDNSIsSilent},
		{reason: checks.DNSTimeout, certainty: checks.Likely, refines: []checks.Reason{checks.DNSTimeout}, evidence: onlyAStrangerIsSilent},
		{reason: checks.TCPRefused, certainty: checks.Likely, explains: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, moves: true, evidence: coreDNSCannotSync},
		{reason: checks.TCPTimeout, certainty: checks.Likely, explains: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, moves: true, evidence: coreDNSCannotSync},
		{reason: checks.TCPTimeoutNetworkPolicy, certainty: checks.Likely, explains: []checks.Reason{checks.DNSServfailCoreDNSUnsynced}, moves: true, evidence: coreDNSCannotSync},
	}
}

// repliesFromElsewhere: a connected socket, as resolvers have, never sees them.
func repliesFromElsewhere(facts *checks.Facts) (evidence []string) {
	for _, server := range deepNameservers(facts) {
		if server.RepliesFrom.IsValid() {
			evidence = append(evidence, fmt.Sprintf("%s was asked and %s replied, which no resolver accepts.", server.Address, server.RepliesFrom))
		}
	}
	return evidence
}

// nameserversDisagree: resolvers take NXDOMAIN as final, so which of them is
// asked decides.
func nameserversDisagree(facts *checks.Facts) []string {
	var knowing, ignorant []netip.Addr
	for _, server := range deepNameservers(facts) {
		switch {
		case server.UDP == nil:
		case len(server.UDP.Addresses) > 0:
			knowing = append(knowing, server.Address)
		case server.UDP.Rcode == "NXDOMAIN":
			ignorant = append(ignorant, server.Address)
		}
	}
	if len(knowing) == 0 || len(ignorant) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s knows the API server's name, and %s says that there is none (NXDOMAIN), which is taken as final.", list(knowing), list(ignorant))}
}

// knownInAnotherZone: the name that belongs to the address tells the zone. What the others
// get that are searched depends on whom they are passed on to: a denial, or a failing where
// nobody is reached.
func knownInAnotherZone(facts *checks.Facts) []string {
	const prefix = checks.ServiceName + "."
	deep := facts.Deep
	if facts.Environment == nil || facts.DNS == nil || !searches(facts.DNS.ResolvConf, deep) {
		return nil
	}
	for _, server := range deepNameservers(facts) {
		if server.Reverse == nil || answeredText(server.Version) {
			// A cluster DNS may have several zones, and names an address in one.
			continue
		}
		for _, name := range server.Reverse.Names {
			zone, ok := strings.CutPrefix(strings.ToLower(name), prefix)
			if ok && zone != "" && !strings.EqualFold(zone, deep.DNS.Zone) {
				return []string{fmt.Sprintf("%s calls %s %s, so the zone of this cluster is %s, and resolv.conf searches %s.",
					server.Address, facts.Environment.ServiceHost, name, zone, deep.DNS.Zone)}
			}
		}
	}
	return nil
}

// knownUnsearched: the nameserver has the name, and the search list never makes it. What is
// asked for in its place belongs to others, who deny it, fail or are silent.
func knownUnsearched(facts *checks.Facts) []string {
	if facts.DNS == nil || !mayBeTheClusters(facts) {
		return nil
	}
	lookup := facts.DNS.Lookup
	for _, server := range deepNameservers(facts) {
		if server.UDP == nil || len(server.UDP.Addresses) == 0 || slices.ContainsFunc(lookup.Candidates, func(name string) bool { return strings.EqualFold(name, server.UDP.Name) }) || len(lookup.Candidates) == 0 {
			continue
		}
		return []string{fmt.Sprintf("%s knows %s as %s, and with the search list of resolv.conf (%s) nobody asks for that name: %s is asked for in its place.",
			server.Address, server.UDP.Name, list(server.UDP.Addresses), enumerate(facts.DNS.ResolvConf.Search), enumerate(lookup.Candidates))}
	}
	return nil
}

// onlyTheServiceIsUnknown: the nameserver has the zone, as its version tells, and
// neither the name nor the address of the API server.
func onlyTheServiceIsUnknown(facts *checks.Facts) []string {
	for _, server := range deepNameservers(facts) {
		if answeredText(server.Version) && isUnknown(server.UDP) && isUnknown(server.Reverse) {
			return []string{fmt.Sprintf("%s is the DNS of the zone %s (dns-version %q) and knows neither the name nor the address of the API server.",
				server.Address, facts.Deep.DNS.Zone, server.Version.Texts[0])}
		}
	}
	return nil
}

// deniesAKnownName: what denies the name in the place of the cluster's data has no SOA
// of theirs, and often denies the version too.
func deniesAKnownName(facts *checks.Facts) []string {
	for _, server := range deepNameservers(facts) {
		if isUnknown(server.UDP) && knowsByAddress(server, facts.Deep.DNS.Zone) {
			return []string{fmt.Sprintf("%s denies %s and gives that name for the API server's address: it has the cluster's Services, and something before them denies the name, as a template in its Corefile does.", server.Address, server.UDP.Name)}
		}
	}
	return nil
}

func leadsOutOfTheCluster(facts *checks.Facts) []string {
	if facts.API == nil || facts.API.ByName == nil {
		return nil
	}
	return []string{fmt.Sprintf("By the name %s is tried, and it does not work there.", facts.API.ByName.Last().Address)}
}

// rootedElsewhere: asked for with a full stop at the end, the name is in the
// cluster's zone and has another address than the lookup found outside of it.
func rootedElsewhere(facts *checks.Facts) []string {
	servers := deepNameservers(facts)
	if len(servers) == 0 {
		return nil
	}
	domain := foreignDomain(facts, facts.Deep.DNS.Zone)
	if domain == "" {
		return nil
	}
	found := facts.DNS.Lookup.Addresses
	for _, server := range servers {
		for _, query := range []*checks.Query{server.UDP, server.TCP} {
			if query == nil || len(query.Addresses) == 0 || slices.ContainsFunc(query.Addresses, func(address netip.Addr) bool { return slices.Contains(found, address) }) {
				continue
			}
			return []string{fmt.Sprintf("%s knows %s as %s, and the search list leads to %s first, where the answer is %s.",
				server.Address, query.Name, list(query.Addresses), facts.DNS.Lookup.Answered, list(found))}
		}
	}
	return nil
}

// onlyOthersFail: a candidate of the search list was not answered, and the one
// within the cluster is.
func onlyOthersFail(facts *checks.Facts) []string {
	if facts.DNS == nil || facts.Deep == nil || facts.Deep.DNS == nil {
		return nil
	}
	for _, query := range facts.DNS.Lookup.Queries {
		if query.Rcode == "SERVFAIL" && strings.HasSuffix(strings.ToLower(query.Name), "."+strings.ToLower(facts.Deep.DNS.Zone)) {
			return nil
		}
	}
	for _, server := range deepNameservers(facts) {
		if server.UDP != nil && len(server.UDP.Addresses) > 0 && answeredText(server.Version) {
			return []string{fmt.Sprintf("%s answers for the zone %s, so SERVFAIL comes from where it sends other names.", server.Address, facts.Deep.DNS.Zone)}
		}
	}
	return nil
}

// knowsNoCluster: every nameserver answers, and none has the name that each
// cluster DNS has.
func knowsNoCluster(facts *checks.Facts) []string {
	servers := deepNameservers(facts)
	var asked []netip.Addr
	for _, server := range servers {
		if !wasAnswered(server.Version) || !wasAnswered(server.UDP) || answeredText(server.Version) {
			return nil
		}
		asked = append(asked, server.Address)
	}
	if len(asked) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s does not have dns-version.%s either, which every cluster DNS has (%s).", list(asked), facts.Deep.DNS.Zone, servers[0].Version.Rcode)}
}

func strangerKnowsNoCluster(facts *checks.Facts) []string {
	if facts.DNS == nil || mayBeTheClusters(facts) {
		return nil
	}
	return knowsNoCluster(facts)
}

// serviceKnowsNoCluster: it may be the cluster's own DNS, set up for another zone.
func serviceKnowsNoCluster(facts *checks.Facts) []string {
	if facts.DNS == nil || !mayBeTheClusters(facts) {
		return nil
	}
	return knowsNoCluster(facts)
}

// mayBeTheClusters tells a nameserver with the address of a Service, or one that the
// node has for itself, as NodeLocal DNSCache is.
func mayBeTheClusters(facts *checks.Facts) bool {
	return amongServices(facts.DNS.ResolvConf, facts.Environment) || slices.ContainsFunc(facts.DNS.ResolvConf.Nameservers, netip.Addr.IsLinkLocalUnicast)
}

// someAnswerOtherwise: from some ports the same questions are answered with an address, and
// from others otherwise, so it is one of several servers behind the address that does so.
func someAnswerOtherwise(facts *checks.Facts) (evidence []string) {
	for _, server := range deepNameservers(facts) {
		pairs := server.Paired
		if pairs == nil || pairs.Pairs < fewestPairs || pairs.Known < enoughDead {
			continue
		}
		otherwise := pairs.Pairs - pairs.None - pairs.Half - pairs.Known
		if otherwise < enoughDead {
			continue
		}
		told := fmt.Sprintf("Of %d pairs of the same queries to %s, each from another port, %d were answered with an address and %d otherwise", pairs.Pairs, server.Address, pairs.Known, otherwise)
		if pairs.Failing > 0 {
			told += fmt.Sprintf(", %d with SERVFAIL", pairs.Failing)
		}
		evidence = append(evidence, told+".")
	}
	return evidence
}

// someTurnAway: what refuses some questions of a lookup and answers others right beside
// them is not one server. In this pod, and on its node, there is but one at an address.
func someTurnAway(facts *checks.Facts) (evidence []string) {
	if facts.DNS == nil {
		return nil
	}
	type way struct {
		server    netip.Addr
		transport string
	}
	answered, turned := make(map[way]int), make(map[way]int)
	var ways []way
	for _, query := range facts.DNS.Lookup.Queries {
		by := way{query.Nameserver, query.Transport}
		switch kind := kindOf(query.Failure); {
		case by.server.IsLoopback() || by.server.IsLinkLocalUnicast():
		case kind == "":
			answered[by]++
		case kind == checks.Refused || kind == checks.HostUnreachable:
			turned[by]++
			ways = union(ways, []way{by})
		}
	}
	for _, by := range ways {
		if answered[by] > 0 {
			evidence = append(evidence, fmt.Sprintf("Of the queries of one lookup to %s, each from another port, %d were turned away (refused, or no route to host) and %d answered.", by.server, turned[by], answered[by]))
		}
	}
	return evidence
}

// failsOnItsOwnName: CoreDNS has its version before it has any data. Of addresses it may know
// more.
func failsOnItsOwnName(facts *checks.Facts) []string {
	for _, server := range deepNameservers(facts) {
		if isServfail(server.UDP) && isServfail(server.Version) && isServfail(server.Root) {
			return []string{fmt.Sprintf("%s fails on the API server's name, on the root and on dns-version.%s too, which a cluster DNS has before it has read anything from the API server.", server.Address, facts.Deep.DNS.Zone)}
		}
	}
	return nil
}

// failsOnAKnownName: the name of the address is out of the data that CoreDNS reads from
// the API server, so it has them. The pairs were made last: where these are answered,
// it read them only meanwhile.
func failsOnAKnownName(facts *checks.Facts) []string {
	for _, server := range deepNameservers(facts) {
		pairs := server.Paired
		if isServfail(server.UDP) && knowsByAddress(server, facts.Deep.DNS.Zone) && (pairs == nil || pairs.Failing > 0 && pairs.Failing+pairs.None == pairs.Pairs) {
			return []string{fmt.Sprintf("%s fails on %s and gives that name for the API server's address: it has read the cluster's Services, and something before them fails, as a template in its Corefile does.", server.Address, server.UDP.Name)}
		}
	}
	return nil
}

// knowsByAddress tells that a nameserver gives for the API server's address the name
// that it has in a zone.
func knowsByAddress(server checks.NameserverFacts, zone string) bool {
	return server.Reverse != nil && slices.ContainsFunc(server.Reverse.Names, func(name string) bool {
		return strings.EqualFold(name, checks.ServiceName+"."+zone)
	})
}

// zoneWithoutData: the version is a constant of the plugin, names and addresses are not. Where
// the root fails as well, what fails may be whom CoreDNS asks of addresses.
func zoneWithoutData(facts *checks.Facts) []string {
	for _, server := range deepNameservers(facts) {
		if answeredText(server.Version) && isServfail(server.UDP) && isServfail(server.Reverse) && !isServfail(server.Root) {
			return []string{fmt.Sprintf("%s has the zone %s (dns-version %q) and no data of it yet: it can answer neither for the name nor for the address of the API server.", server.Address, facts.Deep.DNS.Zone, server.Version.Texts[0])}
		}
	}
	return nil
}

// zoneThatFails: what CoreDNS does not know of addresses it may ask of others, so that it
// need not fail on them too.
func zoneThatFails(facts *checks.Facts) []string {
	if zoneWithoutData(facts) != nil {
		return nil
	}
	for _, server := range deepNameservers(facts) {
		if answeredText(server.Version) && isServfail(server.UDP) {
			return []string{fmt.Sprintf("%s has the zone %s (dns-version %q) and fails on the API server's name, as before it has read any data.", server.Address, facts.Deep.DNS.Zone, server.Version.Texts[0])}
		}
	}
	return nil
}

// coreDNSCannotSync: CoreDNS answers SERVFAIL until it has read the Services
// from the API server (plugin/kubernetes).
func coreDNSCannotSync(facts *checks.Facts) []string {
	if facts.API == nil {
		return nil
	}
	if last := facts.API.ServiceHost.Last(); last.Stage == checks.StageConnect {
		return []string{"CoreDNS answers SERVFAIL as long as it cannot read Services from the API server either."}
	}
	return nil
}

// searches tells that the search list has the zone that the deep probes asked for, which is
// a guess where it has none.
func searches(conf checks.ResolvConf, deep *checks.DeepFacts) bool {
	return deep != nil && deep.DNS != nil && slices.ContainsFunc(conf.Search, func(domain string) bool {
		return strings.EqualFold(domain, deep.DNS.Zone) || isWithin(domain, strings.TrimSuffix(deep.DNS.Zone, "."))
	})
}

func reachesAPI(facts *checks.Facts) bool {
	return facts.API != nil && facts.API.ServiceHost.Last().Stage == checks.StageDone
}

func deepNameservers(facts *checks.Facts) []checks.NameserverFacts {
	if facts.Deep == nil || facts.Deep.DNS == nil {
		return nil
	}
	return facts.Deep.DNS.Nameservers
}

// wasAnswered tells an answer, whatever it says.
func wasAnswered(query *checks.Query) bool { return query != nil && query.Failure == nil }

func isServfail(query *checks.Query) bool { return query != nil && query.Rcode == "SERVFAIL" }

func isUnknown(query *checks.Query) bool { return query != nil && query.Rcode == "NXDOMAIN" }

func answeredText(query *checks.Query) bool {
	return query != nil && query.Rcode == "NOERROR" && len(query.Texts) > 0
}
