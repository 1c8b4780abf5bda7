package checks

import (
	"net/netip"
	"time"
)

// APIFacts are what came of trying the API server.
type APIFacts struct {
	// ServiceHost is the attempt at KUBERNETES_SERVICE_HOST; nil where the
	// environment names none.
	ServiceHost *Attempt `json:"serviceHost,omitempty"`
	// ByName is the attempt at ServiceName; nil where it leads to the same
	// address, or to none.
	ByName *Attempt `json:"byName,omitempty"`
	// SilentGateway is the router on the way to ServiceHost, where no connection came
	// about for want of an answer and the router has none to ARP either; invalid where
	// it does, or where that is not known, as with IPv6.
	SilentGateway netip.Addr `json:"silentGateway,omitzero"`
	// Route is what the pod's own table of routes has for ServiceHost, where to connect was
	// said to be impossible rather than refused or met with silence; empty elsewhere, and
	// with IPv6.
	Route Route `json:"route,omitempty"`
	// LongLived is the connection that the observer keeps; nil before there was
	// one, where ByName is not nil, and in a round that has no time for it or was
	// asked to wait.
	LongLived *LongLivedFacts `json:"longLived,omitempty"`
	// HeldUntil is set where no request was made because the server had said
	// Retry-After; ServiceHost is then the attempt at which it said so.
	HeldUntil time.Time `json:"heldUntil,omitzero"`
	Seconds   float64   `json:"seconds"`
}

// Route is what a table of routes has for an address.
type Route string

// The routes to an address.
const (
	// RouteLeads: packets leave, to a router or to whom they are for.
	RouteLeads Route = "leads"
	// RouteRefuses: the kernel is told to hand nothing on (ip-route(8), unreachable,
	// prohibit and blackhole).
	RouteRefuses Route = "refuses"
	// RouteMissing: there is none.
	RouteMissing Route = "missing"
)

// Stage is how far an exchange came.
type Stage string

// The stages of an exchange.
const (
	// StageResolve: the name had no address.
	StageResolve Stage = "resolve"
	// StageConnect: TCP did not connect.
	StageConnect Stage = "connect"
	// StageTLS: the handshake did not end well.
	StageTLS Stage = "tls"
	// StageResponse: no response head came.
	StageResponse Stage = "response"
	// StageBody: the response was not read to its end.
	StageBody Stage = "body"
	// StageDone: a response came whole, whatever its status.
	StageDone Stage = "done"
)

// Attempt is one round trip and its retries.
type Attempt struct {
	// URL is what was asked for.
	URL string `json:"url"`
	// Authenticated tells that a token was at hand to be sent.
	Authenticated bool `json:"authenticated"`
	// Exchanges are the tries in their order. All but the last were not
	// final; the last is the outcome.
	Exchanges []Exchange `json:"exchanges"`
	Seconds   float64    `json:"seconds"`
}

// Last is the exchange that decides; the zero Exchange where there is none.
func (a *Attempt) Last() Exchange {
	if a == nil || len(a.Exchanges) == 0 {
		return Exchange{}
	}
	return a.Exchanges[len(a.Exchanges)-1]
}

// Exchange is one try of one request.
type Exchange struct {
	Stage Stage `json:"stage"`
	// Address is what was dialled.
	Address netip.AddrPort `json:"address,omitzero"`
	// Reused tells that the try went over the connection of the one before.
	Reused bool `json:"reused,omitempty"`
	// Phases are the parts of the time that the try took.
	Phases Phases `json:"phases"`
	// TLS is nil where no handshake began, or on a reused connection.
	TLS      *TLSFacts `json:"tls,omitempty"`
	Response *Response `json:"response,omitempty"`
	Failure  *Failure  `json:"failure,omitempty"`
	// TCP is what the kernel knew of the connection at the end of the try; nil
	// where there was none any more or it cannot be asked.
	TCP *TCPFacts `json:"tcp,omitempty"`
}

// LongLivedFacts are of the HTTP/2 connection to the API server that an observer
// keeps from round to round, as applications have one in a pool. It is made in a
// round in which the API server took the token, and asked for /readyz about once a
// minute; for /api where that has no answer, which waits for etcd.
type LongLivedFacts struct {
	// Address, MadeAt and Requests, which counts the answers over it, are of the
	// present connection; they are zero where there is none now.
	Address  netip.AddrPort `json:"address,omitzero"`
	MadeAt   time.Time      `json:"madeAt,omitzero"`
	Requests int            `json:"requests,omitempty"`
	// Ended counts connections that the server ended, as it may: by a GOAWAY
	// (RFC 9113 section 6.8), a close or a reset.
	Ended int `json:"ended,omitempty"`
	// Latest is the latest request over a connection that had answered before, a
	// first one that had no answer apart: it is asked again in the next round in
	// which a new connection is answered. It may be older than the facts, and is
	// nil before there is one.
	Latest *LongLivedRequest `json:"latest,omitempty"`
	// Ready is the latest answer to /readyz over the present connection; nil before
	// there is one.
	Ready *Response `json:"ready,omitempty"`
}

