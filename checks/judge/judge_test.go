package judge

import (
	"crypto/x509"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestHealthyFactsGiveAHealthyReport(t *testing.T) {
	report := Judge(healthy(t), nil)
	if report.Status != checks.OK || len(report.Diagnosis) != 0 {
		t.Fatalf("got status %s with %v, want ok with nothing to say", report.Status, report.Diagnosis)
	}
	for _, result := range report.Checks {
		if result.Status != checks.OK || result.Message == "" || result.Details == nil {
			t.Errorf("%s: got %s %q with details %v, want ok with a sentence and details", result.Name, result.Status, result.Message, result.Details)
		}
	}
	want := checks.Identity{Name: "web-0", Namespace: "shop", Node: "node-1", ServiceAccount: "web", UID: podUID}
	if diff := cmp.Diff(want, report.Pod); diff != "" {
		t.Errorf("the pod differs (-want +got):\n%s", diff)
	}
}

func TestTheSameFactsGiveTheSameReport(t *testing.T) {
	facts := healthy(t)
	facts.Token = nil
	facts.Panics = map[checks.Name]string{checks.Token: "index out of range"}
	if diff := cmp.Diff(encoded(t, Judge(facts, nil)), encoded(t, Judge(facts, nil))); diff != "" {
		t.Errorf("two reports differ:\n%s", diff)
	}
}

func TestFactsSavedAsJSONGiveTheSameReport(t *testing.T) {
	facts := healthy(t)
	last(facts).TLS.Verified = false
	last(facts).Stage = checks.StageTLS
	last(facts).TLS.Failure = &checks.Failure{Kind: checks.Untrusted, Message: "x509"}
	var loaded checks.Facts
	if err := json.Unmarshal([]byte(encoded(t, facts)), &loaded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(encoded(t, Judge(facts, nil)), encoded(t, Judge(&loaded, nil))); diff != "" {
		t.Errorf("the report of saved facts differs (-want +got):\n%s", diff)
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAPanicIsTheFailingOfItsOwnCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		failed checks.Name
	}{
		{"while it observed", func(f *checks.Facts) {
			f.DNS, f.Panics = nil, map[checks.Name]string{checks.DNS: "index out of range"}
		}, checks.DNS},
		{"while it judged", func(f *checks.Facts) { f.CA = nil }, checks.CA},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			for _, result := range Judge(facts, nil).Checks {
				want := checks.OK
				if result.Name == test.failed {
					want = checks.Fail
				}
				if result.Status != want {
					t.Errorf("%s: got %s (%s), want %s", result.Name, result.Status, result.Reason, want)
				}
			}
		})
	}
}

func TestAStatusThatHoldsIsCountedAcrossReasons(t *testing.T) {
	first := healthy(t)
	last(first).Response.Status = 500
	report := Judge(first, nil)

	second := healthy(t)
	second.Time = noon.Add(15 * time.Second)
	last(second).Response.Status = 418
	report = Judge(second, report)
	api, _ := report.Result(checks.API)
	if api.Consecutive != 2 || !api.Since.Equal(noon) || report.Round != 2 {
		t.Errorf("got %d in a row since %s in round %d, want 2 since %s in round 2", api.Consecutive, api.Since, report.Round, noon)
	}

	third := healthy(t)
	third.Time = noon.Add(30 * time.Second)
	api, _ = Judge(third, report).Result(checks.API)
	if api.Consecutive != 1 || !api.Since.Equal(third.Time) {
		t.Errorf("recovered: got %d in a row since %s, want 1 since %s", api.Consecutive, api.Since, third.Time)
	}
}

func TestACheckThatIsLeftOutIsNotInTheReport(t *testing.T) {
	facts := healthy(t)
	facts.Skipped = []checks.Name{checks.DNS}
	facts.DNS = nil
	report := Judge(facts, nil)
	if _, found := report.Result(checks.DNS); found || report.Status != checks.OK {
		t.Errorf("got a result for dns, or status %s, want neither", report.Status)
	}
}

func TestTheDiagnosisNamesTheCauseAndWhatFollowsFromIt(t *testing.T) {
	facts := healthy(t)
	*last(facts) = checks.Exchange{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.Refused, Message: "connection refused"}}
	facts.Token.SurroundingSpace = true
	report := Judge(facts, nil)
	if len(report.Diagnosis) != 2 {
		t.Fatalf("got %d findings, want the refused connection and the white space", len(report.Diagnosis))
	}
	cause := report.Diagnosis[0]
	if cause.Reason != checks.TCPRefused || cause.Severity != checks.Fail || len(cause.Remedy) == 0 || len(cause.Evidence) == 0 {
		t.Errorf("got %+v first, want %s with evidence and remedy", cause, checks.TCPRefused)
	}
	if diff := cmp.Diff([]checks.Name{checks.TLS}, cause.Consequences); diff != "" {
		t.Errorf("the consequences differ (-want +got):\n%s", diff)
	}
	if second := report.Diagnosis[1]; second.Reason != checks.TokenTrailingNewline || second.Severity != checks.Warn {
		t.Errorf("got %s second, want %s", second.Reason, checks.TokenTrailingNewline)
	}
}

func BenchmarkJudgeHealthy(b *testing.B) {
	facts := healthy(b)
	b.ReportAllocs()
	for b.Loop() {
		Judge(facts, nil)
	}
}

// BenchmarkJudgeAllThatIsWrong judges what costs most: a chain of which each facet
// is parsed, a lookup that failed, deep probes and a whole history.
func BenchmarkJudgeAllThatIsWrong(b *testing.B) {
	facts := healthy(b)
	issuer := newPKI(b)
	both(
		presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) })),
		unresolved(broken(checks.TimedOut), broken(checks.TimedOut)),
		lately("+-++-+-+++++-++-+-++"),
		deepened(func(d *checks.DeepFacts) {
			d.DNS.Nameservers = []checks.NameserverFacts{{Address: dnsAddress, UDP: silence(), TCP: silence()}}
			d.Path.Fresh = []checks.FreshConnection{{Leaf: "a", Status: 200}, {Leaf: "b", Failure: &checks.Failure{Kind: checks.Untrusted}}}
			d.Path.Controls = []checks.Control{control(checks.ControlNode, "10.244.0.1:443", checks.Refused)}
		}),
	)(facts)
	b.ReportAllocs()
	for b.Loop() {
		Judge(facts, nil)
	}
}
