package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// orderRules name one finding before another that it brings about.
func orderRules() []rule {
	return []rule{
		{reason: checks.DNSAnswerDisagreesWithEnv, certainty: checks.Certain, explains: []checks.Reason{checks.APIByNameFailing}, moves: true, evidence: anotherAddress},
		{reason: checks.DNSHostsFileOverride, certainty: checks.Certain, explains: []checks.Reason{checks.APIByNameFailing, checks.DNSAnswerDisagreesWithEnv}, moves: true, evidence: hostsFileAnswers},
		{reason: checks.CABundlePartiallyParsed, certainty: checks.Certain, explains: []checks.Reason{checks.KProxyUpstreamError}, moves: true, evidence: kubectlProxyTakesNothingOfTheBundle},
		{reason: checks.CertWrongEKU, certainty: checks.Likely, explains: []checks.Reason{checks.CertNoIPSANOrCNOnly, checks.CertSANMissingDNSName}, moves: true, evidence: isAClientsCertificate},
		{reason: checks.CAMITMOrWrongEndpoint, certainty: checks.Likely, explains: []checks.Reason{
			checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName, checks.CertServingExpired, checks.CertServingNotYetValid, checks.CertWrongEKU,
		}, moves: true, evidence: strangersNames},
	}
}

// kubectlProxyTakesNothingOfTheBundle: client-go gives up a bundle for one block
// that does not parse, and then goes by the roots of its image (util/cert,
// ParseCertsPEM).
func kubectlProxyTakesNothingOfTheBundle(facts *checks.Facts) []string {
	if facts.CA == nil || facts.KubectlProxy == nil {
		return nil
	}
	response := facts.KubectlProxy.Attempt.Last().Response
	malformed := slices.ContainsFunc(facts.CA.Blocks, func(block checks.PEMBlock) bool { return block.Malformed })
	if response == nil || !malformed || !strings.Contains(response.BodyStart, "x509: certificate signed by unknown authority") {
		return nil
	}
	return []string{"The kubectl proxy takes nothing of ca.crt for it, and does not know the API server's authority."}
}

func anotherAddress(facts *checks.Facts) []string {
	if facts.DNS == nil || facts.API == nil || facts.API.ByName == nil {
		return nil
	}
	if agrees := agreement(facts); agrees == nil || *agrees {
		return nil
	}
	return []string{fmt.Sprintf("By the name %s is tried, and it does not work there.", facts.API.ByName.Last().Address)}
}

func hostsFileAnswers(facts *checks.Facts) []string {
	if facts.DNS == nil || !facts.DNS.Lookup.FromHosts {
		return nil
	}
	return []string{"The DNS has no say in that address."}
}

// isAClientsCertificate: who was given the pair of a client, as an API server has one for
// kubelets beside its own, shows one that names no host.
func isAClientsCertificate(facts *checks.Facts) []string {
	chain := unprovenChain(facts)
	if len(chain) == 0 {
		return nil
	}
	leaf := chain[0]
	if len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("It names no host either: it is the certificate of the client %s, put in the place of the server's.", cut(leaf.Subject))}
}

func strangersNames(facts *checks.Facts) []string {
	if facts.API == nil {
		return nil
	}
	if handshake := lastHandshake(facts.API.ServiceHost); handshake == nil || handshake.Verified {
		// Other connections met it, and what else is found is the API server's.
		return nil
	}
	return []string{"All else in it is for whoever has it."}
}
