package judge

import (
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

// orderRules name one finding before another that it brings about.
func orderRules() []rule {
	return []rule{
		{reason: checks.DNSAnswerDisagreesWithEnv, certainty: checks.Certain, explains: []checks.Reason{checks.APIByNameFailing}, moves: true, evidence: anotherAddress},
		{reason: checks.DNSHostsFileOverride, certainty: checks.Certain, explains: []checks.Reason{checks.APIByNameFailing, checks.DNSAnswerDisagreesWithEnv}, moves: true, evidence: hostsFileAnswers},
		{reason: checks.CAMITMOrWrongEndpoint, certainty: checks.Likely, explains: []checks.Reason{checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName}, moves: true, evidence: strangersNames},
	}
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

func strangersNames(*checks.Facts) []string {
	return []string{"The names in it are for whoever has it."}
}
