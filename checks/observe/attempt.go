package observe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxHeader bounds a response head; a kube-apiserver's is below 2 KiB.
const maxHeader = 64 << 10

// attempt makes one round trip over a connection of its own within a time limit,
// with one retry where the first try failed in a way that passes.
func (r *round) attempt(ctx context.Context, target target, limit time.Duration) *checks.Attempt {
	start := time.Now()
	deadline := start.Add(limit)
	attempt := &checks.Attempt{URL: clip(target.url(), maxMessage), Authenticated: r.sendableToken() != ""}

	dialer := &dialer{dial: r.dial, target: target, deadline: deadline}
	defer dialer.close()
	transport := r.transport(dialer)
	defer transport.CloseIdleConnections()
	recorder := &recorder{round: r, dialer: dialer, transport: transport, serverName: target.host}

	// The connections' own deadline ends every wait; this one is for what is
	// left, such as a goroutine that was not scheduled.
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(100*time.Millisecond))
	defer cancel()
	if request, err := r.request(ctx, target); err != nil {
		attempt.Exchanges = []checks.Exchange{{Stage: checks.StageResolve, Failure: failure(err)}}
	} else {
		r.send(request, recorder)
		attempt.Exchanges = recorder.exchanges
	}
	attempt.Seconds = time.Since(start).Seconds()
	return attempt
}

// send drives the recorder, which keeps all there is to know of each try.
func (r *round) send(request *http.Request, recorder *recorder) {
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: recorder,
			// A redirect followed would carry the token to another server.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:   1,
		CheckRetry: recorder.mayPass,
		Backoff: func(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
			return 50*time.Millisecond + rand.N(100*time.Millisecond)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	if r.log != nil {
		client.Logger = r.log
	}
	retryable, err := retryablehttp.FromRequest(request)
	if err != nil {
		return
	}
	if response, err := client.Do(retryable); err == nil {
		_ = response.Body.Close()
	}
}

// transport trusts ca.crt and nothing else: without a certificate in it the
// handshake fails, and shows the chain. One handshake serves both the tls and
// the api check.
func (r *round) transport(dialer *dialer) *transport {
	return &transport{dialer: dialer, tls: r.trust(dialer.target.host)}
}

func (r *round) trust(host string) *tls.Config {
	roots := r.roots
	if roots == nil {
		// A nil pool would mean the system's roots.
		roots = x509.NewCertPool()
	}
	return &tls.Config{ServerName: host, RootCAs: roots, Time: r.pod.Now, MinVersion: tls.VersionTLS12}
}

// dialer connects to the addresses of one target and owns the connections.
type dialer struct {
	dial     dial
	target   target
	deadline time.Time

	mu      sync.Mutex
	conns   []net.Conn
	address netip.AddrPort
	spent   time.Duration
	err     error
}

// connect tries the addresses in their order. Every wait on the connection that
// it returns ends at the deadline.
func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	start := time.Now()
	conn, address, err := d.tryEach(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.address, d.spent, d.err = address, time.Since(start), err
	if err != nil {
		return nil, err
	}
	d.conns = append(d.conns, conn)
	return conn, conn.SetDeadline(d.deadline)
}

// tryEach gives each address its share of the time that is left, as Go's clients do
// (net.Dialer), so that one which is silent leaves some to those behind it.
func (d *dialer) tryEach(ctx context.Context) (conn net.Conn, address netip.AddrPort, err error) {
	for i, ip := range d.target.addresses {
		address = netip.AddrPortFrom(ip, d.target.port)
		share := time.Until(d.deadline) / time.Duration(len(d.target.addresses)-i)
		if conn, err = d.tryOne(ctx, address, share); err == nil {
			return conn, address, nil
		}
	}
	return nil, address, err
}

func (d *dialer) tryOne(ctx context.Context, address netip.AddrPort, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return d.dial(ctx, tcp, address.String())
}

// tcp is what the kernel knows of the latest connection; nil where it is closed.
func (d *dialer) tcp() *checks.TCPFacts {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil || len(d.conns) == 0 {
		return nil
	}
	return tcpFacts(d.conns[len(d.conns)-1])
}

// last tells of the latest dialling.
func (d *dialer) last() (address netip.AddrPort, spent time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.address, d.spent, d.err
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.conns {
		_ = conn.Close()
	}
}

// maxRetryAfter bounds what a server can ask for, and what is told of it.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After header, RFC 9110 section 10.2.3: seconds, or a
// date against the clock given.
func retryAfter(header string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 31)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return maxRetryAfter
	case err == nil:
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, min(date.Sub(now), maxRetryAfter))
	}
	return 0
}
