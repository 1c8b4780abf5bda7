package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
)

// observer sees the facts of one round, and what the deep probes add to them,
// which may run while Observe does.
type observer interface {
	Observe(ctx context.Context) *checks.Facts
	Deep(ctx context.Context, facts *checks.Facts) *checks.DeepFacts
	// DeepDNS is Deep without what it asks of the API server.
	DeepDNS(ctx context.Context, facts *checks.Facts) *checks.DeepFacts
}

// publisher takes the report of each round.
type publisher interface {
	Publish(report *checks.Report)
}

// loop runs the rounds, one after the other.
type loop struct {
	observer  observer
	publisher publisher
	log       zerolog.Logger
	interval  time.Duration
	// limit is a bound on one round; the probes' own limits are tighter.
	limit    time.Duration
	identity string
	// changed tells that the service-account files changed. Nil never does.
	changed <-chan struct{}
}

// run goes on until ctx ends.
func (l loop) run(ctx context.Context) {
	schedule := newSchedule(time.Now(), l.interval, l.identity)
	episode := newEpisode(l.observer, l.interval)
	defer episode.wait()
	report := l.round(ctx, nil, nil, episode)
	var early time.Time
	for {
		var probed *checks.DeepFacts
		due := time.NewTimer(time.Until(schedule.next(time.Now())))
		changed := l.changed
		if time.Since(early) < l.interval {
			// One round out of turn an interval is enough to notice a
			// rotation; files that never rest must not become a load.
			changed = nil
		}
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
		case <-changed:
			due.Stop()
			early = time.Now()
		case probed = <-episode.probed:
			due.Stop()
			episode.took(probed)
		}
		report = l.round(ctx, report, probed, episode)
	}
}

// round observes, judges and publishes once. What deep probes have just seen is a
// part of it even where the round itself meets nothing. A round that the end of
// ctx cut short tells nothing and is dropped.
func (l loop) round(ctx context.Context, previous *checks.Report, probed *checks.DeepFacts, episode *episode) *checks.Report {
	bounded, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	facts := l.observer.Observe(bounded)
	if ctx.Err() != nil {
		return previous
	}
	report := judge.Judge(facts, previous)
	symptom := symptom(report)
	if facts.Deep = episode.recall(symptom); facts.Deep == nil {
		facts.Deep = probed
	}
	if facts.Deep != nil {
		report = judge.Judge(facts, previous)
	}
	l.publisher.Publish(report)
	logTransitions(l.log, previous, report)
	episode.goOn(ctx, facts, symptom, report)
	return report
}
