package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// clockRules are about a pod's clock that was put forward or back.
func clockRules() []rule {
	return []rule{
		{reason: checks.ClockJumped, certainty: checks.Likely, explains: []checks.Reason{
			checks.TokenLocalClockSkew, checks.TokenExpired, checks.TokenNotYetValidAfterClockJump, checks.TokenRotationStalled, checks.TokenPastWarnAfter,
			checks.CertServingExpired, checks.CertServingNotYetValid, checks.CAExpired, checks.CANotYetValid,
		}, evidence: wellWithoutTheJump},
		{
			reason: checks.TokenLocalClockSkew, certainty: checks.Likely,
			refines:  []checks.Reason{checks.TokenNotYetValidAfterClockJump},
			explains: []checks.Reason{checks.CertServingNotYetValid, checks.CANotYetValid},
			evidence: issuedAhead,
		},
		{reason: checks.TokenLocalClockSkew, certainty: checks.Likely, explains: []checks.Reason{checks.TokenExpired}, evidence: expiredThereAlone},
	}
}

// issuedAhead: a token was issued before it was read, and a certificate before it
// was shown. A clock by which both are still to come is behind the one that they
// were issued by.
func issuedAhead(facts *checks.Facts) []string {
	if facts.Token == nil || facts.Token.Claims == nil {
		return nil
	}
	if _, known := skew(facts); known {
		return nil
	}
	ahead := facts.Token.Claims.IssuedAt.Sub(facts.Time)
	future := func(certificate checks.Certificate) bool { return facts.Time.Before(certificate.NotBefore) }
	if ahead <= leeway || !slices.ContainsFunc(datedCertificates(facts), future) {
		return nil
	}
	return []string{fmt.Sprintf("The token was issued at %s by the API server's clock, so this pod's is behind it by %s or more.", moment(facts.Token.Claims.IssuedAt), span(ahead))}
}

// expiredThereAlone: of two clocks that differ, one is wrong, and by the pod's the token goes
// on.
func expiredThereAlone(facts *checks.Facts) []string {
	ahead, known := skew(facts)
	if !known || ahead <= leeway || facts.Token == nil || facts.Token.Claims == nil || facts.Time.After(facts.Token.Claims.ExpiresAt) {
		return nil
	}
	return []string{fmt.Sprintf("The API server's clock is %s ahead of this node's, by which the token is valid until %s: one of the two is wrong.", span(ahead), moment(facts.Token.Claims.ExpiresAt))}
}

// wellWithoutTheJump: by the clock as it would be without its jump, what looks
// wrong is in order.
func wellWithoutTheJump(facts *checks.Facts) []string {
	if facts.History == nil {
		return nil
	}
	for _, jump := range slices.Backward(facts.History.ClockJumps) {
		step := time.Duration(jump.Seconds * float64(time.Second))
		if step.Abs() <= leeway || !mendsTheClock(facts, step) {
			continue
		}
		direction := "forward"
		if step < 0 {
			direction = "back"
		}
		return []string{fmt.Sprintf("At %s this pod's clock was put %s %s from one round to the next. Without that, all would be in order.", moment(jump.Time), direction, span(step))}
	}
	return nil
}

// mendsTheClock tells whether a step explains the difference to the API server's
// clock or, where no server told its time, dates that do not hold.
func mendsTheClock(facts *checks.Facts, step time.Duration) bool {
	if ahead, known := skew(facts); known {
		return ahead.Abs() > leeway && (ahead+step).Abs() <= leeway
	}
	undone := facts.Time.Add(-step)
	mended := false
	holds := func(from, until time.Time) bool {
		within := func(at time.Time) bool { return !at.Before(from) && !at.After(until) }
		mended = mended || !within(facts.Time)
		return within(undone)
	}
	for _, certificate := range datedCertificates(facts) {
		if !holds(certificate.NotBefore, certificate.NotAfter) {
			return false
		}
	}
	if token := facts.Token; token != nil && token.Claims != nil && !token.Claims.ExpiresAt.IsZero() {
		if !holds(token.Claims.IssuedAt.Add(-leeway), token.Claims.ExpiresAt.Add(leeway)) {
			return false
		}
	}
	return mended
}

// datedCertificates are those of the server's chain and of ca.crt.
func datedCertificates(facts *checks.Facts) (certificates []checks.Certificate) {
	if facts.API != nil {
		if handshake := lastHandshake(facts.API.ServiceHost); handshake != nil {
			certificates = slices.Clone(handshake.Chain)
		}
	}
	if facts.CA != nil {
		certificates = append(certificates, rootsOf(facts.CA)...)
	}
	return certificates
}
