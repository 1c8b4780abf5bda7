package judge

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// improbable is below what chance is taken for a reason.
	improbable = 0.01
	// fewestPairs are enough to compare how they ended.
	fewestPairs = 10
	// enoughDead pairs that lack both replies, and none that lacks one, are more
	// than what a path that loses a packet now and then makes of twenty.
	enoughDead = 2
	// enoughLossy connections on which segments were sent again are more than the
	// one that a stall of either side has do so without need.
	enoughLossy = 2
	// pairsHold is for how long pairs tell something. A check that fails has them
	// made anew in half of that; a warning may last for months and has them once.
	pairsHold = 10 * time.Minute
)

// lossRules are about packets that get lost at random: of those of one kind some
// get through and some do not. A dead server, a policy and a size that is not
// carried take all of a kind.
func lossRules() []rule {
	return []rule{
		{reason: checks.NetworkPacketLoss, certainty: checks.Likely, refines: []checks.Reason{
			checks.DNSTimeout, checks.DNSNameserverFailing, checks.DNSSlow, checks.DNSAAAABroken,
		}, evidence: datagramsAreLost},
		{reason: checks.NetworkPacketLoss, certainty: checks.Likely, refines: []checks.Reason{
			checks.TCPTimeout, checks.TLSHandshakeTimeout, checks.HTTPResponseTimeout, checks.HTTPLatencyHigh, checks.HTTPPassedOnRetry, checks.TCPIntermittentOneEndpoint,
		}, evidence: segmentsAreLost},
		{reason: checks.NetworkPacketLoss, certainty: checks.Likely, refines: []checks.Reason{
			checks.TCPTimeout, checks.TLSHandshakeTimeout, checks.HTTPResponseTimeout,
		}, evidence: roundsLoseSegments},
		{reason: checks.NetworkPacketLoss, certainty: checks.Likely, refines: []checks.Reason{checks.TCPTimeout}, evidence: connectionsAreLost},
	}
}

// connectionsAreLost: datagrams get lost at random, and where the first packet of a
// connection does, it is not sent again within the time limit (RFC 6298, a second).
// Others come about, or one that was made before still answers, or so many get lost that
// none does by chance.
func connectionsAreLost(facts *checks.Facts) []string {
	if segmentsTo(facts).connections == 0 && establishedWorks(facts) == nil && !silentByChance(facts) {
		return nil
	}
	return datagramsAreLost(facts)
}

// silentByChance tells that where as many first packets get lost as datagrams do, it is
// no wonder that so many connections in a row came to nothing.
func silentByChance(facts *checks.Facts) bool {
	silent := 0
	for _, round := range slices.Backward(apiRounds(facts)) {
		if round.Stage != checks.StageConnect || round.Failure != checks.TimedOut {
			break
		}
		silent++
	}
	for _, fresh := range deepPath(facts).Fresh {
		if !isUnconnected(fresh) {
			return false
		}
		silent++
	}
	return slices.ContainsFunc(datagramsTo(facts), func(told datagrams) bool {
		return told.lostAtRandom(false) && math.Pow(float64(told.lost())/float64(told.sent()), float64(max(1, silent))) >= improbable
	})
}

func datagramsAreLost(facts *checks.Facts) (evidence []string) {
	segments := segmentsTo(facts)
	for _, told := range datagramsTo(facts) {
		if told.lostAtRandom(segments.lossy >= enoughLossy) {
			evidence = append(evidence, told.String())
		}
	}
	if len(evidence) > 0 && segments.lossy > 0 {
		evidence = append(evidence, segments.String())
	}
	return evidence
}

func segmentsAreLost(facts *checks.Facts) []string {
	segments := segmentsTo(facts)
	var datagrams []string
	for _, told := range datagramsTo(facts) {
		if told.lostAtRandom(false) {
			datagrams = append(datagrams, told.String())
		}
	}
	if segments.lossy >= enoughLossy || segments.lossy > 0 && (len(datagrams) > 0 || segments.unconnected >= enoughUnconnected) {
		return append([]string{segments.String()}, datagrams...)
	}
	return nil
}

// roundsLoseSegments: since the first round that ran out of time others came to
// their end, and most of them only since segments were sent again. Where all packets
// are dropped for some of the time, those of the other rounds get through at once.
func roundsLoseSegments(facts *checks.Facts) []string {
	rounds := apiRounds(facts)
	first := slices.IndexFunc(rounds, func(round checks.PastRound) bool { return round.Failure == checks.TimedOut })
	if first < 0 {
		return nil
	}
	rounds = rounds[first:]
	done := count(rounds, func(round checks.PastRound) bool { return round.Stage == checks.StageDone })
	lossy := count(rounds, func(round checks.PastRound) bool { return round.Stage == checks.StageDone && round.Retransmits > 0 })
	if lossy < enoughLossy || 2*lossy < done {
		return nil
	}
	return []string{fmt.Sprintf("Of the %d rounds since %s, %d ran out of time, and of the %d that were answered %d had to send segments again.",
		len(rounds), moment(rounds[0].Time), count(rounds, func(round checks.PastRound) bool { return round.Failure == checks.TimedOut }), done, lossy)}
}

