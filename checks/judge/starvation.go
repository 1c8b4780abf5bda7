package judge

import (
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// starvedShare is the share of its time for which a look may wait for a processor
// and still tell something.
const starvedShare = 0.25

// withoutStarvedProbes leaves deep probes out that tell of the processor more
// than of the network.
func withoutStarvedProbes(facts *checks.Facts) *checks.Facts {
	deep := facts.Deep
	if deep == nil || share(deep.WaitedSeconds, deep.Seconds) < starvedShare {
		return facts
	}
	without := *facts
	without.Deep = nil
	return &without
}

// excused puts the agent's own want of a processor in the place of problems that
// there would not be without it. What took long in such a round says nothing of
// the network, and what takes a processor no time, as waiting for a packet that
// never comes does, is not excused by it.
func excused(v verdict, facts *checks.Facts) verdict {
	starved := share(facts.Process.WaitedSeconds, facts.DurationSeconds)
	if starved < starvedShare || wasSilentBefore(facts) {
		return v
	}
	var kept []problem
	excuse := -1
	for _, problem := range v.problems {
		if problem.waited == 0 || problem.waited*(1-starved) >= problem.enough {
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

// wasSilentBefore tells that the round before met the same silence although it had
// a processor, so that the want of one is no excuse for it now.
func wasSilentBefore(facts *checks.Facts) bool {
	if facts.History == nil || len(facts.History.Lately) == 0 {
		return false
	}
	before := facts.History.Lately[len(facts.History.Lately)-1]
	if before.Waited >= starvedShare {
		return false
	}
	api := false
	if facts.API != nil {
		last := facts.API.ServiceHost.Last()
		api = before.Failure == checks.TimedOut && last.Failure != nil && last.Failure.Kind == checks.TimedOut && last.Stage == before.Stage
	}
	dns := facts.DNS != nil && len(facts.DNS.Lookup.Addresses) == 0 && before.Resolved != nil && !*before.Resolved
	return api || dns
}

func starvation(facts *checks.Facts, instead problem) problem {
	process := facts.Process
	message := fmt.Sprintf("Of the %s that the round took, this process waited %s for a processor, so what took long in it says nothing of the network.",
		seconds(facts.DurationSeconds), seconds(process.WaitedSeconds))
	if processor := process.Processor; processor != nil && processor.Limit > 0 {
		message += fmt.Sprintf(" Its container may use %.3g processors, and was stopped for it in %d of %d periods since it started.",
			processor.Limit, processor.Throttled, processor.Periods)
	}
	return warning(checks.AgentStarved, message, instead.Expected, "a wait of "+seconds(process.WaitedSeconds)+" for a processor").likely()
}

// unanswerable tells that the agent's own want of a processor kept the API server
// from being heard, so that nobody knows whether others would hear it.
func unanswerable(api verdict, facts *checks.Facts) bool {
	return facts.API != nil && facts.API.ServiceHost.Last().Stage != checks.StageDone &&
		slices.ContainsFunc(api.problems, func(problem problem) bool { return problem.Reason == checks.AgentStarved })
}

// share is how much of a whole a part is, 0 of nothing and 1 at the most.
func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(1, part/whole)
}
