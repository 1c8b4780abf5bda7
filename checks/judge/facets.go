package judge

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// The questions to a chain, each judged apart, since crypto/x509 stops at the
// first that does not hold.
const (
	facetTime     = "time"
	facetAddress  = "address"
	facetDNSName  = "dns-name"
	facetIssuer   = "issuer"
	facetKeyUsage = "key-usage"
	facetStrength = "strength"
)

// facets judges the chain that a server presented; nothing where it presented
// none.
func facets(facts *checks.Facts, handshake *checks.TLSFacts) []checks.Facet {
	chain := parsedChain(facts, handshake.Chain)
	if len(chain) == 0 {
		return nil
	}
	leaf := chain[0]
	judged := []checks.Facet{timeFacet(neededOf(chain, handshake.Verified), facts.Time)}
	if handshake.ServerName != checks.ServiceName {
		judged = append(judged, hostFacet(leaf, handshake.ServerName))
	}
	judged = append(judged, dnsNameFacet(leaf, handshake.ServerName))
	if handshake.Verified {
		return append(judged, checks.Facet{Name: facetIssuer, OK: true, Expected: "a chain to ca.crt", Found: leaf.Issuer.String()})
	}
	roots := rootsIn(facts)
	signers := signersAmong(roots, chain)
	if judged[0].OK {
		judged[0] = authorityFacet(judged[0], signers, roots, facts.Time)
	}
	return append(judged, issuerFacet(chain, signers, roots), keyUsageFacet(leaf), strengthFacet(chain))
}

func parsedChain(facts *checks.Facts, chain []checks.Certificate) []*x509.Certificate {
	var parsed []*x509.Certificate
	for _, certificate := range chain {
		if whole, err := x509.ParseCertificate(facts.Certificates[certificate.SHA256]); err == nil {
			parsed = append(parsed, whole)
		}
	}
	return parsed
}

// neededOf leaves out of a chain what a server may send along and no client looks at:
// all but what the leaf was signed with, in its order, and all but the leaf where the
// chain was proven.
func neededOf(chain []*x509.Certificate, verified bool) []*x509.Certificate {
	if verified {
		return chain[:1]
	}
	return climb(chain)
}

// timeFacet judges each of the certificates, the leaf first.
func timeFacet(chain []*x509.Certificate, now time.Time) checks.Facet {
	facet := checks.Facet{Name: facetTime, OK: true, Expected: "valid at " + moment(now)}
	for _, certificate := range chain {
		facet.Found = fmt.Sprintf("%s, valid from %s to %s", cut(certificate.Subject.String()), moment(certificate.NotBefore), moment(certificate.NotAfter))
		switch {
		case now.After(certificate.NotAfter):
			facet.OK, facet.Reason = false, checks.CertServingExpired
			return facet
		case now.Before(certificate.NotBefore):
			facet.OK, facet.Reason = false, checks.CertServingNotYetValid
			return facet
		}
	}
	return facet
}

// authorityFacet judges those of ca.crt that signed a chain which is in order itself. Where all
// of ca.crt has ended, or is still to begin, the ca check tells.
func authorityFacet(facet checks.Facet, signers, roots []*x509.Certificate, now time.Time) checks.Facet {
	valid := func(root *x509.Certificate) bool { return !now.Before(root.NotBefore) && !now.After(root.NotAfter) }
	if len(signers) == 0 || slices.ContainsFunc(signers, valid) || !slices.ContainsFunc(roots, valid) {
		return facet
	}
	facet.OK, facet.Reason = false, checks.CAExpired
	if now.Before(signers[0].NotBefore) {
		facet.Reason = checks.CANotYetValid
	}
	facet.Found = fmt.Sprintf("%s, valid from %s to %s", cut(signers[0].Subject.String()), moment(signers[0].NotBefore), moment(signers[0].NotAfter))
	return facet
}

// rootsIn are the certificates of ca.crt.
func rootsIn(facts *checks.Facts) []*x509.Certificate {
	if facts.CA == nil {
		return nil
	}
	return parsedChain(facts, rootsOf(facts.CA))
}

// signersAmong are those of some roots to which a chain leads.
func signersAmong(roots, chain []*x509.Certificate) []*x509.Certificate {
	top := topOf(chain)
	return slices.DeleteFunc(slices.Clone(roots), func(root *x509.Certificate) bool { return !root.Equal(top) && !signed(root, top) })
}

// topOf is where the signatures of a chain lead.
func topOf(chain []*x509.Certificate) *x509.Certificate {
	climbed := climb(chain)
	return climbed[len(climbed)-1]
}

// hostFacet asks whether the certificate names what the environment names: an
// address in most clusters.
func hostFacet(leaf *x509.Certificate, host string) checks.Facet {
	facet := checks.Facet{Name: facetAddress, OK: leaf.VerifyHostname(host) == nil, Expected: host, Found: subjectNames(leaf)}
	if facet.OK {
		return facet
	}
	facet.Reason = checks.CertSANMissingServiceHost
	_, err := netip.ParseAddr(host)
	if err == nil && len(leaf.IPAddresses) == 0 || len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		facet.Reason = checks.CertNoIPSANOrCNOnly
	}
	return facet
}

func dnsNameFacet(leaf *x509.Certificate, asked string) checks.Facet {
	facet := checks.Facet{Name: facetDNSName, OK: leaf.VerifyHostname(checks.ServiceName) == nil, Expected: checks.ServiceName, Found: subjectNames(leaf)}
	switch {
	case facet.OK:
	case asked == checks.ServiceName:
		facet.Reason = checks.CertSANMissingServiceHost
	default:
		facet.Reason = checks.CertSANMissingDNSName
	}
	return facet
}

