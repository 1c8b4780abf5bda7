package browser_test

import (
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func (s suite) aHealthyPodsPageIsComplete(t *testing.T) {
	t.Parallel()
	page, got, report := s.openWith(t, s.pod(t))
	if report.Status != checks.OK {
		t.Fatalf("the report is %s: %v", report.Status, report.Diagnosis)
	}
	isComplete(t, got, report, "")
	copies(t, got)
	page.weighsLittle()
}

func (s suite) eachLinkThatBreaksIsMarked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faults []string
		broken checks.Name
		causes []checks.Reason
	}{
		{"the environment", []string{"env-service-host-invalid"}, checks.Environment, []checks.Reason{checks.EnvServiceHostInvalid}},
		{"the variables", []string{"env-service-vars-missing"}, checks.Environment, []checks.Reason{checks.EnvServiceVarsMissing}},
		{"DNS", []string{"dns-nxdomain-wrong-cluster-domain"}, checks.DNS, []checks.Reason{checks.DNSNXDomainWrongClusterDomain}},
		{"the token", []string{"token-expired"}, checks.Token, []checks.Reason{checks.TokenExpired}},
		{"ca.crt", []string{"ca-file-missing"}, checks.CA, []checks.Reason{checks.CAFileMissing}},
		{"the authority", []string{"ca-rotated-same-name"}, checks.TLS, []checks.Reason{checks.CARotatedSameName}},
		{"the certificate", []string{"cert-serving-expired"}, checks.TLS, []checks.Reason{checks.CertServingExpired}},
		{"the connection", []string{"tcp-refused"}, checks.API, []checks.Reason{checks.TCPRefused}},
		{"the answer", []string{"http-403-anonymous"}, checks.API, []checks.Reason{checks.HTTP403Anonymous}},
		{"the kubectl proxy", []string{"kproxy-down"}, checks.KubectlProxy, []checks.Reason{checks.KProxyDown}},
		{"a warning alone", []string{"token-rotation-stalled"}, "", []checks.Reason{checks.TokenRotationStalled}},
		{
			"two at once",
			[]string{"token-rotation-stalled", "cert-serving-expired"},
			checks.TLS,
			[]checks.Reason{checks.CertServingExpired, checks.TokenRotationStalled},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page, got, report := s.openWith(t, s.pod(t, test.faults...))
			for i, reason := range test.causes {
				if i >= len(report.Diagnosis) || report.Diagnosis[i].Reason != reason {
					t.Fatalf("the diagnosis is %v, want %v", report.Diagnosis, test.causes)
				}
			}
			isComplete(t, got, report, test.broken)
			copies(t, got)
			page.weighsLittle()
			s.isAccessible(page)
		})
	}
}

func (s suite) withoutJavaScriptThePageIsComplete(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faults []string
		broken checks.Name
	}{
		{"healthy", nil, ""},
		{"failing", []string{"cert-serving-expired"}, checks.TLS},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page, got, report := s.openWith(t, s.pod(t, test.faults...), withoutScripts())
			isComplete(t, got, report, test.broken)
			page.weighsLittle()
			if got.Buttons != 0 {
				t.Errorf("the page has %d buttons, which do nothing without a script", got.Buttons)
			}
			if live.MatchString(got.Live) {
				t.Errorf("the page says %q, and nothing keeps it so", got.Live)
			}
		})
	}
}
