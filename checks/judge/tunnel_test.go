package judge

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

const proxyURL = "http://10.1.1.1:3128"

// behindProxy has requests for the API server go by a proxy that the deep probes
// tried.
func behindProxy(seen checks.DeepProxyFacts) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.Environment.HTTPSProxy = proxyURL
		f.Environment.ProxyVariables = map[string]string{"HTTPS_PROXY": proxyURL}
		seen.Proxy = first(seen.Proxy, proxyURL)
		f.Deep = &checks.DeepFacts{Time: noon.Add(-time.Minute), Proxy: &seen}
	}
}

func tunnelTo(target string, change func(*checks.Tunnel)) *checks.Tunnel {
	tunnel := &checks.Tunnel{Target: target, Address: netip.MustParseAddrPort("10.1.1.1:3128"), Stage: checks.StageDone, Status: 200, Seconds: 0.01}
	change(tunnel)
	return tunnel
}

// ended is a tunnel that failed at a stage.
func ended(stage checks.Stage, kind checks.FailureKind) func(*checks.Tunnel) {
	return func(tunnel *checks.Tunnel) {
		tunnel.Stage, tunnel.Failure = stage, &checks.Failure{Kind: kind, Message: "it was " + string(kind)}
		if stage != checks.StageTLS {
			tunnel.Status = 0
		}
	}
}

// refusedWith is what a proxy says in the place of opening a tunnel.
func refusedWith(status int, text string) func(*checks.Tunnel) {
	return func(tunnel *checks.Tunnel) {
		tunnel.Stage, tunnel.Status, tunnel.StatusText = checks.StageResponse, status, text
	}
}

func issuedBy(name string) func(*checks.Tunnel) {
	return func(tunnel *checks.Tunnel) {
		ended(checks.StageTLS, checks.Untrusted)(tunnel)
		tunnel.Issuer = name
	}
}

func opened(*checks.Tunnel) {}

