package checks

import (
	"net/netip"
	"time"
)

// DeepFacts are what the deep probes saw, which tell causes apart that look the
// same to the pulse. They are made at the start of an episode, seldom within it, and
// in one-shot runs.
type DeepFacts struct {
	// Time is when they began, by the pod's clock. They may be older than the
	// facts that they are part of.
	Time    time.Time `json:"time"`
	Seconds float64   `json:"seconds"`
	// StepSeconds is the time limit of each step of a probe.
	StepSeconds float64 `json:"stepSeconds"`
	// WaitedSeconds is for how long meanwhile the process was given no
	// processor, and LongestWaitSeconds the longest at once, see ProcessFacts.
	WaitedSeconds      float64 `json:"waitedSeconds"`
	LongestWaitSeconds float64 `json:"longestWaitSeconds"`

	DNS  *DeepDNSFacts  `json:"dns,omitempty"`
	Path *DeepPathFacts `json:"path,omitempty"`
	API  *DeepAPIFacts  `json:"api,omitempty"`
	// Proxy is nil where requests for the API server go by none.
	Proxy *DeepProxyFacts `json:"proxy,omitempty"`
	// Panics are what the code of a probe failed with, by its name: dns, path,
	// api or proxy; or what reads the pod's files did, by that of the check.
	Panics map[string]string `json:"panics,omitempty"`
}

// DeepDNSFacts are what each nameserver of resolv.conf answers by itself.
type DeepDNSFacts struct {
	// Zone is the cluster domain that was asked for, out of the search list,
	// rooted and in lower case; it is "cluster.local." where the list has none.
	Zone string `json:"zone"`
	// Nameservers are in the order of resolv.conf, each once.
	Nameservers []NameserverFacts `json:"nameservers"`
}

// NameserverFacts are the answers of one nameserver. A nil query was not made:
// nothing more is asked where both transports are refused or unreachable, and
// who answers is not asked where nobody does.
type NameserverFacts struct {
	Address netip.Addr `json:"address"`
	// UDP, TCP and AAAA ask for the API server's name in the zone. WithoutEDNS
	// does without EDNS(0), RFC 6891, and is made where UDP timed out or gave
	// FORMERR. UDP and TCP are made at the same time.
	UDP         *Query `json:"udp,omitempty"`
	TCP         *Query `json:"tcp,omitempty"`
	AAAA        *Query `json:"aaaa,omitempty"`
	WithoutEDNS *Query `json:"withoutEDNS,omitempty"`
	// RepliesFrom is another address than the one that was asked, from which a
	// reply came; invalid where none did. It is seen by the pairs alone, whose
	// sockets take replies from anywhere.
	RepliesFrom netip.Addr `json:"repliesFrom,omitzero"`
	// Version asks for TXT dns-version in the zone, which every cluster DNS has
	// (kubernetes/dns docs/specification.md, 2.2), and Root for the root's NS.
	// They, and Reverse, go by the transport that the nameserver answered on.
	Version *Query `json:"version,omitempty"`
	Root    *Query `json:"root,omitempty"`
	// Reverse asks for the name of the API server's address, by which the
	// cluster DNS tells its zone (2.3.3 there). It is nil where
	// KUBERNETES_SERVICE_HOST is no address.
	Reverse *Query `json:"reverse,omitempty"`
	// Paired are queries for A and AAAA from one socket at once, as glibc makes
	// them: without EDNS(0), each pair from a port of its own. There are two
	// where UDP is silent to these too, and else twenty.
	Paired *PairedFacts `json:"paired,omitempty"`
	// Single are queries for A alone, made like the pairs right after them, for
	// comparison. They are made where a pair lacked a reply and another did not.
	Single *SingleFacts `json:"single,omitempty"`
}

// PairedFacts count what came back of pairs of queries, within three quarters of
// the time limit of one step and from the address that was asked.
type PairedFacts struct {
	Pairs int `json:"pairs"`
	// Half is in how many pairs one reply was missing, None in how many both.
	// Recovered is in how many of these the missing ones came when the questions
	// were sent again from the same port, halfway through the time limit.
	Half      int `json:"half"`
	None      int `json:"none"`
	Recovered int `json:"recovered"`
	// Failing is in how many a reply said SERVFAIL. Known is in how many both came, none
	// of them so, and one had an address.
	Failing int `json:"failing"`
	Known   int `json:"known"`
}

