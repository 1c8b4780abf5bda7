package judge

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

func judgeKubectlProxy(facts *checks.Facts) verdict {
	attempt := &facts.KubectlProxy.Attempt
	details := &checks.KubectlProxyDetails{KubectlProxyFacts: *facts.KubectlProxy}
	last := attempt.Last()
	v := verdict{details: details, seconds: facts.KubectlProxy.Seconds}
	v.well = fmt.Sprintf("GET %s through the kubectl proxy answered in %s.", attempt.URL, seconds(last.Phases.Seconds()))
	switch last.Stage {
	case checks.StageDone:
		details.Answered = last.Response.Status == 200 && isAPIVersions(last.Response)
		if details.Answered {
			return v
		}
		return proxied(facts, v, last.Response)
	case checks.StageResponse, checks.StageBody:
		if metWithout(facts, last) {
			return consequence(facts, v, unmarked(attempt, "an answer that does not come to its end", met(last)))
		}
		found := proxyUnanswered(attempt, last)
		if found.Reason == checks.KProxyTimeout {
			return consequence(facts, v, found)
		}
		v.problems = []problem{found}
	default:
		v.problems = []problem{proxyDown(attempt, last)}
	}
	return v
}

// consequence makes of what is wrong behind the proxy something to wait for
// where the api check finds the API itself at fault: both go the same way.
func consequence(facts *checks.Facts, v verdict, found problem) verdict {
	if facts.API != nil && !skipped(facts, checks.API) {
		api := verdictOn(checks.API, facts)
		if api.waitsFor != "" || slices.ContainsFunc(api.problems, func(p problem) bool { return p.Status == checks.Fail }) {
			return verdict{
				waitsFor: checks.API, details: v.details, seconds: v.seconds,
				well: "The kubectl proxy serves, and what is wrong behind it is wrong without it too. " + found.Message,
			}
		}
	}
	v.problems = []problem{found}
	return v
}

func proxyDown(attempt *checks.Attempt, last checks.Exchange) problem {
	found := problemMet(last)
	return failing(checks.KProxyDown,
		fmt.Sprintf("Nothing serves at %s, where the kubectl proxy is to be: %s.", hostPort(attempt), found), "a kubectl proxy that listens", found).likely().afterSilence(last.Failure, attempt.Seconds, turnsOfConnect)
}

// problemMet is a failing in few words, the usual one in the words for it.
func problemMet(exchange checks.Exchange) string {
	if exchange.Failure != nil && exchange.Failure.Kind == checks.Refused {
		return "connection refused"
	}
	return met(exchange)
}

func proxyUnanswered(attempt *checks.Attempt, last checks.Exchange) problem {
	const expected = "a response to GET /api"
	if last.Failure != nil && last.Failure.Kind == checks.TimedOut {
		what, found := "took the request and did not answer", "a wait without end"
		if last.Stage == checks.StageBody && last.Response != nil {
			found = fmt.Sprintf("status %d and a body without end", last.Response.Status)
			what = fmt.Sprintf("answered with status %d and did not end its answer", last.Response.Status)
		}
		return failing(checks.KProxyTimeout,
			fmt.Sprintf("The kubectl proxy at %s %s within %s.", hostPort(attempt), what, seconds(attempt.Seconds)), expected, found).likely().silent(attempt.Seconds, turnsOfExchange)
	}
	return failing(checks.KProxyNotAKubectlProxy,
		fmt.Sprintf("What listens at %s does not answer as a kubectl proxy does: %s.", hostPort(attempt), met(last)), expected, met(last)).likely()
}

// proxied judges a whole response that is not the one that was asked for. The
// API server marks its own, which the proxy passes on as they are; what has no
// mark is the proxy's word (kubectl pkg/proxy/proxy_server.go), or a stranger's.
func proxied(facts *checks.Facts, v verdict, response *checks.Response) verdict {
	if fromKubernetes(response) {
		return passedOn(facts, v, response)
	}
	attempt := &facts.KubectlProxy.Attempt
	if last := attempt.Last(); metWithout(facts, last) {
		return consequence(facts, v, unmarked(attempt, fmt.Sprintf("status %d, which no API server gave", response.Status), bodyOf(response)))
	}
	one := func(found problem) verdict {
		v.problems = []problem{found}
		return v
	}
	body := strings.TrimSpace(response.BodyStart)
	status := fmt.Sprintf("status %d", response.Status)
	switch {
	case response.Status == 403 && body == "Forbidden":
		return one(filtered(attempt))
	case response.Status == 404 && body == "404 page not found":
		return one(failing(checks.KProxyAPIPrefix,
			fmt.Sprintf("What listens at %s has no %s. A kubectl proxy that serves the API under another prefix answers so, and any other server in Go does too.", hostPort(attempt), pathOf(attempt)), "the API at "+pathOf(attempt), status).likely())
	case response.Status == 500 && strings.HasPrefix(response.ContentType, "text/plain") && leadsToLocalhost8080(body):
		return one(failing(checks.KProxyLocalhost8080,
			fmt.Sprintf("The kubectl proxy at %s knows no cluster and asks port 8080 of the pod itself: %s.", hostPort(attempt), sentencePart(body)), "a proxy with a service account", body))
	case response.Status == 500 && strings.HasPrefix(response.ContentType, "text/plain"):
		return consequence(facts, v, failing(checks.KProxyUpstreamError,
			fmt.Sprintf("The kubectl proxy at %s does not reach the API server: %s.", hostPort(attempt), sentencePart(body)), "an answer of the API server", first(body, status)))
	default:
		return one(failing(checks.KProxyNotAKubectlProxy,
			fmt.Sprintf("%s answers with %s and %s, which is no answer of a kubectl proxy.", attempt.URL, status, bodyOf(response)), "status 200 with kind APIVersions", status).likely())
	}
}

