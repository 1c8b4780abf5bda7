package observe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestEachFaultStopsTheWaysThatItIsOn injects faults that clients meet
// differently, with a sidecar that has its own files.
func TestEachFaultStopsTheWaysThatItIsOn(t *testing.T) {
	const all = "go-client python-client rest kubectl-proxy"
	for fault, want := range map[string]string{
		"":                                all,
		"env-service-vars-missing":        "rest kubectl-proxy",
		"env-service-host-invalid":        "rest kubectl-proxy",
		"env-http-proxy-intercepts-api":   "kubectl-proxy",
		"dns-service-no-endpoints":        "go-client python-client kubectl-proxy",
		"dns-hosts-file-override":         all,
		"token-empty":                     "kubectl-proxy",
		"token-expired":                   "kubectl-proxy",
		"token-trailing-newline":          "go-client rest kubectl-proxy",
		"ca-file-missing":                 "kubectl-proxy",
		"ca-bundle-partially-parsed":      "go-client kubectl-proxy",
		"cert-san-missing-dns-name":       "go-client python-client kubectl-proxy",
		"cert-san-missing-service-host":   "rest",
		"cert-serving-expired":            "",
		"tcp-refused":                     "",
		"http-403-discovery-rbac-removed": all,
		"http-500-internal":               "",
		"kproxy-down":                     "go-client python-client rest",
		"kproxy-forbidden":                all,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			pretend, observer := start(t)
			if fault != "" {
				if err := pretend.Inject(fault); err != nil {
					t.Fatal(err)
				}
			}
			look(pretend, observer)
			observer.KubectlProxyURL = pretend.KubectlProxyURL()
			report := judged(observer.Observe(t.Context()))
			var works []string
			for _, way := range report.Access {
				if way.Works {
					works = append(works, way.Path)
				}
			}
			if got := strings.Join(works, " "); got != want {
				t.Errorf("these work: %q, want %q\n%+v", got, want, report.Access)
			}
			if got, want := len(report.Access), 4; got != want {
				t.Errorf("of %d ways it is told whether they work, want %d", got, want)
			}
		})
	}
}

// TestDeepProbesTellWhichProxyIsAWay goes by those of the sandbox, without asking the
// API server more than one that answers is.
func TestDeepProbesTellWhichProxyIsAWay(t *testing.T) {
	for fault, want := range map[string]struct {
		status checks.Status
		works  string
	}{
		"env-http-proxy-intercepts-api": {checks.Fail, "kubectl-proxy"},
		"env-http-proxy-refuses":        {checks.Fail, "kubectl-proxy"},
		"env-http-proxy-inspects-tls":   {checks.Fail, "kubectl-proxy"},
		"env-http-proxy-carries":        {checks.Warn, "go-client python-client rest kubectl-proxy"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			pretend, observer := start(t)
			if err := pretend.Inject(fault); err != nil {
				t.Fatal(err)
			}
			look(pretend, observer)
			observer.KubectlProxyURL = pretend.KubectlProxyURL()
			facts := observer.Observe(t.Context())
			facts.Deep = observer.DeepDNS(t.Context(), facts)
			report := judged(facts)
			var works []string
			for _, way := range report.Access {
				if way.Works {
					works = append(works, way.Path)
				}
			}
			if got := strings.Join(works, " "); report.Status != want.status || got != want.works {
				t.Errorf("got %s and these work: %q, want %s and %q\n%s%+v", report.Status, got, want.status, want.works, summary(report), report.Access)
			}
			tellsNoToken(t, pretend.Pod().TokenFile(), facts.Deep)
		})
	}
}

// TestTheNameIsTriedWhereItAloneIsProven has the certificate name the Service
// and not its address, which DNS gives for the name as well.
func TestTheNameIsTriedWhereItAloneIsProven(t *testing.T) {
	for fault, want := range map[string]bool{
		"cert-san-missing-service-host": true,
		// Neither an expired certificate nor that of a stranger proves the name.
		"cert-serving-expired":      false,
		"ca-mitm-or-wrong-endpoint": false,
		"cert-san-missing-dns-name": false,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			pretend, observer := start(t)
			if err := pretend.Inject(fault); err != nil {
				t.Fatal(err)
			}
			facts := observer.Observe(t.Context())
			if got := facts.API.ByName != nil; got != want {
				t.Errorf("the name was tried: %t, want %t", got, want)
			}
			if want && facts.API.ByName.Last().Response.Status != 200 {
				t.Errorf("by name: got %+v, want an answer", facts.API.ByName.Last())
			}
		})
	}
}

func TestASkippedKubectlProxyIsNotAsked(t *testing.T) {
	pretend, observer := start(t)
	observer.KubectlProxyURL, observer.Skip = pretend.KubectlProxyURL(), []checks.Name{checks.KubectlProxy}
	if facts := observer.Observe(t.Context()); facts.KubectlProxy != nil {
		t.Errorf("got %+v, want nothing", facts.KubectlProxy)
	}
}

func TestASilentKubectlProxyDoesNotHoldTheRoundUp(t *testing.T) {
	pretend, observer := start(t)
	if err := pretend.Inject("kproxy-timeout"); err != nil {
		t.Fatal(err)
	}
	look(pretend, observer)
	observer.Timeout = silence
	began := time.Now()
	facts := observer.Observe(t.Context())
	if took := time.Since(began); took > 2*observer.Timeout+slack {
		t.Errorf("the round took %s, more than two time limits of %s", took, observer.Timeout)
	}
	if last := facts.KubectlProxy.Attempt.Last(); last.Failure == nil || last.Failure.Kind != checks.TimedOut || last.Stage != checks.StageResponse {
		t.Errorf("got %+v, want a response that timed out", last)
	}
}
