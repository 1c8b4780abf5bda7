package judge

import (
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// presented makes the server show a chain that the handshake refused. The
// bundle holds the authority of by.
func presented(by *pki, chain ...*x509.Certificate) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.CA.Blocks = []checks.PEMBlock{block(told(f, by.cert))}
		exchange := last(f)
		exchange.Stage, exchange.Response = checks.StageTLS, nil
		exchange.TLS.Verified, exchange.TLS.Chain = false, nil
		exchange.TLS.Failure = &checks.Failure{Kind: checks.Untrusted, Message: "tls: failed to verify certificate: x509: refused"}
		for _, certificate := range chain {
			exchange.TLS.Chain = append(exchange.TLS.Chain, told(f, certificate))
		}
	}
}

func handshakeFailure(kind checks.FailureKind, message string) func(*checks.Facts) {
	return func(f *checks.Facts) {
		exchange := last(f)
		exchange.Stage, exchange.Response = checks.StageTLS, nil
		exchange.TLS = &checks.TLSFacts{ServerName: serviceHost, Failure: &checks.Failure{Kind: kind, Message: message}}
	}
}

func TestServingCertificate(t *testing.T) {
	authority := newPKI(t)
	other := newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "Corporate Proxy CA" })
	again := newPKI(t)
	// The name of the CA as openssl writes it: a UTF8String, tag 12.
	written := newPKI(t, func(c *x509.Certificate) {
		c.RawSubject = []byte("\x30\x15\x31\x13\x30\x11\x06\x03\x55\x04\x03\x0c\x0akubernetes")
	})
	selfSigned := newPKI(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA = "kubernetes-self", false
		c.IPAddresses = []net.IP{net.ParseIP(serviceHost)}
	}).cert
	intermediate := newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "kubernetes-intermediate" })
	intermediate.cert = authority.sign(intermediate.cert, authority.cert, intermediate.key, authority.key)
	weak := newPKI(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.SignatureAlgorithm = "kubernetes-weak", x509.ECDSAWithSHA1
	})
	weakRoot := *weak
	weak.cert = authority.sign(weak.cert, authority.cert, weak.key, authority.key)
	expired := func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }
	ended := newPKI(t, expired)
	ended.cert = authority.sign(ended.cert, authority.cert, ended.key, authority.key)
	noAddress := func(c *x509.Certificate) { c.IPAddresses = nil }
	otherAddress := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }
	judgeCases(t, checks.TLS, []verdictCase{
		{"expired", presented(authority, authority.serving(expired)), want{checks.Fail, checks.CertServingExpired}},
		{"not yet valid", presented(authority, authority.serving(func(c *x509.Certificate) { c.NotBefore = noon.AddDate(0, 0, 1) })), want{checks.Fail, checks.CertServingNotYetValid}},
		{"another address", presented(authority, authority.serving(otherAddress)), want{checks.Fail, checks.CertSANMissingServiceHost}},
		{"no address at all", presented(authority, authority.serving(noAddress)), want{checks.Fail, checks.CertNoIPSANOrCNOnly}},
		{"for clients", presented(authority, authority.serving(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })), want{checks.Fail, checks.CertWrongEKU}},
		{"by a CA of the same name and another key", presented(authority, again.serving()), want{checks.Fail, checks.CARotatedSameName}},
		{"by a CA of the same name and another key, sent along", presented(authority, again.serving(), again.cert), want{checks.Fail, checks.CARotatedSameName}},
		{"by a CA of the same name in another string type", presented(authority, written.serving()), want{checks.Fail, checks.CARotatedSameName}},
		{"by itself, in the name of the CA's organisation", presented(authority, selfSigned), want{checks.Fail, checks.CAMITMOrWrongEndpoint}},
		{"by a stranger", presented(authority, other.serving(), other.cert), want{checks.Fail, checks.CAMITMOrWrongEndpoint}},
		{"by an intermediate that was not sent", presented(authority, intermediate.serving()), want{checks.Fail, checks.CAMissingIntermediate}},
		{"by an intermediate that is signed over SHA-1", presented(authority, weak.serving(), weak.cert), want{checks.Fail, checks.CertWeakAlgorithm}},
		{"by a stranger who signed himself over SHA-1", presented(authority, weakRoot.serving(), weakRoot.cert), want{checks.Fail, checks.CAMITMOrWrongEndpoint}},
		{"signed over SHA-1", presented(authority, authority.serving(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })), want{checks.Fail, checks.CertWeakAlgorithm}},
		{"by an intermediate that has expired", presented(authority, ended.serving(), ended.cert), want{checks.Fail, checks.CertServingExpired}},
		{"by an intermediate that was sent, expired", presented(authority, intermediate.serving(expired), intermediate.cert), want{checks.Fail, checks.CertServingExpired}},
		{"by a stranger, who sends what has expired and nobody needs", presented(authority, other.serving(), ended.cert), want{checks.Fail, checks.CAMITMOrWrongEndpoint}},
		{"refused although every facet holds", presented(authority, authority.serving()), want{checks.Fail, checks.CertChainInvalid}},
		{"by a CA that may not sign certificates", func(f *checks.Facts) {
			unfit := newPKI(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
			presented(unfit, unfit.serving())(f)
		}, want{checks.Fail, checks.CANotACA}},
		{"by no CA, beside one that is", func(f *checks.Facts) {
			unfit := newPKI(t, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 })
			presented(unfit, unfit.serving())(f)
			f.CA.Blocks = append(f.CA.Blocks, block(told(f, other.cert)))
		}, want{checks.Fail, checks.CANotACA}},
		{"by one of two CAs of the bundle, which has expired", func(f *checks.Facts) {
			old := newPKI(t, expired)
			presented(old, old.serving())(f)
			f.CA.Blocks = append(f.CA.Blocks, block(told(f, other.cert)))
		}, want{checks.Fail, checks.CAExpired}},
		{"by one of two CAs of the bundle, which is not valid yet", func(f *checks.Facts) {
			next := newPKI(t, func(c *x509.Certificate) { c.NotBefore = noon.AddDate(0, 0, 1) })
			presented(next, next.serving())(f)
			f.CA.Blocks = append(f.CA.Blocks, block(told(f, other.cert)))
		}, want{checks.Fail, checks.CANotYetValid}},
		{"by a CA that has expired and is in the bundle anew", func(f *checks.Facts) {
			old := newPKI(t, expired)
			renewed := *old
			renewed.cert = old.sign(&x509.Certificate{SerialNumber: old.cert.SerialNumber, Subject: old.cert.Subject, NotBefore: noon, NotAfter: noon.AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true}, old.cert, old.key, old.key)
			presented(old, old.serving())(f)
			f.CA.Blocks = append(f.CA.Blocks, block(told(f, renewed.cert)))
		}, want{checks.Fail, checks.CertChainInvalid}},
		{"by a CA that expired", func(f *checks.Facts) {
			old := newPKI(t, expired)
			presented(old, old.serving())(f)
		}, want{checks.Skip, checks.WaitsFor}},
		{"no ca.crt to prove it by", func(f *checks.Facts) {
			presented(authority, authority.serving())(f)
			f.CA = &checks.CAFacts{File: checks.File{Problem: checks.FileMissing}}
		}, want{checks.Skip, checks.WaitsFor}},
	})
}

