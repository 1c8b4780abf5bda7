// Package rounds is when an agent looks: the rounds, evenly spread over a fleet,
// and the deep probes where something is wrong.
package rounds

import (
	"cmp"
	"context"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
)

// Observer sees the facts of one round, and what the deep probes add to them,
// which may run while Observe does.
type Observer interface {
	Observe(ctx context.Context) *checks.Facts
	Deep(ctx context.Context, facts *checks.Facts) *checks.DeepFacts
	// DeepDNS is Deep without what it asks of the API server itself.
	DeepDNS(ctx context.Context, facts *checks.Facts) *checks.DeepFacts
}

// Publisher takes the report of each round.
type Publisher interface {
	Publish(report *checks.Report)
}

// Loop runs the rounds, one after the other.
type Loop struct {
	Observer  Observer
	Publisher Publisher
	Interval  time.Duration
	// Limit is a bound on one round; the probes' own limits are tighter.
	Limit time.Duration
	// Identity is what tells the agent from the others of a fleet.
	Identity string
	// Changed tells that the service-account files changed. Nil never does.
	Changed <-chan struct{}
}

// Run goes on until ctx ends.
func (l Loop) Run(ctx context.Context) {
	schedule := NewSchedule(time.Now(), l.Interval, l.Identity)
	episode := newEpisode(l.Observer, l.Interval, l.Identity)
	defer episode.wait()
	report := l.round(ctx, nil, nil, episode)
	var early time.Time
	for {
		var probed *checks.DeepFacts
		due := time.NewTimer(time.Until(schedule.Next(time.Now())))
		changed := l.Changed
		if time.Since(early) < l.Interval {
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
func (l Loop) round(ctx context.Context, previous *checks.Report, probed *checks.DeepFacts, episode *episode) *checks.Report {
	bounded, cancel := context.WithTimeout(ctx, l.Limit)
	defer cancel()
	facts := l.Observer.Observe(bounded)
	if ctx.Err() != nil {
		return previous
	}
	report := judge.Judge(facts, previous)
	symptom := symptomOf(report)
	facts.Deep = cmp.Or(episode.recall(symptom), probed, episode.proxied)
	if facts.Deep != nil {
		report = judge.Judge(facts, previous)
	}
	l.Publisher.Publish(report)
	episode.goOn(ctx, facts, symptom, report)
	return report
}
