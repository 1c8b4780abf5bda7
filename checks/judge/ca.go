package judge

import (
	"fmt"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// authorityWarning is six months of kubeadm's ten years.
	authorityWarning = 0.05
	// servingWarning is 29 days of kubeadm's one year.
	servingWarning = 0.08
	// mostAuthorities is far above the two of a rotation.
	mostAuthorities = 10
)

func judgeCA(facts *checks.Facts) verdict {
	ca := facts.CA
	v := verdict{details: &checks.CADetails{CAFacts: *ca}, seconds: ca.Seconds}
	if facts.Token != nil && facts.Token.Directory.Problem == checks.FileMissing {
		return waitFor(checks.Token, "There is no ca.crt, since no service account is mounted.", v.details)
	}
	if unusable, found := unusableBundle(ca); found {
		v.problems = []problem{unusable}
		return v
	}
	certificates := rootsOf(ca)
	if ca.Omitted > 0 {
		v.problems = []problem{warning(checks.CAWeakerTrust,
			fmt.Sprintf("%s holds %d PEM blocks, more than are looked at; a cluster has one authority, or two while it rotates.", ca.File.Path, len(ca.Blocks)+ca.Omitted),
			"the cluster's own authority", fmt.Sprintf("%d PEM blocks", len(ca.Blocks)+ca.Omitted)).likely()}
		return v
	}
	latest := longestLived(certificates)
	v.details = &checks.CADetails{CAFacts: *ca, FirstExpiry: firstToEnd(certificates), LastExpiry: &latest}
	v.problems = append(v.problems, authoritiesOnly(certificates, trusted(facts))...)
	v.problems = append(v.problems, validAuthorities(certificates, facts)...)
	v.problems = append(v.problems, skippedBlocks(ca, len(certificates))...)
	if len(certificates) > mostAuthorities {
		v.problems = append(v.problems, warning(checks.CAWeakerTrust,
			fmt.Sprintf("%s trusts %d authorities; a cluster has one, or two while it rotates.", ca.File.Path, len(certificates)), "the cluster's own authority", fmt.Sprintf("%d authorities", len(certificates))).likely())
	}
	v.well = fmt.Sprintf("ca.crt holds %s, valid until %s.", describe(certificates), latest.NotAfter.UTC().Format(time.DateOnly))
	return v
}

func unusableBundle(ca *checks.CAFacts) (problem, bool) {
	const expected = "the cluster's CA in PEM"
	switch ca.File.Problem {
	case "":
	case checks.FileMissing:
		return failing(checks.CAFileMissing,
			fmt.Sprintf("%s does not exist: Go clients fall back to the system's roots and Python's refuse to start.", ca.File.Path), expected, "no file"), true
	case checks.FileTooLarge:
		return failing(checks.CAFileTooLarge,
			fmt.Sprintf("%s cannot be a CA bundle: %s.", ca.File.Path, fileTrouble(ca.File)), expected, fmt.Sprintf("%d bytes", ca.File.Size)), true
	default:
		return failing(checks.CAFileUnreadable,
			fmt.Sprintf("%s cannot be read: %s.", ca.File.Path, fileTrouble(ca.File)), expected, fileTrouble(ca.File)), true
	}
	if len(rootsOf(ca)) > 0 || ca.Omitted > 0 {
		return problem{}, false
	}
	found := fmt.Sprintf("%d bytes without a PEM block", ca.File.Size)
	if len(ca.Blocks) > 0 {
		found = fmt.Sprintf("no certificate that parses among its PEM blocks, of which there are %d", len(ca.Blocks))
	}
	if ca.File.Size == 0 {
		found = "an empty file"
	}
	return failing(checks.CAFileEmptyOrNotPEM,
		fmt.Sprintf("%s proves nothing: it holds %s.", ca.File.Path, found), expected, found), true
}

func rootsOf(ca *checks.CAFacts) []checks.Certificate {
	var certificates []checks.Certificate
	for _, block := range ca.Blocks {
		if block.Error == "" && block.Certificate != nil {
			certificates = append(certificates, *block.Certificate)
		}
	}
	return certificates
}