func subjectNames(leaf *x509.Certificate) string {
	names := slices.Clone(leaf.DNSNames)
	for _, address := range leaf.IPAddresses {
		names = append(names, address.String())
	}
	for i := range names {
		names[i] = cut(names[i])
	}
	if len(names) == 0 {
		return "no subject alternative names, common name " + cut(leaf.Subject.CommonName)
	}
	return enumerate(names)
}

func keyUsageFacet(leaf *x509.Certificate) checks.Facet {
	facet := checks.Facet{Name: facetKeyUsage, OK: true, Expected: "serverAuth", Found: "serverAuth"}
	if len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) == 0 {
		facet.Found = "any"
		return facet
	}
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		facet.OK, facet.Reason, facet.Found = false, checks.CertWrongEKU, "other usages only"
		if slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
			facet.Found = "clientAuth"
		}
	}
	return facet
}

// strengthFacet follows what crypto/x509 refuses: signatures over MD5 and SHA-1. The chain
// ends for it where the first of them stands. Nobody looks at how a root signed itself.
func strengthFacet(chain []*x509.Certificate) checks.Facet {
	top := topOf(chain)
	facet := checks.Facet{Name: facetStrength, OK: true, Expected: "SHA-256 or better", Found: top.SignatureAlgorithm.String()}
	if top != chain[0] && sameName(top, top) {
		return facet
	}
	switch top.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		facet.OK, facet.Reason = false, checks.CertWeakAlgorithm
	}
	return facet
}

// issuerFacet asks whether the chain leads to a certificate of the bundle,
// whatever their validity, names and usages, which other facets judge.
func issuerFacet(chain, signers, roots []*x509.Certificate) checks.Facet {
	facet := checks.Facet{Name: facetIssuer, Expected: "a chain to ca.crt", Found: "issued by " + cut(chain[len(chain)-1].Issuer.String())}
	top := topOf(chain)
	switch {
	case len(signers) > 0:
		facet.OK = true
	case strengthFacet(chain).Reason != "":
		// A signature by an algorithm that is refused cannot be checked, so
		// the issuer is as good as its name.
		facet.OK = slices.ContainsFunc(roots, func(root *x509.Certificate) bool { return sameName(root, top) })
		facet.Reason = checks.CAMITMOrWrongEndpoint
	case slices.ContainsFunc(roots, func(root *x509.Certificate) bool { return root.Subject.String() == top.Issuer.String() }):
		// Compared as people read it: another program may write the same name
		// in another string type.
		facet.Reason = checks.CARotatedSameName
		facet.Found += ", which has the name of the CA in ca.crt and another key"
	case !sameName(top, top) && slices.ContainsFunc(roots, func(root *x509.Certificate) bool { return kindred(root, top) }):
		facet.Reason = checks.CAMissingIntermediate
		facet.Found += ", which was not sent and by its name belongs to the CA in ca.crt"
	default:
		facet.Reason = checks.CAMITMOrWrongEndpoint
	}
	if facet.OK {
		facet.Reason = ""
	}
	return facet
}

// climb follows the chain from the leaf as far as its signatures hold.
func climb(chain []*x509.Certificate) []*x509.Certificate {
	climbed := chain[:1:1]
	for range chain[1:] {
		top := climbed[len(climbed)-1]
		next := slices.IndexFunc(chain, func(parent *x509.Certificate) bool {
			return !parent.Equal(top) && sameName(parent, top) && signed(parent, top)
		})
		if next < 0 {
			break
		}
		climbed = append(climbed, chain[next])
	}
	return climbed
}

func sameName(parent, child *x509.Certificate) bool {
	return bytes.Equal(parent.RawSubject, child.RawIssuer)
}

// kindred guesses by its name whether the issuer of a certificate is an
// intermediate of a root: the same organisation, or a name made of the root's.
func kindred(root, child *x509.Certificate) bool {
	if name := root.Subject.CommonName; name != "" && strings.Contains(child.Issuer.CommonName, name) {
		return true
	}
	return slices.ContainsFunc(root.Subject.Organization, func(organisation string) bool {
		return slices.Contains(child.Issuer.Organization, organisation)
	})
}

func signed(parent, child *x509.Certificate) bool {
	return sameName(parent, child) && parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil
}

// sentence says what a facet that does not hold means.
func sentence(facet checks.Facet) string {
	switch facet.Reason {
	case checks.CertServingExpired:
		return fmt.Sprintf("The API server presents a certificate that has expired: %s.", facet.Found)
	case checks.CAExpired:
		return fmt.Sprintf("The API server's certificate is signed by an authority of ca.crt that has expired: %s. No other there has signed it.", facet.Found)
	case checks.CANotYetValid:
		return fmt.Sprintf("The API server's certificate is signed by an authority of ca.crt that is not valid yet: %s. No other there has signed it.", facet.Found)
	case checks.CertServingNotYetValid:
		return fmt.Sprintf("The API server presents a certificate that is not valid yet: %s.", facet.Found)
	case checks.CertSANMissingServiceHost, checks.CertNoIPSANOrCNOnly:
		return fmt.Sprintf("The API server's certificate does not name %s; it names %s.", facet.Expected, facet.Found)
	case checks.CertSANMissingDNSName:
		return fmt.Sprintf("The API server's certificate does not name %s, so clients that use the name fail; it names %s.", facet.Expected, facet.Found)
	case checks.CertWrongEKU:
		return fmt.Sprintf("The API server's certificate is not made for servers: its extended key usage is %s.", facet.Found)
	case checks.CertWeakAlgorithm:
		return fmt.Sprintf("The API server's certificate, or one that leads to it, is signed by %s, which clients refuse.", facet.Found)
	default:
		return fmt.Sprintf("The API server's certificate is not proven by ca.crt: it is %s.", facet.Found)
	}
}
