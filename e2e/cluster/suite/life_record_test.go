//go:build linux

package suite_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// record keeps the report of every round until it is asked for them. An agent
// that does not answer, or is another one than before, fails the test.
func record(ctx context.Context, t *testing.T, p cluster.Pod) (stop func() []report) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var recording sync.WaitGroup
	var reports []report
	recording.Go(func() {
		for {
			r, err := status(ctx, p)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				t.Errorf("ask %s for its report: %v", p.Name, err)
			case len(reports) > 0 && r.Round < reports[len(reports)-1].Round:
				t.Errorf("round %d of %s came after round %d", r.Round, p.Name, reports[len(reports)-1].Round)
				return
			case len(reports) == 0 || r.Round > reports[len(reports)-1].Round:
				reports = append(reports, r)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	stop = sync.OnceValue(func() []report {
		cancel()
		recording.Wait()
		return reports
	})
	t.Cleanup(func() { stop() })
	return stop
}