// segments are what became of what was sent over connections to the API server
// that got on: to the end of their handshake, for which segments of full size have
// to get through, or as far as this pod's part goes.
type segments struct {
	target netip.AddrPort
	// connections that did, lossy those of them on which segments were sent again
	// and got through, and again how many were.
	connections, lossy int
	again              uint32
	// failed are connections that did not, and unconnected those of them that did not
	// even come about.
	failed, unconnected int
}

func segmentsTo(facts *checks.Facts) (told segments) {
	path := deepPath(facts)
	told.target = path.Target
	add := func(shaken bool, failure *checks.Failure, tcp *checks.TCPFacts) {
		switch resent := gotThrough(shaken, tcp); {
		case tcp != nil && (shaken || resent):
			told.connections++
			if resent {
				told.again += tcp.TotalRetransmits
				told.lossy++
			}
		case failure != nil && failure.Kind == checks.TimedOut:
			told.failed++
		}
	}
	for _, fresh := range path.Fresh {
		if isUnconnected(fresh) {
			told.unconnected++
		}
		add(fresh.Leaf != "", fresh.Failure, fresh.TCP)
	}
	for _, handshake := range []*checks.Handshake{path.SmallHello, path.FullHello, path.Clamped} {
		if handshake != nil {
			add(handshake.Done, handshake.Failure, handshake.TCP)
		}
	}
	if facts.API != nil {
		last := facts.API.ServiceHost.Last()
		add(last.TLS != nil && last.TLS.Verified, nil, last.TCP)
		if !told.target.IsValid() {
			told.target = last.Address
		}
	}
	return told
}

// gotThrough tells that segments were sent again and acknowledged then. Of those that
// the kernel counts in all, one may be a probe of the tail (RFC 8985 section 7), and
// the rest is the oldest one, again and again, where none gets through. Before the end
// of the handshake there may be some that do and a large one that never does.
func gotThrough(shaken bool, tcp *checks.TCPFacts) bool {
	if tcp == nil || tcp.TotalRetransmits == 0 || tcp.RTTSeconds >= firstTimeout {
		// Where the way takes so long, the first packet is sent again without need.
		return false
	}
	return tcp.Unacked == 0 || shaken && tcp.TotalRetransmits > tcp.Retransmits+1
}

func (s segments) String() string {
	text := fmt.Sprintf("Of %d connections to %s that got on, %d had to send segments again, %d in all", s.connections, s.target, s.lossy, s.again)
	if s.failed > 0 {
		text += fmt.Sprintf("; %d more ran into their time limit", s.failed)
	}
	return text + "."
}

// datagrams are what came back of queries over UDP to one nameserver.
type datagrams struct {
	server netip.Addr
	pairs  checks.PairedFacts
	single checks.SingleFacts
	// spaced are datagrams of queries that were made a few at a time and were
	// answered in the end, spacedLost those of them that were not.
	spaced, spacedLost int
	// slowest is the longest that one of those was waited for which was answered
	// the first time, in seconds.
	slowest float64
}

// datagramsTo are those to each nameserver that answers any pair.
func datagramsTo(facts *checks.Facts) (told []datagrams) {
	for _, server := range deepNameservers(facts) {
		if server.Paired == nil || server.Paired.None == server.Paired.Pairs {
			continue
		}
		to := datagrams{server: server.Address, pairs: *server.Paired}
		if server.Single != nil {
			to.single = *server.Single
		}
		queries := []*checks.Query{server.UDP, server.WithoutEDNS, server.AAAA, server.Version, server.Root, server.Reverse}
		if facts.DNS != nil {
			for i := range facts.DNS.Lookup.Queries {
				queries = append(queries, &facts.DNS.Lookup.Queries[i])
			}
		}
		for _, query := range queries {
			if wasAnswered(query) && query.Transport == "udp" && query.Nameserver == server.Address {
				to.spaced += query.Unanswered + 1
				to.spacedLost += query.Unanswered
				if query.Unanswered == 0 {
					to.slowest = max(to.slowest, query.Seconds)
				}
			}
		}
		told = append(told, to)
	}
	return told
}

// sent and lost leave out what was sent a second time.
func (d datagrams) sent() int { return 2*d.pairs.Pairs + d.single.Queries + d.spaced }

func (d datagrams) lost() int {
	return d.pairs.Half + 2*d.pairs.None + d.single.Lost + d.spacedLost
}

