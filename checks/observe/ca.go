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

// authorities reads ca.crt and keeps it for the handshake.
func (r *round) authorities() *checks.CAFacts {
	start := time.Now()
	facts := &checks.CAFacts{Blocks: []checks.PEMBlock{}}
	facts.File, r.bundle = readFile(r.pod.CAFile(), maxBundle)
	facts.Headers = bytes.Count(r.bundle, []byte("-----BEGIN CERTIFICATE-----"))
	for rest := r.bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if len(facts.Blocks) == maxBlocks {
			facts.Omitted++
			continue
		}
		facts.Blocks = append(facts.Blocks, r.pemBlock(block))
	}
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// pemBlock follows CertPool.AppendCertsFromPEM in what it holds for a root: the
// type CERTIFICATE, no headers, and DER that parses.
func (r *round) pemBlock(block *pem.Block) checks.PEMBlock {
	told := checks.PEMBlock{Type: clip(block.Type, maxNameLength)}
	if block.Type != "CERTIFICATE" {
		told.Error = "a block of this type is passed over"
		return told
	}
	if len(block.Headers) > 0 {
		told.Error = "a block with PEM headers is passed over"
		return told
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		told.Error = clip(err.Error(), maxMessage)
		return told
	}
	certificate := r.certificate(parsed)
	told.Certificate = &certificate
	return told
}
