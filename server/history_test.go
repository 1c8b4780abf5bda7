package server

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kube-lifeline/lifeline/checks"
)

// lived publishes a round an interval for each letter: a dot for a healthy one, w
// and W for warnings, f and F for failures of another cause.
func lived(h *history, clock *clock, rounds string) {
	for _, letter := range rounds {
		h.add(clock.now, met(letter, clock.now))
		clock.advance(h.interval)
	}
}

func met(letter rune, at time.Time) *checks.Report {
	report := healthy()
	report.Time = at
	if reason, bad := map[rune]checks.Reason{'w': checks.CAExpiringSoon, 'W': checks.HTTPLatencyHigh, 'f': checks.DNSTimeout, 'F': checks.TCPRefused}[letter]; bad {
		report.Status = checks.Fail
		if letter == 'w' || letter == 'W' {
			report.Status = checks.Warn
		}
		report.Diagnosis = []checks.Finding{{Reason: reason, Severity: report.Status, Title: "The title of " + string(reason)}}
	}
	return report
}

func TestAnEpisodeIsAStretchOfOneStatus(t *testing.T) {
	type told struct {
		Status   checks.Status
		Cause    checks.Reason
		Seconds  float64
		Rounds   uint64
		Times    uint64
		Lasts    bool
		AlsoSaid int
	}
	for _, test := range []struct {
		name, rounds string
		want         []told
	}{
		{"nothing where all is well", "....", nil},
		{"one that lasts", "..fff", []told{{checks.Fail, checks.DNSTimeout, 30, 3, 1, true, 0}}},
		{"one that ended", ".ff..", []told{{checks.Fail, checks.DNSTimeout, 20, 2, 1, false, 0}}},
		{"a failure within a warning, which is taken up again", "wwfww", []told{
			{checks.Warn, checks.CAExpiringSoon, 50, 4, 2, true, 0}, {checks.Fail, checks.DNSTimeout, 10, 1, 1, false, 0},
		}},
		{"the cause that most rounds named", "FffffF.", []told{{checks.Fail, checks.DNSTimeout, 60, 6, 1, false, 1}}},
		{"one that comes and goes", "f..f..f..", []told{{checks.Fail, checks.DNSTimeout, 70, 3, 3, false, 0}}},
		{"two of one cause that are apart", "f..........f", []told{
			{checks.Fail, checks.DNSTimeout, 10, 1, 1, true, 0}, {checks.Fail, checks.DNSTimeout, 10, 1, 1, false, 0},
		}},
		{"two of other causes", "f.F.", []told{
			{checks.Fail, checks.TCPRefused, 10, 1, 1, false, 0}, {checks.Fail, checks.DNSTimeout, 10, 1, 1, false, 0},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			h := newHistory(clock.now, 10*time.Second)
			lived(h, clock, test.rounds)
			var got []told
			for _, episode := range h.view(clock.now).Episodes {
				got = append(got, told{
					episode.Status, episode.Causes[0].Reason, episode.Seconds, episode.Rounds, episode.Times,
					episode.Ended.IsZero(), len(episode.Causes) - 1,
				})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the episodes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASpanSumsUpTheRoundsOfItsPoints(t *testing.T) {
	clock := newClock()
	h := newHistory(clock.now, 30*time.Second)
	lived(h, clock, "..wwff..")
	clock.advance(-time.Second)
	got := h.view(clock.now).Hour
	want := Span{
		From: begun(), StepSeconds: 60, Rounds: 8, Warned: 2, Failed: 2,
		RoundTrip: &Quantiles{MedianSeconds: 0.0075, P99Seconds: 0.0075, MaxSeconds: 0.0075},
		Points: []Point{
			{Rounds: 2, RoundTripSeconds: 0.0075},
			{Rounds: 2, Warned: 2, RoundTripSeconds: 0.0075},
			{Rounds: 2, Failed: 2, RoundTripSeconds: 0.0075},
			{Rounds: 2, RoundTripSeconds: 0.0075},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("the hour differs (-want +got):\n%s", diff)
	}
}

func TestASpanForgetsWhatIsOlder(t *testing.T) {
	clock := newClock()
	h := newHistory(clock.now, time.Minute)
	lived(h, clock, "f")
	clock.advance(2 * time.Hour)
	lived(h, clock, ".")
	view := h.view(clock.now)
	if view.Hour.Failed != 0 || view.Hour.Rounds != 1 || len(view.Hour.Points) != 60 {
		t.Errorf("got an hour of %d points with %d rounds, %d of them failed, want 60, 1 and 0", len(view.Hour.Points), view.Hour.Rounds, view.Hour.Failed)
	}
	if view.Day.Failed != 1 || view.Day.Rounds != 2 {
		t.Errorf("got a day with %d rounds, %d of them failed, want 2 and 1", view.Day.Rounds, view.Day.Failed)
	}
	clock.advance(24 * time.Hour)
	lived(h, clock, ".")
	if day := h.view(clock.now).Day; day.Rounds != 1 || day.Failed != 0 {
		t.Errorf("a day later: got %d rounds, %d of them failed, want 1 and 0", day.Rounds, day.Failed)
	}
}

func TestTheHistoryDoesNotGrow(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 15 * time.Second, time.Hour, 48 * time.Hour} {
		clock := newClock()
		h := newHistory(clock.now, interval)
		slots := len(h.samples.slots)
		for range 100 {
			lived(h, clock, "f..........wfWFWF")
			clock.advance(50 * interval)
		}
		view := h.view(clock.now)
		if len(h.samples.slots) != slots || len(view.Episodes) != maxEpisodes || cap(h.episodes) > 2*maxEpisodes {
			t.Errorf("an interval of %s: got %d slots after %d, and %d episodes in room for %d", interval, len(h.samples.slots), slots, len(view.Episodes), cap(h.episodes))
		}
		if len(view.Hour.Points) > 61 || len(view.Day.Points) > 97 {
			t.Errorf("an interval of %s: got %d and %d points", interval, len(view.Hour.Points), len(view.Day.Points))
		}
	}
}

func TestAClockThatIsSetBackLeavesTheHistoryInOrder(t *testing.T) {
	clock := newClock()
	h := newHistory(clock.now, time.Minute)
	clock.advance(time.Hour)
	lived(h, clock, "..")
	clock.advance(-30 * time.Minute)
	lived(h, clock, "f.")
	view := h.view(clock.now)
	if view.Day.Rounds != 4 || view.Day.Failed != 1 {
		t.Errorf("got %d rounds, %d of them failed, want 4 and 1", view.Day.Rounds, view.Day.Failed)
	}
}

func TestAViewDoesNotChangeWithLaterRounds(t *testing.T) {
	clock := newClock()
	h := newHistory(clock.now, time.Minute)
	lived(h, clock, "ff")
	view := h.view(clock.now)
	before := slices.Clone(view.Episodes[0].Causes)
	lived(h, clock, "ffFF")
	if diff := cmp.Diff(before, view.Episodes[0].Causes); diff != "" {
		t.Errorf("the causes changed (-before +after):\n%s", diff)
	}
}

func BenchmarkHistoryOfADay(b *testing.B) {
	clock := newClock()
	h := newHistory(clock.now, 15*time.Second)
	for range 5760 / 20 {
		lived(h, clock, "..........ff...wwww.")
	}
	b.Run("add", func(b *testing.B) {
		report := met('.', clock.now)
		b.ReportAllocs()
		for b.Loop() {
			h.add(clock.now, report)
		}
	})
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.view(clock.now)
		}
	})
}
