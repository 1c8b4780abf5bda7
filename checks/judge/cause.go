package judge

import (
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// causesFirst moves each finding that explains others before them, though it be
// a warning by itself, and gives it their severity: what is wrong with them is
// mended where the cause is.
func causesFirst(findings []checks.Finding, facts *checks.Facts) []checks.Finding {
	for _, cause := range []struct {
		reason   checks.Reason
		holds    bool
		explains []checks.Reason
	}{
		{checks.DNSAnswerDisagreesWithEnv, true, []checks.Reason{checks.APIByNameFailing}},
		{checks.DNSHostsFileOverride, true, []checks.Reason{checks.APIByNameFailing, checks.DNSAnswerDisagreesWithEnv}},
		{checks.EnvHTTPProxyInterceptsAPI, kubectlProxyGoesByProxy(facts), []checks.Reason{checks.KProxyUpstreamError}},
		// A stranger's certificate has a stranger's names.
		{checks.CAMITMOrWrongEndpoint, true, []checks.Reason{checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName}},
		{checks.EnvServiceHostOverridden, leadsElsewhere(facts), []checks.Reason{
			checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable, checks.TCPNetworkUnreachable, checks.TCPReset, checks.TCPFailed,
			checks.TLSPlaintextOrWrongPort, checks.TLSEOFOrReset, checks.TLSHandshakeTimeout, checks.TLSHandshakeFailed,
			checks.CAMITMOrWrongEndpoint, checks.CARotatedSameName, checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName,
			checks.DNSAnswerDisagreesWithEnv,
		}},
	} {
		if cause.holds {
			findings = causeFirst(findings, cause.reason, cause.explains)
		}
	}
	return findings
}

func causeFirst(findings []checks.Finding, cause checks.Reason, explains []checks.Reason) []checks.Finding {
	explained := func(finding checks.Finding) bool { return slices.Contains(explains, finding.Reason) }
	from := slices.IndexFunc(findings, func(finding checks.Finding) bool { return finding.Reason == cause })
	first := slices.IndexFunc(findings, explained)
	if from < 0 || first < 0 {
		return findings
	}
	moved := findings[from]
	if effect := findings[first]; effect.Severity.Severity() > moved.Severity.Severity() {
		// That it is there is certain, that it is the cause no more than likely.
		moved.Severity, moved.Certainty = effect.Severity, checks.Likely
		moved.Evidence = slices.Concat(moved.Evidence, effect.Evidence)
		moved.Consequences = effect.Consequences
	}
	if from < first {
		findings[from] = moved
		return findings
	}
	return slices.Insert(slices.Delete(findings, from, from+1), first, moved)
}

// leadsElsewhere tells that KUBERNETES_SERVICE_HOST led to another address than
// the one that kubelet gave.
func leadsElsewhere(facts *checks.Facts) bool {
	if facts.Environment == nil || facts.API == nil {
		return false
	}
	address := facts.API.ServiceHost.Last().Address.Addr().Unmap()
	return address.IsValid() && address.String() != facts.Environment.ServiceAddress
}

// kubectlProxyGoesByProxy tells that the kubectl proxy met an HTTP proxy on its
// way, as net/http words it.
func kubectlProxyGoesByProxy(facts *checks.Facts) bool {
	if facts.KubectlProxy == nil {
		return false
	}
	response := facts.KubectlProxy.Attempt.Last().Response
	return response != nil && strings.Contains(response.BodyStart, "proxyconnect")
}
