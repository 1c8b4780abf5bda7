package judge

import (
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// starvedShare is the share of its time for which a look may wait for a processor
// and still tell something.
const starvedShare = 0.25

// turnsOfStep are those that a step of a deep probe, or a request over the
// connection that is kept, needs on a processor.
const turnsOfStep = 3

// enoughProcessor is how many seconds of a processor are plenty for whatever a round
// waits for: ten times what a whole one takes.
const enoughProcessor = 0.04

// withoutStarvedProbes leaves deep probes out that tell of the processor more
// than of the network.
func withoutStarvedProbes(facts *checks.Facts) *checks.Facts {
	deep := facts.Deep
	if deep == nil || !keptFromHearing(deep.WaitedSeconds, deep.LongestWaitSeconds, deep.Seconds, deep.StepSeconds) {
		return facts
	}
	without := *facts
	without.Deep = nil
	return &without
}

// keptFromHearing tells whether an answer within the limit of a step may have come and not
// been seen, in a time of which the process waited for a part, the longest of it at
// once; all are seconds.
func keptFromHearing(waited, longest, whole, limit float64) bool {
	return share(waited, whole) >= starvedShare && turnsOfStep*longest > limit
}

// excused puts the agent's own want of a processor in the place of problems that
// there would not be without it.
func excused(v verdict, facts *checks.Facts) verdict {
	starved := share(facts.Process.WaitedSeconds, facts.DurationSeconds)
	if starved < starvedShare {
		return v
	}
	var kept []problem
	excuse := -1
	for _, problem := range v.problems {
		if !problem.isOfTime(starved, facts.Process) {
			kept = append(kept, problem)
			continue
		}
		if excuse < 0 {
			excuse = len(kept)
			kept = append(kept, starvation(facts, problem))
		}
	}
	if excuse >= 0 {
		v.problems = kept
	}
	return v
}

// isOfTime tells whether there would be no such problem, had the process not
// waited for a processor for a share of its time. What came late came late by the
// waits. What never came would have been seen between two of them, had it come:
// silence that lasted for longer than all turns with the longest wait before each is
// silence, unless so little of a processor is allowed that a turn may take several.
func (p problem) isOfTime(starved float64, process checks.ProcessFacts) bool {
	if p.turns == 0 {
		return p.waited*(1-starved) < p.enough
	}
	if float64(p.turns)*process.LongestWaitSeconds > p.waited {
		return true
	}
	allowed := process.Processor
	return allowed != nil && allowed.Limit > 0 && p.waited*allowed.Limit < enoughProcessor
}

// throughStarvation has rules name their causes in the place of the agent's own want of
// a processor too, where that hides what they refine and the deep probes, which had
// one, saw the cause in the same episode.
func throughStarvation(rules []rule, hidden []checks.Reason, facts *checks.Facts) []rule {
	if len(hidden) == 0 || facts.Deep == nil || wasWellSince(facts, facts.Deep.Time) {
		return rules
	}
	seeing := slices.Clone(rules)
	for i, r := range seeing {
		if r.moves || !slices.ContainsFunc(hidden, func(reason checks.Reason) bool { return slices.Contains(r.refines, reason) }) {
			continue
		}
		seeing[i].refines = append(slices.Clone(r.refines), checks.AgentStarved)
		seeing[i].evidence = func(facts *checks.Facts) []string {
			evidence := r.evidence(facts)
			if len(evidence) == 0 || !r.restsOnDeep(facts) {
				return nil
			}
			return evidence
		}
	}
	return seeing
}

func starvation(facts *checks.Facts, instead problem) problem {
	process := facts.Process
	message := fmt.Sprintf("Of the %s that the round took, this process waited %s for a processor, so what took long in it says nothing of the network.",
		seconds(facts.DurationSeconds), seconds(process.WaitedSeconds))
	if processor := process.Processor; processor != nil && processor.Limit > 0 {
		message += fmt.Sprintf(" Its container may use %.3g processors, and was stopped for it in %d of %d periods since it started.",
			processor.Limit, processor.Throttled, processor.Periods)
	}
	told := warning(checks.AgentStarved, message, instead.Expected, "a wait of "+seconds(process.WaitedSeconds)+" for a processor").likely()
	if instead.turns == 0 {
		// The waits alone made it late.
		return told
	}
	return told.hiding(instead.Reason)
}

// isOfAgent tells a reason that is the agent's own and not the pod's.
func isOfAgent(reason checks.Reason) bool {
	return reason == checks.AgentStarved || reason == checks.AgentOutOfFiles
}

// unanswerable tells that the agent's own want of a processor kept the API server
// from being heard, or that of files something from being read, so that nobody knows
// whether others would.
func unanswerable(verdicts map[checks.Name]verdict, facts *checks.Facts) bool {
	for _, v := range verdicts {
		if slices.ContainsFunc(v.problems, func(problem problem) bool { return problem.Reason == checks.AgentOutOfFiles }) {
			return true
		}
	}
	return facts.API != nil && facts.API.ServiceHost.Last().Stage != checks.StageDone &&
		slices.ContainsFunc(verdicts[checks.API].problems, func(problem problem) bool { return problem.Reason == checks.AgentStarved })
}

// share is how much of a whole a part is, 0 of nothing and 1 at the most.
func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(1, part/whole)
}
