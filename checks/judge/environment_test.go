package judge

import (
	"net/netip"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestEnvironment(t *testing.T) {
	judgeCases(t, checks.Environment, []verdictCase{
		{"an IPv6 address is in order", func(f *checks.Facts) {
			f.Environment.ServiceHost, f.Environment.ServiceAddress, f.Environment.ServiceLink = "fd00::1", "fd00::1", "tcp://[fd00::1]:443"
		}, want{checks.OK, ""}},
		{"no variables", func(f *checks.Facts) { f.Environment.ServiceHost, f.Environment.ServicePort = "", "" }, want{checks.Fail, checks.EnvServiceVarsMissing}},
		{"no host", func(f *checks.Facts) { f.Environment.ServiceHost = "" }, want{checks.Fail, checks.EnvServiceVarsMissing}},
		{"no port", func(f *checks.Facts) { f.Environment.ServicePort = "" }, want{checks.Fail, checks.EnvServiceVarsMissing}},
		{"a bracketed address", func(f *checks.Facts) { f.Environment.ServiceHost = "[fd00::1]" }, want{checks.Fail, checks.EnvServiceHostInvalid}},
		{"an address as old programs write it", func(f *checks.Facts) { f.Environment.ServiceHost = "127.1" }, want{checks.Fail, checks.EnvServiceHostInvalid}},
		{"an address with a zone", func(f *checks.Facts) { f.Environment.ServiceHost = "fe80::1%eth0" }, want{checks.Fail, checks.EnvServiceHostInvalid}},
		{"a URL as host", func(f *checks.Facts) { f.Environment.ServiceHost = "https://10.96.0.1" }, want{checks.Fail, checks.EnvServiceHostInvalid}},
		{"a port with its protocol, as a Service named kubernetes would give", func(f *checks.Facts) { f.Environment.ServicePort = "tcp://10.96.0.1:443" }, want{checks.Fail, checks.EnvServicePortInvalid}},
		{"port zero", func(f *checks.Facts) { f.Environment.ServicePort = "0" }, want{checks.Fail, checks.EnvServicePortInvalid}},
		{"another address than kubelet's", func(f *checks.Facts) { f.Environment.ServiceHost = "10.0.0.9" }, want{checks.Warn, checks.EnvServiceHostOverridden}},
		{"a name in place of the address", func(f *checks.Facts) { f.Environment.ServiceHost = "api.example.com" }, want{checks.Warn, checks.EnvServiceHostOverridden}},
		{"a proxy for everything", func(f *checks.Facts) { f.Environment.HTTPSProxy = "http://proxy.example:3128" }, want{checks.Warn, checks.EnvHTTPProxyInterceptsAPI}},
		{"a proxy that leaves out names only", func(f *checks.Facts) {
			f.Environment.HTTPSProxy, f.Environment.NoProxy = "http://proxy.example:3128", ".svc,.cluster.local"
		}, want{checks.Warn, checks.EnvHTTPProxyInterceptsAPI}},
		{"a proxy that leaves out the service network", func(f *checks.Facts) {
			f.Environment.HTTPSProxy, f.Environment.NoProxy = "http://proxy.example:3128", "10.96.0.0/12"
		}, want{checks.OK, ""}},
		{"no namespace file", func(f *checks.Facts) { f.Environment.NamespaceFile.Problem = checks.FileMissing }, want{checks.Warn, checks.EnvNamespaceFileMissing}},
		{"no namespace file since nothing is mounted", func(f *checks.Facts) {
			f.Environment.NamespaceFile.Problem, f.Token.Directory.Problem = checks.FileMissing, checks.FileMissing
		}, want{checks.OK, ""}},
		{"a namespace file that is a directory", func(f *checks.Facts) {
			f.Environment.NamespaceFile.Problem, f.Environment.NamespaceFile.Mode = checks.FileIrregular, "drwxr-xr-x"
		}, want{checks.Warn, checks.EnvNamespaceFileUnreadable}},
		{"a namespace file with rubbish", func(f *checks.Facts) { f.Environment.Namespace = "not a name" }, want{checks.Warn, checks.EnvNamespaceFileNotANamespace}},
	})
}

func TestOfTwoVariablesTheOneThatAThirdSpeaksAgainstWasOverridden(t *testing.T) {
	host := func(host, address, link string) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.Environment.ServiceHost, f.Environment.ServiceAddress, f.Environment.ServiceLink = host, address, link
			f.DNS.Lookup.Addresses = []netip.Addr{netip.MustParseAddr("10.96.0.1")}
		}
	}
	port := func(port, https, link string) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.Environment.ServicePort, f.Environment.ServicePortHTTPS, f.Environment.ServiceLink = port, https, link
		}
	}
	for _, test := range []struct {
		name      string
		change    func(*checks.Facts)
		want      checks.Reason
		certainty checks.Certainty
	}{
		{"the host is another", host("10.0.0.9", "10.96.0.1", "tcp://10.96.0.1:443"), checks.EnvServiceHostOverridden, checks.Certain},
		{"the host is a name, which kubelet never writes", host("api.example.com", "10.96.0.1", ""), checks.EnvServiceHostOverridden, checks.Certain},
		{"one of two hosts is another, and there is no third", host("10.0.0.9", "10.96.0.1", ""), checks.EnvServiceHostOverridden, checks.Likely},
		{"all three hosts differ", host("10.0.0.9", "10.96.0.1", "tcp://10.0.0.8:443"), checks.EnvServiceHostOverridden, checks.Likely},
		{"the third is no link", host("10.0.0.9", "10.96.0.1", "443"), checks.EnvServiceHostOverridden, checks.Likely},
		{"the address is another", host("10.96.0.1", "10.0.0.9", "tcp://10.96.0.1:443"), "", ""},
		{"the address of IPv6 is another", host("fd00::1", "10.0.0.9", "tcp://[fd00::1]:443"), "", ""},
		{"the port is another", port("444", "443", "tcp://10.96.0.1:443"), checks.EnvServicePortOverridden, checks.Certain},
		{"one of two ports is another, and there is no third", port("444", "443", ""), checks.EnvServicePortOverridden, checks.Likely},
		{"all three ports differ", port("444", "443", "tcp://10.96.0.1:445"), checks.EnvServicePortOverridden, checks.Likely},
		{"the port of HTTPS is another", port("443", "444", "tcp://10.96.0.1:443"), "", ""},
		{"there is one port", port("444", "", "tcp://10.96.0.1:443"), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, fails := range []bool{false, true} {
				facts := healthy(t)
				test.change(facts)
				if fails {
					// Where it is tried, it is not what kubelet set either.
					*last(facts) = checks.Exchange{Stage: checks.StageConnect, Address: netip.MustParseAddrPort("10.0.0.7:446"), Failure: &checks.Failure{Kind: checks.Refused}}
				}
				var got checks.Finding
				for _, finding := range Judge(facts, nil).Diagnosis {
					if finding.Check == checks.Environment {
						got = finding
					}
				}
				want := test.certainty
				if fails && want != "" {
					// What else is at that address is not known.
					want = checks.Likely
				}
				if got.Reason != test.want || got.Certainty != want {
					t.Errorf("where the API server fails: %t: got %s %s, want %s %s", fails, got.Certainty, got.Reason, want, test.want)
				}
			}
		})
	}
}
