package server

import (
	"maps"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxFailures is how many pairs of check and reason are counted apart. Reasons
// come from a catalogue, yet that is larger than what metrics may take up: over
// the months of a pod's life all could be met.
const maxFailures = 40

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
}

func (c counters) next(report *checks.Report) counters {
	c.rounds++
	c.durations.observe(report.DurationSeconds)
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

// histogram counts durations by the upper bounds that they are within. Being
// an array it is copied by assignment.
type histogram struct {
	count  uint64
	sum    float64
	within [7]uint64
}

// durationBounds run from a round on a quiet network to one in which several
// probes met their time limits, in seconds.
func durationBounds() [7]float64 { return [...]float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10} }

func (h *histogram) observe(seconds float64) {
	h.count++
	h.sum += seconds
	for i, bound := range durationBounds() {
		if seconds <= bound {
			h.within[i]++
		}
	}
}

func (h histogram) buckets() map[float64]uint64 {
	buckets := make(map[float64]uint64, len(h.within))
	for i, bound := range durationBounds() {
		buckets[bound] = h.within[i]
	}
	return buckets
}
