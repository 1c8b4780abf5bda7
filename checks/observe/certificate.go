package observe

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

// Bounds on what is told of one certificate; its DER is kept whole.
const (
	maxNames      = 64
	maxNameLength = 256
)

// certificate tells what stands in a certificate and keeps its DER.
func (r *round) certificate(parsed *x509.Certificate) checks.Certificate {
	sum := sha256.Sum256(parsed.Raw)
	fingerprint := hex.EncodeToString(sum[:])
	r.mu.Lock()
	r.facts.Certificates[fingerprint] = parsed.Raw
	r.mu.Unlock()

	addresses := make([]string, 0, len(parsed.IPAddresses))
	for _, address := range parsed.IPAddresses {
		addresses = append(addresses, address.String())
	}
	return checks.Certificate{
		SHA256:      fingerprint,
		Subject:     clip(parsed.Subject.String(), maxMessage),
		Issuer:      clip(parsed.Issuer.String(), maxMessage),
		Serial:      clip(parsed.SerialNumber.Text(16), maxNameLength),
		NotBefore:   parsed.NotBefore,
		NotAfter:    parsed.NotAfter,
		IsCA:        parsed.BasicConstraintsValid && parsed.IsCA,
		DNSNames:    clipAll(parsed.DNSNames, maxNameLength),
		IPAddresses: clipAll(addresses, maxNameLength),
		PublicKey:   publicKey(parsed),
		Signature:   parsed.SignatureAlgorithm.String(),
	}
}

func publicKey(certificate *x509.Certificate) string {
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ECDSA %d", key.Curve.Params().BitSize)
	case ed25519.PublicKey:
		return "Ed25519 256"
	default:
		return certificate.PublicKeyAlgorithm.String()
	}
}
