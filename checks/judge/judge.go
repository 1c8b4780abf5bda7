// Package judge turns facts into a report. It is pure: it does no I/O, reads no
// clock and keeps nothing, so the same facts always give the same report.
package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

// Judge makes the report of one round. previous is the report of the round
// before, from which since when and how often in a row are counted on; nil for
// the first.
func Judge(facts *checks.Facts, previous *checks.Report) *checks.Report {
	report := &checks.Report{
		APIVersion:      checks.APIVersion,
		Status:          checks.OK,
		Time:            facts.Time,
		Round:           1,
		DurationSeconds: facts.DurationSeconds,
		Pod:             identity(facts),
		Checks:          []checks.Result{},
		Diagnosis:       []checks.Finding{},
	}
	if previous != nil {
		report.Round = previous.Round + 1
	}
	facts = withoutStarvedProbes(facts)
	all := alone{facts: facts, made: make(map[checks.Name]verdict)}
	verdicts := make(map[checks.Name]verdict)
	for _, name := range checks.Names() {
		if skipped(facts, name) || name == checks.KubectlProxy && !withKubectlProxy(facts) {
			continue
		}
		verdicts[name] = all.grounded(name)
		result := verdicts[name].result(name)
		countOn(&result, report.Time, previous)
		if result.Status.Severity() > report.Status.Severity() {
			report.Status = result.Status
		}
		report.Checks = append(report.Checks, result)
	}
	report.Diagnosis = diagnose(facts, verdicts, report)
	report.Access = []checks.Access{}
	if !unanswerable(verdicts, facts) {
		tellAccess(report, facts, judgeAccess)
	}
	return report
}

// tellAccess adds how the ways of applications fare. Where the code for that panics
// there are none in the report, and a finding that says so.
func tellAccess(report *checks.Report, facts *checks.Facts, judged func(*checks.Facts) []checks.Access) {
	defer func() {
		if value := recover(); value != nil {
			report.Diagnosis = append(report.Diagnosis, explain(panickedIn("the ways of applications", checks.Recovered(value)), catalogue.Open(namesOf(facts, report.Pod))))
		}
	}()
	report.Access = judged(facts)
}

// withKubectlProxy tells whether one is configured, which is no check where it
// is not.
func withKubectlProxy(facts *checks.Facts) bool {
	_, panicked := facts.Panics[checks.KubectlProxy]
	return panicked || facts.KubectlProxy != nil
}

// verdict is what a check's rules come to.
type verdict struct {
	// problems are in the order of the rules.
	problems []problem
	// well is said where there is no problem.
	well string
	// waitsFor, where set, leaves the check undecided for a reason that the
	// sentence in well gives.
	waitsFor checks.Name
	seconds  float64
	details  any
}

// problem is a Problem and how sure it is.
type problem struct {
	checks.Problem
	certainty checks.Certainty
	// waited is what the problem is about where it is about time, in seconds. Where
	// something came, enough is how long would have been in order; where nothing
	// came, turns is how often the process has to get a processor for it to come.
	waited, enough float64
	turns          int
	// hides is the reason of the problem that this one stands in the place of.
	hides checks.Reason
}

func failing(reason checks.Reason, message, expected, found string) problem {
	return problem{
		Problem:   checks.Problem{Status: checks.Fail, Reason: reason, Message: message, Expected: expected, Found: found},
		certainty: checks.Certain,
	}
}

func warning(reason checks.Reason, message, expected, found string) problem {
	warned := failing(reason, message, expected, found)
	warned.Status = checks.Warn
	return warned
}

// likely marks a problem that has neighbours which look the same.
func (p problem) likely() problem {
	p.certainty = checks.Likely
	return p
}

// byClock marks a problem with dates as likely unless the clock is known to be
// right.
func (p problem) byClock(facts *checks.Facts) problem {
	if provenClock(facts) {
		return p
	}
	return p.likely()
}

func (p problem) hiding(reason checks.Reason) problem {
	p.hides = reason
	return p
}

// slow marks a problem of something that came after longer than enough.
func (p problem) slow(waited, enough float64) problem {
	p.waited, p.enough = waited, enough
	return p
}

// The turns that a process needs on a processor for what it waits for, generously
// counted.
const (
	turnsOfQuery     = 4
	turnsOfConnect   = 4
	turnsOfHandshake = 6
	turnsOfExchange  = 6
)

// silent marks a problem of something that did not come within so many seconds.
func (p problem) silent(waited float64, turns int) problem {
	p.waited, p.turns = waited, turns
	return p
}

