package judge

import (
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

// strictness judges a chain that Go accepts by what Python wants of it.
func strictness(handshake *checks.TLSFacts) []problem {
	refusal := handshake.Strict
	if refusal == nil {
		return nil
	}
	return []problem{warning(checks.CertFailsPythonStrict,
		fmt.Sprintf("Go accepts the certificates, and Python 3.13 and later refuse them for that of %s: %s.", cut(refusal.Subject), refusal.Objection),
		"a chain that OpenSSL accepts in strict mode", refusal.Objection)}
}

// withStrictPython says of a client that has its answer from which version of
// Python on it would not: the version is that of the application's image.
func withStrictPython(answer way) way {
	return func(facts *checks.Facts) (known, works bool, why string) {
		known, works, why = answer(facts)
		if !works || facts.API == nil {
			return known, works, why
		}
		if handshake := lastHandshake(facts.API.ServiceHost); handshake != nil && handshake.Strict != nil {
			why += fmt.Sprintf(" That is so before Python 3.13, which began to refuse such certificates: %s.", handshake.Strict.Objection)
		}
		return known, works, why
	}
}
