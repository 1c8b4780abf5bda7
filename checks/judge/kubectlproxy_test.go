package judge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// beside puts a kubectl proxy at a URL beside the pod.
func beside(base string, exchange checks.Exchange) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.KubectlProxy = &checks.KubectlProxyFacts{Attempt: checks.Attempt{URL: base + "/api", Exchanges: []checks.Exchange{exchange}}}
	}
}

func saying(status int, contentType, body string) checks.Exchange {
	return checks.Exchange{Stage: checks.StageDone, Response: &checks.Response{Status: status, ContentType: contentType, BodyStart: body}}
}

// apiSaying is an answer of the API server that the proxy passes on.
func apiSaying(status int, text string) checks.Exchange {
	return checks.Exchange{Stage: checks.StageDone, Response: &checks.Response{Status: status, AuditID: "a", Kind: "Status", StatusMessage: text}}
}

// passed is what the API check is met with, over TLS.
func passed(exchange checks.Exchange) func(*checks.Facts) {
	return func(f *checks.Facts) {
		last := &f.API.ServiceHost.Exchanges[0]
		last.Stage, last.Response, last.Failure = exchange.Stage, exchange.Response, exchange.Failure
	}
}

func cutShort(status int) checks.Exchange {
	cut := brokenOff(checks.StageBody, checks.Closed)
	cut.Response = &checks.Response{Status: status}
	return cut
}

func brokenOff(stage checks.Stage, kind checks.FailureKind) checks.Exchange {
	return checks.Exchange{Stage: stage, Failure: &checks.Failure{Kind: kind, Message: string(kind)}}
}

func versions() checks.Exchange {
	return checks.Exchange{Stage: checks.StageDone, Response: &checks.Response{Status: 200, AuditID: "a", Kind: "APIVersions", Versions: []string{"v1"}}}
}

const (
	sidecar = "http://127.0.0.1:8001"
	plain   = "text/plain; charset=utf-8"
)

func TestKubectlProxy(t *testing.T) {
	const forbidding = `forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`
	judgeCases(t, checks.KubectlProxy, []verdictCase{
		{"in order", beside(sidecar, versions()), want{checks.OK, ""}},
		{"not running", beside(sidecar, brokenOff(checks.StageConnect, checks.Refused)), want{checks.Fail, checks.KProxyDown}},
		{"silent", beside(sidecar, brokenOff(checks.StageResponse, checks.TimedOut)), want{checks.Fail, checks.KProxyTimeout}},
		{"no HTTP", beside(sidecar, brokenOff(checks.StageResponse, checks.OtherFailure)), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"hanging up", beside(sidecar, brokenOff(checks.StageResponse, checks.Closed)), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"a web page", beside(sidecar, saying(200, "text/html", "<html>")), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"a redirect", beside(sidecar, saying(302, "", "")), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"a 403 of something else", beside(sidecar, saying(403, "text/html", "<html>")), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"its filter", beside(sidecar, saying(403, plain, "Forbidden\n")), want{checks.Fail, checks.KProxyPathOrMethodFilter}},
		{"its filter, by localhost", beside("http://localhost:8001", saying(403, plain, "Forbidden\n")), want{checks.Fail, checks.KProxyPathOrMethodFilter}},
		{"its filter, at another address", beside("http://127.0.0.2:8001", saying(403, plain, "Forbidden\n")), want{checks.Fail, checks.KProxyHostFilter}},
		{"its filter, by IPv6", beside("http://[::1]:8001", saying(403, plain, "Forbidden\n")), want{checks.Fail, checks.KProxyIPv6HostQuirk}},
		{"another prefix", beside(sidecar, saying(404, plain, "404 page not found\n")), want{checks.Fail, checks.KProxyAPIPrefix}},
		{"no way to the API", beside(sidecar, saying(500, plain, "dial tcp 10.96.0.1:443: i/o timeout\n")), want{checks.Fail, checks.KProxyUpstreamError}},
		{"no service account", beside(sidecar, saying(500, plain, "dial tcp 127.0.0.1:8080: connect: connection refused\n")), want{checks.Fail, checks.KProxyLocalhost8080}},
		{"no service account, or a proxy at that port", beside(sidecar, saying(500, plain, "proxyconnect tcp: dial tcp 127.0.0.1:8080: connect: connection refused\n")), want{checks.Fail, checks.KProxyUpstreamError}},
		{"no service account, by IPv6", beside(sidecar, saying(500, plain, "dial tcp [::1]:8080: connect: connection refused\n")), want{checks.Fail, checks.KProxyLocalhost8080}},
		{"401 to it", beside(sidecar, apiSaying(401, "Unauthorized")), want{checks.Fail, checks.KProxyCredentialRejected}},
		{"403 to nobody", beside(sidecar, apiSaying(403, `forbidden: User "system:anonymous" cannot get path "/api"`)), want{checks.Fail, checks.KProxyCredentialRejected}},
		{"403 to its service account", beside(sidecar, apiSaying(403, forbidding)), want{checks.Warn, checks.KProxyForbidden}},
		{"403 to another user", beside(sidecar, apiSaying(403, `forbidden: User "jane" cannot get path "/api"`)), want{checks.Warn, checks.KProxyForbidden}},
		{"403 to a user without a name", beside(sidecar, apiSaying(403, `forbidden: User "" cannot get path "/api"`)), want{checks.Fail, checks.KProxyCredentialRejected}},
		{"403 to both", both(answeredWith(403, message(forbidding)), beside(sidecar, apiSaying(403, forbidding))), want{checks.OK, ""}},
		{"429", beside(sidecar, apiSaying(429, "Too many requests")), want{checks.Warn, checks.KProxyUpstreamStatus}},
		{"503 that it alone meets", beside(sidecar, apiSaying(503, "starting")), want{checks.Fail, checks.KProxyUpstreamStatus}},
	})
}