// afterSilence marks a problem as silent where what failed was a time limit.
func (p problem) afterSilence(failure *checks.Failure, waited float64, turns int) problem {
	if failure == nil || failure.Kind != checks.TimedOut {
		return p
	}
	return p.silent(waited, turns)
}

func fails(p problem) bool { return p.Status == checks.Fail }

// unless lessens a failing to a warning where a condition holds.
func (p problem) unless(harmless bool) problem {
	if harmless {
		p.Status = checks.Warn
	}
	return p
}

func waitFor(name checks.Name, sentence string, details any) verdict {
	return verdict{waitsFor: name, well: sentence, details: details}
}

// verdictOn applies the rules of one check. Rules that panic are a failing of
// their own check and of no other.
func verdictOn(name checks.Name, facts *checks.Facts) (v verdict) {
	defer func() {
		if value := recover(); value != nil {
			v = panicked(name, checks.Recovered(value).String())
		}
	}()
	if value, ok := facts.Panics[observedWith(name)]; ok {
		return panicked(name, value)
	}
	return withoutFiles(name, excused(rulesOf(name)(facts), facts), facts)
}

// rulesOf are the rules of one check.
func rulesOf(name checks.Name) func(*checks.Facts) verdict {
	switch name {
	case checks.Environment:
		return judgeEnvironment
	case checks.DNS:
		return judgeDNS
	case checks.Token:
		return judgeToken
	case checks.CA:
		return judgeCA
	case checks.TLS:
		return judgeTLS
	case checks.KubectlProxy:
		return judgeKubectlProxy
	default:
		return judgeAPI
	}
}

// alone has the verdict on each check by itself, made once, that of one which was
// left out too where another waits for it.
type alone struct {
	facts *checks.Facts
	made  map[checks.Name]verdict
}

func (a alone) on(name checks.Name) verdict {
	v, ok := a.made[name]
	if !ok {
		v = verdictOn(name, a.facts)
		a.made[name] = v
	}
	return v
}

// grounded is the verdict on a check among the others. One that waits for another
// which does not fail, or which is left out, fails: nobody else would tell what is
// wrong.
func (a alone) grounded(name checks.Name) verdict {
	return a.groundedWithin(len(checks.Names()), a.on(name))
}

// groundedWithin follows so many checks that wait for one another, since facts
// that nobody has observed could have them wait in a circle.
func (a alone) groundedWithin(steps int, v verdict) verdict {
	if v.waitsFor == "" {
		return v
	}
	ground := a.on(v.waitsFor)
	if ground.waitsFor != "" && steps > 0 {
		ground = a.groundedWithin(steps-1, ground)
	}
	cause := failing(checks.WaitsFor, v.well, "the ground of the check", "nothing wrong in "+string(v.waitsFor)).likely()
	for _, problem := range ground.ranked() {
		if problem.Status != checks.Fail && !isOfAgent(problem.Reason) {
			continue
		}
		if !skipped(a.facts, v.waitsFor) {
			return v
		}
		cause = problem
		break
	}
	if ground.waitsFor != "" && !skipped(a.facts, v.waitsFor) {
		return v
	}
	return verdict{problems: []problem{cause}, details: v.details, seconds: v.seconds}
}

// observedWith is the check under whose name a check is observed: tls is seen
// in the round trip of api.
func observedWith(name checks.Name) checks.Name {
	if name == checks.TLS {
		return checks.API
	}
	return name
}

func panicked(name checks.Name, value string) verdict {
	return verdict{problems: []problem{failing(checks.CheckPanicked,
		fmt.Sprintf("Lifeline's own code failed in the check %s: %s.", name, value), "a verdict", "a panic")}}
}

// ranked are the problems, the gravest first.
func (v verdict) ranked() []problem {
	ranked := slices.Clone(v.problems)
	slices.SortStableFunc(ranked, func(a, b problem) int {
		return cmp.Compare(b.Status.Severity(), a.Status.Severity())
	})
	return ranked
}

func (v verdict) result(name checks.Name) checks.Result {
	result := checks.Result{
		Name:            name,
		Status:          checks.OK,
		Message:         v.well,
		DurationSeconds: v.seconds,
		Details:         v.details,
	}
	if v.waitsFor != "" {
		result.Status, result.Reason, result.WaitsFor = checks.Skip, checks.WaitsFor, v.waitsFor
		return result
	}
	for i, problem := range v.ranked() {
		if i > 0 {
			result.Others = append(result.Others, problem.Problem)
			continue
		}
		result.Status, result.Reason, result.Message = problem.Status, problem.Reason, problem.Message
		result.Expected, result.Found = problem.Expected, problem.Found
	}
	return result
}
