//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// lookEvery is how often an agent is asked for its report. A round that another one
// follows sooner, as one does when deep probes are at once at their end, may be
// missed.
const lookEvery = 50 * time.Millisecond

// recording keeps the report of every round until it is stopped.
type recording struct {
	end      func()
	mutex    sync.Mutex
	reports  []report
	failures []error
}

// record begins a recording that ends with the test at the latest.
func record(ctx context.Context, t *testing.T, p cluster.Pod) *recording {
	t.Helper()
	return recordEvery(ctx, t, p, lookEvery)
}

// recordEvery looks at other times than lookEvery.
func recordEvery(ctx context.Context, t *testing.T, p cluster.Pod, pace time.Duration) *recording {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	r := &recording{}
	var recording sync.WaitGroup
	recording.Go(func() {
		for ctx.Err() == nil {
			report, err := status(ctx, p)
			if ctx.Err() == nil {
				r.add(report, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(pace):
			}
		}
	})
	r.end = func() {
		cancel()
		recording.Wait()
	}
	t.Cleanup(r.end)
	return r
}

func (r *recording) add(one report, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	last := 0
	if len(r.reports) > 0 {
		last = r.reports[len(r.reports)-1].Round
	}
	switch {
	case err != nil:
		r.failures = append(r.failures, fmt.Errorf("ask for the report that follows round %d: %w", last, err))
	case one.Round < last:
		r.failures = append(r.failures, fmt.Errorf("round %d came after round %d", one.Round, last))
	case one.Round > last:
		r.reports = append(r.reports, one)
	}
}

// seen are the reports up to now.
func (r *recording) seen() []report {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.reports)
}

// until waits for a report that is as wanted, and returns the last one where
// there is none within the limit.
func (r *recording) until(ctx context.Context, t *testing.T, limit time.Duration, wanted func(report) bool) (report, bool) {
	t.Helper()
	ended := time.Now().Add(limit)
	for {
		var last report
		if seen := r.seen(); len(seen) > 0 {
			last = seen[len(seen)-1]
		}
		if wanted(last) {
			return last, true
		}
		if time.Now().After(ended) {
			return last, false
		}
		pause(ctx, t, lookEvery)
	}
}

// stop ends the recording. An agent that did not answer, or that was another one
// than before, fails the test.
func (r *recording) stop(t *testing.T) []report {
	t.Helper()
	r.end()
	for _, err := range r.failures {
		t.Error(err)
	}
	r.failures = nil
	return r.reports
}
