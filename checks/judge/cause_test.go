package judge

import (
	"crypto/x509"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestACauseStandsBeforeWhatItExplains(t *testing.T) {
	refusedAt := func(address string) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.Environment.ServiceHost = "10.96.0.10"
			*last(f) = checks.Exchange{
				Stage: checks.StageConnect, Address: netip.MustParseAddrPort(address),
				Failure: &checks.Failure{Kind: checks.Refused, Message: "connection refused"},
			}
		}
	}
	byNameRefused := func(f *checks.Facts) {
		f.DNS.Lookup.Addresses = []netip.Addr{netip.MustParseAddr("10.96.0.99")}
		f.API.ByName = &checks.Attempt{URL: "https://kubernetes.default.svc/api", Exchanges: []checks.Exchange{{
			Stage: checks.StageConnect, Address: netip.MustParseAddrPort("10.96.0.99:443"),
			Failure: &checks.Failure{Kind: checks.Refused, Message: "connection refused"},
		}}}
	}
	stranger := newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "stranger" })
	type told struct {
		Reason    checks.Reason
		Severity  checks.Status
		Certainty checks.Certainty
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   []told
	}{
		{"an overridden host that leads elsewhere", refusedAt("10.96.0.10:443"), []told{
			{checks.EnvServiceHostOverridden, checks.Fail, checks.Likely},
			{checks.TCPRefused, checks.Fail, checks.Likely},
			{checks.DNSAnswerDisagreesWithEnv, checks.Warn, checks.Certain},
		}},
		{"an overridden host that leads to the API server all the same", refusedAt("10.96.0.1:443"), []told{
			{checks.TCPRefused, checks.Fail, checks.Likely},
			{checks.EnvServiceHostOverridden, checks.Warn, checks.Certain},
			{checks.DNSAnswerDisagreesWithEnv, checks.Warn, checks.Certain},
		}},
		{"an overridden port", func(f *checks.Facts) {
			f.Environment.ServicePort, f.Environment.ServicePortHTTPS = "444", "443"
			*last(f) = checks.Exchange{
				Stage: checks.StageConnect, Address: netip.MustParseAddrPort("10.96.0.1:444"),
				Failure: &checks.Failure{Kind: checks.Refused, Message: "connection refused"},
			}
		}, []told{
			{checks.EnvServicePortOverridden, checks.Fail, checks.Likely},
			{checks.TCPRefused, checks.Fail, checks.Likely},
		}},
		{"an overridden port, where DNS leads to the one that kubelet set", func(f *checks.Facts) {
			f.API.ByName = f.API.ServiceHost
			f.Environment.ServicePort, f.Environment.ServicePortHTTPS = "444", "443"
			f.API.ServiceHost = &checks.Attempt{URL: "https://10.96.0.1:444/api", Exchanges: []checks.Exchange{{
				Stage: checks.StageConnect, Address: netip.MustParseAddrPort("10.96.0.1:444"),
				Failure: &checks.Failure{Kind: checks.Refused, Message: "connection refused"},
			}}}
		}, []told{
			{checks.EnvServicePortOverridden, checks.Fail, checks.Likely},
			{checks.TCPRefused, checks.Fail, checks.Likely},
		}},
		{"another address in the DNS", byNameRefused, []told{
			{checks.DNSAnswerDisagreesWithEnv, checks.Warn, checks.Certain},
			{checks.APIByNameFailing, checks.Warn, checks.Likely},
		}},
		{"a wildcard in a search domain", both(byNameRefused, func(f *checks.Facts) {
			f.DNS.Lookup.Answered = "kubernetes.default.svc.corp.example."
		}), []told{
			{checks.DNSSearchWildcardHijack, checks.Warn, checks.Likely},
			{checks.APIByNameFailing, checks.Warn, checks.Likely},
		}},
		{"a wildcard in a search domain, and the cluster's own name beside it", both(byNameRefused, func(f *checks.Facts) {
			f.DNS.Lookup.Answered = "kubernetes.default.svc.corp.example."
		}, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1")})), []told{
			{checks.DNSSearchWildcardHijack, checks.Warn, checks.Certain},
			{checks.APIByNameFailing, checks.Warn, checks.Likely},
		}},
		{"another address in the hosts file", both(byNameRefused, func(f *checks.Facts) { f.DNS.Lookup.FromHosts = true }), []told{
			{checks.DNSHostsFileOverride, checks.Warn, checks.Certain},
			{checks.DNSAnswerDisagreesWithEnv, checks.Warn, checks.Certain},
			{checks.APIByNameFailing, checks.Warn, checks.Likely},
		}},
		{"a proxy variable that the kubectl proxy heeds", func(f *checks.Facts) {
			f.Environment.HTTPSProxy = "http://127.0.0.1:3128"
			f.KubectlProxy = &checks.KubectlProxyFacts{Attempt: checks.Attempt{URL: "http://127.0.0.1:8001/api", Exchanges: []checks.Exchange{{
				Stage:    checks.StageDone,
				Response: &checks.Response{Status: 500, ContentType: "text/plain", BodyStart: "proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused"},
			}}}}
		}, []told{
			{checks.EnvHTTPProxyInterceptsAPI, checks.Fail, checks.Likely},
			{checks.KProxyUpstreamError, checks.Fail, checks.Certain},
		}},
		{"a stranger's certificate with a stranger's names", presented(newPKI(t), stranger.serving(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"node-1"}
		})), []told{
			{checks.CAMITMOrWrongEndpoint, checks.Fail, checks.Likely},
			{checks.CertNoIPSANOrCNOnly, checks.Fail, checks.Likely},
			{checks.CertSANMissingDNSName, checks.Warn, checks.Likely},
		}},
		{"a stranger's certificate that has expired", presented(newPKI(t), stranger.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) })), []told{
			{checks.CAMITMOrWrongEndpoint, checks.Fail, checks.Likely},
			{checks.CertServingExpired, checks.Fail, checks.Likely},
		}},
		{"a bundle that a kubectl proxy takes nothing of", both(beside(sidecar, saying(500, plain, "tls: failed to verify certificate: x509: certificate signed by unknown authority")), func(f *checks.Facts) {
			f.CA.Blocks, f.CA.Headers = append(f.CA.Blocks, checks.PEMBlock{Type: "CERTIFICATE", Error: "x509: malformed certificate", Malformed: true}), 2
		}), []told{
			{checks.CABundlePartiallyParsed, checks.Fail, checks.Certain},
			{checks.KProxyUpstreamError, checks.Fail, checks.Certain},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			var got []told
			for _, finding := range Judge(facts, nil).Diagnosis {
				got = append(got, told{finding.Reason, finding.Severity, finding.Certainty})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("diagnosis (-want +got):\n%s", diff)
			}
		})
	}
}
