package server

import (
	"math"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// samplesFor is for how long samples are kept.
	samplesFor = 24 * time.Hour
	// leastSlot is the least time that a sample stands for. With the default
	// interval that is one round.
	leastSlot = 15 * time.Second
)

// sample is what came of the rounds of one slot of time.
type sample struct {
	rounds, warned, failed uint16
	// roundTrip is the longest round trip to the API server, in seconds; 0 where
	// none was answered.
	roundTrip float32
}

func (s *sample) add(status checks.Status, roundTrip float64) {
	if s.rounds == math.MaxUint16 {
		return
	}
	s.rounds++
	switch status {
	case checks.Warn:
		s.warned++
	case checks.Fail:
		s.failed++
	}
	s.roundTrip = max(s.roundTrip, float32(roundTrip))
}

// ring holds the samples of a day, in a size that never changes. Slots are counted from
// its beginning by the time that has passed, so that a clock which is set leaves
// no gap and no overlap.
type ring struct {
	began  time.Time
	width  time.Duration
	slots  []sample
	newest int64
}

func newRing(began time.Time, interval time.Duration) *ring {
	width := max(interval, leastSlot)
	return &ring{began: began, width: width, slots: make([]sample, max(1, int(samplesFor/width)))}
}

func (r *ring) add(now time.Time, status checks.Status, roundTrip float64) {
	r.goTo(now)
	r.at(r.newest).add(status, roundTrip)
}

// goTo makes the slot of now the newest and empties those that are passed.
func (r *ring) goTo(now time.Time) {
	slot := max(r.newest, int64(now.Sub(r.began)/r.width))
	for passed := max(r.newest+1, slot-int64(len(r.slots))+1); passed <= slot; passed++ {
		*r.at(passed) = sample{}
	}
	r.newest = slot
}

func (r *ring) at(slot int64) *sample { return &r.slots[slot%int64(len(r.slots))] }

// span sums up the latest samples of a length of time in about so many points.
func (r *ring) span(now time.Time, length time.Duration, points int) Span {
	r.goTo(now)
	perPoint := max(1, int64(length/r.width)/int64(points))
	step := time.Duration(perPoint) * r.width
	// Points begin at the same slots whenever they are asked for, or a chart of
	// them would never rest.
	latest := r.newest / perPoint
	first := max(0, latest-int64((length+step-1)/step)+1)

	span := Span{
		From:        now.Round(0).Add(-now.Sub(r.began) + time.Duration(first)*step).UTC(),
		StepSeconds: step.Seconds(),
	}
	var roundTrips []float32
	for point := first; point <= latest; point++ {
		var sum Point
		for slot := max(point*perPoint, r.newest-int64(len(r.slots))+1); slot < (point+1)*perPoint && slot <= r.newest; slot++ {
			sample := r.at(slot)
			sum.add(sample)
			if sample.roundTrip > 0 {
				roundTrips = append(roundTrips, sample.roundTrip)
			}
		}
		span.add(sum)
	}
	span.RoundTrip = quantilesOf(roundTrips)
	return span
}

func quantilesOf(seconds []float32) *Quantiles {
	if len(seconds) == 0 {
		return nil
	}
	slices.Sort(seconds)
	at := func(quantile float64) float64 {
		return microseconds(seconds[min(len(seconds)-1, int(quantile*float64(len(seconds))))])
	}
	return &Quantiles{MedianSeconds: at(0.5), P99Seconds: at(0.99), MaxSeconds: at(1)}
}

// microseconds leaves off the digits that a float32 adds as it becomes a float64.
func microseconds(seconds float32) float64 { return math.Round(float64(seconds)*1e6) / 1e6 }
