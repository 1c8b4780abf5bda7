package world

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// authorityShape is a certificate that signs others. Times are relative to
// the start of the world.
type authorityShape struct {
	subject string
	// key names the key pair: shapes that name the same one share it.
	key      string
	from, to time.Duration
	isCA     bool
	// withoutUsage leaves the key usage out, as old authorities do.
	withoutUsage bool
}

// servingShape is a certificate that the API server shows. Names and addresses
// are separated by spaces, so that shapes compare.
type servingShape struct {
	issuer     authorityShape
	from, to   time.Duration
	commonName string
	names      string
	addresses  string
	usage      x509.ExtKeyUsage
	signature  x509.SignatureAlgorithm
	// intermediate puts an authority between issuer and certificate, which
	// the server does not send.
	intermediate bool
	// sendsIssuer has the server send the issuer's certificate as well.
	sendsIssuer bool
}

// authority is a certificate with the key that signs.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certificates makes certificates and remembers them by shape: one that a
// fault has taken away comes back the same.
type certificates struct {
	start       time.Time
	keys        map[string]*ecdsa.PrivateKey
	authorities map[authorityShape]authority
	serving     map[servingShape]*tls.Certificate
}

func newCertificates(start time.Time) *certificates {
	return &certificates{
		start:       start,
		keys:        make(map[string]*ecdsa.PrivateKey),
		authorities: make(map[authorityShape]authority),
		serving:     make(map[servingShape]*tls.Certificate),
	}
}

func (c *certificates) key(name string) (*ecdsa.PrivateKey, error) {
	if key, ok := c.keys[name]; ok {
		return key, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key %s: %w", name, err)
	}
	c.keys[name] = key
	return key, nil
}

// authority is the certificate of a shape, signed by its own key.
func (c *certificates) authority(shape authorityShape) (authority, error) {
	if known, ok := c.authorities[shape]; ok {
		return known, nil
	}
	made, err := c.sign(shape, nil)
	if err != nil {
		return authority{}, err
	}
	c.authorities[shape] = made
	return made, nil
}

// sign makes an authority by the parent's key, or by its own where there is no
// parent.
func (c *certificates) sign(shape authorityShape, parent *authority) (authority, error) {
	key, err := c.key(shape.key)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: shape.subject},
		NotBefore:             c.start.Add(shape.from),
		NotAfter:              c.start.Add(shape.to),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
		IsCA:                  shape.isCA,
	}
	if shape.isCA {
		template.KeyUsage |= x509.KeyUsageCertSign
	}
	if shape.withoutUsage {
		template.KeyUsage = 0
	}
	if parent == nil {
		parent = &authority{certificate: template, key: key}
	}
	certificate, err := create(template, parent, key)
	if err != nil {
		return authority{}, err
	}
	return authority{certificate: certificate, key: key}, nil
}

// servingCertificate is what the API server shows, with its key.
func (c *certificates) servingCertificate(shape servingShape) (*tls.Certificate, error) {
	if known, ok := c.serving[shape]; ok {
		return known, nil
	}
	issuer, err := c.issuer(shape)
	if err != nil {
		return nil, err
	}
	key, err := c.key("serving")
	if err != nil {
		return nil, err
	}
	leaf, err := create(&x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: shape.commonName},
		NotBefore:             c.start.Add(shape.from),
		NotAfter:              c.start.Add(shape.to),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{shape.usage},
		BasicConstraintsValid: true,
		DNSNames:              strings.Fields(shape.names),
		IPAddresses:           parseAddresses(shape.addresses),
		SignatureAlgorithm:    shape.signature,
	}, &issuer, key)
	if err != nil {
		return nil, err
	}
	made := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	if shape.sendsIssuer {
		made.Certificate = append(made.Certificate, issuer.certificate.Raw)
	}
	c.serving[shape] = made
	return made, nil
}

func (c *certificates) issuer(shape servingShape) (authority, error) {
	issuer, err := c.authority(shape.issuer)
	if err != nil || !shape.intermediate {
		return issuer, err
	}
	return c.sign(authorityShape{
		subject: "intermediate of " + shape.issuer.subject,
		key:     "intermediate",
		from:    shape.issuer.from,
		to:      shape.issuer.to,
		isCA:    true,
	}, &issuer)
}

// bundle is the certificate of a shape as text, as it stands in ca.crt.
func (c *certificates) bundle(shape authorityShape) (string, error) {
	made, err := c.authority(shape)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.certificate.Raw})), nil
}

func create(template *x509.Certificate, parent *authority, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, &key.PublicKey, parent.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", template.Subject, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing the certificate of %s: %w", template.Subject, err)
	}
	return certificate, nil
}

func serialNumber() *big.Int {
	var b [15]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return new(big.Int).SetBytes(b[:])
}

func parseAddresses(text string) []net.IP {
	var addresses []net.IP
	for _, field := range strings.Fields(text) {
		addresses = append(addresses, net.ParseIP(field))
	}
	return addresses
}