// SingleFacts count what came back of single queries.
type SingleFacts struct {
	Queries int `json:"queries"`
	// Lost is how many had no reply, Recovered how many of these had one when
	// they were sent again.
	Lost      int `json:"lost"`
	Recovered int `json:"recovered"`
}

// ClampedSegment is the most bytes that a segment of a clamped connection has. It is
// less than the small ClientHello, so that a path which carries that one carries these:
// else a path of less than what is clamped to would look like one that takes no
// ClientHello of two segments.
const ClampedSegment = 256

// DeepPathFacts are what connections to the API server and beside it met.
type DeepPathFacts struct {
	// Target is the address and port that the pulse goes to.
	Target netip.AddrPort `json:"target"`
	// Controls are other addresses, tried for comparison, none of them twice.
	Controls []Control `json:"controls,omitempty"`
	// SmallHello and FullHello are handshakes with a ClientHello of one segment
	// and with Go's own of two; Clamped is one of Go's own over a connection on which
	// both sides keep to segments of ClampedSegment (tcp(7), TCP_MAXSEG). None sends
	// anything after the handshake. They are nil where the pulse's handshake
	// did not fail as it does when a size is the cause: by silence or by the
	// connection's end. Clamped is nil on other systems than Linux, too.
	SmallHello *Handshake `json:"smallHello,omitempty"`
	FullHello  *Handshake `json:"fullHello,omitempty"`
	Clamped    *Handshake `json:"clamped,omitempty"`
	// Fresh are up to six connections, one after the other, each with a GET of
	// /api, which tell replicas apart. They are fewer where the server is slow,
	// where the first three have no answer, and after an answer that asks to wait;
	// there are none where the pulse's answer asked so (Retry-After, RFC 9110
	// section 10.2.3).
	Fresh []FreshConnection `json:"fresh,omitempty"`
	// ByName is a handshake with the target by ServiceName, which a server may show
	// another certificate for than for an address (SNI, RFC 6066 section 3). Nothing is
	// sent after it. It is nil where the name leads elsewhere, or is what the pulse
	// goes by, and where no connection came about.
	ByName *TLSFacts `json:"byName,omitempty"`
	// LongLived is a request over the connection that the observer keeps, made at
	// the same time; nil where it keeps none.
	LongLived *LongLivedRequest `json:"longLived,omitempty"`
}

// What a control can be.
const (
	// ControlAPIServer is the address that an API server gave for its own when the
	// rounds before were last answered: what it leads to needs no Service.
	ControlAPIServer = "api-server"
	// ControlDNSOverTCP is a nameserver of resolv.conf at its port, over TCP.
	ControlDNSOverTCP = "dns-over-tcp"
	// ControlAddressByDNS is an address that ServiceName has, and
	// ControlAddressOfKubelet is KUBERNETES_PORT_443_TCP_ADDR.
	ControlAddressByDNS     = "api-address-by-dns"
	ControlAddressOfKubelet = "api-address-of-kubelet"
	// ControlNode is the pod's default gateway, at the port of the API. Nothing
	// listens there, as a rule, so a refusal is the answer of the node. It is
	// left out where the target is on loopback, to which no gateway leads.
	ControlNode = "node"
)

// Control is a connection that is tried for comparison. Nothing is sent over
// it.
type Control struct {
	// What is one of the above, as the address was found first in their order.
	What    string         `json:"what"`
	Address netip.AddrPort `json:"address"`
	Failure *Failure       `json:"failure,omitempty"`
	Seconds float64        `json:"seconds"`
}

// Handshake is what one TLS handshake came to, whoever the server is.
type Handshake struct {
	// Connected tells that TCP connected.
	Connected bool     `json:"connected"`
	Done      bool     `json:"done"`
	Failure   *Failure `json:"failure,omitempty"`
	Seconds   float64  `json:"seconds"`
	// TCP is what the kernel knew of the connection at its end; nil where it
	// cannot be asked.
	TCP *TCPFacts `json:"tcp,omitempty"`
}

// TCPFacts are out of TCP_INFO, tcp(7).
type TCPFacts struct {
	// Unacked are segments that were sent and not acknowledged, Retransmits how
	// often the oldest of them was sent again, TotalRetransmits all.
	Unacked          uint32 `json:"unacked"`
	Retransmits      uint32 `json:"retransmits"`
	TotalRetransmits uint32 `json:"totalRetransmits"`
	// BytesAcked and BytesReceived count what arrived at either side. The SYN
	// counts as one byte, so BytesAcked is 1 where none of the data arrived.
	BytesAcked    uint64  `json:"bytesAcked"`
	BytesReceived uint64  `json:"bytesReceived"`
	RTTSeconds    float64 `json:"rttSeconds"`
	SegmentSize   uint32  `json:"segmentSize"`
}

