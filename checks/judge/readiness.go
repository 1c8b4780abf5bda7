package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxFailedParts bounds those that are named of an API server that is not ready.
const maxFailedParts = 5

// withReadiness adds to the first finding, where it is one about how the API server
// serves, what that says of itself to who asks without a token.
func withReadiness(findings []checks.Finding, facts *checks.Facts) []checks.Finding {
	if len(findings) == 0 || !isAboutServing(findings[0].Reason) || !isRecent(facts) {
		return findings
	}
	if told := readiness(deepAPI(facts).Ready); told != "" {
		findings[0].Evidence = append(slices.Clone(findings[0].Evidence), fmt.Sprintf("Asked at %s without a token, over another connection, an API server %s", moment(facts.Deep.Time), told))
	}
	return findings
}

func isAboutServing(reason checks.Reason) bool {
	return slices.Contains([]checks.Reason{
		checks.HTTP500Internal, checks.HTTP504Timeout, checks.HTTP503Starting, checks.HTTPResponseTimeout, checks.HTTPLatencyHigh,
	}, reason)
}

// readiness is what /readyz answered; nothing where it was not the API server, or
// where that tells nobody without a token.
func readiness(response *checks.Response) string {
	if response == nil || !fromKubernetes(response) {
		return ""
	}
	failed := failedParts(response.BodyStart)
	switch {
	case response.Status == 200:
		return "said that it was ready (/readyz): not all of it was at fault, or not each of several."
	case len(failed) > 0:
		return fmt.Sprintf("said itself that it was not ready: /readyz answered %d, and what failed there is %s.", response.Status, enumerate(failed))
	default:
		return ""
	}
}

// failedParts are those with a minus in what /readyz and its like answer where a part
// fails (apiserver pkg/server/healthz).
func failedParts(body string) (failed []string) {
	for line := range strings.Lines(body) {
		rest, minus := strings.CutPrefix(line, "[-]")
		name, _, named := strings.Cut(rest, " failed")
		if minus && named && name != "" && len(failed) < maxFailedParts {
			failed = append(failed, cut(name))
		}
	}
	return failed
}