// trusted tells whether the handshake of this round was verified by the bundle.
func trusted(facts *checks.Facts) bool {
	if facts.API == nil {
		return false
	}
	handshake := lastHandshake(facts.API.ServiceHost)
	return handshake != nil && handshake.Verified
}

// authoritiesOnly judges certificates that can prove no other. One in the
// bundle that is itself the server's is accepted by Go, so a handshake that
// went well lessens the fault.
func authoritiesOnly(certificates []checks.Certificate, trusted bool) []problem {
	var others []string
	for _, certificate := range certificates {
		if !certificate.IsCA {
			others = append(others, certificate.Subject)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []problem{failing(checks.CANotACA,
		fmt.Sprintf("ca.crt holds %d of %d certificates that are no authority: %s.", len(others), len(certificates), enumerate(others)),
		"basicConstraints CA:TRUE", "CA:FALSE").unless(trusted || len(others) < len(certificates))}
}

// validAuthorities judges the lifetime of the bundle as a whole, which is that
// of its longest-lived authority: a rotation leaves the old one in until it
// has ended.
func validAuthorities(certificates []checks.Certificate, facts *checks.Facts) []problem {
	now := facts.Time
	var expired, future int
	for _, certificate := range certificates {
		if now.After(certificate.NotAfter) {
			expired++
		}
		if now.Before(certificate.NotBefore) {
			future++
		}
	}
	latest := longestLived(certificates)
	switch {
	case expired == len(certificates):
		return []problem{failing(checks.CAExpired,
			fmt.Sprintf("The cluster's CA (%s) expired %s ago, at %s.", latest.Subject, span(now.Sub(latest.NotAfter)), moment(latest.NotAfter)), "a valid CA", "expired at "+moment(latest.NotAfter)).byClock(facts)}
	case future+expired == len(certificates):
		return []problem{failing(checks.CANotYetValid,
			fmt.Sprintf("The cluster's CA (%s) is valid from %s on, which is %s ahead.", latest.Subject, moment(latest.NotBefore), span(latest.NotBefore.Sub(now))), "a valid CA", "valid from "+moment(latest.NotBefore)).byClock(facts)}
	case latest.LifetimeLeft(now) < authorityWarning:
		return []problem{warning(checks.CAExpiringSoon,
			fmt.Sprintf("The cluster's CA (%s) expires in %s, at %s: %s of its lifetime is left.", latest.Subject, span(latest.NotAfter.Sub(now)), moment(latest.NotAfter), percent(latest.LifetimeLeft(now))),
			"more than "+percent(authorityWarning)+" of its lifetime left", percent(latest.LifetimeLeft(now))).byClock(facts)}
	default:
		return nil
	}
}

// skippedBlocks judges what Go's CertPool.AppendCertsFromPEM leaves out without
// a word.
func skippedBlocks(ca *checks.CAFacts, parsed int) []problem {
	skipped := max(ca.Headers, len(ca.Blocks)) - parsed
	if skipped <= 0 {
		return nil
	}
	why := "the block is cut or damaged"
	for _, block := range ca.Blocks {
		if block.Error != "" {
			why = block.Error
			break
		}
	}
	return []problem{warning(checks.CABundlePartiallyParsed,
		fmt.Sprintf("Clients pass over %d of the blocks of %s in silence (%s).", skipped, ca.File.Path, why),
		"every block to be a certificate that parses", fmt.Sprintf("%d usable, %d passed over", parsed, skipped))}
}

func firstToEnd(certificates []checks.Certificate) *checks.Certificate {
	earliest := certificates[0]
	for _, certificate := range certificates {
		if certificate.NotAfter.Before(earliest.NotAfter) {
			earliest = certificate
		}
	}
	return &earliest
}

func longestLived(certificates []checks.Certificate) checks.Certificate {
	latest := certificates[0]
	for _, certificate := range certificates {
		if certificate.NotAfter.After(latest.NotAfter) {
			latest = certificate
		}
	}
	return latest
}

func describe(certificates []checks.Certificate) string {
	if len(certificates) == 1 {
		return "the authority " + certificates[0].Subject
	}
	return fmt.Sprintf("%d authorities", len(certificates))
}

func percent(fraction float64) string { return fmt.Sprintf("%.0f %%", fraction*100) }
