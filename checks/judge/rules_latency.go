package judge

import (
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// tripsOfAttempt are the ways there and back that a request over a new connection
	// waits for: to connect, for the handshake of TLS 1.3, and for the answer.
	tripsOfAttempt = 3
	// longShare is the share of its time that these have to be of a request that was
	// slow, and longShareOfLimit of one that ran out of time: then nobody knows how much
	// the rest would have been.
	longShare        = 0.5
	longShareOfLimit = 0.75
	// firstTimeout is after how long a kernel sends the first packet of a connection
	// again (RFC 6298 section 2), needless where the way takes longer.
	firstTimeout = 1.0
)

// latencyRules are about a way that is long.
func latencyRules() []rule {
	return []rule{
		{reason: checks.NetworkLatencyHigh, certainty: checks.Likely, refines: []checks.Reason{
			checks.HTTPLatencyHigh, checks.HTTPResponseTimeout, checks.TLSHandshakeTimeout,
		}, evidence: wayIsLong},
	}
}

// wayIsLong: a kernel measures for how long what it sent is not acknowledged, which the
// kernel of the other side does, whatever the program there is at.
func wayIsLong(facts *checks.Facts) []string {
	if facts.API == nil {
		return nil
	}
	attempt := facts.API.ServiceHost
	last := attempt.Last()
	trip := tripOf(last)
	took, share, told := last.Phases.Seconds(), longShare, "it took"
	if last.Failure != nil {
		took, share, told = attempt.Seconds, longShareOfLimit, "it may take"
	}
	if trip <= 0 || tripsOfAttempt*trip < share*took {
		return nil
	}
	if last.TCP.TotalRetransmits > 0 && (trip < firstTimeout || last.Failure != nil && !othersAreAsLong(facts, trip)) {
		return nil
	}
	return []string{fmt.Sprintf("A packet to %s and back takes %s, as the kernels measure it, in which no program has a part, and a request over a new connection needs %d such trips of the %s that %s.",
		last.Address, seconds(trip), tripsOfAttempt, seconds(took), told)}
}

// tripOf is how long a packet takes there and back: what the kernel makes of it, and no
// more than any part of the exchange that came to its end, each of which waits for one.
// A first answer that was sent again makes it look longer. It is 0 where it is not known.
func tripOf(exchange checks.Exchange) float64 {
	if exchange.TCP == nil || exchange.Stage == checks.StageConnect || exchange.Reused {
		return 0
	}
	trip := min(exchange.TCP.RTTSeconds, exchange.Phases.ConnectSeconds)
	if exchange.TLS != nil && exchange.TLS.Verified {
		trip = min(trip, exchange.Phases.TLSSeconds)
	}
	if exchange.Response != nil {
		trip = min(trip, exchange.Phases.FirstByteSeconds)
	}
	return trip
}

// othersAreAsLong tells that another connection was measured much the same.
func othersAreAsLong(facts *checks.Facts, trip float64) bool {
	path := deepPath(facts)
	measured := make([]*checks.TCPFacts, 0, len(path.Fresh)+3)
	for _, fresh := range path.Fresh {
		measured = append(measured, fresh.TCP)
	}
	for _, handshake := range []*checks.Handshake{path.SmallHello, path.FullHello, path.Clamped} {
		if handshake != nil {
			measured = append(measured, handshake.TCP)
		}
	}
	for _, tcp := range measured {
		if tcp != nil && 2*tcp.RTTSeconds >= trip {
			return true
		}
	}
	return false
}
