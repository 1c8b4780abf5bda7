package checks

import "slices"

// TLSFacts are what one handshake showed.
type TLSFacts struct {
	// ServerName is the name or address that the certificate was to prove.
	ServerName string `json:"serverName"`
	// Chain is what the server presented, the leaf first, trusted or not.
	Chain []Certificate `json:"chain,omitempty"`
	// Verified tells that the chain proves ServerName by ca.crt.
	Verified bool `json:"verified"`
	// Strict is why OpenSSL 3 refuses a chain that is Verified, in its strict mode
	// (X509_V_FLAG_X509_STRICT), which Python 3.13 and later set by default, and
	// urllib3 2.4 and later with them for the official client. It is nil where
	// OpenSSL accepts the chain too.
	Strict *StrictRefusal `json:"strict,omitempty"`
	// Version and CipherSuite are as in crypto/tls; empty where the handshake
	// did not end well.
	Version     string   `json:"version,omitempty"`
	CipherSuite string   `json:"cipherSuite,omitempty"`
	Failure     *Failure `json:"failure,omitempty"`
	Seconds     float64  `json:"seconds"`
}

// TopOf follows a chain from its leaf by the names of issuers, as far as it has them.
// What else a server sends along is passed over.
func TopOf(chain []Certificate) Certificate {
	top := chain[0]
	for range chain[1:] {
		next := slices.IndexFunc(chain, func(issuer Certificate) bool { return issuer.Subject == top.Issuer })
		if next < 0 {
			break
		}
		top = chain[next]
	}
	return top
}

// StrictRefusal is what OpenSSL says of a certificate in its strict mode.
type StrictRefusal struct {
	Subject string `json:"subject"`
	// Objection is in OpenSSL's words (crypto/x509/x509_txt.c).
	Objection string `json:"objection"`
}

// Facet is one question to a certificate chain, judged apart from the others.
type Facet struct {
	// Name is time, issuer, address, dns-name, key-usage or strength.
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason is empty where OK.
	Reason   Reason `json:"reason,omitempty"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
}

// TLSDetails are the details of the tls check.
type TLSDetails struct {
	TLSFacts
	Facets []Facet `json:"facets,omitempty"`
}
