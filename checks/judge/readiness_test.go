package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAServerThatServesBadlyIsHeardOnItself(t *testing.T) {
	ready := func(status int, failed ...string) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			d.Time = noon
			d.API = &checks.DeepAPIFacts{Ready: &checks.Response{Status: status, AuditID: "a", ReceivedAt: noon, FailedParts: failed}}
		})
	}
	failing500 := answeredWith(500, func(*checks.Response) {})
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   string
	}{
		{"what fails is named", both(failing500, ready(500, "etcd", "informer-sync")), "/readyz answered 500, and what failed there is etcd, informer-sync."},
		{"it says that it is ready", both(brokenAt(checks.StageResponse, checks.TimedOut), ready(200)), "not all of it was at fault"},
		{"it tells nobody without a token", both(failing500, ready(401)), ""},
		{"it names nothing", both(failing500, ready(500)), ""},
		{"another answers", both(failing500, ready(500, "etcd", "informer-sync"), func(f *checks.Facts) { f.Deep.API.Ready.AuditID = "" }), ""},
		{"long ago", both(failing500, ready(500, "etcd", "informer-sync"), func(f *checks.Facts) { f.Deep.Time = noon.Add(-2 * pairsHold) }), ""},
		{"what is wrong is not how it serves", both(answeredWith(401, message("Unauthorized"), unfairly), ready(500, "etcd", "informer-sync")), ""},
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

func TestAnAPIServerThatAnswersAndIsNotReady(t *testing.T) {
	said := func(status int, failed ...string) *checks.Response {
		return &checks.Response{Status: status, AuditID: "a", ReceivedAt: noon, FailedParts: failed}
	}
	over := func(response *checks.Response) func(*checks.Facts) {
		return func(f *checks.Facts) { f.API.LongLived = &checks.LongLivedFacts{Address: apiAddress, Ready: response} }
	}
	deep := func(response *checks.Response) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) { d.Time, d.API = noon, &checks.DeepAPIFacts{Ready: response} })
	}
	later := func(response *checks.Response) *checks.Response {
		response.ReceivedAt = noon.Add(time.Second)
		return response
	}
	notReady, well := want{checks.Warn, checks.APIServerNotReady}, want{checks.OK, ""}
	judgeCases(t, checks.API, []verdictCase{
		{"etcd fails", over(said(500, "etcd", "etcd-readiness")), notReady},
		{"etcd fails, as deep probes heard", deep(said(500, "etcd")), notReady},
		{"what it keeps of objects is not there yet", over(said(500, "informer-sync")), notReady},
		{"what it keeps of objects is not there yet, as deep probes heard", deep(said(500, "informer-sync", "poststarthook/rbac/bootstrap-roles")), well},
		{"etcd fails and what it keeps of objects is not there, as deep probes heard", deep(said(500, "etcd", "informer-sync")), notReady},
		{"it is ready", over(said(200)), well},
		{"it names nothing that fails", over(said(500)), well},
		{"it tells nobody", over(said(403)), well},
		{"it is about to end", over(said(500, "shutdown")), well},
		{"another answers", over(func() *checks.Response { r := said(500, "etcd"); r.AuditID = ""; return r }()), well},
		{"it was not ready when deep probes asked, and is now", both(deep(said(500, "etcd")), over(later(said(200)))), well},
		{"it was ready when deep probes asked, and is not now", both(deep(said(200)), over(later(said(500, "etcd")))), notReady},
		{"deep probes heard so long ago", both(deep(said(500, "etcd")), func(f *checks.Facts) { f.Deep.Time = noon.Add(-2 * pairsHold) }), well},
		{"nothing connects any more", both(over(said(500, "etcd")), connectFails(checks.Refused)), want{checks.Fail, checks.TCPRefused}},
	})
}
