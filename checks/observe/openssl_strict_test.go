package observe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

var (
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// constrained gives an authority basic constraints of its own, and with that no
// subject key identifier, which only a template of an authority is given.
func constrained(critical bool, der ...byte) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.IsCA = false
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidBasicConstraints, Critical: critical, Value: der})
	}
}

func identified(c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3, 4} }

// chainOf is an authority and what it signed, under intermediates if any.
type chainOf struct {
	name string
	root func(*x509.Certificate)
	leaf func(*x509.Certificate)
	// between shapes an intermediate, which the server sends.
	between func(*x509.Certificate)
	// inBundle has ca.crt hold the intermediate, and not the root.
	inBundle bool
	want     string
}

func (c chainOf) make(t *testing.T) (bundle *x509.Certificate, sent []*x509.Certificate) {
	t.Helper()
	root := signed(t, nil, authorityTemplate("kubernetes", c.root))
	if c.between == nil {
		return root.certificate, []*x509.Certificate{signed(t, &root, servingTemplate(c.leaf)).certificate}
	}
	middle := signed(t, &root, authorityTemplate("kubernetes-intermediate", c.between))
	leaf := signed(t, &middle, servingTemplate(c.leaf)).certificate
	if c.inBundle {
		return middle.certificate, []*x509.Certificate{leaf}
	}
	return root.certificate, []*x509.Certificate{leaf, middle.certificate}
}

// signer is a certificate with the key that signs.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// signed makes a certificate by the parent's key, or by its own where there is
// no parent.
func signed(t *testing.T, parent *signer, template *x509.Certificate) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent = &signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, &key.PublicKey, parent.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{certificate, key}
}

func authorityTemplate(name string, change func(*x509.Certificate)) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	return template
}

func servingTemplate(change func(*x509.Certificate)) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{checks.ServiceName},
	}
	if change != nil {
		change(template)
	}
	return template
}

func strictChains() []chainOf {
	return []chainOf{
		{name: "as kubeadm makes them", root: func(c *x509.Certificate) {
			c.KeyUsage, c.DNSNames = x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment|x509.KeyUsageCertSign, []string{"kubernetes"}
		}, leaf: func(c *x509.Certificate) { c.BasicConstraintsValid = true }},
		{name: "with a path length, as k3s and GKE make them", root: func(c *x509.Certificate) { c.MaxPathLen = 1 }},
		{name: "under an intermediate", between: func(*x509.Certificate) {}},
		{name: "by an authority without key usage", root: func(c *x509.Certificate) { c.KeyUsage = 0 }, want: "CA cert does not include key usage extension"},
		{name: "by an authority without a key identifier, which leaves none to the leaf either", root: constrained(true, 0x30, 3, 1, 1, 0xff), want: "Missing Authority Key Identifier"},
		{name: "by an authority without a key identifier, and the leaf has one", root: constrained(true, 0x30, 3, 1, 1, 0xff), leaf: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: []byte{0x30, 3, 0x80, 1, 7}}}
		}, want: "Missing Subject Key Identifier"},
		{name: "by an authority whose basic constraints are not critical", root: func(c *x509.Certificate) { constrained(false, 0x30, 3, 1, 1, 0xff)(c); identified(c) }, want: "Basic Constraints of CA cert not marked critical"},
		{name: "with a path length and no key usage", root: func(c *x509.Certificate) { c.KeyUsage, c.MaxPathLen = 0, 1 }, want: "Path length given without key usage keyCertSign"},
		{name: "by an authority without a name for its issuer and itself", root: func(c *x509.Certificate) { c.Subject = pkix.Name{} }, want: "Issuer name empty"},
		{name: "with a leaf that may sign", leaf: func(c *x509.Certificate) {
			c.KeyUsage, c.BasicConstraintsValid = c.KeyUsage|x509.KeyUsageCertSign, true
		}, want: "Key usage keyCertSign invalid for non-CA cert"},
		{name: "with a leaf that may sign, without basic constraints", leaf: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, want: "invalid CA certificate"},
		{name: "with a leaf without a name", leaf: func(c *x509.Certificate) { c.Subject = pkix.Name{} }},
		{name: "with a leaf without a name, whose other names are not critical", leaf: func(c *x509.Certificate) {
			c.Subject = pkix.Name{}
			names := append([]byte{0x87, 4, 10, 96, 0, 1, 0x82, byte(len(checks.ServiceName))}, checks.ServiceName...)
			c.ExtraExtensions = []pkix.Extension{{Id: oidSubjectAltName, Value: append([]byte{0x30, byte(len(names))}, names...)}}
		}, want: "Subject empty and Subject Alt Name extension not critical"},
		{name: "under an intermediate without key usage", between: func(c *x509.Certificate) { c.KeyUsage = 0 }, want: "CA cert does not include key usage extension"},
		{name: "by a certificate of ca.crt that is no root", between: func(*x509.Certificate) {}, inBundle: true},
		{name: "with a path length in a leaf", leaf: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: oidBasicConstraints, Critical: true, Value: []byte{0x30, 3, 2, 1, 0}}}
		}, want: "Path length invalid for non-CA cert"},
	}
}