// metWithout tells an answer that came without the proxy just the same, from
// something before the API server: the proxy passes that on too.
func metWithout(facts *checks.Facts, last checks.Exchange) bool {
	if facts.API == nil {
		return false
	}
	direct := facts.API.ServiceHost.Last()
	if direct.Stage != last.Stage || !sameStatus(direct.Response, last.Response) {
		return false
	}
	if last.Failure != nil {
		return direct.Failure != nil && direct.Failure.Kind == last.Failure.Kind
	}
	a, b := direct.Response, last.Response
	return a.ContentType == b.ContentType && a.Location == b.Location && a.BodyStart == b.BodyStart && a.Kind == b.Kind
}

// unmarked is an answer that the proxy passes on without the API server's mark.
func unmarked(attempt *checks.Attempt, what, said string) problem {
	return failing(checks.KProxyUpstreamStatus, fmt.Sprintf("%s passes on %s: %s.", attempt.URL, what, sentencePart(said)), "an answer of the API server", what).likely()
}

// filtered tells why the proxy's own filter refuses. By default it accepts the
// hosts localhost and 127.0.0.1, and [::1] as well; but it compares the Host
// header without port and brackets, so that the last is never met.
func filtered(attempt *checks.Attempt) problem {
	host := ""
	if parsed, err := url.Parse(attempt.URL); err == nil {
		host = parsed.Hostname()
	}
	const expected, found = "a request that the filter accepts", "status 403, Forbidden"
	switch {
	case host == "::1":
		return failing(checks.KProxyIPv6HostQuirk,
			"The filter of the kubectl proxy refuses the host ::1, which its default --accept-hosts names with brackets and never meets so.", expected, found).likely()
	case host != "localhost" && host != "127.0.0.1":
		return failing(checks.KProxyHostFilter,
			fmt.Sprintf("The filter of the kubectl proxy refuses the host %s, which is not among its --accept-hosts.", host), expected, found).likely()
	default:
		return failing(checks.KProxyPathOrMethodFilter,
			fmt.Sprintf("The filter of the kubectl proxy refuses GET %s, although its host %s is one that it accepts by default.", pathOf(attempt), host), expected, found).likely()
	}
}

func pathOf(attempt *checks.Attempt) string {
	if parsed, err := url.Parse(attempt.URL); err == nil {
		return parsed.Path
	}
	return attempt.URL
}

// leadsToLocalhost8080 tells the server that kubectl takes where it finds
// neither a kubeconfig nor a service account (client-go clientcmd).
func leadsToLocalhost8080(body string) bool {
	if strings.Contains(body, "proxyconnect") {
		// A proxy may be there, on its way to the API server.
		return false
	}
	return strings.Contains(body, "127.0.0.1:8080") || strings.Contains(body, "[::1]:8080") || strings.Contains(body, "localhost:8080")
}

// passedOn judges an answer of the API server to the proxy's own credential.
// Where the api check met the same it tells of it, and twice is once too often.
func passedOn(facts *checks.Facts, v verdict, response *checks.Response) verdict {
	url := facts.KubectlProxy.Attempt.URL
	status := fmt.Sprintf("status %d", response.Status)
	said := sentencePart(first(response.StatusMessage, bodyOf(response)))
	var found problem
	switch {
	case response.Status == 403 && userIn(response) != "":
		found = warning(checks.KProxyForbidden,
			fmt.Sprintf("The API server knows the kubectl proxy and forbids it GET /api: %s.", said), "GET /api to be allowed, as it is to every authenticated user", status)
	case response.Status == 401, response.Status == 403:
		found = failing(checks.KProxyCredentialRejected,
			fmt.Sprintf("The API server rejects the credential of the kubectl proxy (%s): %s.", status, said), "the proxy's credential to be accepted", status)
	case response.Status == 429:
		found = warning(checks.KProxyUpstreamStatus, fmt.Sprintf("%s passes on %s of the API server: %s.", url, status, said), "status 200", status)
	default:
		found = failing(checks.KProxyUpstreamStatus, fmt.Sprintf("%s passes on %s of the API server: %s.", url, status, said), "status 200", status)
	}
	if facts.API != nil && !skipped(facts, checks.API) && sameStatus(response, facts.API.ServiceHost.Last().Response) && found.Status == checks.Warn {
		v.well = fmt.Sprintf("The kubectl proxy passes on what the API server also says without it: %s.", said)
		return v
	}
	return consequence(facts, v, found.likely())
}

// userIn is the user that a 403 of the API server names; empty where it names
// none, or nobody.
func userIn(response *checks.Response) string {
	_, rest, _ := strings.Cut(response.StatusMessage, `User "`)
	user, _, _ := strings.Cut(rest, `"`)
	if !fromKubernetes(response) || user == "system:anonymous" {
		return ""
	}
	return user
}

// serviceAccountIn is the user of a 403 if that is a service account.
func serviceAccountIn(response *checks.Response) string {
	user := userIn(response)
	if !strings.HasPrefix(user, "system:serviceaccount:") {
		return ""
	}
	return user
}
