package alerts_test

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
)

// TestAlertsAndAgentsWarnOfACertificateAtTheSameTime judges a certificate with a
// little more of its lifetime left than the alert's threshold, and one with a
// little less.
func TestAlertsAndAgentsWarnOfACertificateAtTheSameTime(t *testing.T) {
	for _, test := range []struct {
		alert  string
		check  checks.Name
		reason checks.Reason
		seen   func(checks.Certificate, *checks.Facts)
	}{
		{"LifelineCAExpiring", checks.CA, checks.CAExpiringSoon, func(certificate checks.Certificate, facts *checks.Facts) {
			certificate.IsCA = true
			facts.CA = &checks.CAFacts{Headers: 1, Blocks: []checks.PEMBlock{{Type: "CERTIFICATE", Certificate: &certificate}}}
		}},
		{"LifelineServingCertificateExpiring", checks.TLS, checks.CertExpiringSoon, func(certificate checks.Certificate, facts *checks.Facts) {
			handshake := &checks.TLSFacts{Verified: true, Chain: []checks.Certificate{certificate}}
			facts.API = &checks.APIFacts{ServiceHost: &checks.Attempt{Exchanges: []checks.Exchange{{TLS: handshake}}}}
		}},
	} {
		t.Run(test.alert, func(t *testing.T) {
			threshold := warningThreshold(t, test.alert)
			for _, left := range []struct {
				part float64
				want checks.Reason
			}{{threshold + 0.0001, ""}, {threshold - 0.0001, test.reason}} {
				const lifetime = 1000 * time.Hour
				now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
				end := now.Add(time.Duration(left.part * float64(lifetime)))
				facts := &checks.Facts{
					Time:    now,
					Skipped: slices.DeleteFunc(checks.Names(), func(name checks.Name) bool { return name == test.check }),
				}
				test.seen(checks.Certificate{Subject: "CN=kubernetes", NotBefore: end.Add(-lifetime), NotAfter: end}, facts)
				result, _ := judge.Judge(facts, nil).Result(test.check)
				if result.Reason != left.want {
					t.Errorf("with %.4f of its lifetime left: got the reason %q, want %q", left.part, result.Reason, left.want)
				}
			}
		})
	}
}

// warningThreshold is what the expression of an alert compares with where its
// severity is a warning.
func warningThreshold(t *testing.T, alert string) float64 {
	t.Helper()
	for _, rule := range readRules(t).all() {
		if rule.Alert != alert || rule.Labels["severity"] != "warning" {
			continue
		}
		compared := regexp.MustCompile(`< (0\.\d+)`).FindStringSubmatch(rule.Expr)
		if compared == nil {
			t.Fatalf("%s compares with nothing: %s", alert, rule.Expr)
		}
		threshold, err := strconv.ParseFloat(compared[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return threshold
	}
	t.Fatalf("there is no warning %s", alert)
	return 0
}
