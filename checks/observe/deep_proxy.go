package observe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// deepProxy tries the proxy that Go's clients take to the API server, as they do but
// without its password and without the token. It returns nil where they take none, or
// one of a kind that they do not know.
func (r *round) deepProxy(ctx context.Context, facts *checks.Facts) *checks.DeepProxyFacts {
	proxy, told := r.proxyOnTheWay()
	host := r.serviceHost()
	port, isPort := r.servicePort()
	if told == nil || mustWait(facts) || !isPort || !isAddress(host) && !checks.IsHostName(host) {
		return nil
	}
	proxyAt, ok := proxyPort(proxy)
	if !ok {
		return nil
	}
	through := target{host: proxy.Hostname(), port: proxyAt}
	if address, err := netip.ParseAddr(through.host); err == nil {
		through.addresses = []netip.Addr{address}
	} else {
		limited, cancel := context.WithTimeout(ctx, r.step())
		defer cancel()
		lookup := r.lookup(limited, through.host)
		told.Lookup, through.addresses = &lookup, lookup.Addresses
	}
	if len(through.addresses) == 0 {
		return told
	}
	asked := hostPort(host, port)
	if proxy.Scheme != "http" {
		told.Tunnel = r.withoutTunnel(ctx, through, asked)
		return told
	}
	together(
		func() { told.Tunnel = r.tunnel(ctx, through, asked, r.trust(host)) },
		func() { told.ByName = r.tunnel(ctx, through, hostPort(checks.ServiceName, r.namedPort()), nil) },
	)
	return told
}

// proxyOnTheWay is the proxy as the pod has it, password and all, and facts that
// name it as others do; both are nil where there is none.
func (r *round) proxyOnTheWay() (*url.URL, *checks.DeepProxyFacts) {
	env := r.facts.Environment
	if env == nil || !r.wants(checks.Environment) || !r.wants(checks.TLS) && !r.wants(checks.API) {
		return nil, nil
	}
	proxy, shown := checks.ProxyForAPI(env, r.httpsProxy()), checks.ProxyForAPI(env, env.HTTPSProxy)
	// Where the two differ, what is held for a host may be a part of a password.
	if proxy == nil || shown == nil || proxy.Host != shown.Host || proxy.Hostname() == "" || len(proxy.Host) > maxNameLength {
		return nil, nil
	}
	return proxy, &checks.DeepProxyFacts{Proxy: shown.Redacted()}
}

// proxyPort is that of a proxy which net/http knows the protocol of (net/http
// transport.go, portMap).
func proxyPort(proxy *url.URL) (uint16, bool) {
	usual := map[string]uint16{"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
	port, known := usual[proxy.Scheme]
	if text := proxy.Port(); known && text != "" {
		return parsePort(text)
	}
	return port, known
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// withoutTunnel only connects.
func (r *round) withoutTunnel(ctx context.Context, proxy target, asked string) *checks.Tunnel {
	start := time.Now()
	dialer := &dialer{dial: r.dial, target: proxy, deadline: start.Add(r.step())}
	defer dialer.close()
	_, err := dialer.connect(ctx)
	told := &checks.Tunnel{Target: asked, Stage: checks.StageConnect, Failure: failure(err), Seconds: time.Since(start).Seconds()}
	told.Address, _, _ = dialer.last()
	return told
}

// tunnel asks a proxy for a tunnel and makes a handshake over it where there is a
// configuration for one. A proxy connects before it answers, so it has the time of
// two steps.
func (r *round) tunnel(ctx context.Context, proxy target, asked string, config *tls.Config) *checks.Tunnel {
	start := time.Now()
	told := &checks.Tunnel{Target: asked}
	dialer := &dialer{dial: r.dial, target: proxy, deadline: start.Add(2 * r.step())}
	defer dialer.close()
	transport := &transport{dialer: dialer}
	defer transport.CloseIdleConnections()

	told.Stage, told.Failure = r.openTunnel(ctx, transport, told)
	told.Address, _, _ = dialer.last()
	if told.Stage == checks.StageDone && config != nil {
		told.Stage = checks.StageTLS
		err := shakeHands(ctx, transport.conn, time.Now().Add(r.step()), config)
		told.Failure = failure(err)
		var untrusted *tls.CertificateVerificationError
		switch {
		case err == nil:
			told.Stage = checks.StageDone
		case errors.As(err, &untrusted) && len(untrusted.UnverifiedCertificates) > 0:
			told.Issuer = clip(untrusted.UnverifiedCertificates[0].Issuer.String(), maxMessage)
		}
	}
	told.Seconds = time.Since(start).Seconds()
	return told
}

// openTunnel tells how far it came. Like Go and Python, and unlike RFC 9110, it
// takes no answer but 200 for a tunnel.
func (r *round) openTunnel(ctx context.Context, transport *transport, told *checks.Tunnel) (checks.Stage, *checks.Failure) {
	request := (&http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: told.Target},
		Host:   told.Target,
		Header: http.Header{"User-Agent": {r.agent}},
	}).WithContext(ctx)
	response, _, err := transport.roundTrip(request) //nolint:bodyclose // behind the head is the tunnel, which ends with its connection
	if err != nil {
		if transport.conn == nil {
			return checks.StageConnect, r.failure(err)
		}
		return checks.StageResponse, r.failure(err)
	}
	told.Status = response.StatusCode
	_, text, _ := strings.Cut(response.Status, " ")
	told.StatusText = clip(r.scrub(text), maxNameLength)
	if response.StatusCode != http.StatusOK {
		return checks.StageResponse, nil
	}
	return checks.StageDone, nil
}
