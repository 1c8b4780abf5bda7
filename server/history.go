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

// history is what metrics remember of rounds past. It is never changed: next
// makes the one of the next round, so that a scrape sees one round, whole.
type history struct {
	rounds      uint64
	failures    map[failure]uint64
	lastSuccess map[checks.Name]time.Time
	durations   histogram
}

func (h history) next(report *checks.Report) history {
	h.rounds++
	h.durations.observe(report.DurationSeconds)
	h.failures = copyOf(h.failures)
	h.lastSuccess = copyOf(h.lastSuccess)
	for _, result := range report.Checks {
		switch result.Status {
		case checks.Fail:
			h.failures[h.countedAs(result)]++
		case checks.OK, checks.Warn:
			h.lastSuccess[result.Name] = report.Time
		}
	}
	return h
}

func (h history) countedAs(result checks.Result) failure {
	exact := failure{result.Name, result.Reason}
	if _, known := h.failures[exact]; known || len(h.failures) < maxFailures {
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
