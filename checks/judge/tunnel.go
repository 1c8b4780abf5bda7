package judge

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// proxyHolds is for how long what deep probes met at a proxy tells something. While
// one is in the way they are made anew within ten minutes, and later where rounds
// are further apart than usual: a verdict that waited for them would waver.
const proxyHolds = 2 * time.Hour

// passage is how deep probes fared by the proxy that Go's clients take.
type passage struct {
	// told is a sentence or two on it, empty where nothing is known.
	told      string
	status    checks.Status
	certainty checks.Certainty
	// carries tells that they got through to the API server.
	carries bool
}

// throughProxy judges what the deep probes met. The zero passage is of a proxy that
// was not tried, or not with the variables that there are now.
func throughProxy(facts *checks.Facts) (found passage) {
	proxy := probedProxy(facts)
	switch {
	case proxy == nil:
		return passage{}
	case proxy.Tunnel == nil:
		found = nowhere(proxy.Lookup, facts)
	default:
		found = tunnelled(proxy, facts)
	}
	if found.told != "" {
		found.told = fmt.Sprintf("It was tried at %s. %s", moment(facts.Deep.Time), found.told)
	}
	return found
}

func probedProxy(facts *checks.Facts) *checks.DeepProxyFacts {
	env := facts.Environment
	if env == nil || facts.Deep == nil || facts.Deep.Proxy == nil || facts.Time.Sub(facts.Deep.Time) > proxyHolds {
		return nil
	}
	proxy := facts.Deep.Proxy
	moved := proxy.Tunnel != nil && proxy.Tunnel.Target != net.JoinHostPort(env.ServiceHost, env.ServicePort)
	if proxy.Proxy != proxyForAPI(env) || moved {
		return nil
	}
	return proxy
}

// nowhere judges a proxy whose name has no address. Where the API server's name
// has none either, the nameservers are why.
func nowhere(lookup *checks.Lookup, facts *checks.Facts) passage {
	if lookup == nil {
		return passage{}
	}
	found := passage{told: fmt.Sprintf("The name of the proxy, %s, did not resolve.", lookup.Name), status: checks.Warn, certainty: checks.Likely}
	open := func(query checks.Query) bool {
		return !wasAnswered(&query) || !isUnknown(&query) && query.Rcode != "NOERROR"
	}
	resolves := facts.DNS != nil && len(facts.DNS.Lookup.Addresses) > 0
	if resolves && !lookup.Cut && len(lookup.Queries) > 0 && !slices.ContainsFunc(lookup.Queries, open) {
		found.told = fmt.Sprintf("The name of the proxy, %s, has no address.", lookup.Name)
		found.status = checks.Fail
	}
	return found
}

func tunnelled(proxy *checks.DeepProxyFacts, facts *checks.Facts) passage {
	tunnel := proxy.Tunnel
	found := passage{told: becameOf(tunnel), status: checks.Warn, certainty: checks.Likely, carries: tunnel.Stage == checks.StageDone}
	refused := tunnel.Stage == checks.StageResponse && tunnel.Failure == nil
	unconnected := tunnel.Stage == checks.StageConnect && kindOf(tunnel.Failure) == checks.Refused
	// All else can have a cause on which the direct way depends too.
	ofItsOwn := unconnected || refused && tunnel.Status < 500
	switch {
	case found.told == "":
		return passage{}
	case found.carries, tunnel.Stage == checks.StageConnect && tunnel.Failure == nil:
	case refused && tunnel.Status == 407:
		found.told += " It wants a password, which applications may have and Lifeline does not send."
	case tunnel.Stage == checks.StageResponse && strings.Contains(proxy.Proxy, "@"):
		found.told += " It was asked without the user and the password of the variable."
	case !ofItsOwn && !provenDirectly(facts):
		found.told += " Without it the API server does not prove itself either."
	default:
		found.status = checks.Fail
		if refused || unconnected && provenDirectly(facts) {
			found.certainty = checks.Certain
		}
	}
	return found
}

// becameOf says what became of a tunnel; nothing where no round sees the like.
func becameOf(tunnel *checks.Tunnel) string {
	proxy := fmt.Sprintf("The proxy %s ", tunnel.Address)
	opens := proxy + fmt.Sprintf("opens a tunnel to %s, and ", tunnel.Target)
	kind, message := kindOf(tunnel.Failure), "it failed"
	if tunnel.Failure != nil {
		message = sentencePart(tunnel.Failure.Message)
	}
	switch tunnel.Stage {
	case checks.StageConnect:
		switch kind {
		case "":
			return proxy + "takes connections. Whether it carries requests is tried only where it is spoken to in plain HTTP."
		case checks.Refused:
			return proxy + "refused the connection."
		case checks.TimedOut:
			return proxy + fmt.Sprintf("did not answer the connection within %s.", seconds(tunnel.Seconds))
		default:
			return proxy + fmt.Sprintf("cannot be connected to: %s.", message)
		}
	case checks.StageResponse:
		if tunnel.Failure != nil {
			return proxy + fmt.Sprintf("takes connections and gives no answer to CONNECT %s: %s.", tunnel.Target, message)
		}
		return proxy + fmt.Sprintf("answers CONNECT %s with %s.", tunnel.Target, strings.TrimSpace(fmt.Sprintf("%d %s", tunnel.Status, cut(tunnel.StatusText))))
	case checks.StageTLS:
		if kind == checks.Untrusted {
			return opens + fmt.Sprintf("at its end is a certificate by %s that ca.crt does not prove: it reads TLS, or leads elsewhere.", first(cut(tunnel.Issuer), "nobody"))
		}
		return opens + fmt.Sprintf("the TLS handshake over it failed: %s.", message)
	case checks.StageDone:
		return opens + "ca.crt proves the server at its end: it carries requests."
	default:
		return ""
	}
}

func kindOf(failure *checks.Failure) checks.FailureKind {
	if failure == nil {
		return ""
	}
	return failure.Kind
}

// provenDirectly tells that the API server proves itself to who goes by no proxy.
func provenDirectly(facts *checks.Facts) bool {
	if facts.API == nil {
		return false
	}
	handshake := lastHandshake(facts.API.ServiceHost)
	return handshake != nil && handshake.Verified
}
