package judge

import (
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// dateResolution is that of a Date header, and some travel time.
	dateResolution = 2 * time.Second
	// beyondBelief is a skew by which no token would be accepted, whatever its
	// times: the header is nonsense.
	beyondBelief = 24 * time.Hour
	// leeway is what the API server allows the clocks of tokens to differ by
	// (go-jose jwt.DefaultLeeway).
	leeway = time.Minute
)

// skew is the API server's clock less the pod's, by the Date of its latest
// answer; false where no server told its time.
func skew(facts *checks.Facts) (time.Duration, bool) {
	if facts.API == nil {
		return 0, false
	}
	for _, attempt := range []*checks.Attempt{facts.API.ServiceHost, facts.API.ByName} {
		if ahead, known := attempt.Last().Response.ClockAhead(); known {
			return ahead, true
		}
	}
	return 0, false
}

// serverTime is the time of the facts by the API server's clock where that is
// known, since tokens are issued and judged by it; else by the pod's.
func serverTime(facts *checks.Facts) time.Time {
	ahead, known := skew(facts)
	if !known || ahead.Abs() <= dateResolution || ahead.Abs() > beyondBelief {
		return facts.Time
	}
	return facts.Time.Add(ahead)
}

// provenClock tells whether the API server has confirmed the pod's clock, in this
// round or in an earlier one since which it did not jump. A date that does not
// hold is else as likely the clock's fault.
func provenClock(facts *checks.Facts) bool {
	if ahead, known := skew(facts); known {
		return ahead.Abs() <= leeway
	}
	if facts.History == nil || facts.History.Clock == nil {
		return false
	}
	reading := facts.History.Clock
	for _, jump := range facts.History.ClockJumps {
		if !jump.Time.Before(reading.Time) {
			return false
		}
	}
	return time.Duration(reading.AheadSeconds*float64(time.Second)).Abs() <= leeway
}
