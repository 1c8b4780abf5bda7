package observe

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/kube-lifeline/lifeline/checks"
)

// readStrictly tells what OpenSSL makes of chains that Go has verified where
// X509_V_FLAG_X509_STRICT is set, beside X509_V_FLAG_PARTIAL_CHAIN: the first
// certificate of ca.crt that the server's leads to ends the chain, as it does for
// Go. One chain that passes is enough.
func readStrictly(chains [][]*x509.Certificate) *checks.StrictRefusal {
	var told *checks.StrictRefusal
	for _, chain := range chains {
		refused, objection := strictly(chain)
		if refused == nil {
			return nil
		}
		if told == nil {
			told = &checks.StrictRefusal{Subject: clip(refused.Subject.String(), maxMessage), Objection: objection}
		}
	}
	return told
}

// strictly are the rules that OpenSSL 3 adds in its strict mode
// (crypto/x509/x509_vfy.c, check_extensions; crypto/x509/v3_purp.c, check_ca),
// less those that crypto/x509 has itself: explicit curve parameters, two
// signature algorithms, key identifiers that are critical, and extensions before
// version 3. It returns the first certificate that breaks one.
func strictly(chain []*x509.Certificate) (refused *x509.Certificate, objection string) {
	for i, certificate := range chain {
		if i > 0 && !isAuthority(certificate) || signsUnconstrained(certificate) {
			// Of version 1 or with a key usage in place of basic constraints.
			return certificate, "invalid CA certificate"
		}
		if len(chain) == 1 {
			// One that is trusted itself falls under RFC 6818 section 2.
			break
		}
		if why := strictlyAlone(certificate); why != "" {
			return certificate, why
		}
		switch {
		case i+1 < len(chain) && certificate.Version >= 3 && len(certificate.AuthorityKeyId) == 0:
			return certificate, "Missing Authority Key Identifier"
		case isAuthority(certificate) && certificate.Version >= 3 && len(certificate.SubjectKeyId) == 0:
			return certificate, "Missing Subject Key Identifier"
		}
	}
	return nil, ""
}

func signsUnconstrained(certificate *x509.Certificate) bool {
	return !certificate.BasicConstraintsValid && certificate.KeyUsage&x509.KeyUsageCertSign != 0
}

// strictlyAlone are the rules for any certificate.
func strictlyAlone(certificate *x509.Certificate) string {
	authority := isAuthority(certificate)
	_, usage := extension(certificate, 15)
	constraints, constrained := extension(certificate, 19)
	names, named := extension(certificate, 17)
	anonymous := isEmptySequence(certificate.RawSubject)
	signs := certificate.KeyUsage&x509.KeyUsageCertSign != 0
	limited := certificate.BasicConstraintsValid && (certificate.MaxPathLen > 0 || certificate.MaxPathLenZero)
	switch {
	case limited && !authority:
		return "Path length invalid for non-CA cert"
	case limited && !signs:
		return "Path length given without key usage keyCertSign"
	case authority && constrained && !constraints.Critical:
		return "Basic Constraints of CA cert not marked critical"
	case authority && !usage:
		return "CA cert does not include key usage extension"
	case !authority && signs:
		return "Key usage keyCertSign invalid for non-CA cert"
	case isEmptySequence(certificate.RawIssuer):
		return "Issuer name empty"
	case anonymous && (authority || !named || certificate.KeyUsage&x509.KeyUsageCRLSign != 0):
		return "Subject name empty"
	case anonymous && named && !names.Critical:
		return "Subject empty and Subject Alt Name extension not critical"
	case named && isEmptySequence(names.Value):
		return "Empty Subject Alternative Name extension"
	}
	return ""
}

func isAuthority(certificate *x509.Certificate) bool {
	return certificate.BasicConstraintsValid && certificate.IsCA
}

// extension is one of RFC 5280 section 4.2.1, by the last number of its
// identifier.
func extension(certificate *x509.Certificate, number int) (found pkix.Extension, ok bool) {
	for _, held := range certificate.Extensions {
		if held.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, number}) {
			return held, true
		}
	}
	return found, false
}

func isEmptySequence(der []byte) bool { return bytes.Equal(der, []byte{0x30, 0}) }