func TestEveryFacetOfARefusedChainIsTold(t *testing.T) {
	authority, stranger := newPKI(t), newPKI(t, func(c *x509.Certificate) { c.Subject.CommonName = "stranger" })
	facts := healthy(t)
	presented(authority, stranger.serving(func(c *x509.Certificate) {
		c.NotAfter = noon.AddDate(0, 0, -1)
		c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(10, 0, 0, 1)}, []string{"proxy"}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}))(facts)
	result, _ := Judge(facts, nil).Result(checks.TLS)
	got := []checks.Reason{result.Reason}
	for _, other := range result.Others {
		got = append(got, other.Reason)
	}
	want := []checks.Reason{checks.CertServingExpired, checks.CertSANMissingServiceHost, checks.CAMITMOrWrongEndpoint, checks.CertWrongEKU, checks.CertSANMissingDNSName}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the reasons differ (-want +got):\n%s", diff)
	}
}

func TestNoStrangerIsNamedWhereThereIsNothingToProveTheServerBy(t *testing.T) {
	facts := healthy(t)
	authority := newPKI(t)
	presented(authority, authority.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }))(facts)
	facts.CA = &checks.CAFacts{File: checks.File{Problem: checks.FileMissing}}
	var got []checks.Reason
	for _, finding := range Judge(facts, nil).Diagnosis {
		got = append(got, finding.Reason)
	}
	if diff := cmp.Diff([]checks.Reason{checks.CAFileMissing, checks.CertServingExpired}, got); diff != "" {
		t.Errorf("the causes differ (-want +got):\n%s", diff)
	}
}

func TestProvenCertificate(t *testing.T) {
	authority := newPKI(t)
	proven := func(change func(*x509.Certificate)) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.CA.Blocks = []checks.PEMBlock{block(told(f, authority.cert))}
			last(f).TLS.Chain = []checks.Certificate{told(f, authority.serving(change))}
		}
	}
	judgeCases(t, checks.TLS, []verdictCase{
		{"without the name", proven(func(c *x509.Certificate) { c.DNSNames = []string{"kubernetes"} }), want{checks.Warn, checks.CertSANMissingDNSName}},
		{"with 20 of 365 days left", proven(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.AddDate(0, 0, -345), noon.AddDate(0, 0, 20) }), want{checks.Warn, checks.CertExpiringSoon}},
		{"with 6 of 24 hours left", proven(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.Add(-18*3600e9), noon.Add(6*3600e9) }), want{checks.OK, ""}},
	})
}

