package checks

// CAFacts are what was seen of ca.crt.
type CAFacts struct {
	File File `json:"file"`
	// Blocks are the PEM blocks of the file in their order.
	Blocks []PEMBlock `json:"blocks"`
	// Headers counts the lines "-----BEGIN CERTIFICATE-----". More of them than
	// blocks means that Go passes over some in silence.
	Headers int `json:"headers"`
	// OpenSSL is what OpenSSL makes of the file; nil where it was not read.
	OpenSSL *OpenSSLBundle `json:"openSSL,omitempty"`
	// Omitted is how many blocks past the first 256 were not looked at.
	Omitted int     `json:"omitted,omitempty"`
	Seconds float64 `json:"seconds"`
}

// OpenSSLBundle is what OpenSSL 3 makes of a bundle, by which the Python client
// and curl go. It takes blocks that Go passes over, and passes over none that
// is damaged: then it takes nothing of the file (X509_load_cert_crl_file).
type OpenSSLBundle struct {
	// Certificates is how many it takes.
	Certificates int `json:"certificates"`
	// Refusal says what makes it refuse the file; empty where nothing does.
	Refusal string `json:"refusal,omitempty"`
}

// PEMBlock is one block of a PEM file, RFC 7468.
type PEMBlock struct {
	Type string `json:"type"`
	// Error says why a block is not used as a root; empty where it is.
	Error string `json:"error,omitempty"`
	// Malformed tells a block of the type CERTIFICATE whose DER does not parse.
	// CertPool.AppendCertsFromPEM passes it over; InClusterConfig gives the
	// whole bundle up for it (client-go util/cert, ParseCertsPEM).
	Malformed   bool         `json:"malformed,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
}

// CADetails are the details of the ca check.
type CADetails struct {
	CAFacts
	// FirstExpiry is the certificate that ends first; nil where there is none.
	FirstExpiry *Certificate `json:"firstExpiry,omitempty"`
	// LastExpiry is the certificate that ends last, until when the bundle proves
	// anybody; nil where there is none.
	LastExpiry *Certificate `json:"lastExpiry,omitempty"`
}