// LongLivedRequest is a request over a connection that had answered before.
type LongLivedRequest struct {
	At      time.Time      `json:"at"`
	Address netip.AddrPort `json:"address"`
	// AgeSeconds is how old the connection was, IdleSeconds since when nothing had
	// come over it as it was first asked in vain, Answered how many requests had
	// been.
	AgeSeconds  float64 `json:"ageSeconds"`
	IdleSeconds float64 `json:"idleSeconds"`
	Answered    int     `json:"answered"`
	// NewAnswered tells that a new connection was answered just before.
	NewAnswered bool `json:"newAnswered,omitempty"`
	// Status is that of the answer; 0 where there was none.
	Status  int      `json:"status,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
	// TCP is what the kernel knew of a connection that failed; nil where it
	// cannot be asked.
	TCP     *TCPFacts `json:"tcp,omitempty"`
	Seconds float64   `json:"seconds"`
	// WaitedSeconds is for how long meanwhile the process was given no processor,
	// LongestWaitSeconds the longest at once, see ProcessFacts.
	WaitedSeconds      float64 `json:"waitedSeconds,omitempty"`
	LongestWaitSeconds float64 `json:"longestWaitSeconds,omitempty"`
}

// Phases are durations, each of its part alone. A phase that failed has the
// time that it took to; one that was not reached is zero.
type Phases struct {
	ConnectSeconds float64 `json:"connectSeconds"`
	TLSSeconds     float64 `json:"tlsSeconds"`
	// FirstByteSeconds is from the request written to the first byte back.
	FirstByteSeconds float64 `json:"firstByteSeconds"`
	BodySeconds      float64 `json:"bodySeconds"`
}

// Seconds is how long a try took, dialling and handshake included.
func (p Phases) Seconds() float64 {
	return p.ConnectSeconds + p.TLSSeconds + p.FirstByteSeconds + p.BodySeconds
}

// Response is what matters of an HTTP response.
type Response struct {
	Status int `json:"status"`
	// AuditID is the Audit-Id header, which only a kube-apiserver sets, on
	// every response.
	AuditID string `json:"auditID,omitempty"`
	// FlowSchemaUID and PriorityLevelUID are the X-Kubernetes-PF-* headers,
	// which come only after authentication and priority and fairness.
	FlowSchemaUID    string `json:"flowSchemaUID,omitempty"`
	PriorityLevelUID string `json:"priorityLevelUID,omitempty"`
	// FlowControlled tells that those headers are there, be they empty, as they
	// are until a kube-apiserver that has just started has read its objects.
	FlowControlled bool `json:"flowControlled,omitempty"`
	// RetryAfterSeconds is Retry-After, 0 where there is none.
	RetryAfterSeconds float64  `json:"retryAfterSeconds,omitempty"`
	Warnings          []string `json:"warnings,omitempty"`
	Server            string   `json:"server,omitempty"`
	Via               string   `json:"via,omitempty"`
	Location          string   `json:"location,omitempty"`
	ContentType       string   `json:"contentType,omitempty"`
	// Date is the server's clock, and ReceivedAt the pod's, when the response
	// head came.
	Date       time.Time `json:"date,omitzero"`
	ReceivedAt time.Time `json:"receivedAt,omitzero"`
	// Kind, Versions, StatusReason and StatusMessage are of a JSON body.
	Kind          string   `json:"kind,omitempty"`
	Versions      []string `json:"versions,omitempty"`
	StatusReason  string   `json:"statusReason,omitempty"`
	StatusMessage string   `json:"statusMessage,omitempty"`
	// ServerAddress is the address that the API server gives for itself in an
	// APIVersions (serverAddressByClientCIDRs).
	ServerAddress string `json:"serverAddress,omitempty"`
	// FailedParts are the parts of itself that a kube-apiserver names as failing where
	// it is not ready (/readyz, apiserver pkg/server/healthz), five at the most.
	FailedParts []string `json:"failedParts,omitempty"`
	// BodyStart is the beginning of a body that is not JSON.
	BodyStart string `json:"bodyStart,omitempty"`
	BodyBytes int64  `json:"bodyBytes"`
}

// ClockAhead is the API server's clock less the pod's; false where the response is
// not of a kube-apiserver or does not tell.
func (r *Response) ClockAhead() (ahead time.Duration, known bool) {
	if r == nil || r.Date.IsZero() || r.AuditID == "" {
		return 0, false
	}
	// A Date is cut to the second; half of one is the mean of what is cut off.
	return r.Date.Add(time.Second / 2).Sub(r.ReceivedAt), true
}

// APIDetails are the details of the api check.
type APIDetails struct {
	APIFacts
	// Answered tells that a Kubernetes API server answered as it should.
	Answered bool `json:"answered"`
	// ClockSkewSeconds is the server's clock less the pod's; nil where no
	// server told its time. The Date header has whole seconds.
	ClockSkewSeconds *float64 `json:"clockSkewSeconds,omitempty"`
}
