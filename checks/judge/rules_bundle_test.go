package judge

import (
	"crypto/x509"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

// firstCause is the reason of the first finding, and how sure it is.
type firstCause struct {
	reason    checks.Reason
	certainty checks.Certainty
}

func firstCauseOf(facts *checks.Facts) firstCause {
	causes := Judge(facts, nil).Diagnosis
	if len(causes) == 0 {
		return firstCause{}
	}
	return firstCause{causes[0].Reason, causes[0].Certainty}
}

func TestABundleIsToldFromAServerThatIsAnothers(t *testing.T) {
	named := func(name string) *pki {
		return newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
	}
	cluster, again, frontProxy, company := newPKI(t), newPKI(t), named("front-proxy-ca"), named("Corporate Proxy CA")
	proxys := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"proxy.example"}, nil }
	// shown has the server show a leaf by an authority where ca.crt holds another.
	shown := func(held *pki, leaf *x509.Certificate) func(*checks.Facts) { return presented(held, leaf) }
	provenBefore := func(f *checks.Facts) {
		f.History = &checks.History{Rounds: 9, ProvenLeaves: []string{"another", last(f).TLS.Chain[0].SHA256}}
	}
	othersProven := func(f *checks.Facts) { f.History = &checks.History{Rounds: 9, ProvenLeaves: []string{"another"}} }
	mountedAlone := func(f *checks.Facts) {
		f.Token.Mounts = []checks.Mount{{Root: "/", Point: "/run/secrets/kubernetes.io/serviceaccount"}, {Root: "/x", Point: "/run/secrets/kubernetes.io/serviceaccount/..2026/ca.crt"}}
	}
	met := func(failure *checks.Failure, leaf string) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			d.Path.Fresh = []checks.FreshConnection{{Leaf: leaf, Status: 200}, {Leaf: "b", Failure: failure}}
		})
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   firstCause
	}{
		{"the certificate was proven before", both(shown(company, cluster.serving()), provenBefore), firstCause{checks.CABundleForeign, checks.Certain}},
		{"the certificate was proven before, and ca.crt has its issuer's name", both(shown(again, cluster.serving()), provenBefore), firstCause{checks.CABundleForeign, checks.Certain}},
		{"another certificate was proven before", both(shown(again, cluster.serving()), othersProven), firstCause{checks.CARotatedSameName, checks.Likely}},
		{"a cluster's authority signed it, and ca.crt is the front proxy's", shown(frontProxy, cluster.serving()), firstCause{checks.CABundleForeign, checks.Likely}},
		{"a cluster's authority signed what is no API server's", shown(frontProxy, cluster.serving(proxys)), firstCause{checks.CAMITMOrWrongEndpoint, checks.Likely}},
		{"a company signed it", shown(cluster, company.serving()), firstCause{checks.CAMITMOrWrongEndpoint, checks.Likely}},
		{"a company signed it, and ca.crt is mounted by itself", both(shown(cluster, company.serving()), mountedAlone), firstCause{checks.CABundleForeign, checks.Likely}},
		{"some connections meet what ca.crt proves", both(shown(frontProxy, cluster.serving()), met(&checks.Failure{Kind: checks.Untrusted}, "a")), firstCause{checks.CertDiffersByReplica, checks.Likely}},
		{"a block of ca.crt is damaged", both(shown(frontProxy, cluster.serving()), func(f *checks.Facts) {
			f.CA.Headers = 2
			f.CA.Blocks = append(f.CA.Blocks, checks.PEMBlock{Type: "CERTIFICATE", Error: "x509: malformed certificate", Malformed: true})
		}), firstCause{checks.CABundlePartiallyParsed, checks.Likely}},
		{"a block of ca.crt is cut off", both(shown(company, again.serving()), func(f *checks.Facts) { f.CA.Headers = 2 }), firstCause{checks.CABundlePartiallyParsed, checks.Likely}},
		{"a block of ca.crt is a key", both(shown(cluster, company.serving()), func(f *checks.Facts) {
			f.CA.Blocks = append(f.CA.Blocks, checks.PEMBlock{Type: "PRIVATE KEY", Error: "a block of this type is passed over"})
		}), firstCause{checks.CAMITMOrWrongEndpoint, checks.Likely}},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			if got := firstCauseOf(facts); got != test.want {
				t.Errorf("the first cause is %v, want %v", got, test.want)
			}
		})
	}
}
