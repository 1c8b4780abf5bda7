package checks

// TLSFacts are what one handshake showed.
type TLSFacts struct {
	// ServerName is the name or address that the certificate was to prove.
	ServerName string `json:"serverName"`
	// Chain is what the server presented, the leaf first, trusted or not.
	Chain []Certificate `json:"chain,omitempty"`
	// Verified tells that the chain proves ServerName by ca.crt.
	Verified bool `json:"verified"`
	// Version and CipherSuite are as in crypto/tls; empty where the handshake
	// did not end well.
	Version     string   `json:"version,omitempty"`
	CipherSuite string   `json:"cipherSuite,omitempty"`
	Failure     *Failure `json:"failure,omitempty"`
	Seconds     float64  `json:"seconds"`
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
