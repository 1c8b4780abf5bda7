package judge

import (
	"fmt"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// answered judges a whole response by its status. No problem and nothing to
// wait for means that a Kubernetes API server answered as it should.
func answered(facts *checks.Facts, attempt *checks.Attempt, response *checks.Response) verdict {
	target := hostPort(attempt)
	one := func(found problem) verdict { return verdict{problems: []problem{found}} }
	const expected = "status 200 with kind APIVersions"
	status := fmt.Sprintf("status %d", response.Status)
	switch code := response.Status; {
	case code == 200 && isAPIVersions(response):
		return verdict{}
	case code == 200:
		return one(failing(checks.HTTP200NotKubernetes, fmt.Sprintf("%s answers with status 200 and %s, so it is no Kubernetes API server.", target, bodyOf(response)), expected, bodyOf(response)))
	case code >= 300 && code < 400:
		return one(failing(checks.HTTPRedirect, fmt.Sprintf("%s redirects to %s, which an API server never does; it was not followed.", target, first(response.Location, "nowhere")), expected, status))
	case code == 401:
		return unauthorized(facts, attempt, response)
	case code == 403:
		return forbidden(attempt, response)
	case code == 404:
		return one(failing(checks.HTTP404OnAPI, fmt.Sprintf("%s has no /api (%s).", target, origin(response)), expected, status))
	case code == 429:
		return one(throttled(target, response))
	case code >= 500 && code < 600:
		return one(serverError(target, response))
	default:
		return one(failing(checks.HTTPUnexpectedStatus, fmt.Sprintf("%s answers GET /api with status %d and %s.", target, code, bodyOf(response)), expected, status))
	}
}

// fromKubernetes tells an answer of a kube-apiserver from that of something in
// between by the header that only the former sets, on every answer
// (apiserver pkg/endpoints/filters, WithAuditInit).
func fromKubernetes(response *checks.Response) bool { return response.AuditID != "" }

func origin(response *checks.Response) string {
	if fromKubernetes(response) {
		return "an answer of a kube-apiserver, Audit-Id " + response.AuditID
	}
	return "not an answer of a kube-apiserver, " + bodyOf(response)
}

func bodyOf(response *checks.Response) string {
	switch {
	case response.Kind != "":
		return "the kind " + response.Kind
	case response.BodyStart != "":
		return fmt.Sprintf("a body that begins %q", cut(response.BodyStart))
	default:
		return fmt.Sprintf("a body of %d bytes", response.BodyBytes)
	}
}

// unauthorized judges a 401. Its body is always the same, so what is wrong with
// the token must be known from the token itself.
func unauthorized(facts *checks.Facts, attempt *checks.Attempt, response *checks.Response) verdict {
	const expected = "the token to be accepted"
	if !fromKubernetes(response) {
		return verdict{problems: []problem{failing(checks.HTTP401NotFromKubernetes,
			fmt.Sprintf("Something before the API server answers with status 401 (%s).", bodyOf(response)), expected, "status 401 without Audit-Id").likely()}}
	}
	if !attempt.Authenticated {
		return waitFor(checks.Token, "The API server answers and wants a token, and there is none to send.", nil)
	}
	if facts.Token != nil && facts.Token.ChangedDuringRound {
		return verdict{problems: []problem{warning(checks.TokenRejectedWhileRotating,
			"The API server rejected the token, which was replaced while the request was on its way.", expected, "status 401")}}
	}
	if facts.Token != nil && !skipped(facts, checks.Token) {
		for _, problem := range judgeToken(facts).problems {
			if problem.Status == checks.Fail {
				return waitFor(checks.Token, "The API server answers and rejects the token (status 401).", nil)
			}
		}
	}
	message := fmt.Sprintf("The API server rejects a token in which nothing is wrong to see from here (status 401, Audit-Id %s).", response.AuditID)
	if at := acceptedBefore(facts); !at.IsZero() {
		message += fmt.Sprintf(" It accepted this very token at %s, so what it goes by has changed since.", moment(at))
	}
	return verdict{problems: []problem{failing(checks.HTTP401Unattributed, message, expected, "status 401").likely()}}
}

func forbidden(attempt *checks.Attempt, response *checks.Response) verdict {
	const expected = "GET /api to be allowed, as it is to every authenticated user"
	switch {
	case !fromKubernetes(response):
		return verdict{problems: []problem{failing(checks.HTTP403NotFromKubernetes,
			fmt.Sprintf("Something before the API server answers with status 403 (%s).", bodyOf(response)), expected, "status 403 without Audit-Id").likely()}}
	case strings.Contains(response.StatusMessage, "system:anonymous") && !attempt.Authenticated:
		return waitFor(checks.Token, "The API server answers and knows nobody without a token, and there is none to send.", nil)
	case strings.Contains(response.StatusMessage, "system:anonymous"):
		return verdict{problems: []problem{failing(checks.HTTP403Anonymous,
			"A token was sent and the API server saw none: it answers to system:anonymous (status 403).", "the Authorization header to arrive", "system:anonymous").likely()}}
	case response.FlowControlled && response.FlowSchemaUID == "":
		return verdict{problems: []problem{warning(checks.HTTP403DuringStartup,
			fmt.Sprintf("The API server has just started and does not know its roles yet: %s.", first(response.StatusMessage, "status 403")), expected, "status 403").likely()}}
	default:
		return verdict{problems: []problem{warning(checks.HTTP403DiscoveryRBACRemoved,
			fmt.Sprintf("The token is accepted and GET /api is forbidden: %s.", sentencePart(first(response.StatusMessage, "status 403"))), expected, "status 403").likely()}}
	}
}

// throttled tells 429s apart: priority and fairness signs its own with the
// X-Kubernetes-PF headers.
func throttled(target string, response *checks.Response) problem {
	wait := ""
	if response.RetryAfterSeconds > 0 {
		wait = " and asks to wait " + seconds(response.RetryAfterSeconds)
	}
	message := fmt.Sprintf("%s answers with status 429%s: %s.", target, wait, sentencePart(first(response.StatusMessage, response.BodyStart, "too many requests")))
	reason := checks.HTTP429MaxInflight
	switch {
	case !fromKubernetes(response):
		reason = checks.HTTP429NotFromKubernetes
	case strings.Contains(message, "shutting down"):
		reason = checks.HTTP429ShuttingDown
	case response.FlowControlled || response.PriorityLevelUID != "":
		reason = checks.HTTP429APF
	}
	return warning(reason, message, "an answer", "status 429")
}

func serverError(target string, response *checks.Response) problem {
	status := fmt.Sprintf("status %d", response.Status)
	message := fmt.Sprintf("%s answers with %s: %s.", target, status, sentencePart(first(response.StatusMessage, bodyOf(response))))
	switch {
	case !fromKubernetes(response):
		return failing(checks.HTTP502503LB, message, "an answer of the API server", status+" without Audit-Id").likely()
	case strings.Contains(message, "before all known HTTP paths have been installed"):
		return failing(checks.HTTP503Starting, message, "an API server that has started", status)
	case response.Status == 504:
		return failing(checks.HTTP504Timeout, message, "an answer", status)
	default:
		return failing(checks.HTTP500Internal, message, "an answer", status)
	}
}
