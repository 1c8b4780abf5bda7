package judge

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

func judgeTLS(facts *checks.Facts) verdict {
	attempt, target := tried(facts)
	if attempt == nil {
		return target
	}
	last := attempt.Last()
	handshake := lastHandshake(attempt)
	if handshake == nil {
		return waitFor(checks.API, fmt.Sprintf("No TLS was spoken, since no connection to %s came about.", hostPort(attempt)), nil)
	}
	details := &checks.TLSDetails{TLSFacts: *handshake}
	v := verdict{details: details, seconds: handshake.Seconds}
	details.Facets = facets(facts, handshake)
	if handshake.Verified {
		v.problems = slices.Concat(provenButWeak(facts, details), strictness(handshake), othersShowAnother(facts), anotherByName(facts))
		v.well = fmt.Sprintf("The certificate of %s is proven by ca.crt and names %s (%s).", last.Address, handshake.ServerName, handshake.Version)
		return v
	}
	if handshake.Failure != nil && handshake.Failure.Kind != checks.Untrusted {
		v.problems = []problem{brokenHandshake(attempt, handshake)}
		return v
	}
	if blamed, sentence := bundleAtFault(facts, details); blamed {
		return waitFor(checks.CA, sentence, details)
	}
	v.problems = distrusted(facts, handshake, details)
	return v
}

// anotherByName judges a certificate that is shown to who asks for the name, where
// that for the address is accepted. One that the name is missing in is shown to both.
func anotherByName(facts *checks.Facts) []problem {
	why := refusedByName(facts)
	if why == "" {
		return nil
	}
	return []problem{warning(checks.CertDiffersBySNI, why, "a certificate that ca.crt proves for "+checks.ServiceName+" too", "another than by the address, which is not accepted").likely()}
}

// refusedByName says why another certificate is not accepted that is shown to who asks
// for the name; nothing where there is none.
func refusedByName(facts *checks.Facts) string {
	handshake := deepPath(facts).ByName
	if handshake == nil || !isRecent(facts) || handshake.Failure == nil || handshake.Failure.Kind != checks.Untrusted || len(handshake.Chain) == 0 {
		return ""
	}
	shown := handshake.Chain[0].SHA256
	byAddress := lastHandshake(facts.API.ServiceHost)
	if byAddress == nil || !byAddress.Verified || len(byAddress.Chain) == 0 || byAddress.Chain[0].SHA256 == shown {
		return ""
	}
	if slices.ContainsFunc(deepPath(facts).Fresh, func(fresh checks.FreshConnection) bool { return fresh.Leaf == shown }) {
		// One of several API servers shows it by the address as well.
		return ""
	}
	return fmt.Sprintf("To who asks for %s by name (SNI) the API server shows another certificate than to who asks by its address, and that one is not accepted: %s.",
		checks.ServiceName, sentencePart(strings.TrimPrefix(handshake.Failure.Message, "tls: failed to verify certificate: ")))
}

// tried is the attempt that the tls and the api check judge, and where there is
// none the verdict that says what it waits for.
func tried(facts *checks.Facts) (*checks.Attempt, verdict) {
	if facts.API != nil && facts.API.ServiceHost != nil {
		return facts.API.ServiceHost, verdict{}
	}
	host := ""
	if facts.Environment != nil {
		host = facts.Environment.ServiceHost
	}
	switch {
	case host == "" && facts.API != nil && facts.API.ByName != nil:
		return facts.API.ByName, verdict{}
	case host == "":
		return nil, waitFor(checks.Environment, "The API server could not be tried, since the environment does not name it and its name does not resolve.", nil)
	case checks.IsHostName(host):
		return nil, waitFor(checks.DNS, fmt.Sprintf("The API server %s could not be tried, since its name does not resolve.", host), nil)
	default:
		return nil, waitFor(checks.Environment, "The API server could not be tried, since what the environment says of it is no address.", nil)
	}
}

