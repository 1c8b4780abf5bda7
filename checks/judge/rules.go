package judge

import (
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// rule names a cause by what the facts of several links, or the deep probes, add
// to the findings of the checks. Rules are tried in their order, so one that is
// more telling stands before its neighbours.
type rule struct {
	reason    checks.Reason
	certainty checks.Certainty
	// refines are findings that say the same less precisely: they go. explains
	// are findings that are there only because of this one: they stand behind
	// it. One of either must be there.
	refines, explains []checks.Reason
	// moves tells that the rule only puts a finding before what it explains, and
	// does not make one.
	moves bool
	// severity is that of the finding; where it is empty it is the gravest of what
	// the finding refines and explains.
	severity checks.Status
	// evidence are sentences with the observed values, or nothing where the rule
	// does not hold.
	evidence func(*checks.Facts) []string
}

// rules are all rules, in the order in which they are tried.
func rules() []rule {
	return slices.Concat(environmentRules(), latencyRules(), lossRules(), replicaRules(), pathRules(), startupRules(), answerRules(), nameserverRules(), nameRules(), bundleRules(), clockRules(), orderRules())
}

// applyRules puts causes in the place of what they refine and before what they
// explain.
func applyRules(rules []rule, findings []checks.Finding, facts *checks.Facts, named func(problem) checks.Finding) []checks.Finding {
	for _, rule := range rules {
		matched := func(finding checks.Finding) bool {
			return slices.Contains(rule.refines, finding.Reason) || slices.Contains(rule.explains, finding.Reason)
		}
		own := func(finding checks.Finding) bool { return finding.Reason == rule.reason }
		if !slices.ContainsFunc(findings, matched) || rule.moves && !slices.ContainsFunc(findings, own) {
			continue
		}
		evidence := rule.evidence(facts)
		if len(evidence) == 0 {
			continue
		}
		rule.certainty = rule.certaintyOf(facts)
		findings = rule.apply(findings, evidence, named)
	}
	return findings
}

// certaintyOf lessens that of a rule which rests on deep probes where all was well
// after they were begun: what is wrong now looks like what they met, and may be another
// thing.
func (r rule) certaintyOf(facts *checks.Facts) checks.Certainty {
	if r.certainty != checks.Certain || facts.Deep == nil || !wasWellSince(facts, facts.Deep.Time) {
		return r.certainty
	}
	// Rounds go by no proxy, and tell nothing of one.
	if len(r.evidence(withDeep(facts, &checks.DeepFacts{Time: facts.Deep.Time, Proxy: facts.Deep.Proxy}))) == 0 {
		return checks.Likely
	}
	return r.certainty
}

// restsOnDeep tells of a rule that holds whether it does not without the deep probes.
func (r rule) restsOnDeep(facts *checks.Facts) bool {
	return len(r.evidence(withDeep(facts, nil))) == 0
}

func withDeep(facts *checks.Facts, deep *checks.DeepFacts) *checks.Facts {
	other := *facts
	other.Deep = deep
	return &other
}

// wasWellSince tells that a round since a moment met nothing wrong between the name and
// the answer.
func wasWellSince(facts *checks.Facts, since time.Time) bool {
	if facts.History == nil {
		return false
	}
	return slices.ContainsFunc(facts.History.Lately, func(round checks.PastRound) bool {
		return round.Time.After(since) && round.Stage == checks.StageDone && round.Status == 200 && (round.Resolved == nil || *round.Resolved)
	})
}

func (r rule) apply(findings []checks.Finding, evidence []string, named func(problem) checks.Finding) []checks.Finding {
	cause := named(problem{Problem: checks.Problem{Status: checks.Warn, Reason: r.reason}, certainty: r.certainty})
	cause.Evidence = nil
	var kept []checks.Finding
	var refined []string
	at := -1
	for _, finding := range findings {
		own, replaced := finding.Reason == r.reason, slices.Contains(r.refines, finding.Reason)
		explained := slices.Contains(r.explains, finding.Reason)
		if at < 0 && (own || replaced || explained) {
			at = len(kept)
		}
		if !own && !replaced {
			kept = append(kept, finding)
		}
		if !own && !replaced && !explained {
			continue
		}
		if finding.Severity.Severity() > cause.Severity.Severity() {
			cause.Severity = finding.Severity
		}
		cause.Consequences = union(cause.Consequences, finding.Consequences)
		switch {
		case own:
			cause.Evidence = finding.Evidence
		case replaced:
			refined = union(refined, finding.Evidence)
		}
	}
	if r.severity != "" {
		cause.Severity = r.severity
	}
	cause.Evidence = union(union(slices.Clone(cause.Evidence), evidence), refined)
	return slices.Insert(kept, at, cause)
}

// union is the first list and what only the second has.
func union[T comparable](first, second []T) []T {
	for _, item := range second {
		if !slices.Contains(first, item) {
			first = append(first, item)
		}
	}
	return first
}