func TestWhatIsWrongBehindTheProxyFollowsFromTheAPI(t *testing.T) {
	refused := brokenAt(checks.StageConnect, checks.Refused)
	unreached := beside(sidecar, saying(500, plain, "dial tcp 10.96.0.1:443: connect: connection refused\n"))
	judgeCases(t, checks.KubectlProxy, []verdictCase{
		{"refused to both", both(refused, unreached), want{checks.Skip, checks.WaitsFor}},
		{"frozen to both", both(handshakeFailure(checks.TimedOut, "i/o timeout"), beside(sidecar, brokenOff(checks.StageResponse, checks.TimedOut))), want{checks.Skip, checks.WaitsFor}},
		{"401 to both", both(answeredWith(401), beside(sidecar, apiSaying(401, "Unauthorized"))), want{checks.Skip, checks.WaitsFor}},
		{"500 to both", both(answeredWith(500), beside(sidecar, apiSaying(500, "etcd"))), want{checks.Skip, checks.WaitsFor}},
		{"a redirect to both", both(passed(saying(302, "", "<a>")), beside(sidecar, saying(302, "", "<a>"))), want{checks.Skip, checks.WaitsFor}},
		{"a 403 of something before it to both", both(passed(saying(403, plain, "RBAC: access denied")), beside(sidecar, saying(403, plain, "RBAC: access denied"))), want{checks.Skip, checks.WaitsFor}},
		{"a body cut short to both", both(passed(cutShort(200)), beside(sidecar, cutShort(200))), want{checks.Skip, checks.WaitsFor}},
		{"a redirect to it alone", beside(sidecar, saying(302, "", "<a>")), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"another page than the other's", both(passed(saying(404, "text/html", "<a>")), beside(sidecar, saying(404, "text/html", "<b>"))), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"another cut than the other's", both(passed(cutShort(200)), beside(sidecar, cutShort(404))), want{checks.Fail, checks.KProxyNotAKubectlProxy}},
		{"the api check left out", both(refused, unreached, leftOut(checks.API)), want{checks.Fail, checks.KProxyUpstreamError}},
		{"a proxy that is down besides", both(refused, beside(sidecar, brokenOff(checks.StageConnect, checks.Refused))), want{checks.Fail, checks.KProxyDown}},
	})
	facts := healthy(t)
	both(handshakeFailure(checks.Plaintext, "HTTP"), unreached)(facts)
	report := Judge(facts, nil)
	if diff := cmp.Diff([]checks.Name{checks.API, checks.KubectlProxy}, report.Diagnosis[0].Consequences); diff != "" || len(report.Diagnosis) != 1 {
		t.Errorf("%d findings, and the consequences of the first differ (-want +got):\n%s", len(report.Diagnosis), diff)
	}
}

