package observe

import (
	"context"
	"crypto/x509"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxHold bounds what a server can ask for by Retry-After.
const maxHold = time.Minute

// defaultPort is the port of the Service kubernetes in every cluster.
const defaultPort = "443"

// hold is a Retry-After that is still to be obeyed, and the attempts of the round in
// which one was answered with it.
type hold struct {
	until               time.Time
	serviceHost, byName *checks.Attempt
	certificates        map[string][]byte
}

// api tries the API server as the environment gives it, and by name where the
// name leads elsewhere or is all that its certificate proves. named is closed
// once the lookups are done. With them it takes two time limits at the most, and
// makes no second request where less than half of one is left.
func (r *round) api(ctx context.Context, named <-chan struct{}) *checks.APIFacts {
	start := time.Now()
	facts := &checks.APIFacts{}
	if held := r.memory.hold; r.pod.Now().Before(held.until) {
		facts.ServiceHost, facts.ByName, facts.HeldUntil = held.serviceHost, held.byName, held.until
		r.mu.Lock()
		defer r.mu.Unlock()
		maps.Copy(r.facts.Certificates, held.certificates)
		return facts
	}
	r.memory.hold = hold{}

	host := r.serviceHost()
	if !isAddress(host) {
		<-named
	}
	if target, ok := r.hostTarget(host); ok {
		facts.ServiceHost = r.attempt(ctx, target, r.timeout)
	}
	facts.SilentGateway = r.silentGateway(facts.ServiceHost.Last())
	facts.Route = r.ownRoute(facts.ServiceHost.Last())
	<-named
	left := min(r.timeout, 2*r.timeout-time.Since(start))
	if !asksToWait(facts.ServiceHost.Last().Response) && left >= r.timeout/2 {
		r.askAgain(ctx, facts, left)
	}
	r.obey(facts)
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// askAgain makes a second request within a time limit: by name, or over the connection
// that is kept.
func (r *round) askAgain(ctx context.Context, facts *checks.APIFacts, limit time.Duration) {
	if target, ok := r.nameTarget(facts.ServiceHost); ok {
		facts.ByName = r.attempt(ctx, target, limit)
	} else if facts.ServiceHost != nil {
		facts.LongLived = r.keep(ctx, facts.ServiceHost.Last(), limit)
	}
}

// obey remembers a Retry-After, and adds up to as much again: what a server has told
// a whole fleet would else bring the whole fleet back at once.
func (r *round) obey(facts *checks.APIFacts) {
	for _, attempt := range []*checks.Attempt{facts.ServiceHost, facts.ByName} {
		response := attempt.Last().Response
		if !asksToWait(response) {
			continue
		}
		wait := min(time.Duration(response.RetryAfterSeconds*float64(time.Second)), maxHold)
		r.memory.hold = hold{
			until:       r.pod.Now().Add(wait + rand.N(wait)),
			serviceHost: facts.ServiceHost, byName: facts.ByName, certificates: r.facts.Certificates,
		}
		return
	}
}

// target is where one attempt goes.
type target struct {
	host      string
	port      uint16
	addresses []netip.Addr
}

func (t target) url() string {
	return "https://" + net.JoinHostPort(t.host, strconv.Itoa(int(t.port))) + apiPath
}

func (r *round) serviceHost() string {
	if r.facts.Environment == nil {
		return ""
	}
	return r.facts.Environment.ServiceHost
}

// servicePort is KUBERNETES_SERVICE_PORT, or the port that every cluster has
// where the variable is missing. It fails where the variable is no port.
func (r *round) servicePort() (uint16, bool) {
	text := defaultPort
	if r.facts.Environment != nil && r.facts.Environment.ServicePort != "" {
		text = r.facts.Environment.ServicePort
	}
	return parsePort(text)
}

// namedPort is the port of the Service, which an override of the host and its
// port leaves as it is. It is KUBERNETES_SERVICE_PORT_HTTPS, unless the two other
// variables agree on another: then it is the one that was overridden.
func (r *round) namedPort() uint16 {
	if env := r.facts.Environment; env != nil {
		text := env.ServicePortHTTPS
		if _, linked := env.Linked(); linked != "" && linked == env.ServicePort {
			text = linked
		}
		if port, ok := parsePort(text); ok {
			return port
		}
	}
	port, _ := parsePort(defaultPort)
	return port
}

func parsePort(text string) (uint16, bool) {
	port, err := strconv.ParseUint(text, 10, 16)
	return uint16(port), err == nil && port > 0
}

func (r *round) hostTarget(host string) (target, bool) {
	port, ok := r.servicePort()
	if host == "" || !ok {
		return target{}, false
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return target{host: host, port: port, addresses: []netip.Addr{address}}, true
	}
	if r.facts.DNS == nil || r.facts.DNS.ServiceHost == nil || len(r.facts.DNS.ServiceHost.Addresses) == 0 {
		return target{}, false
	}
	return target{host: host, port: port, addresses: r.facts.DNS.ServiceHost.Addresses}, true
}

// nameTarget is the API server by name; there is none where the name leads to
// where was tried already, unless nothing could be said there because the
// certificate proves the name alone.
func (r *round) nameTarget(tried *checks.Attempt) (target, bool) {
	if r.facts.DNS == nil || len(r.facts.DNS.Lookup.Addresses) == 0 {
		return target{}, false
	}
	named := target{host: checks.ServiceName, port: r.namedPort(), addresses: r.facts.DNS.Lookup.Addresses}
	address := tried.Last().Address
	same := address.Port() == named.port && slices.Contains(named.addresses, address.Addr().Unmap())
	return named, !same || r.provesName(tried.Last().TLS)
}

// provesName tells of a chain that was refused for another name whether it
// would prove that of the Service.
func (r *round) provesName(handshake *checks.TLSFacts) bool {
	if handshake == nil || handshake.Failure == nil || handshake.Failure.Kind != checks.Untrusted || len(handshake.Chain) == 0 {
		return false
	}
	if r.roots == nil {
		// A nil pool would mean the system's roots.
		return false
	}
	options := x509.VerifyOptions{
		DNSName: checks.ServiceName, Roots: r.roots, CurrentTime: r.pod.Now(), Intermediates: x509.NewCertPool(),
	}
	var leaf *x509.Certificate
	for i, told := range handshake.Chain {
		r.mu.Lock()
		der := r.facts.Certificates[told.SHA256]
		r.mu.Unlock()
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return false
		}
		if i == 0 {
			leaf = certificate
		} else {
			options.Intermediates.AddCert(certificate)
		}
	}
	_, err := leaf.Verify(options)
	return err == nil
}

// sendableToken is the token, or nothing where it cannot stand in a header.
func (r *round) sendableToken() string {
	if !sendable(r.token) {
		return ""
	}
	return r.token
}

func sendable(token string) bool {
	for _, char := range []byte(token) {
		if char <= ' ' || char > '~' {
			return false
		}
	}
	return true
}

func (r *round) request(ctx context.Context, target target) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.url(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", r.agent)
	if token := r.sendableToken(); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}