func TestWhatPythonRefusesAndGoDoesNotIsAWarning(t *testing.T) {
	const objection = "CA cert does not include key usage extension"
	strict := func(f *checks.Facts) {
		last(f).TLS.Strict = &checks.StrictRefusal{Subject: "CN=kubernetes", Objection: objection}
	}
	judgeCases(t, checks.TLS, []verdictCase{
		{"refused", strict, want{checks.Warn, checks.CertFailsPythonStrict}},
		{"accepted", func(*checks.Facts) {}, want{checks.OK, ""}},
	})
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		told   bool
	}{
		{"refused", strict, true},
		{"accepted", func(*checks.Facts) {}, false},
		{"refused, and the token rejected", both(strict, answeredWith(401, message("Unauthorized"))), false},
	} {
		facts := healthy(t)
		test.change(facts)
		for _, way := range Judge(facts, nil).Access {
			if got, want := strings.Contains(way.Why, "3.13"), test.told && way.Path == checks.PythonClient; got != want {
				t.Errorf("%s: the way %s says %q; that Python refuses is told: %t, want %t", test.name, way.Path, way.Why, got, want)
			}
			if test.told && !way.Works {
				t.Errorf("%s: the way %s does not work: %s", test.name, way.Path, way.Why)
			}
		}
	}
}

func TestHandshakeThatBreaks(t *testing.T) {
	judgeCases(t, checks.TLS, []verdictCase{
		{"plain HTTP", handshakeFailure(checks.Plaintext, "http: server gave HTTP response to HTTPS client"), want{checks.Fail, checks.TLSPlaintextOrWrongPort}},
		{"another protocol", handshakeFailure(checks.Invalid, "tls: first record does not look like a TLS handshake"), want{checks.Fail, checks.TLSPlaintextOrWrongPort}},
		{"closed", handshakeFailure(checks.Closed, "EOF"), want{checks.Fail, checks.TLSEOFOrReset}},
		{"reset", handshakeFailure(checks.Reset, "connection reset by peer"), want{checks.Fail, checks.TLSEOFOrReset}},
		{"silence", handshakeFailure(checks.TimedOut, "i/o timeout"), want{checks.Fail, checks.TLSHandshakeTimeout}},
		{"a key that is too short", handshakeFailure(checks.OtherFailure, "tls: invalid signature by the server certificate: crypto/rsa: 768-bit keys are insecure"), want{checks.Fail, checks.CertWeakAlgorithm}},
		{"an alert", handshakeFailure(checks.OtherFailure, "remote error: tls: handshake failure"), want{checks.Fail, checks.TLSHandshakeFailed}},
		{"a certificate that does not parse", handshakeFailure(checks.OtherFailure, "tls: failed to parse certificate from server: x509: negative serial number"), want{checks.Fail, checks.CertUnparseable}},
		{"no connection", func(f *checks.Facts) {
			*last(f) = checks.Exchange{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.Refused}}
		}, want{checks.Skip, checks.WaitsFor}},
		{"no address to try", func(f *checks.Facts) { f.API.ServiceHost, f.Environment.ServiceHost = nil, "" }, want{checks.Skip, checks.WaitsFor}},
	})
}

func TestAHandshakeThatFailsIsCertainWhereTheTwoSidesDoNotAgree(t *testing.T) {
	for message, want := range map[string]checks.Certainty{
		"remote error: tls: handshake failure":                  checks.Certain,
		"remote error: tls: protocol version not supported":     checks.Certain,
		"tls: server selected unsupported protocol version 302": checks.Certain,
		"remote error: tls: internal error":                     checks.Likely,
		"local error: tls: bad record MAC":                      checks.Likely,
	} {
		facts := healthy(t)
		handshakeFailure(checks.OtherFailure, message)(facts)
		if got := Judge(facts, nil).Diagnosis[0]; got.Reason != checks.TLSHandshakeFailed || got.Certainty != want {
			t.Errorf("%q: got %s, %s, want %s, %s", message, got.Reason, got.Certainty, checks.TLSHandshakeFailed, want)
		}
	}
}

func TestAClientsCertificateIsNotToldByTheNamesThatItLacks(t *testing.T) {
	authority := newPKI(t)
	forClients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	nameless := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }
	for name, test := range map[string]struct {
		changes []func(*x509.Certificate)
		want    checks.Reason
	}{
		"of a client, without names": {[]func(*x509.Certificate){forClients, nameless}, checks.CertWrongEKU},
		"of a server, without names": {[]func(*x509.Certificate){nameless}, checks.CertNoIPSANOrCNOnly},
	} {
		facts := healthy(t)
		presented(authority, authority.serving(test.changes...))(facts)
		if got := Judge(facts, nil).Diagnosis[0]; got.Reason != test.want {
			t.Errorf("%s: got %s, want %s: %q", name, got.Reason, test.want, got.Evidence)
		}
	}
}
