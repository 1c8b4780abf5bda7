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
		response := attempt.Last().Response
		if response != nil && !response.Date.IsZero() && fromKubernetes(response) {
			// A Date is cut to the second; half of one is the mean of what is
			// cut off.
			return response.Date.Add(time.Second / 2).Sub(response.ReceivedAt), true
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
