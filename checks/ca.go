package checks

// CAFacts are what was seen of ca.crt.
type CAFacts struct {
	File File `json:"file"`
	// Blocks are the PEM blocks of the file in their order.
	Blocks []PEMBlock `json:"blocks"`
	// Headers counts the lines "-----BEGIN CERTIFICATE-----". More of them than
	// blocks means that Go passes over some in silence.
	Headers int `json:"headers"`
	// Omitted is how many blocks past the first 256 were not looked at.
	Omitted int     `json:"omitted,omitempty"`
	Seconds float64 `json:"seconds"`
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
}