// TestStrictModeIsOpenSSLs has the machine's own OpenSSL judge chains that Go
// accepts, with the flag and without.
func TestStrictModeIsOpenSSLs(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on this machine")
	}
	for _, test := range strictChains() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bundle, sent := test.make(t)
			folder := t.TempDir()
			write := func(name string, certificates ...*x509.Certificate) string {
				var text []byte
				for _, certificate := range certificates {
					text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
				}
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			verify := func(options ...string) string {
				arguments := append([]string{"verify", "-partial_chain", "-CAfile", write("ca.crt", bundle)}, options...)
				if len(sent) > 1 {
					arguments = append(arguments, "-untrusted", write("sent.crt", sent[1:]...))
				}
				said, _ := exec.CommandContext(t.Context(), openssl, append(arguments, write("leaf.crt", sent[0]))...).CombinedOutput()
				_, why, _ := strings.Cut(string(said), " depth lookup: ")
				why, _, _ = strings.Cut(why, "\n")
				if why == "" && !strings.Contains(string(said), ": OK") {
					t.Fatalf("openssl said %q", said)
				}
				return why
			}
			if got := verify(); got != "" {
				t.Errorf("without the flag OpenSSL says %q, so the case is none", got)
			}
			if got := verify("-x509_strict"); got != test.want {
				t.Errorf("OpenSSL says %q, want %q", got, test.want)
			}
		})
	}
}

func TestAChainIsReadAsStrictlyAsOpenSSLDoes(t *testing.T) {
	for _, test := range strictChains() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bundle, sent := test.make(t)
			chains := verified(t, []*x509.Certificate{bundle}, sent)
			got := ""
			if refusal := readStrictly(chains); refusal != nil {
				got = refusal.Objection
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// verified are the chains that Go finds, as a handshake tells them.
func verified(t *testing.T, bundle, sent []*x509.Certificate) [][]*x509.Certificate {
	t.Helper()
	options := x509.VerifyOptions{DNSName: checks.ServiceName, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	for _, certificate := range bundle {
		options.Roots.AddCert(certificate)
	}
	for _, certificate := range sent[1:] {
		options.Intermediates.AddCert(certificate)
	}
	chains, err := sent[0].Verify(options)
	if err != nil {
		t.Fatalf("Go does not accept the chain, so the case is none: %v", err)
	}
	return chains
}

// TestOneAuthorityThatPassesIsEnough has ca.crt hold one authority twice, as it
// does when it is replaced under the same key.
func TestOneAuthorityThatPassesIsEnough(t *testing.T) {
	old := signed(t, nil, authorityTemplate("kubernetes", func(c *x509.Certificate) { c.KeyUsage = 0 }))
	template := authorityTemplate("kubernetes", nil)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &old.key.PublicKey, old.key)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	leaf := []*x509.Certificate{signed(t, &old, servingTemplate(nil)).certificate}
	for _, test := range []struct {
		name    string
		bundle  []*x509.Certificate
		refused bool
	}{
		{"the old one alone", []*x509.Certificate{old.certificate}, true},
		{"both", []*x509.Certificate{old.certificate, renewed}, false},
		{"the new one alone", []*x509.Certificate{renewed}, false},
		{"the server's own certificate", leaf, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if refusal := readStrictly(verified(t, test.bundle, leaf)); (refusal != nil) != test.refused {
				t.Errorf("got %+v, want a refusal: %t", refusal, test.refused)
			}
		})
	}
}
