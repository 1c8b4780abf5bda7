package judge

import (
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAServerThatServesBadlyIsHeardOnItself(t *testing.T) {
	ready := func(status int, body string) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			d.Time = noon
			d.API = &checks.DeepAPIFacts{Ready: &checks.Response{Status: status, AuditID: "a", BodyStart: body}}
		})
	}
	failing500 := answeredWith(500, func(*checks.Response) {})
	const body = "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\n[+]poststarthook/a ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n"
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   string
	}{
		{"what fails is named", both(failing500, ready(500, body)), "/readyz answered 500, and what failed there is etcd, informer-sync."},
		{"it says that it is ready", both(brokenAt(checks.StageResponse, checks.TimedOut), ready(200, "ok")), "not all of it was at fault"},
		{"it tells nobody without a token", both(failing500, ready(401, "")), ""},
		{"it names nothing", both(failing500, ready(500, "readyz check failed")), ""},
		{"another answers", both(failing500, ready(500, body), func(f *checks.Facts) { f.Deep.API.Ready.AuditID = "" }), ""},
		{"long ago", both(failing500, ready(500, body), func(f *checks.Facts) { f.Deep.Time = noon.Add(-2 * pairsHold) }), ""},
		{"what is wrong is not how it serves", both(answeredWith(401, message("Unauthorized"), unfairly), ready(500, body)), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			finding := Judge(facts, nil).Diagnosis[0]
			got := strings.Join(finding.Evidence, " ")
			if test.want == "" && strings.Contains(got, "readyz") || !strings.Contains(got, test.want) {
				t.Errorf("%s: got the evidence %q, want %q in it", finding.Reason, got, test.want)
			}
		})
	}
}
