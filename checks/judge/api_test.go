package judge

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// answeredWith changes the response to GET /api.
func answeredWith(status int, change ...func(*checks.Response)) func(*checks.Facts) {
	return func(f *checks.Facts) {
		response := last(f).Response
		response.Status, response.Kind, response.Versions = status, "Status", nil
		for _, change := range change {
			change(response)
		}
	}
}

func message(text string) func(*checks.Response) {
	return func(r *checks.Response) { r.StatusMessage = text }
}

// foreign takes the marks of a kube-apiserver away.
func foreign(r *checks.Response) {
	r.AuditID, r.PriorityLevelUID, r.FlowSchemaUID, r.Kind, r.BodyStart = "", "", "", "", "<html>"
}

func unfairly(r *checks.Response) { r.PriorityLevelUID, r.FlowSchemaUID = "", "" }

func brokenAt(stage checks.Stage, kind checks.FailureKind) func(*checks.Facts) {
	return func(f *checks.Facts) {
		exchange := last(f)
		exchange.Stage, exchange.Response = stage, nil
		exchange.Failure = &checks.Failure{Kind: kind, Message: string(kind)}
		if stage == checks.StageConnect {
			exchange.TLS = nil
		}
	}
}

// unnamed makes the service host a name that nobody knows.
func unnamed(f *checks.Facts) {
	f.API.ServiceHost, f.Environment.ServiceHost = nil, "api.example.com"
	f.DNS.ServiceHost = &checks.Lookup{Name: "api.example.com", Queries: []checks.Query{query("NXDOMAIN")}}
}

func leftOut(name checks.Name) func(*checks.Facts) {
	return func(f *checks.Facts) { f.Skipped = append(f.Skipped, name) }
}

func TestAPIThatDoesNotAnswer(t *testing.T) {
	judgeCases(t, checks.API, []verdictCase{
		{"refused", brokenAt(checks.StageConnect, checks.Refused), want{checks.Fail, checks.TCPRefused}},
		{"dropped", brokenAt(checks.StageConnect, checks.TimedOut), want{checks.Fail, checks.TCPTimeout}},
		{"rejected by a firewall", brokenAt(checks.StageConnect, checks.HostUnreachable), want{checks.Fail, checks.TCPHostUnreachable}},
		{"no route", brokenAt(checks.StageConnect, checks.NetworkUnreachable), want{checks.Fail, checks.TCPNetworkUnreachable}},
		{"reset", brokenAt(checks.StageConnect, checks.Reset), want{checks.Fail, checks.TCPReset}},
		{"filtered in the pod", brokenAt(checks.StageConnect, checks.NotPermitted), want{checks.Fail, checks.TCPFailed}},
		{"no handshake", handshakeFailure(checks.Closed, "EOF"), want{checks.Skip, checks.WaitsFor}},
		{"no response", brokenAt(checks.StageResponse, checks.TimedOut), want{checks.Fail, checks.HTTPResponseTimeout}},
		{"a response without end", brokenAt(checks.StageBody, checks.TimedOut), want{checks.Fail, checks.HTTPResponseTimeout}},
		{"a response cut short", brokenAt(checks.StageBody, checks.Closed), want{checks.Fail, checks.HTTPResponseCut}},
		{"an endless body", brokenAt(checks.StageBody, checks.TooLarge), want{checks.Fail, checks.HTTPResponseTooLarge}},
		{"no HTTP", brokenAt(checks.StageResponse, checks.Invalid), want{checks.Fail, checks.HTTPMalformed}},
		{"no answer for a reason of its own", brokenAt(checks.StageResponse, checks.OtherFailure), want{checks.Fail, checks.HTTPMalformed}},
		{"a name without an address", unnamed, want{checks.Skip, checks.WaitsFor}},
		{"a name without an address, and dns left out", both(unnamed, leftOut(checks.DNS)), want{checks.Fail, checks.EnvServiceHostUnresolvable}},
		{"no token, and token left out", both(answeredWith(401, unfairly), func(f *checks.Facts) {
			f.API.ServiceHost.Authenticated, f.Token.Claims = false, nil
		}, leftOut(checks.Token)), want{checks.Fail, checks.TokenEmpty}},
		{"a client certificate demanded", func(f *checks.Facts) {
			brokenAt(checks.StageResponse, checks.OtherFailure)(f)
			last(f).Failure.Message = "remote error: tls: certificate required"
		}, want{checks.Fail, checks.TLSHandshakeFailed}},
	})
}

