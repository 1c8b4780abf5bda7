package judge

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// environmentRules are about addresses that lead elsewhere.
func environmentRules() []rule {
	unreachable := []checks.Reason{
		checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable, checks.TCPNetworkUnreachable, checks.TCPReset, checks.TCPFailed,
		checks.TLSPlaintextOrWrongPort, checks.TLSEOFOrReset, checks.TLSHandshakeTimeout, checks.TLSHandshakeFailed,
		checks.CAMITMOrWrongEndpoint, checks.CARotatedSameName, checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName,
		checks.DNSAnswerDisagreesWithEnv,
	}
	return []rule{
		{reason: checks.EnvServiceHostOverridden, certainty: checks.Likely, explains: unreachable, evidence: leadsElsewhere},
		{reason: checks.EnvServicePortOverridden, certainty: checks.Likely, explains: unreachable, evidence: leadsToAnotherPort},
		{reason: checks.EnvServiceHostStale, certainty: checks.Likely, refines: []checks.Reason{checks.DNSAnswerDisagreesWithEnv}, explains: []checks.Reason{checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable}, evidence: answersByName},
		{reason: checks.EnvHTTPProxyInterceptsAPI, certainty: checks.Certain, explains: []checks.Reason{checks.KProxyUpstreamError}, evidence: kubectlProxyGoesByProxy(checks.Certain)},
		{reason: checks.EnvHTTPProxyInterceptsAPI, certainty: checks.Likely, explains: []checks.Reason{checks.KProxyUpstreamError}, evidence: kubectlProxyGoesByProxy(checks.Likely)},
	}
}

// leadsElsewhere: KUBERNETES_SERVICE_HOST led to another address than the one
// that kubelet gave.
func leadsElsewhere(facts *checks.Facts) []string {
	env := facts.Environment
	if env == nil || !hostOverridden(env) || facts.API == nil {
		return nil
	}
	address := facts.API.ServiceHost.Last().Address
	if !address.IsValid() || address.Addr().Unmap().String() == env.ServiceAddress {
		return nil
	}
	return []string{fmt.Sprintf("It leads to %s, and what goes wrong goes wrong there.", address)}
}

// leadsToAnotherPort: KUBERNETES_SERVICE_PORT led to another port than the one
// that kubelet gave.
func leadsToAnotherPort(facts *checks.Facts) []string {
	env := facts.Environment
	if env == nil || !portOverridden(env) || facts.API == nil {
		return nil
	}
	address := facts.API.ServiceHost.Last().Address
	if !address.IsValid() || strconv.Itoa(int(address.Port())) == env.ServicePortHTTPS {
		return nil
	}
	return []string{fmt.Sprintf("It leads to %s, and what goes wrong goes wrong there.", address)}
}

// answersByName: the environment is fixed when a container starts, the DNS is not.
func answersByName(facts *checks.Facts) []string {
	if facts.API == nil || facts.Environment == nil || facts.Environment.ServiceAddress != facts.Environment.ServiceHost {
		return nil
	}
	last := facts.API.ByName.Last()
	if facts.API.ServiceHost.Last().Stage != checks.StageConnect || last.Stage != checks.StageDone || last.Response == nil || !fromKubernetes(last.Response) {
		return nil
	}
	if last.Address.Addr().Unmap().String() == facts.Environment.ServiceHost {
		// The host is the Service's still, and it is the port that leads elsewhere.
		return nil
	}
	return []string{fmt.Sprintf("kubernetes.default.svc leads to %s, and an API server answers there (status %d), while %s was set when this container started.",
		last.Address, last.Response.Status, facts.Environment.ServiceHost)}
}

// kubectlProxyGoesByProxy: net/http words an HTTP proxy that fails so. It makes
// nothing surer or less sure of what the deep probes met.
func kubectlProxyGoesByProxy(certainty checks.Certainty) func(*checks.Facts) []string {
	return func(facts *checks.Facts) []string {
		env := facts.Environment
		if facts.KubectlProxy == nil || env == nil || proxyForAPI(env) == "" || (throughProxy(facts).certainty == checks.Certain) != (certainty == checks.Certain) {
			return nil
		}
		response := facts.KubectlProxy.Attempt.Last().Response
		if response == nil || !strings.Contains(response.BodyStart, "proxyconnect") {
			return nil
		}
		return []string{"The kubectl proxy heeds it too, and does not get through it."}
	}
}
