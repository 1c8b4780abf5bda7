package server

import (
	"cmp"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// maxEpisodes is how many episodes are kept, the latest.
	maxEpisodes = 50
	// maxCauses is how many causes of one episode are told apart.
	maxCauses = 4
	// apart is how many intervals must be well between two episodes of one cause
	// that are not one which comes and goes.
	apart = 10
)

// History is what happened lately: the episodes, the latest first, and the last
// hour and day in short. It is told since the start of the process.
type History struct {
	Episodes []Episode `json:"episodes"`
	Hour     Span      `json:"hour"`
	Day      Span      `json:"day"`
}

// Episode is a time in which the rounds were not well, all of the same status, or
// one that came and went.
type Episode struct {
	// Status is Warn or Fail.
	Status checks.Status `json:"status"`
	// Causes were named first by the rounds of the episode, the one of most rounds
	// first.
	Causes []Cause   `json:"causes"`
	Began  time.Time `json:"began"`
	// Ended is zero while the episode lasts.
	Ended time.Time `json:"ended,omitzero"`
	// Seconds is from the beginning to the end or to now.
	Seconds float64 `json:"seconds"`
	// Rounds are those that were not well, Times how often it came.
	Rounds uint64 `json:"rounds"`
	Times  uint64 `json:"times"`
}

// Cause is what rounds of an episode named first.
type Cause struct {
	Reason checks.Reason `json:"reason"`
	Title  string        `json:"title,omitempty"`
	Rounds uint64        `json:"rounds"`
}

// Span is a length of time in points of equal length, the latest last.
type Span struct {
	// From is when the first point begins, StepSeconds how long each lasts.
	From        time.Time `json:"from"`
	StepSeconds float64   `json:"stepSeconds"`
	// Rounds were made in all; a check failed in Failed of them, and in Warned
	// there was a warning at the worst.
	Rounds uint64 `json:"rounds"`
	Warned uint64 `json:"warned"`
	Failed uint64 `json:"failed"`
	// RoundTrip is of the requests to the API server that were answered as they
	// should; nil where none was.
	RoundTrip *Quantiles `json:"roundTrip,omitempty"`
	// Points begin with the process where it is younger than the span.
	Points []Point `json:"points"`
}

// Quantiles are of the samples of a span. A sample is a round, or the slowest of
// the rounds of 15 seconds.
type Quantiles struct {
	MedianSeconds float64 `json:"medianSeconds"`
	P99Seconds    float64 `json:"p99Seconds"`
	MaxSeconds    float64 `json:"maxSeconds"`
}

// Point is what came of the rounds of one step of a span.
type Point struct {
	Rounds uint64 `json:"rounds"`
	Warned uint64 `json:"warned,omitempty"`
	Failed uint64 `json:"failed,omitempty"`
	// RoundTripSeconds is the slowest round trip to the API server; 0 where none
	// was answered.
	RoundTripSeconds float64 `json:"roundTripSeconds,omitempty"`
}

func (p *Point) add(s *sample) {
	p.Rounds += uint64(s.rounds)
	p.Warned += uint64(s.warned)
	p.Failed += uint64(s.failed)
	p.RoundTripSeconds = max(p.RoundTripSeconds, microseconds(s.roundTrip))
}

func (s *Span) add(p Point) {
	s.Points = append(s.Points, p)
	s.Rounds += p.Rounds
	s.Warned += p.Warned
	s.Failed += p.Failed
}

// history is what becomes a History when somebody asks for it.
type history struct {
	interval time.Duration
	samples  *ring
	// episodes are in the order of their beginning. The last one of them alone can
	// last.
	episodes []episode
}

type episode struct {
	Episode
	// began and ended are by the server's clock, of which differences hold when it
	// is set. The latter is zero while the episode lasts.
	began, ended time.Time
}

func newHistory(began time.Time, interval time.Duration) *history {
	return &history{interval: interval, samples: newRing(began, interval)}
}

// add takes the report of a round, which was published at now.
func (h *history) add(now time.Time, report *checks.Report) {
	h.samples.add(now, report.Status, roundTrip(report))
	if lasting := h.lasting(); lasting != nil {
		if lasting.Status == report.Status {
			lasting.add(report)
			return
		}
		lasting.Ended, lasting.ended = report.Time, now
	}
	if report.Status.Severity() > 0 {
		h.begin(now, report)
	}
}

func (h *history) lasting() *episode {
	if len(h.episodes) == 0 {
		return nil
	}
	if last := &h.episodes[len(h.episodes)-1]; last.ended.IsZero() {
		return last
	}
	return nil
}

// begin makes an episode, or takes one up again that ended not long ago.
func (h *history) begin(now time.Time, report *checks.Report) {
	again := slices.IndexFunc(h.episodes, func(e episode) bool {
		return e.Status == report.Status && now.Sub(e.ended) < apart*h.interval && e.causeAt(causeOf(report).Reason) >= 0
	})
	next := episode{Episode: Episode{Status: report.Status, Began: report.Time}, began: now}
	if again >= 0 {
		next = h.episodes[again]
		next.Ended, next.ended = time.Time{}, time.Time{}
		h.episodes = slices.Delete(h.episodes, again, again+1)
	}
	next.Times++
	next.add(report)
	if len(h.episodes) == maxEpisodes {
		h.episodes = slices.Delete(h.episodes, 0, 1)
	}
	h.episodes = append(h.episodes, next)
}

// causeAt is where the causes have one of the reason, -1 where none has it.
func (e *episode) causeAt(reason checks.Reason) int {
	return slices.IndexFunc(e.Causes, func(cause Cause) bool { return cause.Reason == reason })
}

func (e *episode) add(report *checks.Report) {
	e.Rounds++
	named := causeOf(report)
	if i := e.causeAt(named.Reason); i >= 0 {
		e.Causes[i].Rounds++
	} else if len(e.Causes) < maxCauses {
		e.Causes = append(e.Causes, named)
	}
}

// causeOf is what a report that is not well names first.
func causeOf(report *checks.Report) Cause {
	if len(report.Diagnosis) > 0 {
		first := report.Diagnosis[0]
		return Cause{Reason: first.Reason, Title: first.Title, Rounds: 1}
	}
	for _, result := range report.Checks {
		if result.Status == report.Status {
			return Cause{Reason: result.Reason, Rounds: 1}
		}
	}
	return Cause{Rounds: 1}
}

// view is the history as it is now, of which nothing changes afterwards.
func (h *history) view(now time.Time) History {
	view := History{
		Episodes: make([]Episode, 0, len(h.episodes)),
		Hour:     h.samples.span(now, time.Hour, 60),
		Day:      h.samples.span(now, samplesFor, 96),
	}
	for _, kept := range slices.Backward(h.episodes) {
		told := kept.Episode
		told.Causes = slices.Clone(told.Causes)
		slices.SortStableFunc(told.Causes, func(a, b Cause) int { return cmp.Compare(b.Rounds, a.Rounds) })
		end := kept.ended
		if end.IsZero() {
			end = now
		}
		told.Seconds = end.Sub(kept.began).Seconds()
		view.Episodes = append(view.Episodes, told)
	}
	return view
}

// roundTrip is how long the API server took to answer as it should, in seconds
// from dialling to the end of the body; 0 where it did not.
func roundTrip(report *checks.Report) float64 {
	result, made := report.Result(checks.API)
	details, told := result.Details.(*checks.APIDetails)
	if !made || !told || !details.Answered {
		return 0
	}
	return details.ServiceHost.Last().Phases.Seconds()
}
