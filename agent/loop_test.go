package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
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

func (s *scripted) loop(published publisher, changed <-chan struct{}) loop {
	return loop{
		observer: s, publisher: published, log: zerolog.Nop(),
		interval: 10 * time.Second, limit: time.Minute, identity: "web-0", changed: changed,
	}
}

func TestTheFirstRoundComesAtOnceAndNoneOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer, published := &scripted{takes: 25 * time.Second}, &reports{}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		start := time.Now()
		observer.loop(published, nil).run(ctx)
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
		observer.loop(published, changed).run(ctx)
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
		observer.loop(published, nil).run(ctx)
		if len(published.all) != 0 || time.Since(start) > 10*time.Second {
			t.Errorf("got %d reports and an end after %s, want none and 10s", len(published.all), time.Since(start))
		}
	})
}

func TestOnlyTransitionsAreLogged(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	result := func(status checks.Status, reason checks.Reason, certainty checks.Certainty) *checks.Report {
		return &checks.Report{
			Status:    status,
			Checks:    []checks.Result{{Name: checks.DNS, Status: status, Reason: reason, Message: "sentence"}},
			Diagnosis: []checks.Finding{{Reason: reason, Certainty: certainty, Title: "title", Remedy: []string{"do it"}}},
		}
	}
	var previous *checks.Report
	for _, report := range []*checks.Report{
		result(checks.OK, "", ""), result(checks.OK, "", ""),
		result(checks.Fail, checks.DNSTimeout, checks.Likely), result(checks.Fail, checks.DNSTimeout, checks.Likely),
		result(checks.Fail, checks.DNSRefusedNoZone, checks.Likely),
		result(checks.Fail, checks.DNSRefusedNoZone, checks.Certain),
		result(checks.OK, "", ""),
	} {
		logTransitions(log, previous, report)
		previous = report
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var event struct{ Level, Check, Status, Reason, Cause, Certainty string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("the line %q is no JSON: %s", line, err)
		}
		got = append(got, strings.Join([]string{event.Level, event.Check, event.Status, event.Reason + event.Cause, event.Certainty}, " "))
	}
	want := []string{
		"info  ok  ",
		"error dns fail dns-timeout ",
		"error  fail dns-timeout likely",
		"error dns fail dns-refused-no-zone ",
		"error  fail dns-refused-no-zone likely",
		"error  fail dns-refused-no-zone certain",
		"info dns ok  ",
		"info  ok  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log differs (-want +got):\n%s", diff)
	}
}