func TestARequestThatNobodyAcknowledgesWasNotTaken(t *testing.T) {
	for name, test := range map[string]struct {
		tcp  *checks.TCPFacts
		want string
	}{
		"acknowledged":     {&checks.TCPFacts{}, "took the request"},
		"not acknowledged": {&checks.TCPFacts{Unacked: 1, Retransmits: 4}, "did not acknowledge the request"},
		"on its way":       {&checks.TCPFacts{Unacked: 1}, "took the request"},
		"not known":        {nil, "took the request"},
	} {
		t.Run(name, func(t *testing.T) {
			got := firstOf(t, func(f *checks.Facts) {
				brokenAt(checks.StageResponse, checks.TimedOut)(f)
				last(f).TCP = test.tcp
			})
			if got.Reason != checks.HTTPResponseTimeout || !strings.Contains(got.Evidence[0], test.want) {
				t.Errorf("got %s (%q), want %q in it", got.Reason, got.Evidence, test.want)
			}
		})
	}
}

func TestAPIAnswers(t *testing.T) {
	tokenless := func(f *checks.Facts) {
		f.API.ServiceHost.Authenticated = false
		f.Token.File.Problem, f.Token.Claims = checks.FileMissing, nil
	}
	judgeCases(t, checks.API, []verdictCase{
		{"200 of something else", answeredWith(200, foreign), want{checks.Fail, checks.HTTP200NotKubernetes}},
		{"a redirect", answeredWith(302, func(r *checks.Response) { r.Location = "https://login.example" }), want{checks.Fail, checks.HTTPRedirect}},
		{"401 with nothing to see", answeredWith(401, message("Unauthorized"), unfairly), want{checks.Fail, checks.HTTP401Unattributed}},
		{"401 of an expired token", both(answeredWith(401, unfairly), lasting(time.Hour), aged(2*time.Hour)), want{checks.Skip, checks.WaitsFor}},
		{"401 without a token", both(answeredWith(401, unfairly), tokenless), want{checks.Skip, checks.WaitsFor}},
		{"401 while the token was replaced", both(answeredWith(401, unfairly), func(f *checks.Facts) { f.Token.ChangedDuringRound = true }), want{checks.Warn, checks.TokenRejectedWhileRotating}},
		{"401 of a proxy", answeredWith(401, foreign), want{checks.Fail, checks.HTTP401NotFromKubernetes}},
		{"403 to nobody, though a token was sent", answeredWith(403, message(`forbidden: User "system:anonymous" cannot get path "/api"`)), want{checks.Fail, checks.HTTP403Anonymous}},
		{"403 to nobody, without a token", both(answeredWith(403, message(`forbidden: User "system:anonymous" cannot get path "/api"`)), tokenless), want{checks.Skip, checks.WaitsFor}},
		{"403 to the service account", answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`)), want{checks.Warn, checks.HTTP403DiscoveryRBACRemoved}},
		{"403 to the service account by a server that has just started", answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`), unfairly, func(r *checks.Response) { r.FlowControlled = true }), want{checks.Warn, checks.HTTP403DuringStartup}},
		{"403 to the service account by a server without priority and fairness", answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`), unfairly), want{checks.Warn, checks.HTTP403DiscoveryRBACRemoved}},
		{"403 of a mesh", answeredWith(403, foreign), want{checks.Fail, checks.HTTP403NotFromKubernetes}},
		{"404", answeredWith(404), want{checks.Fail, checks.HTTP404OnAPI}},
		{"429 by priority and fairness", answeredWith(429), want{checks.Warn, checks.HTTP429APF}},
		{"429 by priority and fairness that has not read its objects yet", answeredWith(429, unfairly, func(r *checks.Response) { r.FlowControlled = true }), want{checks.Warn, checks.HTTP429APF}},
		{"429 by the limit in flight", answeredWith(429, unfairly), want{checks.Warn, checks.HTTP429MaxInflight}},
		{"429 at shutdown", answeredWith(429, unfairly, message("The apiserver is shutting down, please try again later.")), want{checks.Warn, checks.HTTP429ShuttingDown}},
		{"429 of a gateway", answeredWith(429, foreign), want{checks.Warn, checks.HTTP429NotFromKubernetes}},
		{"500", answeredWith(500), want{checks.Fail, checks.HTTP500Internal}},
		{"502 of a load balancer", answeredWith(502, foreign), want{checks.Fail, checks.HTTP502503LB}},
		{"503 at start", answeredWith(503, message("the request has been made before all known HTTP paths have been installed, please try again")), want{checks.Fail, checks.HTTP503Starting}},
		{"504", answeredWith(504), want{checks.Fail, checks.HTTP504Timeout}},
		{"418", answeredWith(418), want{checks.Fail, checks.HTTPUnexpectedStatus}},
	})
}

func TestAPIThatAnswersWithABlemish(t *testing.T) {
	elsewhere := func(response *checks.Response) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.API.ByName = &checks.Attempt{URL: "https://kubernetes.default.svc:443/api", Exchanges: []checks.Exchange{{
				Stage: checks.StageDone, Address: netip.MustParseAddrPort("10.0.0.1:443"), Response: response,
			}}}
		}
	}
	judgeCases(t, checks.API, []verdictCase{
		{"at the second try", func(f *checks.Facts) {
			f.API.ServiceHost.Exchanges = append([]checks.Exchange{{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.Refused, Message: "refused"}}}, f.API.ServiceHost.Exchanges...)
		}, want{checks.Warn, checks.HTTPPassedOnRetry}},
		{"with a warning", func(f *checks.Facts) { last(f).Response.Warnings = []string{`299 - "deprecated"`} }, want{checks.Warn, checks.HTTPWarningHeaders}},
		{"slowly", func(f *checks.Facts) { last(f).Phases.FirstByteSeconds = 1.4 }, want{checks.Warn, checks.HTTPLatencyHigh}},
		{"by another clock", func(f *checks.Facts) { last(f).Response.Date = noon.Add(5 * time.Minute) }, want{checks.Warn, checks.TokenLocalClockSkew}},
		{"by its name too", elsewhere(&checks.Response{Status: 200, Kind: "APIVersions", Versions: []string{"v1"}}), want{checks.OK, ""}},
		{"and by its name not", elsewhere(&checks.Response{Status: 404}), want{checks.Warn, checks.APIByNameFailing}},
	})
}

func TestAnAuditLogThatTakesNothingIsMended(t *testing.T) {
	facts := healthy(t)
	answeredWith(500, func(r *checks.Response) {
		r.Kind, r.BodyStart = "", `Internal Server Error: "/api": failed to store audit event`
	})(facts)
	cause := Judge(facts, nil).Diagnosis[0]
	if cause.Reason != checks.HTTP500Internal || !strings.Contains(strings.Join(cause.Evidence, " "), "failed to store audit event") {
		t.Errorf("got %s with %q, want %s in the API server's words", cause.Reason, cause.Evidence, checks.HTTP500Internal)
	}
	if !strings.Contains(strings.Join(cause.Remedy, "\n"), "audit-(log|webhook)") {
		t.Errorf("no step of the remedy leads to where audit events are kept: %q", cause.Remedy)
	}
}
