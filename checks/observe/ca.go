package observe

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// maxBundle is what a ConfigMap can hold.
	maxBundle = 1 << 20
	// maxBlocks bounds the facts of a bundle; the trust in it is not bounded.
	maxBlocks = 256
)

// authorities reads ca.crt and keeps its certificates for the handshake.
func (r *round) authorities() *checks.CAFacts {
	start := time.Now()
	facts := &checks.CAFacts{Blocks: []checks.PEMBlock{}}
	file, bundle := readFile(r.pod.CAFile(), maxBundle)
	facts.File = file
	facts.Headers = bytes.Count(bundle, []byte("-----BEGIN CERTIFICATE-----"))
	r.roots = x509.NewCertPool()
	parsed := make(map[string]*x509.Certificate)
	for rest := bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		root, why, malformed := rootIn(block)
		if root != nil {
			r.roots.AddCert(root)
			parsed[string(root.Raw)] = root
		}
		if len(facts.Blocks) == maxBlocks {
			facts.Omitted++
			continue
		}
		told := checks.PEMBlock{Type: clip(block.Type, maxNameLength), Error: why, Malformed: malformed}
		if root != nil {
			certificate := r.certificate(root)
			told.Certificate = &certificate
		}
		facts.Blocks = append(facts.Blocks, told)
	}
	if file.Problem == "" {
		r.readAsOpenSSL(bundle, parsed, facts)
	}
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// readAsOpenSSL has the handshake trust what OpenSSL finds where Go finds
// nothing, so that it is seen how the clients fare which go by OpenSSL.
func (r *round) readAsOpenSSL(bundle []byte, parsed map[string]*x509.Certificate, facts *checks.CAFacts) {
	told, certificates := readAsOpenSSL(bundle, parsed)
	facts.OpenSSL = told
	if len(parsed) > 0 {
		return
	}
	for _, certificate := range certificates {
		r.roots.AddCert(certificate)
	}
}

// rootIn is the certificate that a block holds, or why it is none that serves as
// a root. It follows CertPool.AppendCertsFromPEM: the type CERTIFICATE, no
// headers, and DER that parses.
func rootIn(block *pem.Block) (root *x509.Certificate, why string, malformed bool) {
	if block.Type != "CERTIFICATE" {
		return nil, "a block of this type is passed over", false
	}
	if len(block.Headers) > 0 {
		return nil, "a block with PEM headers is passed over", false
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, clip(err.Error(), maxMessage), true
	}
	return root, "", false
}