// lastHandshake is the latest handshake of an attempt; a retry over the same
// connection has none of its own.
func lastHandshake(attempt *checks.Attempt) *checks.TLSFacts {
	if attempt == nil {
		return nil
	}
	for i := len(attempt.Exchanges) - 1; i >= 0; i-- {
		if attempt.Exchanges[i].TLS != nil {
			return attempt.Exchanges[i].TLS
		}
	}
	return nil
}

func hostPort(attempt *checks.Attempt) string {
	if parsed, err := url.Parse(attempt.URL); err == nil {
		return parsed.Host
	}
	return attempt.URL
}

// brokenHandshake judges a handshake that ended before a chain was refused.
func brokenHandshake(attempt *checks.Attempt, handshake *checks.TLSFacts) problem {
	const expected = "a TLS handshake"
	target, message := hostPort(attempt), handshake.Failure.Message
	switch handshake.Failure.Kind {
	case checks.Plaintext:
		return failing(checks.TLSPlaintextOrWrongPort, fmt.Sprintf("%s speaks plain HTTP where TLS is expected.", target), expected, "an HTTP response")
	case checks.Invalid:
		return failing(checks.TLSPlaintextOrWrongPort, fmt.Sprintf("%s does not speak TLS: %s.", target, message), expected, "another protocol").likely()
	case checks.Reset, checks.Closed:
		return failing(checks.TLSEOFOrReset, fmt.Sprintf("%s accepted the connection and ended it during the TLS handshake: %s.", target, message), expected, "the connection ended").likely()
	case checks.TimedOut:
		return failing(checks.TLSHandshakeTimeout, fmt.Sprintf("%s accepted the connection and did not finish the TLS handshake within %s.", target, seconds(handshake.Seconds)), expected, "silence").likely().silent(handshake.Seconds, turnsOfHandshake)
	}
	if strings.Contains(message, "failed to parse certificate") {
		return failing(checks.CertUnparseable, fmt.Sprintf("%s presents a certificate that does not parse: %s.", target, message), "a certificate after RFC 5280", message)
	}
	if strings.Contains(message, "keys are insecure") {
		return failing(checks.CertWeakAlgorithm, fmt.Sprintf("%s presents a certificate whose key is refused: %s.", target, message), "a key of 1024 bits or more", message)
	}
	failed := failing(checks.TLSHandshakeFailed, fmt.Sprintf("The TLS handshake with %s failed: %s.", target, message), expected, message)
	for _, disagreement := range []string{"protocol version", "handshake failure", "unsupported"} {
		if strings.Contains(message, disagreement) {
			return failed
		}
	}
	// Whoever changes a byte on the way, or fails within, ends it too.
	return failed.likely()
}

// bundleAtFault tells whether the chain is refused for what the ca check
// already says of the bundle.
func bundleAtFault(facts *checks.Facts, details *checks.TLSDetails) (bool, string) {
	if facts.CA == nil || skipped(facts, checks.CA) {
		return false, ""
	}
	for _, facet := range details.Facets {
		if !facet.OK && facet.Name != facetIssuer && facet.Name != facetDNSName {
			return false, ""
		}
	}
	bundle := judgeCA(facts)
	if bundle.waitsFor != "" {
		return true, "The server's certificate cannot be proven, since there is no ca.crt."
	}
	for _, problem := range bundle.problems {
		if problem.Status == checks.Fail {
			return true, "The server's certificate cannot be proven, since ca.crt is at fault."
		}
	}
	return false, ""
}

func skipped(facts *checks.Facts, name checks.Name) bool { return slices.Contains(facts.Skipped, name) }

// distrusted makes a problem of each facet that does not hold.
func distrusted(facts *checks.Facts, handshake *checks.TLSFacts, details *checks.TLSDetails) (problems []problem) {
	// A bundle without a certificate, of which the ca check tells, proves nobody.
	unproven := facts.CA != nil && !skipped(facts, checks.CA) && len(rootsOf(facts.CA)) == 0
	for _, facet := range details.Facets {
		if facet.OK || unproven && facet.Name == facetIssuer {
			continue
		}
		found := failing(facet.Reason, sentence(facet), facet.Expected, facet.Found)
		if facet.Reason == checks.CertSANMissingDNSName {
			found.Status = checks.Warn
		}
		switch facet.Name {
		case facetIssuer:
			found = found.likely()
		case facetTime:
			found = found.byClock(facts)
		}
		problems = append(problems, found.ofEach(facts, handshake))
	}
	for _, problem := range problems {
		if problem.Status == checks.Fail {
			return problems
		}
	}
	return append([]problem{refusedOtherwise(facts, handshake)}, problems...)
}

