package main

import (
	"context"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// deepEvery is the least time between two runs of the deep probes while what
	// fails stays the same.
	deepEvery = 5 * time.Minute
	// burst is how many runs there are at most within burstIntervals intervals, so
	// that a state that comes and goes does not become a load on the API server.
	burst          = 3
	burstIntervals = 20
)

// episode is a time in which something is wrong. It has the deep probes made as
// it begins, when something else goes wrong, and every five minutes while a check
// fails; a warning may last for months and has them once.
type episode struct {
	observer observer
	interval time.Duration

	// deep are what the latest probes of the episode saw.
	deep *checks.DeepFacts
	// probed has what probes saw that have ended since.
	probed  chan *checks.DeepFacts
	probing sync.WaitGroup
	running bool
	// begun is when the latest runs were begun, the last one last, and symptom
	// what was wrong at that; it is empty where the present episode had none.
	begun   []time.Time
	symptom string
}

func newEpisode(observer observer, interval time.Duration) *episode {
	return &episode{observer: observer, interval: interval, probed: make(chan *checks.DeepFacts, 1)}
}

// took keeps what probes saw, unless the episode that they were for is over.
func (e *episode) took(deep *checks.DeepFacts) {
	e.running = false
	if e.symptom != "" {
		e.deep = deep
	}
}

// goOn begins, goes on with or ends the episode by the report of a round. Probes
// run beside the rounds, until ctx ends at the latest.
func (e *episode) goOn(ctx context.Context, facts *checks.Facts, report *checks.Report) {
	now := symptom(report)
	if now == "" {
		e.deep, e.symptom = nil, ""
		return
	}
	if e.running || !e.isDue(now, report.Status) {
		return
	}
	e.running, e.symptom = true, now
	e.begun = append(e.begun, time.Now())
	e.begun = e.begun[max(0, len(e.begun)-burst):]
	e.probing.Go(func() { e.probed <- e.observer.Deep(ctx, facts) })
}

func (e *episode) isDue(now string, status checks.Status) bool {
	if len(e.begun) == burst && time.Since(e.begun[0]) < burstIntervals*e.interval {
		return false
	}
	if now != e.symptom {
		return true
	}
	return status == checks.Fail && time.Since(e.begun[len(e.begun)-1]) >= deepEvery
}

// symptom is what the gravest of the checks say, before the deep probes have made
// a cause of it; it is empty where nothing is wrong.
func symptom(report *checks.Report) string {
	for _, result := range report.Checks {
		if result.Status == report.Status && result.Status.Severity() > 0 {
			return string(result.Name) + " " + string(result.Reason)
		}
	}
	return ""
}

// wait returns when no probe runs any more.
func (e *episode) wait() { e.probing.Wait() }