// chanceOfNone is how probable it is that of so many datagrams none gets lost,
// where so many of others did.
func chanceOfNone(of, lost, others int) float64 {
	if others == 0 {
		return 1
	}
	return math.Pow(1-float64(lost)/float64(others), float64(of))
}

// lostAtRandom tells a loss that queries of every kind meet, and from a port that
// another query is answered at. A server that takes only so many at once loses
// both of a pair more often than chance does, and none of those that come a few
// at a time. elsewhere tells that the path is known to lose packets, so that one
// lost here is no accident.
func (d datagrams) lostAtRandom(elsewhere bool) bool {
	switch {
	case d.lost() == 0 || d.partlyDead():
		return false
	case elsewhere:
		return true
	case d.lost() < enoughLost || d.single.Lost == 0 && d.spacedLost == 0:
		return false
	case d.pairs.Recovered == 0 && d.single.Recovered == 0 && d.spacedLost == 0:
		return false
	}
	crowded := 2*d.pairs.Pairs + d.single.Queries
	return d.lostApart() && (d.spacedLost > 0 || chanceOfNone(d.spaced, d.lost(), crowded) >= improbable)
}

// lostApart tells that as many pairs lack one reply alone as chance has it where
// what becomes of one does not depend on the other.
func (d datagrams) lostApart() bool {
	pairs := d.pairs.Pairs
	lost := float64(d.pairs.Half+2*d.pairs.None) / float64(2*pairs)
	half := 2 * lost * (1 - lost)
	chance, term := 0.0, math.Pow(1-half, float64(pairs))
	for lacking := range min(d.pairs.Half, pairs) + 1 {
		chance += term
		term *= float64(pairs-lacking) / float64(lacking+1) * half / (1 - half)
	}
	return chance >= improbable
}

// raced tells a loss that only pairs meet, and of each at most one query.
func (d datagrams) raced() bool {
	pairs := d.pairs
	return pairs.Pairs >= fewestPairs && pairs.None == 0 && 4*pairs.Recovered >= 3*pairs.Half &&
		d.single.Lost == 0 && d.spacedLost == 0 &&
		chanceOfNone(d.single.Queries+d.spaced, pairs.Half, 2*pairs.Pairs) < improbable
}

// partlyDead tells ports from which nothing is answered however often it is sent,
// beside others from which everything is: all packets of a port go to one server
// behind a Service. One that is slow may only be late with what it did not answer.
func (d datagrams) partlyDead() bool {
	pairs := d.pairs
	return pairs.Pairs >= fewestPairs && pairs.None >= enoughDead && pairs.Pairs-pairs.None-pairs.Half >= enoughDead && 4*pairs.Half <= pairs.None && 4*pairs.Recovered <= pairs.None &&
		4*d.single.Recovered <= d.single.Lost && (d.single.Queries == 0 || d.single.Lost > 0) && d.spacedLost == 0 && d.slowest <= slowLookup
}

func (d datagrams) String() string {
	kinds := []string{fmt.Sprintf("of %d pairs of A and AAAA %d lacked one reply and %d both", d.pairs.Pairs, d.pairs.Half, d.pairs.None)}
	if d.single.Queries > 0 {
		kinds = append(kinds, fmt.Sprintf("of %d queries for A alone %d had none", d.single.Queries, d.single.Lost))
	}
	if d.spaced > 0 {
		kinds = append(kinds, fmt.Sprintf("of %d made a few at a time %d", d.spaced, d.spacedLost))
	}
	return fmt.Sprintf("Of %d datagrams to %s %d had no reply: %s.", d.sent(), d.server, d.lost(), strings.Join(kinds, ", "))
}

// sparse is what the deep probes saw of datagrams that get lost, which a lookup
// may never meet: Go asks for A and AAAA from a port each.
func sparse(facts *checks.Facts) (problems []problem) {
	if !isRecent(facts) {
		return nil
	}
	lossy := segmentsTo(facts).lossy
	for _, told := range datagramsTo(facts) {
		reason := checks.NetworkPacketLoss
		switch {
		case told.lostAtRandom(lossy >= enoughLossy) && told.lost() >= enoughLost:
		case told.raced() && lossy == 0:
			reason = checks.DNSConntrackRace
		case told.partlyDead():
			reason = checks.DNSOneBackendBad
		default:
			continue
		}
		if slices.ContainsFunc(problems, func(problem problem) bool { return problem.Reason == reason }) {
			continue
		}
		problems = append(problems, warning(reason, told.String(), "a reply to every datagram",
			fmt.Sprintf("%d of %d without one", told.lost(), told.sent())).likely())
	}
	return problems
}

// someAreDead: see partlyDead.
func someAreDead(facts *checks.Facts) (evidence []string) {
	for _, told := range datagramsTo(facts) {
		if told.partlyDead() {
			evidence = append(evidence, told.String(), "What is sent again from the same port has no reply either, and from other ports all is answered.")
		}
	}
	return evidence
}