func TestNoKubectlProxyIsNoCheck(t *testing.T) {
	report := Judge(healthy(t), nil)
	if result, found := report.Result(checks.KubectlProxy); found {
		t.Errorf("got %+v, want no result", result)
	}
	for _, way := range report.Access {
		if way.Path == checks.KubectlProxyPath {
			t.Errorf("got %+v, want no such way", way)
		}
	}
}

func TestTheWayThroughTheKubectlProxy(t *testing.T) {
	for _, test := range []struct {
		name     string
		exchange checks.Exchange
		works    bool
		why      string
	}{
		{"in order", versions(), true, sidecar + "/api answered 200."},
		{"allowed elsewhere", apiSaying(403, `User "system:serviceaccount:shop:web" cannot`), true, "the right to GET /api alone is missing."},
		{"as another user", apiSaying(403, `forbidden: User "jane" cannot get path "/api"`), true, "403 to jane"},
		{"as nobody", apiSaying(403, `forbidden: User "system:anonymous" cannot get path "/api"`), false, "answered 403"},
		{"not from the API server", saying(403, plain, `User "system:serviceaccount:shop:web" cannot`), false, "answered 403"},
		{"down", brokenOff(checks.StageConnect, checks.Refused), false, "gave no answer: connection refused."},
		{"upstream", saying(500, plain, "dial tcp: i/o timeout\n"), false, "answered 500: dial tcp: i/o timeout."},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			beside(sidecar, test.exchange)(facts)
			// Neither matters to the proxy, which has its own container.
			facts.Token, facts.CA = nil, nil
			access := Judge(facts, nil).Access
			if len(access) != 1 || access[0].Works != test.works || !strings.Contains(access[0].Why, test.why) {
				t.Errorf("got %+v, want works %t and %q", access, test.works, test.why)
			}
		})
	}
}

func TestWhatTheProxyIsSaidToDoIsWhatItDid(t *testing.T) {
	dripping := brokenOff(checks.StageBody, checks.TimedOut)
	dripping.Response = &checks.Response{Status: 200}
	for _, test := range []struct {
		name     string
		exchange checks.Exchange
		message  string
	}{
		{"a body without end", dripping, "The kubectl proxy at 127.0.0.1:8001 answered with status 200 and did not end its answer within 1s."},
		{"silence", brokenOff(checks.StageResponse, checks.TimedOut), "The kubectl proxy at 127.0.0.1:8001 took the request and did not answer within 1s."},
		{"a page that is not found", saying(404, plain, "404 page not found\n"), "any other server in Go does too."},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			beside(sidecar, test.exchange)(facts)
			facts.KubectlProxy.Attempt.Seconds = 1
			report := Judge(facts, nil)
			result, _ := report.Result(checks.KubectlProxy)
			if !strings.HasSuffix(result.Message, test.message) {
				t.Errorf("got %q, want %q", result.Message, test.message)
			}
			if len(report.Diagnosis) != 1 || report.Diagnosis[0].Certainty != checks.Likely || report.Diagnosis[0].Check != checks.KubectlProxy {
				t.Errorf("got %+v, want one cause that is likely, of the kubectl proxy", report.Diagnosis)
			}
		})
	}
}
