package judge

import (
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

// nameRules are about an address at which more than one stands, told apart by the name that
// a client asks for (SNI, RFC 6066 section 3), which who goes by an address does not say.
func nameRules() []rule {
	var rules []rule
	for _, reason := range []checks.Reason{checks.TLSEOFOrReset, checks.TLSHandshakeFailed, checks.CAMITMOrWrongEndpoint} {
		rules = append(rules, rule{reason: reason, certainty: checks.Likely, refines: []checks.Reason{reason}, evidence: provenByName})
	}
	return rules
}

func provenByName(facts *checks.Facts) []string {
	handshake := deepPath(facts).ByName
	if handshake == nil || !handshake.Verified || someProven(facts) {
		return nil
	}
	return []string{fmt.Sprintf("Asked for %s by name (SNI), the same address proves itself by ca.crt: what stands there tells connections apart by the name, and leads those without one elsewhere.", checks.ServiceName)}
}

// someProven tells that a connection by the address met what ca.crt proves.
func someProven(facts *checks.Facts) bool {
	for _, fresh := range deepPath(facts).Fresh {
		if fresh.Status != 0 {
			return true
		}
	}
	return false
}
