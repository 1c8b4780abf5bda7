package observe

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// ParseKubectlProxyURL reads the URL of a kubectl proxy in this pod: http, a
// loopback address or localhost, a port if it is not 80, and the path that
// --api-prefix gave it, if any. Anything else would not be a sidecar, which
// shares no more than loopback with the other containers.
func ParseKubectlProxyURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Host == "":
		return nil, errors.New("is no URL such as http://127.0.0.1:8001")
	case parsed.Scheme != "http":
		return nil, errors.New("does not begin with http://, and kubectl proxy speaks nothing else")
	case len(loopback(parsed.Hostname())) == 0:
		return nil, errors.New("is not on loopback (127.0.0.1, [::1] or localhost), so it is no proxy in this pod")
	case parsed.User != nil || strings.ContainsAny(text, "?#"):
		return nil, errors.New("has a user, a query or a fragment, which kubectl proxy has no use for")
	}
	if _, ok := parsePort(portOf(parsed)); !ok {
		return nil, errors.New("has no port from 1 to 65535")
	}
	return parsed, nil
}

// loopback are the addresses of a host on loopback; none of any other. The name
// is not looked up, so that nothing can lead it elsewhere.
func loopback(host string) []netip.Addr {
	if strings.EqualFold(host, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !address.IsLoopback() || address.Zone() != "" {
		return nil
	}
	return []netip.Addr{address}
}

func portOf(parsed *url.URL) string {
	if port := parsed.Port(); port != "" {
		return port
	}
	return "80"
}

// kubectlProxy asks the proxy for /api, once, as an application does: over
// plain HTTP and without a token, which the proxy adds. One that was sent would
// take the place of the proxy's own.
func (r *round) kubectlProxy(ctx context.Context) *checks.KubectlProxyFacts {
	start := time.Now()
	attempt := checks.Attempt{URL: clip(withoutSecrets(r.proxy), maxMessage)}
	base, err := ParseKubectlProxyURL(r.proxy)
	if err == nil {
		asked := base.JoinPath("api")
		attempt.URL = clip(asked.String(), maxMessage)
		attempt.Exchanges, err = r.plainGet(ctx, asked)
	}
	if err != nil {
		attempt.Exchanges = []checks.Exchange{{Stage: checks.StageResolve, Failure: failure(err)}}
	}
	attempt.Seconds = time.Since(start).Seconds()
	return &checks.KubectlProxyFacts{Attempt: attempt, Seconds: attempt.Seconds}
}

func (r *round) plainGet(ctx context.Context, asked *url.URL) ([]checks.Exchange, error) {
	deadline := time.Now().Add(r.timeout)
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(100*time.Millisecond))
	defer cancel()
	port, _ := parsePort(portOf(asked))
	dialer := &dialer{dial: r.dial, target: target{port: port, addresses: loopback(asked.Hostname())}, deadline: deadline}
	defer dialer.close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Close = true
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", r.agent)
	// It knows no proxies, so the variables of the environment lead it nowhere
	// else.
	transport := &transport{dialer: dialer}
	defer transport.CloseIdleConnections()
	recorder := &recorder{round: r, dialer: dialer, transport: transport, plain: true}
	// A RoundTripper follows no redirect and tries nothing twice.
	if response, err := recorder.RoundTrip(request); err == nil {
		_ = response.Body.Close()
	}
	return recorder.exchanges, nil
}