// sameLeaf is how many connections must have met one certificate before all API
// servers are held to have it: of two servers behind the address, of which each
// answers half of the connections, one alone is met so often once in 512 times.
const sameLeaf = 10

// ofEach marks a problem with a certificate as likely unless many connections met
// the same one, those of the deep probes and of the latest rounds: each API server
// behind the address has its own.
func (p problem) ofEach(facts *checks.Facts, handshake *checks.TLSFacts) problem {
	if len(handshake.Chain) == 0 {
		return p.likely()
	}
	leaf, same := handshake.Chain[0].SHA256, 0
	for _, fresh := range deepPath(facts).Fresh {
		switch fresh.Leaf {
		case "":
		case leaf:
			same++
		default:
			return p.likely()
		}
	}
	for _, round := range slices.Backward(apiRounds(facts)) {
		if round.Leaf != leaf {
			break
		}
		same++
	}
	if same < sameLeaf {
		return p.likely()
	}
	return p
}

// refusedOtherwise judges a chain that crypto/x509 refuses although every facet
// holds.
func refusedOtherwise(facts *checks.Facts, handshake *checks.TLSFacts) problem {
	message := "no reason was given"
	if handshake.Failure != nil {
		message = handshake.Failure.Message
	}
	reason := checks.CertChainInvalid
	switch {
	case signedByNoAuthority(facts, handshake):
		reason = checks.CANotACA
	case strings.Contains(message, "not authorized to sign for this name"), strings.Contains(message, "by any constraint"):
		reason = checks.CertNameConstraints
	case strings.Contains(message, "unhandled critical extension"):
		reason = checks.CertUnparseable
	case strings.Contains(message, "insecure"):
		reason = checks.CertWeakAlgorithm
	}
	return failing(reason, fmt.Sprintf("The server's certificate is refused: %s.", message), "a chain that verifies by ca.crt", message)
}

// signedByNoAuthority tells that who signed a chain is in ca.crt and may not sign, by its
// basic constraints or its key usage.
func signedByNoAuthority(facts *checks.Facts, handshake *checks.TLSFacts) bool {
	chain := parsedChain(facts, handshake.Chain)
	if len(chain) == 0 {
		return false
	}
	signers := signersAmong(rootsIn(facts), chain)
	mayNotSign := func(root *x509.Certificate) bool {
		var constraint x509.ConstraintViolationError
		return errors.As(topOf(chain).CheckSignatureFrom(root), &constraint)
	}
	return len(signers) > 0 && !slices.ContainsFunc(signers, func(root *x509.Certificate) bool { return !mayNotSign(root) })
}

// provenButWeak judges a chain that verifies.
func provenButWeak(facts *checks.Facts, details *checks.TLSDetails) (problems []problem) {
	if len(details.Chain) == 0 {
		return nil
	}
	leaf := details.Chain[0]
	if left := leaf.LifetimeLeft(facts.Time); left < servingWarning {
		problems = append(problems, warning(checks.CertExpiringSoon,
			fmt.Sprintf("The API server's certificate (%s) expires in %s, at %s: %s of its lifetime is left.", leaf.Subject, span(leaf.NotAfter.Sub(facts.Time)), moment(leaf.NotAfter), percent(left)),
			"more than "+percent(servingWarning)+" of its lifetime left", percent(left)).byClock(facts).ofEach(facts, &details.TLSFacts))
	}
	for _, facet := range details.Facets {
		if facet.Reason == checks.CertSANMissingDNSName {
			problems = append(problems, warning(facet.Reason, sentence(facet), facet.Expected, facet.Found).ofEach(facts, &details.TLSFacts))
		}
	}
	return problems
}
