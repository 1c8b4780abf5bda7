package judge

import (
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// withRenewal puts a token that was not replaced behind what keeps the API server from
// answering, where that began before a new one was due: kubelet has it from there too.
func withRenewal(findings []checks.Finding, facts *checks.Facts) []checks.Finding {
	if !isSilentSinceBeforeRenewal(facts) {
		return findings
	}
	unanswered := slices.IndexFunc(findings, func(finding checks.Finding) bool {
		return finding.Severity == checks.Fail && (finding.Check == checks.API || finding.Check == checks.TLS || finding.Check == checks.CA)
	})
	late := slices.IndexFunc(findings, func(finding checks.Finding) bool { return isOfRenewal(finding.Reason) })
	if late < 0 || unanswered < 0 {
		return findings
	}
	told := findings[late]
	told.Evidence = append(slices.Clone(told.Evidence),
		fmt.Sprintf("Kubelet has a new token from the API server, which has not answered this pod since %s, before one was due.", moment(facts.History.AnsweredAt)))
	findings = slices.Delete(slices.Clone(findings), late, late+1)
	if late < unanswered {
		unanswered--
	}
	return slices.Insert(findings, max(late, unanswered+1), told)
}

func isOfRenewal(reason checks.Reason) bool {
	return slices.Contains([]checks.Reason{checks.TokenExpired, checks.TokenRotationStalled, checks.TokenPastWarnAfter}, reason)
}

func isSilentSinceBeforeRenewal(facts *checks.Facts) bool {
	if facts.API == nil || facts.API.ServiceHost.Last().Response != nil || facts.History == nil || facts.History.AnsweredAt.IsZero() {
		return false
	}
	token := facts.Token
	if token == nil || token.Claims == nil || isFrozen(token) || isPlainFile(token) || !isBoundToPod(facts) {
		return false
	}
	due := token.Claims.RotationDue()
	return !due.IsZero() && facts.History.AnsweredAt.Before(due)
}
