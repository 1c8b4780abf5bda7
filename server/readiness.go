package server

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// ReadyPolicy says when /readyz answers 200. The first round decides at once;
// after that it takes several rounds in a row to change the answer, so that one
// lost packet does not take a pod out of its Service. A round in which the agent
// had too little of a processor to judge by changes nothing.
type ReadyPolicy struct {
	// Checks are those that gate readiness. A round is bad when one of them
	// fails, or is skipped because what it waits for fails. Default none: an
	// outage of the API then leaves the pod in its Service.
	Checks []checks.Name
	// Failures is how many bad rounds in a row make the pod unready. Default 3.
	Failures int
	// Successes is how many good rounds in a row make it ready again. Default 2.
	Successes int
}

func (p ReadyPolicy) withDefaults() ReadyPolicy {
	p.Failures = cmp.Or(p.Failures, 3)
	p.Successes = cmp.Or(p.Successes, 2)
	return p
}

// readiness is the state of a ReadyPolicy from round to round.
type readiness struct {
	policy         ReadyPolicy
	decided, ready bool
	// bad and good count rounds in a row; one of them is zero.
	bad, good int
}

func (r *readiness) observe(report *checks.Report) {
	switch {
	case r.gated(report, func(ground checks.Result) bool { return ground.Status == checks.Fail }):
		r.bad, r.good = r.bad+1, 0
	case r.gated(report, has(checks.AgentStarved)), r.gated(report, has(checks.AgentOutOfFiles)):
		return
	default:
		r.bad, r.good = 0, r.good+1
	}
	switch {
	case !r.decided:
		r.decided, r.ready = true, r.good > 0
	case r.bad >= r.policy.Failures:
		r.ready = false
	case r.good >= r.policy.Successes:
		r.ready = true
	}
}

// gated tells whether the ground of any gating check is so.
func (r *readiness) gated(report *checks.Report, so func(ground checks.Result) bool) bool {
	return slices.ContainsFunc(r.policy.Checks, func(name checks.Name) bool { return so(ground(report, name)) })
}

func has(reason checks.Reason) func(checks.Result) bool {
	return func(ground checks.Result) bool { return ground.Reason == reason }
}

// ground is the result of the check, or of the one that it waits for, through
// however many others.
func ground(report *checks.Report, name checks.Name) checks.Result {
	// Each step leads to another check unless they wait in a circle.
	for range report.Checks {
		result, _ := report.Result(name)
		if result.Status != checks.Skip {
			return result
		}
		name = result.WaitsFor
	}
	return checks.Result{}
}

// lines explain the present answer.
func (r *readiness) lines(report *checks.Report) []string {
	switch {
	case !r.decided && r.gated(report, has(checks.AgentOutOfFiles)):
		return []string{"[-]rounds failed: " + string(checks.AgentOutOfFiles) + ": no round could open what it judges by"}
	case !r.decided && report.Status != checks.Unknown:
		return []string{"[-]rounds failed: " + string(checks.AgentStarved) + ": no round has had a processor for long enough to judge by"}
	case !r.decided:
		return []string{"[-]rounds failed: no round has ended yet"}
	}
	var lines []string
	for _, name := range r.policy.Checks {
		result, found := report.Result(name)
		if !found {
			lines = append(lines, fmt.Sprintf("[ ]%s left out", name))
			continue
		}
		lines = append(lines, healthLine(result))
	}
	if r.ready {
		return append(lines, fmt.Sprintf("[+]rounds ok: %d bad in a row, unready at %d", r.bad, r.policy.Failures))
	}
	return append(lines, fmt.Sprintf("[-]rounds failed: %d good in a row, ready at %d", r.good, r.policy.Successes))
}
