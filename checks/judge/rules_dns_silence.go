package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// onlyOverTCP: a Service without endpoints refuses both. Where the round itself was answered
// over UDP, it is not UDP that is shut.
func onlyOverTCP(facts *checks.Facts) (evidence []string) {
	for _, server := range deepNameservers(facts) {
		if !wasAnswered(server.TCP) || slices.Contains(answering(facts), server.Address) && !facts.DNS.ResolvConf.UseTCP {
			continue
		}
		switch {
		case overUDPSilent(server):
			evidence = append(evidence, fmt.Sprintf("%s answers over TCP (%s in %s) and over UDP not at all.", server.Address, server.TCP.Rcode, seconds(server.TCP.Seconds)))
		case isRefused(server.UDP):
			evidence = append(evidence, fmt.Sprintf("%s answers over TCP (%s in %s) and refuses over UDP.", server.Address, server.TCP.Rcode, seconds(server.TCP.Seconds)))
		}
	}
	return evidence
}

// onlyOverUDP matters where resolvers are told to ask over TCP alone.
func onlyOverUDP(facts *checks.Facts) (evidence []string) {
	if facts.DNS == nil || !facts.DNS.ResolvConf.UseTCP {
		return nil
	}
	for _, server := range deepNameservers(facts) {
		if !wasAnswered(server.UDP) || !isSilent(server.TCP) && !isRefused(server.TCP) {
			continue
		}
		met := "is silent"
		if isRefused(server.TCP) {
			met = "refuses"
		}
		evidence = append(evidence, fmt.Sprintf("%s answers over UDP (%s in %s) and %s over TCP, which resolv.conf has resolvers use alone (use-vc).", server.Address, server.UDP.Rcode, seconds(server.UDP.Seconds), met))
	}
	return evidence
}

// onlyAAAAIsSilent: a lookup waits for both, so its time is over at the first name of the
// search list. What is lost by chance or in a race is answered when it is sent again.
func onlyAAAAIsSilent(facts *checks.Facts) []string {
	if facts.DNS == nil || slices.ContainsFunc(facts.DNS.Lookup.Queries, func(query checks.Query) bool { return isSilent(&query) && query.Type != "AAAA" }) {
		return nil
	}
	for _, server := range deepNameservers(facts) {
		pairs, single := server.Paired, server.Single
		if !wasAnswered(server.UDP) || !isSilent(server.AAAA) || pairs == nil || single == nil {
			continue
		}
		if pairs.Pairs >= fewestPairs && pairs.Half == pairs.Pairs && pairs.Recovered == 0 && single.Lost == 0 {
			return []string{fmt.Sprintf("%s answers for A and never for AAAA: of %d pairs of both each lacked one reply, also when it was asked for again, and of %d queries for A alone none did.", server.Address, pairs.Pairs, single.Queries)}
		}
	}
	return nil
}

// refusesBoth: the API server answers, so what refuses is about the nameserver.
func refusesBoth(facts *checks.Facts) []string {
	servers := deepNameservers(facts)
	if len(servers) == 0 || !reachesAPI(facts) {
		return nil
	}
	for _, server := range servers {
		if !isRefused(server.UDP) || !isRefused(server.TCP) {
			return nil
		}
	}
	return []string{"It refuses over UDP and over TCP, while the API server answers."}
}

// refusedBefore: for a Service without endpoints a kernel refuses by messages of which it
// sends only so many (icmp(7), icmp_ratelimit), and what it keeps back looks like
// silence.
func refusedBefore(facts *checks.Facts) []string {
	return turnedAway(facts, "refused", checks.Refused)
}

// unreachableBefore: those by which a filter says so are as few.
func unreachableBefore(facts *checks.Facts) []string {
	return turnedAway(facts, "told that the way to it is shut", checks.HostUnreachable, checks.NetworkUnreachable)
}

// turnedAway tells by what was heard lately, and by what deep probes heard, that the
// nameservers are not silent by themselves.
func turnedAway(facts *checks.Facts, how string, kinds ...checks.FailureKind) []string {
	if facts.History != nil && len(answering(facts)) == 0 {
		const latest = 5
		rounds := facts.History.Lately
		for _, round := range slices.Backward(rounds[max(0, len(rounds)-latest):]) {
			if round.Resolved == nil || *round.Resolved {
				break
			}
			if slices.Contains(kinds, round.LookupFailure) {
				return []string{fmt.Sprintf("The round at %s was %s, and no name has resolved since. Of such messages a kernel sends only so many, and what it keeps back looks like silence.", moment(round.Time), how)}
			}
		}
	}
	return turnedProbesAway(facts, how, kinds)
}

