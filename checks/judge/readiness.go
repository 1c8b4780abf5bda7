package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

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
	switch {
	case response.Status == 200:
		return "said that it was ready (/readyz): not all of it was at fault, or not each of several."
	case len(response.FailedParts) > 0:
		return fmt.Sprintf("said itself that it was not ready: /readyz answered %d, and what failed there is %s.", response.Status, failedPartsOf(response))
	default:
		return ""
	}
}

func failedPartsOf(response *checks.Response) string {
	failed := make([]string, 0, len(response.FailedParts))
	for _, name := range response.FailedParts {
		failed = append(failed, cut(name))
	}
	return enumerate(failed)
}

// notReady judges what an API server says of itself that answers GET /api, for which
// it needs nothing but itself.
func notReady(facts *checks.Facts) []problem {
	response := latestReadiness(facts)
	if response == nil || response.Status != 500 || !fromKubernetes(response) || len(response.FailedParts) == 0 || isEnding(response) {
		return nil
	}
	return []problem{warning(checks.APIServerNotReady,
		fmt.Sprintf("The API server answers GET /api and says of itself that it is not ready: /readyz answered 500 at %s, and what failed there is %s.", moment(response.ReceivedAt), failedPartsOf(response)),
		"/readyz to answer 200", "status 500")}
}

// isEnding: an API server that is about to end says that it is not ready while it
// goes on to serve, so that others are asked from then on (kube-apiserver
// --shutdown-delay-duration).
func isEnding(response *checks.Response) bool {
	return slices.Contains(response.FailedParts, "shutdown")
}

// isStarting: until its hooks have run and it has read what it keeps, a server serves
// and is not ready. Where that lasts, the connection that is kept tells of it.
func isStarting(response *checks.Response) bool {
	return len(response.FailedParts) > 0 && !slices.ContainsFunc(response.FailedParts, func(part string) bool {
		return part != "informer-sync" && !strings.HasPrefix(part, "poststarthook/")
	})
}

// latestReadiness is what was answered last to /readyz, by the connection that is kept
// or by the deep probes; nil where nothing was.
func latestReadiness(facts *checks.Facts) *checks.Response {
	var latest *checks.Response
	if ready := deepAPI(facts).Ready; ready != nil && isRecent(facts) && !isStarting(ready) {
		latest = ready
	}
	if kept := facts.API.LongLived; kept != nil && kept.Ready != nil && (latest == nil || kept.Ready.ReceivedAt.After(latest.ReceivedAt)) {
		latest = kept.Ready
	}
	return latest
}
