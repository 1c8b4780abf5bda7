package checks

import "time"

const (
	// MaxPastRounds is how many earlier rounds a History has at the most.
	MaxPastRounds = 20
	// MaxProvenLeaves is how many certificates one has.
	MaxProvenLeaves = 8
)

// History is what the earlier rounds of the same observer met.
type History struct {
	// Rounds counts them all.
	Rounds uint64 `json:"rounds"`
	// ConnectedAt is when TCP to the API server last connected, and AnsweredAt
	// when a response last came; zero where that never was.
	ConnectedAt time.Time `json:"connectedAt,omitzero"`
	AnsweredAt  time.Time `json:"answeredAt,omitzero"`
	// TokenAcceptedAt is when a round began in which the API server last took the token.
	TokenAcceptedAt time.Time `json:"tokenAcceptedAt,omitzero"`
	// ServerAddress is what an API server last gave for its own address and port, by
	// which no Service leads to it; empty where none ever did.
	ServerAddress string `json:"serverAddress,omitempty"`
	// ProvenLeaves are the SHA-256 of the certificates that an API server has shown and ca.crt
	// has proven, each once, the one that was proven last behind the others.
	ProvenLeaves []string `json:"provenLeaves,omitempty"`
	// SilentHandshakes is how many rounds connected, had acknowledged what they sent
	// of the TLS handshake and were told nothing, since one that met anything but
	// silence. It stays 0 where the kernel cannot be asked (TCPFacts).
	SilentHandshakes int `json:"silentHandshakes,omitempty"`
	// Clock is the latest comparison with the API server's; nil where it never
	// told its time.
	Clock *ClockReading `json:"clock,omitempty"`
	// Lately are the latest rounds, the oldest first.
	Lately []PastRound `json:"lately,omitempty"`
	// ClockJumps are the latest four within the last hour, the oldest first.
	ClockJumps []ClockJump `json:"clockJumps,omitempty"`
}

// PastRound is what one earlier round met, in short.
type PastRound struct {
	Time time.Time `json:"time"`
	// Stage, Failure and Status are those of the attempt at the API server; all
	// are empty where none was made.
	Stage   Stage       `json:"stage,omitempty"`
	Failure FailureKind `json:"failure,omitempty"`
	Status  int         `json:"status,omitempty"`
	// Leaf is the SHA-256 of the certificate that the server showed.
	Leaf string `json:"leaf,omitempty"`
	// PassedOnRetry tells that a first try came to nothing and the next one was
	// answered.
	PassedOnRetry bool `json:"passedOnRetry,omitempty"`
	// Retransmits is how many segments were sent again over a connection that came
	// to the end of its handshake; 0 also where the kernel cannot be asked.
	Retransmits uint32 `json:"retransmits,omitempty"`
	// Resolved tells that ServiceName had an address. It is nil where it was
	// not looked up.
	Resolved *bool `json:"resolved,omitempty"`
	// LookupFailure is what the first query of that lookup met that failed by anything
	// but silence, where the name had no address.
	LookupFailure FailureKind `json:"lookupFailure,omitempty"`
}

// InShort is how far an attempt at the API server came and what it met there. The
// time is left to the caller.
func (a *Attempt) InShort() PastRound {
	last := a.Last()
	met := PastRound{Stage: last.Stage}
	if last.Failure != nil {
		met.Failure = last.Failure.Kind
	}
	if last.Response != nil {
		met.Status = last.Response.Status
	}
	if last.TLS != nil && last.TLS.Verified && last.TCP != nil {
		met.Retransmits = last.TCP.TotalRetransmits
	}
	if a == nil {
		return met
	}
	met.PassedOnRetry = len(a.Exchanges) > 1 && a.Exchanges[0].Failure != nil && last.Stage == StageDone
	for _, exchange := range a.Exchanges {
		if exchange.TLS != nil && len(exchange.TLS.Chain) > 0 {
			met.Leaf = exchange.TLS.Chain[0].SHA256
		}
	}
	return met
}

// ClockReading is what the pod's clock showed as an answer of the API server came,
// and by how much the server's was ahead.
type ClockReading struct {
	Time         time.Time `json:"time"`
	AheadSeconds float64   `json:"aheadSeconds"`
}

// ClockJump is a step of the pod's clock: from one round to the next it went
// Seconds further than time did, which is negative where it was put back. A
// machine that was suspended looks like one whose clock went ahead.
type ClockJump struct {
	// Time is when it was noticed, by the clock as it was then.
	Time    time.Time `json:"time"`
	Seconds float64   `json:"seconds"`
}