// turnedProbesAway tells that no nameserver answered deep probes and each turned some
// away.
func turnedProbesAway(facts *checks.Facts, how string, kinds []checks.FailureKind) []string {
	servers := deepNameservers(facts)
	if len(servers) == 0 || len(answering(facts)) > 0 || wasWellSince(facts, facts.Deep.Time) {
		return nil
	}
	var turning []netip.Addr
	for _, server := range servers {
		turned := false
		for _, query := range []*checks.Query{server.UDP, server.TCP} {
			if wasAnswered(query) {
				return nil
			}
			turned = turned || query != nil && slices.Contains(kinds, query.Failure.Kind)
		}
		if !turned {
			return nil
		}
		turning = append(turning, server.Address)
	}
	return []string{fmt.Sprintf("Who asked %s at %s was %s. Of such messages a kernel sends only so many, and what it keeps back looks like silence.", list(turning), moment(facts.Deep.Time), how)}
}

// nodeLocalRefuses: a link-local address is of the node itself, so what refuses
// there is the node, and no Service without endpoints. One that is down may stand
// beside others that answer. Over UDP the kernel sends only so many refusals, and
// what it keeps back looks like silence (icmp(7), icmp_ratelimit).
func nodeLocalRefuses(facts *checks.Facts) []string {
	if !reachesAPI(facts) {
		return nil
	}
	var refusing []netip.Addr
	for _, server := range deepNameservers(facts) {
		switch {
		case !isRefused(server.TCP) || !isRefused(server.UDP) && !isSilent(server.UDP):
		case !server.Address.IsLinkLocalUnicast():
			return nil
		default:
			refusing = append(refusing, server.Address)
		}
	}
	if len(refusing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s is a link-local address, which leads to the node itself, and refuses connections, while the API server answers: nothing listens there.", list(refusing))}
}

// onlyNodeLocalIsSilent: no selector of pods matches what is no pod.
func onlyNodeLocalIsSilent(facts *checks.Facts) []string {
	if !reachesAPI(facts) {
		return nil
	}
	var silent, answering []netip.Addr
	for _, server := range deepNameservers(facts) {
		switch {
		case !isDeaf(server):
			answering = append(answering, server.Address)
		case !server.Address.IsLinkLocalUnicast() || takesConnections(facts, server.Address):
			return nil
		default:
			silent = append(silent, server.Address)
		}
	}
	if len(silent) == 0 {
		return nil
	}
	evidence := []string{fmt.Sprintf("%s is a link-local address, which no podSelector matches, and is silent over UDP and TCP, while the API server at %s answers.",
		list(silent), facts.API.ServiceHost.Last().Address)}
	if len(answering) > 0 {
		evidence = append(evidence, fmt.Sprintf("%s is not silent, and is no link-local address.", list(answering)))
	}
	return evidence
}

// isDeaf tells a nameserver that nothing came back from, by either transport.
func isDeaf(server checks.NameserverFacts) bool { return overUDPSilent(server) && isSilent(server.TCP) }

// overUDPSilent tells that no datagram came back, of single queries or of pairs.
// One query alone may have been lost, or have met the one server of several that
// is dead.
func overUDPSilent(server checks.NameserverFacts) bool {
	pairs := server.Paired
	return isSilent(server.UDP) && !wasAnswered(server.WithoutEDNS) && (pairs == nil || pairs.None == pairs.Pairs)
}

func isRefused(query *checks.Query) bool {
	return query != nil && query.Failure != nil && query.Failure.Kind == checks.Refused
}

// onlyTheClustersDNSIsSilent: the API server answers, and no nameserver does over either
// transport.
func onlyTheClustersDNSIsSilent(facts *checks.Facts) []string {
	silent := onlyDNSIsSilent(facts)
	if len(silent) == 0 || !mayBeTheClusters(facts) {
		return nil
	}
	return []string{fmt.Sprintf("The API server at %s answers, and %s is silent over UDP and TCP: packets to port 53 are dropped, or the pods behind it are dead and still in its Service.",
		facts.API.ServiceHost.Last().Address, list(silent))}
}

// onlyAStrangerIsSilent: there may be nobody at an address that is no Service's.
func onlyAStrangerIsSilent(facts *checks.Facts) []string {
	silent := onlyDNSIsSilent(facts)
	if len(silent) == 0 || mayBeTheClusters(facts) {
		return nil
	}
	return []string{fmt.Sprintf("The API server at %s answers, and %s is silent over UDP and TCP. It has no address of a Service, as the cluster's DNS has: it may be nobody's, or not be meant for pods.",
		facts.API.ServiceHost.Last().Address, list(silent))}
}

// onlyDNSIsSilent are all nameservers, where none answers and the API server does.
func onlyDNSIsSilent(facts *checks.Facts) (silent []netip.Addr) {
	if facts.DNS == nil || !reachesAPI(facts) {
		return nil
	}
	for _, server := range deepNameservers(facts) {
		if !isDeaf(server) || slices.Contains(answering(facts), server.Address) || takesConnections(facts, server.Address) {
			return nil
		}
		silent = append(silent, server.Address)
	}
	return silent
}

// takesConnections tells that a nameserver was connected to over TCP, so that packets
// get there and back.
func takesConnections(facts *checks.Facts, server netip.Addr) bool {
	return slices.ContainsFunc(deepPath(facts).Controls, func(control checks.Control) bool {
		return control.What == checks.ControlDNSOverTCP && control.Failure == nil && control.Address.Addr() == server
	})
}

// takeConnectionsAlone: the kernel makes connections for a program that stands still.
func takeConnectionsAlone(facts *checks.Facts) []string {
	var standing []netip.Addr
	for _, server := range deepNameservers(facts) {
		if isDeaf(server) && takesConnections(facts, server.Address) && !slices.Contains(answering(facts), server.Address) {
			standing = append(standing, server.Address)
		}
	}
	if len(standing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s takes connections on port 53 and answers nothing over TCP or UDP: packets get there, and the program that serves DNS stands still, has no processor or is told to say nothing to this pod, unless a sidecar takes connections in its place.", list(standing))}
}

// onlyWithoutEDNS: what goes by is the same but for the additional record (RFC 6891).
func onlyWithoutEDNS(facts *checks.Facts) (evidence []string) {
	for _, server := range deepNameservers(facts) {
		pairs := server.Paired
		if isSilent(server.UDP) && wasAnswered(server.WithoutEDNS) && pairs != nil && pairs.Pairs >= fewestPairs && pairs.None+pairs.Half == 0 && !slices.Contains(answering(facts), server.Address) {
			evidence = append(evidence, fmt.Sprintf("%s answers queries without EDNS(0), %d of %d pairs of them, and is silent to all with it: something on the way drops these. Go asks with EDNS(0), glibc and musl without.", server.Address, pairs.Pairs, pairs.Pairs))
		}
	}
	return evidence
}

// answersLate: nothing was waited for in vain for longer than what came took.
func answersLate(facts *checks.Facts) []string {
	if facts.DNS == nil || !facts.DNS.Lookup.Cut {
		return nil
	}
	var slowest, silent float64
	answers := 0
	for _, query := range facts.DNS.Lookup.Queries {
		switch {
		case query.Failure == nil && query.Unanswered > 0:
			return nil // It may have been lost packets that took the time.
		case query.Failure == nil:
			answers++
			slowest = max(slowest, query.Seconds)
		case isSilent(&query):
			silent = max(silent, query.Seconds)
		default:
			return nil
		}
	}
	if answers == 0 || silent >= slowest {
		return nil
	}
	return []string{fmt.Sprintf("%s answers, and takes up to %s for it: the search among %d names was not at its end within %s. An application waits for longer.",
		list(answering(facts)), seconds(slowest), len(facts.DNS.Lookup.Candidates), seconds(facts.DNS.Lookup.Seconds))}
}

// onlyOthersAreSilent: the name was asked for outside of the cluster's zone first, as
// it is where the search list or ndots says so, and within the zone it is known.
func onlyOthersAreSilent(facts *checks.Facts) []string {
	if facts.DNS == nil || facts.Deep == nil || facts.Deep.DNS == nil {
		return nil
	}
	others, asked := "", netip.Addr{}
	for _, query := range facts.DNS.Lookup.Queries {
		if !isSilent(&query) {
			continue
		}
		if isWithin(query.Name, strings.TrimSuffix(facts.Deep.DNS.Zone, ".")) {
			return nil
		}
		others, asked = query.Name, query.Nameserver
	}
	if others == "" {
		return nil
	}
	for _, server := range deepNameservers(facts) {
		if server.Address == asked && server.UDP != nil && len(server.UDP.Addresses) > 0 && answeredText(server.Version) {
			return []string{fmt.Sprintf("%s answers for %s and not for %s, which is asked for first and belongs to a server behind it.", server.Address, server.UDP.Name, others)}
		}
	}
	return nil
}

func isSilent(query *checks.Query) bool {
	return query != nil && query.Failure != nil && query.Failure.Kind == checks.TimedOut
}
