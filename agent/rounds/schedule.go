package rounds

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
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
	sum := sha256.Sum256([]byte(identity))
	share := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	spread := time.Duration(share * float64(interval))
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
