package judge

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAnotherCertificateByNameIsToldToWhoGoesByIt(t *testing.T) {
	expired := &checks.Failure{Kind: checks.Untrusted, Message: "tls: failed to verify certificate: x509: certificate has expired"}
	byName := func(leaf string, failure *checks.Failure) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			d.Path.ByName = &checks.TLSFacts{ServerName: checks.ServiceName, Verified: failure == nil, Failure: failure, Chain: []checks.Certificate{{SHA256: leaf}}}
		})
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		told   bool
	}{
		{"no deep probes", func(*checks.Facts) {}, false},
		{"another certificate that is not accepted", byName("another", expired), true},
		{"another certificate that is", byName("another", nil), false},
		{"the same one", func(f *checks.Facts) { byName(last(f).TLS.Chain[0].SHA256, expired)(f) }, false},
		{"one that others meet by address", both(byName("another", expired), freshly(checks.FreshConnection{Leaf: "another", Failure: expired})), false},
		{"silence", byName("another", &checks.Failure{Kind: checks.TimedOut, Message: "i/o timeout"}), false},
		{"another one, an hour ago", both(byName("another", expired), func(f *checks.Facts) { f.Deep.Time = noon.Add(-time.Hour) }), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			report := Judge(facts, nil)
			told := false
			for _, finding := range report.Diagnosis {
				told = told || finding.Reason == checks.CertDiffersBySNI && finding.Certainty == checks.Likely && finding.Severity == checks.Warn
			}
			if told != test.told {
				t.Errorf("got %+v, want %s in it: %t", report.Diagnosis, checks.CertDiffersBySNI, test.told)
			}
			for _, way := range report.Access {
				if fails := test.told && way.Path == checks.REST; way.Works == fails || fails && !strings.Contains(way.Why, "has expired") {
					t.Errorf("%s works: %t, since %q", way.Path, way.Works, way.Why)
				}
			}
		})
	}
}

func TestAnAddressThatGoesByTheNameIsToldToWhoGoesByIt(t *testing.T) {
	stranger := newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "Ingress" })
	proven := deepened(func(d *checks.DeepFacts) {
		d.Path.ByName = &checks.TLSFacts{ServerName: checks.ServiceName, Verified: true, Chain: []checks.Certificate{{SHA256: "proven"}}}
	})
	closed := handshakeFailure(checks.Closed, "EOF")
	for name, test := range map[string]struct {
		change func(*checks.Facts)
		told   bool
	}{
		"one that ends the handshake":                     {both(closed, proven), true},
		"one that has no such name":                       {both(handshakeFailure(checks.OtherFailure, "remote error: tls: unrecognized name"), proven), true},
		"one that shows somebody else's certificate":      {both(presented(newPKI(t), stranger.serving(func(c *x509.Certificate) { c.DNSNames = nil })), proven), true},
		"one that ends it for the name too":               {both(closed, deepened(func(*checks.DeepFacts) {})), false},
		"one that others were answered at by the address": {both(closed, proven, freshly(checks.FreshConnection{Leaf: "proven", Status: 200})), false},
	} {
		facts := healthy(t)
		test.change(facts)
		cause := Judge(facts, nil).Diagnosis[0]
		if got := strings.Contains(strings.Join(cause.Evidence, " "), "the same address proves itself"); got != test.told {
			t.Errorf("%s: that the name leads further is told: %t, want %t (%s: %q)", name, got, test.told, cause.Reason, cause.Evidence)
		}
	}
}
