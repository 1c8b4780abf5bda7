package world_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// maxBody is how much of a body is read.
const maxBody = 64 << 10

// client is an application in the pod.
type client struct {
	pod     checks.Pod
	base    string
	timeout time.Duration
	http1   bool
}

func newClient(t testing.TB, w *world.World) *client {
	t.Helper()
	pod := w.Pod()
	// The port in KUBERNETES_PORT stays when a fault unsets the others.
	return &client{
		pod:     pod,
		base:    strings.Replace(pod.Environment["KUBERNETES_PORT"], "tcp://", "https://", 1),
		timeout: patient,
	}
}

func (c *client) token(t testing.TB) string {
	t.Helper()
	token, err := os.ReadFile(c.pod.TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// response is what came of a request, its body read.
type response struct {
	*http.Response
	body string
}

// get makes one request on a fresh connection. The token is sent where it is
// not empty.
func (c *client) get(ctx context.Context, path, token string) (response, error) {
	return c.send(ctx, c.base+path, bearer(token))
}

func bearer(token string) http.Header {
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return header
}

func (c *client) send(ctx context.Context, address string, header http.Header) (response, error) {
	transport, err := c.transport()
	if err != nil {
		return response{}, err
	}
	transport.DisableKeepAlives = true
	defer transport.CloseIdleConnections()
	return c.over(ctx, transport, address, header)
}

// proxied makes one request through a proxy.
func (c *client) proxied(ctx context.Context, proxy, path string) (response, error) {
	transport, err := c.transport()
	if err != nil {
		return response{}, err
	}
	defer transport.CloseIdleConnections()
	address, err := url.Parse(proxy)
	if err != nil {
		return response{}, err
	}
	transport.Proxy, transport.DisableKeepAlives = http.ProxyURL(address), true
	return c.over(ctx, transport, c.base+path, http.Header{})
}

// twice makes two requests, the second over the connection of the first. The
// error is that of the second where the first was answered.
func (c *client) twice(ctx context.Context, path, token string) (first, second response, err error) {
	transport, err := c.transport()
	if err != nil {
		return response{}, response{}, err
	}
	defer transport.CloseIdleConnections()
	if first, err = c.over(ctx, transport, c.base+path, bearer(token)); err != nil {
		return response{}, response{}, err
	}
	second, err = c.over(ctx, transport, c.base+path, bearer(token))
	return first, second, err
}

func (c *client) transport() (*http.Transport, error) {
	bundle, problem := readRegular(c.pod.CAFile())
	if problem != "" {
		return nil, errors.New(problem)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(bundle))
	return &http.Transport{
		ForceAttemptHTTP2:      !c.http1,
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		MaxResponseHeaderBytes: 64 << 10,
	}, nil
}

func (c *client) over(ctx context.Context, transport *http.Transport, address string, header http.Header) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return response{}, err
	}
	request.Header = header
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	return response{answer, string(body)}, err
}

// certificate is what the server shows, whether it is to be trusted or not.
func (c *client) certificate(ctx context.Context) (*x509.Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // the certificate is what is looked at
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(c.base, "https://"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// ask asks the first nameserver of resolv.conf.
func (c *client) ask(ctx context.Context, network, name, rrtype string) (*dns.Msg, error) {
	conf, err := dns.ClientConfigFromFile(c.pod.ResolvConf)
	if err != nil {
		return nil, err
	}
	question := new(dns.Msg).SetQuestion(name, dns.StringToType[rrtype])
	// As Go's resolver asks; glibc asks without, see pairs.
	question.SetEdns0(1232, false)
	server := netip.AddrPortFrom(netip.MustParseAddr(conf.Servers[0]), c.pod.DNSPort).String()
	resolver := dns.Client{Net: network, Timeout: c.timeout}
	reply, _, err := resolver.ExchangeContext(ctx, question, server)
	return reply, err
}

// pairs asks for A and AAAA from each of twenty ports at once, as glibc does, and
// counts the replies.
func (c *client) pairs(name string) (replies int, err error) {
	conf, err := dns.ClientConfigFromFile(c.pod.ResolvConf)
	if err != nil {
		return 0, err
	}
	server := netip.AddrPortFrom(netip.MustParseAddr(conf.Servers[0]), c.pod.DNSPort)
	var count atomic.Int64
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			conn, err := dns.DialTimeout("udp", server.String(), c.timeout)
			if err != nil {
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(c.timeout))
			wanted := make(map[uint16]bool)
			for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
				question := new(dns.Msg).SetQuestion(name, kind)
				wanted[question.Id] = conn.WriteMsg(question) == nil
			}
			for range 8 {
				reply, err := conn.ReadMsg()
				var network net.Error
				if errors.As(err, &network) {
					return
				}
				if err == nil && wanted[reply.Id] && reply.Question[0].Name == name {
					count.Add(1)
					delete(wanted, reply.Id)
				}
				if len(wanted) == 0 {
					return
				}
			}
		})
	}
	asking.Wait()
	return int(count.Load()), nil
}

// readRegular reads a small regular file, and says why it does not.
func readRegular(path string) (content, problem string) {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return "", "missing"
	case err != nil:
		return "", err.Error()
	case !info.Mode().IsRegular():
		return "", info.Mode().Type().String()
	case info.Size() > 1<<20:
		return "", fmt.Sprintf("%d bytes", info.Size())
	}
	bytes, err := os.ReadFile(path)
	if err != nil {
		return "", err.Error()
	}
	return string(bytes), ""
}
