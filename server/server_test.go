package server

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/checks"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that stands until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func newClock() *clock { return &clock{now: begun()} }

func begun() time.Time { return time.Date(2026, 5, 4, 3, 12, 45, 0, time.UTC) }

// get asks the server's handler for a target, with headers as pairs.
func get(t *testing.T, s *Server, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, request)
	return recorder
}

func compareWithGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func certificate() checks.Certificate {
	return checks.Certificate{
		SHA256: strings.Repeat("0f", 32), Subject: "CN=kubernetes", Issuer: "CN=kubernetes", Serial: "1",
		NotBefore: begun().AddDate(-1, 0, 0), NotAfter: begun().AddDate(9, 0, 0), IsCA: true, PublicKey: "RSA 2048",
	}
}

// healthy is a report with all details.
func healthy() *checks.Report {
	api := netip.MustParseAddr("10.96.0.1")
	nameserver := netip.MustParseAddr("10.96.0.10")
	serving := certificate()
	serving.NotAfter, serving.IsCA, serving.DNSNames = begun().AddDate(1, 0, 0), false, []string{checks.ServiceName}
	root := certificate()
	agrees, skew := true, -0.25
	tls := checks.TLSFacts{
		ServerName: "10.96.0.1", Chain: []checks.Certificate{serving}, Verified: true,
		Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Seconds: 0.004,
	}
	attempt := checks.Attempt{
		URL: "https://10.96.0.1:443/api", Authenticated: true, Seconds: 0.0075,
		Exchanges: []checks.Exchange{{
			Stage: checks.StageDone, Address: netip.AddrPortFrom(api, 443), TLS: &tls,
			Phases:   checks.Phases{ConnectSeconds: 0.001, TLSSeconds: 0.004, FirstByteSeconds: 0.002, BodySeconds: 0.0005},
			Response: &checks.Response{Status: 200, AuditID: "a", Kind: "APIVersions", Versions: []string{"v1"}, BodyBytes: 180, Date: begun(), ReceivedAt: begun()},
		}},
	}
	claims := checks.TokenClaims{
		Issuer: "https://kubernetes.default.svc", Subject: "system:serviceaccount:shop:web", Namespace: "shop", ServiceAccount: "web",
		IssuedAt: begun().Add(-12 * time.Minute), ExpiresAt: begun().AddDate(1, 0, 0), WarnAfter: begun().Add(48 * time.Minute),
	}
	since := begun().Add(-3 * time.Hour)
	return &checks.Report{
		APIVersion: checks.APIVersion, Status: checks.OK, Time: begun(), Round: 721, DurationSeconds: 0.02345,
		Pod: checks.Identity{Name: "web-0", Namespace: "shop", Node: "worker-2", ServiceAccount: "web", UID: "u"},
		Checks: []checks.Result{
			{
				Name: checks.Environment, Status: checks.OK, Message: "the API server is 10.96.0.1, port 443", DurationSeconds: 0.0001, Since: since, Consecutive: 721,
				Details: &checks.EnvironmentDetails{EnvironmentFacts: checks.EnvironmentFacts{ServiceHost: "10.96.0.1", ServicePort: "443", Namespace: "shop"}},
			},
			{
				Name: checks.DNS, Status: checks.OK, Message: "kubernetes.default.svc resolves to 10.96.0.1", DurationSeconds: 0.003, Since: since, Consecutive: 721,
				Details: &checks.DNSDetails{
					DNSFacts: checks.DNSFacts{
						ResolvConf: checks.ResolvConf{Nameservers: []netip.Addr{nameserver}, Ndots: 5, Attempts: 2, TimeoutSeconds: 5},
						Lookup:     checks.Lookup{Name: checks.ServiceName, Addresses: []netip.Addr{api}, Seconds: 0.0025},
					},
					AgreesWithEnvironment: &agrees,
				},
			},
			{
				Name: checks.Token, Status: checks.OK, Message: "the token is 12m0s old", DurationSeconds: 0.0002, Since: since, Consecutive: 721,
				Details: &checks.TokenDetails{TokenFacts: checks.TokenFacts{Claims: &claims}, RotationDueAt: begun().Add(36 * time.Minute)},
			},
			{
				Name: checks.CA, Status: checks.OK, Message: "ca.crt holds 1 certificate", DurationSeconds: 0.0003, Since: since, Consecutive: 721,
				Details: &checks.CADetails{CAFacts: checks.CAFacts{Blocks: []checks.PEMBlock{{Type: "CERTIFICATE", Certificate: &root}}, Headers: 1}, FirstExpiry: &root, LastExpiry: &root},
			},
			{
				Name: checks.TLS, Status: checks.OK, Message: "the chain proves 10.96.0.1", DurationSeconds: 0.004, Since: since, Consecutive: 721,
				Details: &checks.TLSDetails{TLSFacts: tls, Facets: []checks.Facet{{Name: "time", OK: true, Expected: "a valid time", Found: "one"}}},
			},
			{
				Name: checks.API, Status: checks.OK, Message: "GET /api answered 200", DurationSeconds: 0.0075, Since: since, Consecutive: 721,
				Details: &checks.APIDetails{APIFacts: checks.APIFacts{ServiceHost: &attempt, Seconds: 0.0075}, Answered: true, ClockSkewSeconds: &skew},
			},
		},
		Access: []checks.Access{
			{Path: checks.GoClient, Works: true, Why: "https://10.96.0.1:443/api answered 200 to system:serviceaccount:shop:web."},
			{Path: checks.REST, Works: true, Why: "https://kubernetes.default.svc/api (10.96.0.1:443) answered 200 to system:serviceaccount:shop:web."},
		},
	}
}

