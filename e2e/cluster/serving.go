//go:build linux

package cluster

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ServingCertificate is what the API server shows to its clients. The zero
// value is the one that it starts with.
type ServingCertificate struct {
	// Names are DNS names and IP addresses. Default ServingNames, with SecondAddress
	// for a second API server.
	Names []string
	// NotBefore and NotAfter are a minute ago and in a year by default.
	NotBefore, NotAfter time.Time
	// ForClients puts client authentication where server authentication belongs
	// among the extended key usages.
	ForClients bool
	// Issuer is the common name of a new authority that nobody knows and that
	// signs in the place of the cluster's own, which is called "kubernetes".
	Issuer string
	// Intermediate is the common name of a new authority that the cluster's own
	// signs, that signs in its place and of which the server sends nothing.
	Intermediate string
}

// ServingNames are the names and addresses that the API server's certificate
// is for, as kubeadm has them.
func ServingNames() []string {
	return []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		ServerAddress, NodeAddress, "127.0.0.1",
	}
}

// Serve gives the API server another serving certificate, which it takes up
// within a moment, as it does when one is renewed. Connections that stand are
// not ended by that.
func (c *Cluster) Serve(certificate ServingCertificate) error {
	return c.issueServing(apiServer, certificate)
}

// issueServing writes a serving certificate as NAME.crt and NAME.key.
func (c *Cluster) issueServing(name string, certificate ServingCertificate) error {
	signer := c.authority
	if certificate.Issuer != "" {
		unknown, err := newAuthority(filepath.Join(c.folder, "unknown-authority"), certificate.Issuer)
		if err != nil {
			return fmt.Errorf("make another authority: %w", err)
		}
		// The API server watches the folder that it got its certificate from.
		signer = &authority{folder: c.authority.folder, certificate: unknown.certificate, key: unknown.key}
	}
	if certificate.Intermediate != "" {
		var err error
		if signer, err = c.authority.below(certificate.Intermediate); err != nil {
			return fmt.Errorf("make an authority below the cluster's: %w", err)
		}
	}
	if err := signer.issueServing(name, certificate); err != nil {
		return fmt.Errorf("issue a serving certificate: %w", err)
	}
	return nil
}

// IssueTokenKey makes a key pair for signing tokens, another one than the API
// server starts with, and returns the files of its private and its public key.
func (c *Cluster) IssueTokenKey(name string) (private, public string, err error) {
	if err := c.authority.issueTokenKey(name); err != nil {
		return "", "", fmt.Errorf("make a key for tokens: %w", err)
	}
	return c.authority.path(name + ".key"), c.authority.path(name + ".pub"), nil
}

// SignToken signs claims as the API server does those of a token, whatever they say.
func (c *Cluster) SignToken(claims map[string]any) (string, error) {
	token, err := c.authority.signToken("service-account", claims)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

// ReissueAuthority is the certificate of the cluster's own authority, in PEM, of
// another time.
func (c *Cluster) ReissueAuthority(notBefore, notAfter time.Time) ([]byte, error) {
	template := authorityTemplate(c.authority.certificate.Subject.CommonName)
	template.NotBefore, template.NotAfter = notBefore, notAfter
	if _, err := c.authority.sign("ca-reissued", template, template, &c.authority.key.PublicKey); err != nil {
		return nil, fmt.Errorf("issue the authority's certificate anew: %w", err)
	}
	return os.ReadFile(c.authority.path("ca-reissued.crt"))
}

// ServingPair is the certificate and the key of the API server.
func (c *Cluster) ServingPair() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(c.authority.path(apiServer+".crt"), c.authority.path(apiServer+".key"))
}

// NewAuthority makes a certificate authority of that name, which signs nothing,
// and returns its certificate in PEM.
func NewAuthority(folder, commonName string) ([]byte, error) {
	a, err := newAuthority(folder, commonName)
	if err != nil {
		return nil, fmt.Errorf("make an authority: %w", err)
	}
	return os.ReadFile(a.path("ca.crt"))
}
