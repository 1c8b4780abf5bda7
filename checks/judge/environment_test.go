package judge

import (
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestEnvironment(t *testing.T) {
	judgeCases(t, checks.Environment, []verdictCase{
		{"an IPv6 address is in order", func(f *checks.Facts) { f.Environment.ServiceHost, f.Environment.ServiceAddress = "fd00::1", "fd00::1" }, want{checks.OK, ""}},
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
