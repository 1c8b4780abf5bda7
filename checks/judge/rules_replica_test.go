package judge

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAStrangerAmongTheEndpointsIsToldFromAReplica(t *testing.T) {
	issuer := newPKI(t)
	stranger := newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "node-1-ca@1795000000" })
	named := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, names }
	}
	good := checks.FreshConnection{Leaf: "a", LeafNames: []string{"kubernetes.default.svc"}, Issuer: "CN=kubernetes", Status: 200}
	refused := func(issuer string, names ...string) checks.FreshConnection {
		return checks.FreshConnection{Leaf: "b", LeafNames: names, Issuer: issuer, Failure: &checks.Failure{Kind: checks.Untrusted}}
	}
	kubelet := refused("CN=node-1-ca@1795000000", "node-1")
	fresh := func(connections ...checks.FreshConnection) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) { d.Path.Fresh = connections })
	}
	metStranger := presented(issuer, stranger.serving(named("node-1")))
	for _, test := range []struct {
		name      string
		change    func(*checks.Facts)
		want      checks.Reason
		certainty checks.Certainty
		severity  checks.Status
	}{
		{"a kubelet that signs for itself", both(metStranger, fresh(good, kubelet, good)), checks.CAMITMOrWrongEndpoint, checks.Likely, checks.Fail},
		{"a kubelet that signs for itself, which the round did not meet", fresh(good, kubelet, good), checks.CAMITMOrWrongEndpoint, checks.Likely, checks.Warn},
		{"a kubelet that signs for itself, beside a replica that has expired", fresh(good, refused("CN=kubernetes", "kubernetes"), kubelet), checks.CAMITMOrWrongEndpoint, checks.Likely, checks.Warn},
		{"a kubelet that signs for itself, in some rounds", both(metStranger, lately("+-++-+")), checks.CAMITMOrWrongEndpoint, checks.Likely, checks.Fail},
		{"a kubelet that signs for itself, by every connection", both(metStranger, fresh(kubelet, kubelet)), checks.CAMITMOrWrongEndpoint, checks.Likely, checks.Fail},
		{"a kubelet whose certificate is of the cluster's authority", fresh(good, refused("CN=kubernetes", "node-1"), good), checks.CertDiffersByReplica, checks.Likely, checks.Warn},
		{"such a kubelet, which the round met", both(presented(issuer, issuer.serving(named("node-1"))), fresh(good, refused("CN=kubernetes", "node-1"))), checks.CertDiffersByReplica, checks.Likely, checks.Fail},
		{"an API server", fresh(good, refused("CN=kubernetes", "kubernetes", "kubernetes.default.svc"), good), checks.CertDiffersByReplica, checks.Certain, checks.Warn},
		{"an API server, which the round met", both(presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) })), fresh(good, refused("CN=kubernetes", serviceHost))), checks.CertDiffersByReplica, checks.Certain, checks.Fail},
		{"an API server that does not send the authority between", fresh(good, refused("CN=kubernetes issuing 2", "kubernetes"), good), checks.CertDiffersByReplica, checks.Certain, checks.Warn},
		{"an API server of a new authority with another name", fresh(good, refused("CN=k3s-server-ca@1795000000", "kubernetes", "kubernetes.default.svc"), good), checks.CertDiffersByReplica, checks.Likely, checks.Warn},
		{"somebody, where ca.crt has more than is looked at", both(metStranger, fresh(good, kubelet, good), func(f *checks.Facts) { f.CA.Omitted = 1 }), checks.CertDiffersByReplica, checks.Likely, checks.Fail},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			diagnosis := Judge(facts, nil).Diagnosis
			if len(diagnosis) == 0 {
				t.Fatal("nothing is told")
			}
			if got := diagnosis[0]; got.Reason != test.want || got.Certainty != test.certainty || got.Severity != test.severity {
				t.Errorf("got %s %s %s, want %s %s %s: %q", got.Severity, got.Reason, got.Certainty, test.severity, test.want, test.certainty, got.Evidence)
			}
		})
	}
}

// TestWhatIsWrongWithTheAPIServerIsNotLaidToAStranger whom other connections met.
func TestWhatIsWrongWithTheAPIServerIsNotLaidToAStranger(t *testing.T) {
	facts := healthy(t)
	issuer := newPKI(t)
	facts.CA.Blocks = []checks.PEMBlock{block(told(facts, issuer.cert))}
	last(facts).TLS.Chain = []checks.Certificate{told(facts, issuer.serving(func(c *x509.Certificate) { c.DNSNames = nil }))}
	deepened(func(d *checks.DeepFacts) {
		d.Path.Fresh = []checks.FreshConnection{
			{Leaf: "a", Issuer: "CN=kubernetes", Status: 200},
			{Leaf: "b", Issuer: "CN=stranger", LeafNames: []string{"node-1"}, Failure: &checks.Failure{Kind: checks.Untrusted}},
		}
	})(facts)
	for _, finding := range Judge(facts, nil).Diagnosis {
		for _, told := range finding.Evidence {
			if told == "All else in it is for whoever has it." {
				t.Errorf("%s is told with %q", finding.Reason, told)
			}
		}
	}
}

func TestAnAPIServerThatFailsIsToldFromAllThatDo(t *testing.T) {
	fresh := func(statuses ...int) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			for _, status := range statuses {
				d.Path.Fresh = append(d.Path.Fresh, checks.FreshConnection{Leaf: "a", Status: status})
			}
		})
	}
	for name, test := range map[string]struct {
		change func(*checks.Facts)
		told   bool
	}{
		"some do": {fresh(200, 500, 200, 500), true},
		"all do":  {fresh(500, 500, 500), false},
	} {
		facts := healthy(t)
		both(answeredWith(500), test.change)(facts)
		cause := Judge(facts, nil).Diagnosis[0]
		if got := strings.Contains(strings.Join(cause.Evidence, " "), "Of 4 connections"); cause.Reason != checks.HTTP500Internal || got != test.told {
			t.Errorf("%s: got %s, and that others are answered is told: %t (%q), want %s, %t", name, cause.Reason, got, cause.Evidence, checks.HTTP500Internal, test.told)
		}
	}
}
