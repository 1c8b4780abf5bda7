package rounds

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is an observer whose rounds take as long as they are told to.
type scripted struct {
	mu      sync.Mutex
	takes   time.Duration
	began   []time.Time
	running int
	overlap bool
}

func (s *scripted) Observe(ctx context.Context) *checks.Facts {
	s.mu.Lock()
	s.began = append(s.began, time.Now())
	s.running++
	s.overlap = s.overlap || s.running > 1
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	return &checks.Facts{Time: time.Now(), Skipped: checks.Names()}
}

func (s *scripted) Deep(context.Context, *checks.Facts) *checks.DeepFacts    { return nil }
func (s *scripted) DeepDNS(context.Context, *checks.Facts) *checks.DeepFacts { return nil }

// reports keeps what is published.
type reports struct{ all []*checks.Report }

func (r *reports) Publish(report *checks.Report) { r.all = append(r.all, report) }

func (s *scripted) loop(published Publisher, changed <-chan struct{}) Loop {
	return Loop{
		Observer: s, Publisher: published,
		Interval: 10 * time.Second, Limit: time.Minute, Identity: "web-0", Changed: changed,
	}
}

func TestTheFirstRoundComesAtOnceAndNoneOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, published := &scripted{takes: 25 * time.Second}, &reports{}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		start := time.Now()
		observer.loop(published, nil).Run(ctx)
		if !observer.began[0].Equal(start) {
			t.Errorf("the first round began %s late", observer.began[0].Sub(start))
		}
		if observer.overlap {
			t.Error("two rounds ran at once")
		}
		for i, report := range published.all {
			if report.Round != uint64(i+1) {
				t.Errorf("report %d is of round %d", i+1, report.Round)
			}
		}
		if got := len(published.all); got < 8 || got > 12 {
			t.Errorf("got %d reports in five minutes of rounds that take 25s, want about ten", got)
		}
	})
}

func TestAChangeBringsARoundAtOnceButNotAStormOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, published, changed := &scripted{takes: time.Millisecond}, &reports{}, make(chan struct{}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var stirring sync.WaitGroup
		stirring.Go(func() {
			for ctx.Err() == nil {
				select {
				case changed <- struct{}{}:
				default:
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		observer.loop(published, changed).Run(ctx)
		stirring.Wait()
		if got := observer.began[1].Sub(observer.began[0]); got > 200*time.Millisecond {
			t.Errorf("the change was looked at %s after the first round", got)
		}
		if got := len(observer.began); got > 14 {
			t.Errorf("files that never rest brought %d rounds a minute at an interval of 10s, want at most 14", got)
		}
	})
}

func TestARoundThatTheEndCutsShortIsNotPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, published := &scripted{takes: 30 * time.Second}, &reports{}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		observer.loop(published, nil).Run(ctx)
		if len(published.all) != 0 || time.Since(start) > 10*time.Second {
			t.Errorf("got %d reports and an end after %s, want none and 10s", len(published.all), time.Since(start))
		}
	})
}