// failing is a report in which no packet comes back from the API server, and
// the CA warns.
func failing() *checks.Report {
	report := healthy()
	report.Status = checks.Fail
	ca := &report.Checks[3]
	ca.Status, ca.Reason, ca.Message = checks.Warn, checks.CAExpiringSoon, "ca.crt ends in 9 days"
	report.Checks[4] = checks.Result{
		Name: checks.TLS, Status: checks.Skip, Reason: checks.WaitsFor, WaitsFor: checks.API,
		Message: "there is no connection", Since: begun(), Consecutive: 1,
	}
	report.Checks[5] = checks.Result{
		Name: checks.API, Status: checks.Fail, Reason: checks.TCPTimeout, Message: "10.96.0.1:443 did not answer in 5s",
		Expected: "a connection", Found: "none", DurationSeconds: 5, Since: begun().Add(-30 * time.Second), Consecutive: 3,
		Details: &checks.APIDetails{APIFacts: checks.APIFacts{
			ServiceHost: &checks.Attempt{
				URL: "https://10.96.0.1:443/api",
				Exchanges: []checks.Exchange{{
					Stage: checks.StageConnect, Phases: checks.Phases{ConnectSeconds: 5},
					Failure: &checks.Failure{Kind: checks.TimedOut, Message: "i/o timeout"},
				}},
			},
		}},
	}
	report.Diagnosis = []checks.Finding{{
		Reason: checks.TCPTimeout, Check: checks.API, Certainty: checks.Certain, Severity: checks.Fail, Title: "No packet comes back from the API server",
		Evidence:     []string{"A connection to 10.96.0.1:443 got no answer in 5s."},
		Confirm:      []string{"kubectl get pods"},
		Remedy:       []string{"Look for a policy:", "kubectl get networkpolicies --namespace <shop> && true"},
		References:   []string{"https://kubernetes.io/docs/concepts/services-networking/network-policies/"},
		Consequences: []checks.Name{checks.TLS},
	}}
	for i := range report.Access {
		report.Access[i].Works, report.Access[i].Why = false, "10.96.0.1:443 did not answer the connection within 5s."
	}
	return report
}
