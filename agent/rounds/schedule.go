package rounds

import (
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// Schedule says when rounds are due. The first is due at once and the others
// at even intervals, shifted by a hash of the pod, so that agents which start
// together, or recover together, do not ask together.
type Schedule struct {
	start    time.Time
	interval time.Duration
	shift    time.Duration
}

// NewSchedule spreads the second round of a fleet evenly over one interval, from
// half an interval after the start on.
func NewSchedule(start time.Time, interval time.Duration, identity string) Schedule {
	spread := time.Duration(checks.Share(identity, "rounds") * float64(interval))
	return Schedule{start: start, interval: interval, shift: interval/2 + spread}
}

// Next is the first due time after a moment. Times that passed while a round
// took long are left out, so rounds neither overlap nor pile up.
func (s Schedule) Next(after time.Time) time.Time {
	second := s.start.Add(s.shift)
	if after.Before(second) {
		return second
	}
	passed := after.Sub(second)/s.interval + 1
	return second.Add(passed * s.interval)
}