func TestAProxyFailsThatDoesNotCarryWhatItCatches(t *testing.T) {
	const target = "10.96.0.1:443"
	through := func(change func(*checks.Tunnel)) func(*checks.Facts) {
		return behindProxy(checks.DeepProxyFacts{Tunnel: tunnelTo(target, change)})
	}
	withUser := func(change func(*checks.Tunnel)) func(*checks.Facts) {
		const proxy = "http://hidden@10.1.1.1:3128"
		return both(behindProxy(checks.DeepProxyFacts{Proxy: proxy, Tunnel: tunnelTo(target, change)}), func(f *checks.Facts) {
			f.Environment.HTTPSProxy, f.Environment.ProxyVariables["HTTPS_PROXY"] = proxy, proxy
		})
	}
	named := func(lookup checks.Lookup) func(*checks.Facts) {
		lookup.Name = "proxy.example"
		return behindProxy(checks.DeepProxyFacts{Lookup: &lookup})
	}
	apiGone := brokenAt(checks.StageConnect, checks.Refused)
	stranger := handshakeFailure(checks.Untrusted, "x509: unknown authority")
	const nothing = "does not leave it out."
	for _, test := range []struct {
		name      string
		change    func(*checks.Facts)
		status    checks.Status
		certainty checks.Certainty
		// told is how the message ends.
		told string
	}{
		{"that refuses connections", through(ended(checks.StageConnect, checks.Refused)), checks.Fail, checks.Certain, "The proxy 10.1.1.1:3128 refused the connection."},
		{"that does not answer", through(ended(checks.StageConnect, checks.TimedOut)), checks.Fail, checks.Likely, "The proxy 10.1.1.1:3128 did not answer the connection within 10ms."},
		{"that cannot be reached", through(ended(checks.StageConnect, checks.HostUnreachable)), checks.Fail, checks.Likely, "cannot be connected to: it was host-unreachable."},
		{"that says nothing", through(ended(checks.StageResponse, checks.TimedOut)), checks.Fail, checks.Likely, "gives no answer to CONNECT 10.96.0.1:443: it was timeout."},
		{"that forbids it", through(refusedWith(403, "Forbidden")), checks.Fail, checks.Certain, "The proxy 10.1.1.1:3128 answers CONNECT 10.96.0.1:443 with 403 Forbidden."},
		{"that is none", through(refusedWith(404, "")), checks.Fail, checks.Certain, "with 404."},
		{"that says another success than Go wants", through(refusedWith(204, "No Content")), checks.Fail, checks.Certain, "with 204 No Content."},
		{"that has no way itself", through(refusedWith(503, "Service Unavailable")), checks.Fail, checks.Certain, "with 503 Service Unavailable."},
		{"that reads TLS", through(issuedBy("CN=Corporate Proxy")), checks.Fail, checks.Likely, "at its end is a certificate by CN=Corporate Proxy that ca.crt does not prove: it reads TLS, or leads elsewhere."},
		{"that leads to an API server with a bad certificate", through(issuedBy("CN=kubernetes")), checks.Fail, checks.Likely, "it reads TLS, or leads elsewhere."},
		{"that ends the handshake", through(ended(checks.StageTLS, checks.Closed)), checks.Fail, checks.Likely, "the TLS handshake over it failed: it was closed."},
		{"whose name does not exist", named(checks.Lookup{Queries: []checks.Query{query("NXDOMAIN"), query("NOERROR")}}), checks.Fail, checks.Likely, "The name of the proxy, proxy.example, has no address."},

		{"that carries it", through(opened), checks.Warn, checks.Likely, "ca.crt proves the server at its end: it carries requests."},
		{"that wants a password", through(refusedWith(407, "Proxy Authentication Required")), checks.Warn, checks.Likely, "It wants a password, which applications may have and Lifeline does not send."},
		{"that forbids it to who does not say the password", withUser(refusedWith(403, "Forbidden")), checks.Warn, checks.Likely, "It was asked without the user and the password of the variable."},
		{"that refuses connections, password or not", withUser(ended(checks.StageConnect, checks.Refused)), checks.Fail, checks.Certain, "refused the connection."},
		{"that was only connected to", through(func(tunnel *checks.Tunnel) { tunnel.Stage, tunnel.Status = checks.StageConnect, 0 }), checks.Warn, checks.Likely, "Whether it carries requests is tried only where it is spoken to in plain HTTP."},
		{"whose name is not found for want of a nameserver", named(checks.Lookup{Queries: []checks.Query{broken(checks.TimedOut), query("NXDOMAIN")}}), checks.Warn, checks.Likely, "did not resolve."},
		{"whose name a nameserver does not answer for", named(checks.Lookup{Queries: []checks.Query{query("SERVFAIL")}}), checks.Warn, checks.Likely, "did not resolve."},
		{"whose name does not exist, nor the API server's", both(named(checks.Lookup{Queries: []checks.Query{query("NXDOMAIN")}}), unresolved(query("NXDOMAIN"))), checks.Warn, checks.Likely, "did not resolve."},

		{"that has no way, as nobody has", both(through(refusedWith(503, "Service Unavailable")), apiGone), checks.Warn, checks.Likely, "Without it the API server does not prove itself either."},
		{"that does not answer, as nothing does", both(through(ended(checks.StageConnect, checks.TimedOut)), brokenAt(checks.StageConnect, checks.TimedOut)), checks.Warn, checks.Likely, "does not prove itself either."},
		{"that shows what nobody proves", both(through(issuedBy("CN=stranger")), stranger), checks.Warn, checks.Likely, "does not prove itself either."},
		{"that forbids it, whatever the API server does", both(through(refusedWith(403, "Forbidden")), apiGone), checks.Fail, checks.Certain, "with 403 Forbidden."},
		{"that refuses connections, as the API server does", both(through(ended(checks.StageConnect, checks.Refused)), apiGone), checks.Fail, checks.Likely, "refused the connection."},

		{"that was not tried", both(through(opened), func(f *checks.Facts) { f.Deep.Proxy = nil }), checks.Warn, checks.Likely, nothing},
		{"that was tried long ago", both(through(refusedWith(403, "Forbidden")), func(f *checks.Facts) { f.Deep.Time = noon.Add(-proxyHolds - time.Second) }), checks.Warn, checks.Likely, nothing},
		{"that was another one then", both(through(refusedWith(403, "Forbidden")), func(f *checks.Facts) { f.Environment.HTTPSProxy = "http://10.1.1.2:3128" }), checks.Warn, checks.Likely, nothing},
		{"that was asked for another API server", both(through(refusedWith(403, "Forbidden")), func(f *checks.Facts) { f.Deep.Proxy.Tunnel.Target = "10.96.0.2:443" }), checks.Warn, checks.Likely, nothing},
		{"of which nothing is told", behindProxy(checks.DeepProxyFacts{}), checks.Warn, checks.Likely, nothing},
		{"that came to a stage which there is not", through(func(tunnel *checks.Tunnel) { tunnel.Stage = "x" }), checks.Warn, checks.Likely, nothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			report := Judge(facts, nil)
			result, _ := report.Result(checks.Environment)
			if result.Status != test.status || result.Reason != checks.EnvHTTPProxyInterceptsAPI || !strings.HasSuffix(result.Message, test.told) {
				t.Errorf("got %s %s %q, want %s and %q at its end", result.Status, result.Reason, result.Message, test.status, test.told)
			}
			for _, finding := range report.Diagnosis {
				if finding.Reason == checks.EnvHTTPProxyInterceptsAPI && (finding.Certainty != test.certainty || finding.Severity != test.status) {
					t.Errorf("the diagnosis has %s %s, want %s %s", finding.Severity, finding.Certainty, test.status, test.certainty)
				}
			}
		})
	}
}

func TestAProxyThatIsLeftOutIsNotJudged(t *testing.T) {
	facts := healthy(t)
	both(behindProxy(checks.DeepProxyFacts{Tunnel: tunnelTo("10.96.0.1:443", refusedWith(403, "Forbidden"))}), func(f *checks.Facts) {
		f.Environment.NoProxy, f.Environment.ProxyVariables["NO_PROXY"] = "10.96.0.1,.svc", "10.96.0.1,.svc"
	})(facts)
	if report := Judge(facts, nil); report.Status != checks.OK {
		t.Errorf("got %s, want ok", report.Status)
	}
}

