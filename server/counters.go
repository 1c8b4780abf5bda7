package server

import (
	"maps"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxFailures is how many pairs of check and reason are counted apart. Reasons
// come from a catalogue, yet that is larger than what metrics may take up: over
// the months of a pod's life all could be met.
const maxFailures = 6

// otherReason counts the failures beyond maxFailures.
const otherReason checks.Reason = "other"

// failure is a check and why it failed.
type failure struct {
	check  checks.Name
	reason checks.Reason
}

// counters are what metrics remember of rounds past. They are never changed: next
// makes those of the next round, so that a scrape sees one round, whole.
type counters struct {
	rounds      uint64
	failures    map[failure]uint64
	lastSuccess map[checks.Name]time.Time
	durations   histogram
	// roundTrips are of the requests to the API server that were answered as they
	// should.
	roundTrips histogram
	// episodes counts how often the verdict became Fail, failing tells that it is.
	episodes uint64
	failing  bool
}

func newCounters() counters {
	return counters{
		// From a round on a quiet network to one in which several probes met their
		// time limits.
		durations: newHistogram(0.01, 0.05, 0.25, 1, 5),
		// From a server near by to the time limit, close enough for the quantiles
		// of a fleet.
		roundTrips: newHistogram(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
	}
}

func (c counters) next(report *checks.Report) counters {
	c.rounds++
	c.durations = c.durations.with(report.DurationSeconds)
	if took := roundTrip(report); took > 0 {
		c.roundTrips = c.roundTrips.with(took)
	}
	failed := report.Status == checks.Fail
	if failed && !c.failing {
		c.episodes++
	}
	c.failing = failed
	c.failures = copyOf(c.failures)
	c.lastSuccess = copyOf(c.lastSuccess)
	for _, result := range report.Checks {
		switch result.Status {
		case checks.Fail:
			c.failures[c.countedAs(result)]++
		case checks.OK, checks.Warn:
			c.lastSuccess[result.Name] = report.Time
		}
	}
	return c
}

func (c counters) countedAs(result checks.Result) failure {
	exact := failure{result.Name, result.Reason}
	if _, known := c.failures[exact]; known || len(c.failures) < maxFailures {
		return exact
	}
	return failure{result.Name, otherReason}
}

// copyOf returns a copy that can be written to, of a nil map too.
func copyOf[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m)+1)
	maps.Copy(c, m)
	return c
}

// histogram counts durations by the upper bounds that they are within, in seconds.
// Like the counters it is never changed.
type histogram struct {
	count  uint64
	sum    float64
	bounds []float64
	within []uint64
}

func newHistogram(bounds ...float64) histogram {
	return histogram{bounds: bounds, within: make([]uint64, len(bounds))}
}

func (h histogram) with(seconds float64) histogram {
	h.count++
	h.sum += seconds
	h.within = slices.Clone(h.within)
	for i, bound := range h.bounds {
		if seconds <= bound {
			h.within[i]++
		}
	}
	return h
}

func (h histogram) buckets() map[float64]uint64 {
	buckets := make(map[float64]uint64, len(h.bounds))
	for i, bound := range h.bounds {
		buckets[bound] = h.within[i]
	}
	return buckets
}
