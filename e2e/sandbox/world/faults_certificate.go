package world

import (
	"crypto/x509"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// authorityFaults are wrong in ca.crt.
func authorityFaults() []Fault {
	fault := func(status checks.Status, name checks.Reason, title string, change func(*conditions)) Fault {
		return Fault{Name: string(name), Title: title, Check: checks.CA, Status: status, Reason: name, change: change}
	}
	return []Fault{
		fault(checks.Fail, checks.CAFileMissing, "There is no ca.crt.",
			caFile(func(string) file { return file{kind: missing} })),
		fault(checks.Fail, checks.CAFileEmptyOrNotPEM, "ca.crt holds a web page.",
			caFile(func(string) file { return plainFile("<html><body>Not Found</body></html>\n") })),
		fault(checks.Fail, checks.CAFileTooLarge, "ca.crt is a file of a gigabyte.",
			caFile(func(string) file { return file{kind: gigabyte} })),
		fault(checks.Warn, checks.CABundlePartiallyParsed, "The second certificate of ca.crt was cut off when it was copied.",
			caFile(func(bundle string) file { return plainFile(bundle + bundle[:len(bundle)/2]) })),
		fault(checks.Fail, checks.CAExpired, "The only certificate of ca.crt ended an hour ago.",
			authorityOf(func(a *authorityShape) { a.from, a.to = -10*year, -time.Hour })),
		fault(checks.Warn, checks.CAExpiringSoon, "The certificate of ca.crt ends in 10 days.",
			authorityOf(func(a *authorityShape) { a.from, a.to = 10*day-10*year, 10*day })),
		fault(checks.Fail, checks.CANotACA, "The certificate of ca.crt may not sign others.",
			func(c *conditions) { c.bundle.isCA = false }),
	}
}

func caFile(content func(bundle string) file) func(*conditions) {
	return func(c *conditions) { c.caFile = content }
}

// authorityOf changes the authority in ca.crt and in the chain alike.
func authorityOf(change func(*authorityShape)) func(*conditions) {
	return func(c *conditions) {
		change(&c.bundle)
		change(&c.serving.issuer)
	}
}

// certificateFaults are wrong in the chain that the API server shows.
func certificateFaults() []Fault {
	fault := func(status checks.Status, name checks.Reason, title string, change func(*servingShape)) Fault {
		return Fault{
			Name:   string(name),
			Title:  title,
			Check:  checks.TLS,
			Status: status,
			Reason: name,
			change: func(c *conditions) { change(&c.serving) },
		}
	}
	return []Fault{
		fault(checks.Fail, checks.CertServingExpired, "The API server's certificate ended an hour ago.",
			func(s *servingShape) { s.from, s.to = -year, -time.Hour }),
		fault(checks.Fail, checks.CertServingNotYetValid, "The API server's certificate begins in an hour.",
			func(s *servingShape) { s.from, s.to = time.Hour, year }),
		fault(checks.Warn, checks.CertExpiringSoon, "The API server's certificate ends in 5 days.",
			func(s *servingShape) { s.from, s.to = 5*day-year, 5*day }),
		fault(checks.Fail, checks.CertSANMissingServiceHost, "The API server's certificate is for another address.",
			func(s *servingShape) { s.addresses = "10.96.0.1" }),
		fault(checks.Warn, checks.CertSANMissingDNSName, "The API server's certificate is not for kubernetes.default.svc.",
			func(s *servingShape) { s.names = "kubernetes " + node }),
		fault(checks.Fail, checks.CertNoIPSANOrCNOnly, "The API server's certificate is for no address at all.",
			func(s *servingShape) { s.addresses = "" }),
		fault(checks.Fail, checks.CertWrongEKU, "The API server's certificate is one for clients.",
			func(s *servingShape) { s.usage = x509.ExtKeyUsageClientAuth }),
		fault(checks.Fail, checks.CertWeakAlgorithm, "The API server's certificate is signed with SHA-1.",
			func(s *servingShape) { s.signature = x509.ECDSAWithSHA1 }),
		fault(checks.Fail, checks.CARotatedSameName, "The cluster's authority was made anew under the same name, and ca.crt still has the old one.",
			func(s *servingShape) { s.issuer.key = "cluster, made anew" }),
		fault(checks.Fail, checks.CAMITMOrWrongEndpoint, "The API server's certificate is by an authority unknown to ca.crt.",
			func(s *servingShape) {
				s.issuer.subject, s.issuer.key = "Example Corp TLS Inspection", "inspection"
				s.sendsIssuer = true
			}),
		fault(checks.Fail, checks.CAMissingIntermediate, "The API server does not send the intermediate that issued its certificate.",
			func(s *servingShape) { s.intermediate = true }),
	}
}

// strictFaults are wrong for those alone who ask for more than Go does.
func strictFaults() []Fault {
	return []Fault{{
		Name:   string(checks.CertFailsPythonStrict),
		Title:  "The cluster's authority has no key usage, as those of old clusters.",
		Check:  checks.TLS,
		Status: checks.Warn,
		Reason: checks.CertFailsPythonStrict,
		change: authorityOf(func(a *authorityShape) { a.withoutUsage = true }),
	}}
}

// handshakeFaults are wrong before any certificate is shown.
func handshakeFaults() []Fault {
	fault := func(name checks.Reason, title string, speaks protocol) Fault {
		return Fault{
			Name:   string(name),
			Title:  title,
			Check:  checks.TLS,
			Status: checks.Fail,
			Reason: name,
			change: func(c *conditions) { c.api.protocol = speaks },
		}
	}
	return []Fault{
		fault(checks.TLSPlaintextOrWrongPort, "The API server's port speaks plain HTTP.", speaksPlainHTTP),
		fault(checks.TLSEOFOrReset, "The API server's port closes connections after the first bytes.", hangsUp),
		fault(checks.TLSHandshakeTimeout, "The API server's port accepts connections and says nothing.", saysNothing),
	}
}