// FreshConnection is one round trip over a connection of its own.
type FreshConnection struct {
	// Leaf is the SHA-256 of the certificate that the server showed, trusted or
	// not, and LeafNames the names and addresses in it.
	Leaf      string   `json:"leaf,omitempty"`
	LeafNames []string `json:"leafNames,omitempty"`
	// Issuer is who issued the chain, see TopOf.
	Issuer string `json:"issuer,omitempty"`
	// Status is that of GET /api, 0 where there was no answer.
	Status int `json:"status,omitempty"`
	// ServerAddress is as in Response.
	ServerAddress string   `json:"serverAddress,omitempty"`
	Failure       *Failure `json:"failure,omitempty"`
	// TCP is as in Exchange.
	TCP     *TCPFacts `json:"tcp,omitempty"`
	Seconds float64   `json:"seconds"`
}

// DeepAPIFacts are what the API server says to other requests than the pulse's,
// each over a verified connection of its own. None is made where the pulse's
// answer asked to wait, and no further one after an answer that does, or where
// one met no server that proves itself.
type DeepAPIFacts struct {
	// Version and Ready are GET of /version and /readyz without a token. Ready has three
	// steps of time.
	Version *Response `json:"version,omitempty"`
	Ready   *Response `json:"ready,omitempty"`
	// WrongToken is the answer to a token that is none, which tells a header
	// that arrives from one that is taken away on the way. It is asked for where
	// the pulse was answered 401 or 403.
	WrongToken *Response `json:"wrongToken,omitempty"`
	// Self is who the API server holds the pod to be (SelfSubjectReview,
	// authentication.k8s.io/v1). It is asked for where the pulse was answered
	// and there is a token.
	Self *Self `json:"self,omitempty"`
	// Failures are why requests had no whole answer, by their name: version,
	// ready, wrongToken or self.
	Failures map[string]*Failure `json:"failures,omitempty"`
}

// DeepProxyFacts are what became of the way to the API server by the proxy that
// Go's clients take there. Neither the password of the proxy nor the token is sent
// to it.
type DeepProxyFacts struct {
	// Proxy is as in EnvironmentDetails, where it is ProxyForAPI.
	Proxy string `json:"proxy"`
	// Lookup is of the proxy's name; nil where it is given by its address.
	Lookup *Lookup `json:"lookup,omitempty"`
	// Tunnel leads to what the environment names, and ByName to ServiceName, by
	// which no TLS is spoken. Both are nil where the proxy's name has no address,
	// and ByName where the proxy speaks no plain HTTP, too.
	Tunnel *Tunnel `json:"tunnel,omitempty"`
	ByName *Tunnel `json:"byName,omitempty"`
}

// Tunnel is what came of asking a proxy for one by CONNECT, RFC 9110 section 9.3.6.
// Nothing is said over it but a TLS handshake.
type Tunnel struct {
	// Target is the host and port that it is to lead to, Address what was dialled
	// of the proxy.
	Target  string         `json:"target"`
	Address netip.AddrPort `json:"address,omitzero"`
	// Stage is connect where the proxy was not connected to, or only that was
	// tried, without a Failure, since it speaks no plain HTTP; response where it
	// did not answer, or otherwise than with 200; tls where the handshake did not
	// end well; and done where ca.crt proves the server at the end of Tunnel, and
	// where ByName was opened.
	Stage Stage `json:"stage"`
	// Status is that of the answer, 0 where there was none, and StatusText what
	// stands behind it.
	Status     int    `json:"status,omitempty"`
	StatusText string `json:"statusText,omitempty"`
	// Issuer is of the certificate at the end of the tunnel where ca.crt does not
	// prove it.
	Issuer  string   `json:"issuer,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
	Seconds float64  `json:"seconds"`
}

// Self is the answer to a SelfSubjectReview.
type Self struct {
	// Status is that of the response; all else is empty unless it is 201.
	Status   int    `json:"status"`
	Username string `json:"username,omitempty"`
	UID      string `json:"uid,omitempty"`
	// Pod, PodUID and Node are out of the extra fields that a bound token has.
	Pod    string `json:"pod,omitempty"`
	PodUID string `json:"podUID,omitempty"`
	Node   string `json:"node,omitempty"`
}
