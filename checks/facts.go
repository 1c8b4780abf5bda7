package checks

import "time"

// FactsVersion is the version of the JSON of Facts.
const FactsVersion = "lifeline.facts/v1"

// Facts are what one round saw. They hold no secret, so they can be saved,
// sent and judged elsewhere. A nil part was not observed: its check is left
// out, or its code failed, which Panics then tells.
type Facts struct {
	Version string `json:"version"`
	// Time is when observing began, by the pod's clock.
	Time            time.Time         `json:"time"`
	DurationSeconds float64           `json:"durationSeconds"`
	Hostname        string            `json:"hostname,omitempty"`
	DownwardAPI     Identity          `json:"downwardAPI,omitzero"`
	Process         ProcessFacts      `json:"process,omitzero"`
	Environment     *EnvironmentFacts `json:"environment,omitempty"`
	DNS             *DNSFacts         `json:"dns,omitempty"`
	Token           *TokenFacts       `json:"token,omitempty"`
	CA              *CAFacts          `json:"ca,omitempty"`
	API             *APIFacts         `json:"api,omitempty"`
	// KubectlProxy is nil where no kubectl proxy is configured, too.
	KubectlProxy *KubectlProxyFacts `json:"kubectlProxy,omitempty"`
	// Deep are what the deep probes saw, in this round or an earlier one of the
	// same episode; nil where none were made.
	Deep *DeepFacts `json:"deep,omitempty"`
	// History is nil in the first round and where there is but one.
	History *History `json:"history,omitempty"`
	// Skipped are the checks that were left out.
	Skipped []Name `json:"skipped,omitempty"`
	// Panics are what the observing code of a check failed with.
	Panics map[Name]string `json:"panics,omitempty"`
	// Certificates are all certificates that the other facts name, in DER, by
	// Certificate.SHA256.
	Certificates map[string][]byte `json:"certificates,omitempty"`
}

// FailureKind sorts errors of the network and of the wire by what they mean.
type FailureKind string

// The kinds of failure.
const (
	// Refused: an RST or an ICMP port-unreachable came back (ECONNREFUSED).
	Refused FailureKind = "refused"
	// TimedOut: nothing came back in time.
	TimedOut FailureKind = "timeout"
	// Reset: an RST ended a connection that stood (ECONNRESET, EPIPE).
	Reset FailureKind = "reset"
	// Closed: the other side ended the connection too early (EOF).
	Closed FailureKind = "closed"
	// HostUnreachable: EHOSTUNREACH, mostly a firewall that rejects.
	HostUnreachable FailureKind = "host-unreachable"
	// NetworkUnreachable: ENETUNREACH, no route or no address of the family.
	NetworkUnreachable FailureKind = "network-unreachable"
	// NotPermitted: EPERM or EACCES, a local filter.
	NotPermitted FailureKind = "not-permitted"
	// Invalid: bytes came back that are not of the protocol.
	Invalid FailureKind = "invalid"
	// Plaintext: HTTP came back where TLS was spoken.
	Plaintext FailureKind = "plaintext"
	// Untrusted: the certificate chain does not verify.
	Untrusted FailureKind = "untrusted"
	// TooLarge: more came back than is read.
	TooLarge FailureKind = "too-large"
	// OutOfFiles: the process, or its node, may open no more files (EMFILE, ENFILE),
	// of which each connection is one.
	OutOfFiles FailureKind = "out-of-files"
	// OtherFailure: see the message.
	OtherFailure FailureKind = "other"
)

// Failure is an error as a fact.
type Failure struct {
	Kind    FailureKind `json:"kind"`
	Message string      `json:"message"`
}

// FileProblem says why a file could not be read whole.
type FileProblem string

// The problems of files.
const (
	// FileMissing: there is no such file (ENOENT).
	FileMissing FileProblem = "missing"
	// FileForbidden: it may not be read by this user (EACCES, EPERM).
	FileForbidden FileProblem = "forbidden"
	// FileIrregular: it is a directory, a FIFO, a socket or a device.
	FileIrregular FileProblem = "irregular"
	// FileTooLarge: it is larger than is read.
	FileTooLarge FileProblem = "too-large"
	// FileBeyondLimit: the process, or its node, may open no more files (EMFILE, ENFILE).
	FileBeyondLimit FileProblem = "beyond-limit"
	// FileUnreadable: any other error.
	FileUnreadable FileProblem = "unreadable"
)

// File is what was seen of a file, its content apart.
type File struct {
	Path string `json:"path"`
	// Problem is empty where the file was read.
	Problem FileProblem `json:"problem,omitempty"`
	// Error is the operating system's word on the problem.
	Error string `json:"error,omitempty"`
	// Size in bytes, and Mode as in ls -l, of the file that links lead to.
	Size int64  `json:"size"`
	Mode string `json:"mode,omitempty"`
	// Link is where a symbolic link of that name points; empty where it is
	// none.
	Link string `json:"link,omitempty"`
}

// Certificate is what is said in an X.509 certificate, RFC 5280.
type Certificate struct {
	// SHA256 is the fingerprint of the DER, in lower-case hex.
	SHA256      string    `json:"sha256"`
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	IsCA        bool      `json:"isCA"`
	DNSNames    []string  `json:"dnsNames,omitempty"`
	IPAddresses []string  `json:"ipAddresses,omitempty"`
	// PublicKey is algorithm and size, as in "ECDSA 256".
	PublicKey string `json:"publicKey,omitempty"`
	Signature string `json:"signature,omitempty"`
}

// LifetimeLeft is the fraction of the certificate's validity that is still to
// come at a time: 1 at NotBefore, 0 at NotAfter and later.
func (c Certificate) LifetimeLeft(at time.Time) float64 {
	whole := c.NotAfter.Sub(c.NotBefore)
	if whole <= 0 || !at.Before(c.NotAfter) {
		return 0
	}
	return min(1, float64(c.NotAfter.Sub(at))/float64(whole))
}
