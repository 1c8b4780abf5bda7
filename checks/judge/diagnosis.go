package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

// byReach are the checks in the order of the links, but for the name, which
// comes after the others since the official clients go by address, and for the
// proxy, which serves only who asks it.
func byReach() []checks.Name {
	return []checks.Name{checks.Environment, checks.Token, checks.CA, checks.TLS, checks.API, checks.DNS, checks.KubectlProxy}
}

// diagnose makes a finding of each problem, those that fail first and, among
// them, those first that keep more from working; but causes that the rules name
// stand before what they explain.
func diagnose(facts *checks.Facts, verdicts map[checks.Name]verdict, report *checks.Report) []checks.Finding {
	findings := []checks.Finding{}
	if !slices.ContainsFunc(byReach(), func(name checks.Name) bool { return len(verdicts[name].problems) > 0 }) {
		return findings
	}
	known := catalogue.Open(namesOf(facts, report.Pod))
	explain := func(p problem) checks.Finding { return explain(p, known) }
	var hidden []checks.Reason
	for _, name := range byReach() {
		for i, problem := range verdicts[name].ranked() {
			if problem.hides != "" {
				hidden = append(hidden, problem.hides)
			}
			finding := explain(problem)
			if i == 0 && problem.Status == checks.Fail {
				finding.Evidence = append(finding.Evidence, comingAndGoing(name, facts)...)
			}
			if i == 0 {
				finding.Consequences = waitingFor(name, report)
			}
			findings = merge(findings, finding)
		}
	}
	slices.SortStableFunc(findings, func(a, b checks.Finding) int {
		return cmp.Compare(b.Severity.Severity(), a.Severity.Severity())
	})
	return ruledBy(throughStarvation(rules(), hidden, facts), findings, facts, explain)
}

// ruledBy applies rules, and adds what else there is to say of the first finding.
// Where any of that panics the findings of the checks stand as they are.
func ruledBy(rules []rule, findings []checks.Finding, facts *checks.Facts, named func(problem) checks.Finding) (told []checks.Finding) {
	defer func() {
		if value := recover(); value != nil {
			told = append(findings, named(panickedIn("the rules across links", checks.Recovered(value))))
		}
	}()
	return withReadiness(withEstablished(withRenewal(applyRules(rules, slices.Clone(findings), facts, named), facts), facts), facts)
}

// panickedIn is what is told where the code for something panicked.
func panickedIn(what string, failed checks.Panic) problem {
	return warning(checks.CheckPanicked, fmt.Sprintf("Lifeline's own code failed in %s: %s.", what, failed), "a report that is whole", "a panic")
}

// merge adds a finding, to the one of its reason where another check has it too.
func merge(findings []checks.Finding, another checks.Finding) []checks.Finding {
	for i := range findings {
		known := &findings[i]
		if known.Reason != another.Reason {
			continue
		}
		if another.Severity.Severity() > known.Severity.Severity() {
			known.Severity = another.Severity
		}
		known.Evidence = union(known.Evidence, another.Evidence)
		known.Consequences = union(known.Consequences, another.Consequences)
		return findings
	}
	return append(findings, another)
}

func explain(problem problem, known *catalogue.Catalogue) checks.Finding {
	finding := checks.Finding{
		Reason:       problem.Reason,
		Certainty:    problem.certainty,
		Severity:     problem.Status,
		Title:        string(problem.Reason),
		Evidence:     []string{problem.Message},
		Confirm:      []string{},
		Remedy:       []string{},
		References:   []string{},
		Consequences: []checks.Name{},
	}
	if entry, ok := known.Lookup(problem.Reason); ok {
		finding.Check = entry.Check
		finding.Title = entry.Title
		finding.References = append(finding.References, entry.References()...)
		finding.Confirm = append(finding.Confirm, entry.Confirm...)
		finding.Remedy = append(finding.Remedy, entry.Mend...)
	}
	return finding
}

// namesOf are this pod's own names, for the commands of a remedy.
func namesOf(facts *checks.Facts, pod checks.Identity) catalogue.Names {
	names := catalogue.Names{
		Pod:            pod.Name,
		Namespace:      pod.Namespace,
		Node:           pod.Node,
		ServiceAccount: pod.ServiceAccount,
	}
	if facts.Environment != nil {
		names.Host, names.Port = facts.Environment.ServiceHost, facts.Environment.ServicePort
	}
	return names
}

// waitingFor are the checks that a failing leaves without ground, directly or
// by way of another.
func waitingFor(name checks.Name, report *checks.Report) []checks.Name {
	found := []checks.Name{}
	for _, result := range report.Checks {
		if result.WaitsFor == name {
			found = append(found, result.Name)
			found = append(found, waitingFor(result.Name, report)...)
		}
	}
	return found
}
