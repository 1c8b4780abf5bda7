package world

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

const (
	// httpProxyURL has the port that Squid takes by default. Here it takes one that
	// is free, which Environment puts in its place.
	httpProxyURL  = "http://127.0.0.1:" + httpProxyPort
	httpProxyPort = "3128"
)

// httpProxyConditions are what a fault can change of the proxy for HTTPS, of which
// nobody is told but by a fault. By default it carries what goes to the port of the
// API server.
type httpProxyConditions struct {
	// refuses has it answer 403, and inspects has it end TLS by a certificate of its
	// own.
	refuses, inspects bool
}

// asServer makes conditions of a server of them.
func (w *World) asServer(conditions httpProxyConditions) (apiConditions, error) {
	shape := healthy(w.lifetime).serving
	shape.issuer = authorityShape{subject: "Corporate Proxy", key: "corporate proxy", from: -day, to: year, isCA: true}
	certificate, err := w.certificates.servingCertificate(shape)
	if err != nil {
		return apiConditions{}, err
	}
	proxy := httpProxy{conditions: conditions, port: strconv.Itoa(int(w.api.port)), certificate: certificate}
	return apiConditions{
		addresses: []netip.Addr{loopback(1)},
		protocol:  speaksPlainHTTP,
		proxied:   []filter{func(http.Handler) http.Handler { return proxy }},
	}, nil
}

// httpProxy answers CONNECT, RFC 9110 section 9.3.6.
type httpProxy struct {
	conditions httpProxyConditions
	// port is the API server's.
	port        string
	certificate *tls.Certificate
}

// ServeHTTP leads every name and address to the API server.
func (p httpProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, port, err := net.SplitHostPort(r.Host); err != nil || r.Method != http.MethodConnect || port != p.port || p.conditions.refuses {
		http.Error(w, "This is not allowed.", http.StatusForbidden)
		return
	}
	server, err := new(net.Dialer).DialContext(r.Context(), "tcp", net.JoinHostPort(loopback(1).String(), p.port))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	if p.conditions.inspects {
		_ = tls.Server(client, tlsConfig(p.certificate, true)).HandshakeContext(r.Context())
		return
	}
	relay(client, server)
}

// relay copies both ways until one ends.
func relay(client, server net.Conn) {
	var running sync.WaitGroup
	for _, way := range []struct{ to, from net.Conn }{{server, client}, {client, server}} {
		running.Go(func() {
			_, _ = io.Copy(way.to, way.from)
			_ = way.to.Close()
			_ = way.from.Close()
		})
	}
	running.Wait()
}

// atProxyPort puts the proxy's port into a URL.
func (w *World) atProxyPort(address string) string {
	return strings.Replace(address, ":"+httpProxyPort, ":"+strconv.Itoa(int(w.httpProxy.port)), 1)
}