func TestAWayByAProxyWorksWhereTheProxyCarriesAndTheAPIServerAnswers(t *testing.T) {
	const byAddress, byName = "10.96.0.1:443", "kubernetes.default.svc:443"
	through := func(address, name func(*checks.Tunnel)) func(*checks.Facts) {
		return behindProxy(checks.DeepProxyFacts{Tunnel: tunnelTo(byAddress, address), ByName: tunnelTo(byName, name)})
	}
	variable := func(name, value string) func(*checks.Facts) {
		return func(f *checks.Facts) { f.Environment.ProxyVariables[name] = value }
	}
	unheard := unresolved(broken(checks.TimedOut))
	judgeAccessCases(t, []accessCase{
		{"that carries", through(opened, opened), allWays, "", ""},
		{"that carries, while the pod's own nameserver is silent", both(through(opened, opened), unheard), allWays, "", ""},
		{"that does not know the name", through(opened, refusedWith(503, "Service Unavailable")), officialWays, "", "CONNECT kubernetes.default.svc:443 with 503 Service Unavailable."},
		{"that was not asked for the name", behindProxy(checks.DeepProxyFacts{Tunnel: tunnelTo(byAddress, opened)}), officialWays, "", "by the proxy"},
		{"that forbids it", through(refusedWith(403, "Forbidden"), refusedWith(403, "Forbidden")), "", "", "CONNECT 10.96.0.1:443 with 403 Forbidden."},
		{"that reads TLS", through(issuedBy("CN=Corporate Proxy"), opened), "", "", "it reads TLS"},
		{"that wants a password", through(refusedWith(407, ""), refusedWith(407, "")), "", "", "It wants a password"},
		{"that was not tried", both(through(opened, opened), func(f *checks.Facts) { f.Deep = nil }), "", "", "does not leave it out"},
		{"that carries, to who rejects the token", both(through(opened, opened), answeredWith(401, message("Unauthorized"))), "", "", "answered 401: Unauthorized."},
		{"that carries where nothing else does", both(through(opened, opened), brokenAt(checks.StageConnect, checks.TimedOut)), "", allWays, ""},
		{"beside another for Python", both(through(opened, opened), variable("http_proxy", "http://10.1.1.2:3128")), "go-client rest", "", "10.1.1.2"},
		{"beside another for curl", both(through(opened, opened), variable("https_proxy", "socks5://10.1.1.1:3128")), "go-client", "", "socks5"},
		{"that curl is told of without its kind", both(through(opened, opened), variable("https_proxy", "10.1.1.1:3128"), variable("http_proxy", proxyURL)), allWays, "", ""},
		{"of which curl is told no port", both(through(opened, opened), variable("https_proxy", "10.1.1.1"), variable("http_proxy", proxyURL)), officialWays, "", "10.1.1.1"},
	})
}

func TestAWayByAProxySaysByWhichAndWhatItRestsOn(t *testing.T) {
	facts := healthy(t)
	behindProxy(checks.DeepProxyFacts{Tunnel: tunnelTo("10.96.0.1:443", opened), ByName: tunnelTo("kubernetes.default.svc:443", opened)})(facts)
	facts.Deep.Time = noon.Add(-5 * time.Minute)
	const why = "The API server was reached by the proxy http://10.1.1.1:3128 at 2026-11-23 11:55:00 UTC. Without it: https://10.96.0.1:443/api answered 200 to system:serviceaccount:shop:web."
	want := []checks.Access{{Path: "go-client", Works: true, Why: why}, {Path: "python-client", Works: true, Why: why}, {Path: "rest", Works: true, Why: why}}
	if diff := cmp.Diff(want, Judge(facts, nil).Access); diff != "" {
		t.Errorf("the ways differ (-want +got):\n%s", diff)
	}
}

func TestAKubectlProxyBehindADeadProxyChangesNothingOfItsCertainty(t *testing.T) {
	for _, test := range []struct {
		change func(*checks.Tunnel)
		want   checks.Certainty
	}{{ended(checks.StageConnect, checks.Refused), checks.Certain}, {ended(checks.StageConnect, checks.TimedOut), checks.Likely}, {opened, checks.Likely}} {
		facts := healthy(t)
		both(behindProxy(checks.DeepProxyFacts{Tunnel: tunnelTo("10.96.0.1:443", test.change)}),
			beside(sidecar, saying(500, plain, "proxyconnect tcp: dial tcp 10.1.1.1:3128: connect: connection refused")))(facts)
		// A round since goes by no proxy.
		facts.History = &checks.History{Rounds: 1, Lately: []checks.PastRound{{Time: facts.Deep.Time.Add(time.Second), Stage: checks.StageDone, Status: 200}}}
		cause := Judge(facts, nil).Diagnosis[0]
		if cause.Reason != checks.EnvHTTPProxyInterceptsAPI || cause.Certainty != test.want || cause.Severity != checks.Fail {
			t.Errorf("got %s %s %s first, want %s %s", cause.Severity, cause.Certainty, cause.Reason, test.want, checks.EnvHTTPProxyInterceptsAPI)
		}
	}
}
