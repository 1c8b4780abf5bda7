package observe

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// proxyPassword is of the variable, and no proxy is to hear of it.
const proxyPassword = "correct-horse-battery"

// proxyServer is a proxy on loopback.
type proxyServer struct {
	address netip.AddrPort

	mu    sync.Mutex
	heads []string
}

// startProxy has each request answered, and notes it.
func startProxy(t *testing.T, answer func(conn net.Conn, request *http.Request)) *proxyServer {
	t.Helper()
	proxy := &proxyServer{}
	proxy.address = listen(t, func(_ int, conn *net.TCPConn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		head := request.Method + " " + request.RequestURI
		for _, name := range []string{"Authorization", "Proxy-Authorization"} {
			if value := request.Header.Get(name); value != "" {
				head += " " + name + ": " + value
			}
		}
		proxy.mu.Lock()
		proxy.heads = append(proxy.heads, head)
		proxy.mu.Unlock()
		answer(conn, request)
	})
	return proxy
}

// asked are the requests, in no order.
func (p *proxyServer) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.heads))
}

// says answers with raw bytes and ends the connection.
func says(text string) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) { _, _ = io.WriteString(conn, text) }
}

// tunnelling leads everybody to one server.
func tunnelling(server netip.AddrPort) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) {
		there, err := net.Dial("tcp", server.String())
		if err != nil {
			return
		}
		defer there.Close()
		_, _ = io.WriteString(conn, "HTTP/1.0 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
		var running sync.WaitGroup
		running.Go(func() {
			_, _ = io.Copy(there, conn)
			_ = there.Close()
		})
		_, _ = io.Copy(conn, there)
		_ = conn.Close()
		running.Wait()
	}
}

// withTLS has a proxy answer TLS itself.
func withTLS(certificate tls.Certificate) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake()
	}
}

// proxiedPod is a pod whose API server api.example goes by a proxy.
func proxiedPod(t *testing.T, authority *issuer, proxy string, more ...string) (*round, *checks.Facts) {
	t.Helper()
	r, facts := deepPod(t, authority, netip.MustParseAddrPort("127.0.0.1:6443"), responseMet(http.StatusOK))
	r.pod.Environment = map[string]string{"KUBERNETES_SERVICE_HOST": "api.example", "KUBERNETES_SERVICE_PORT": "6443", "HTTPS_PROXY": proxy}
	for i := 0; i < len(more); i += 2 {
		r.pod.Environment[more[i]] = more[i+1]
	}
	r.facts.Environment = r.environment()
	return r, facts
}

func TestATunnelIsAskedForWithoutAnySecretAndProvesTheAPIServer(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, versions, authority.issue(t, "api.example", later))
	proxy := startProxy(t, tunnelling(server.address))
	r, facts := proxiedPod(t, authority, "http://shop:"+proxyPassword+"@"+proxy.address.String()+"/?key="+proxyPassword)
	told := r.deepProxy(t.Context(), facts)
	want := &checks.DeepProxyFacts{
		Proxy:  "http://hidden@" + proxy.address.String(),
		Tunnel: &checks.Tunnel{Target: "api.example:6443", Address: proxy.address, Stage: checks.StageDone, Status: 200, StatusText: "Connection established"},
		ByName: &checks.Tunnel{Target: "kubernetes.default.svc:443", Address: proxy.address, Stage: checks.StageDone, Status: 200, StatusText: "Connection established"},
	}
	options := cmp.Options{cmpopts.IgnoreFields(checks.Tunnel{}, "Seconds"), cmpopts.EquateComparable(netip.AddrPort{})}
	if diff := cmp.Diff(want, told, options); diff != "" {
		t.Errorf("the facts differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"CONNECT api.example:6443", "CONNECT kubernetes.default.svc:443"}, proxy.asked()); diff != "" {
		t.Errorf("the proxy was asked (-want +got):\n%s", diff)
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if server.began != 1 || len(server.requests) > 0 {
		t.Errorf("the API server saw %d handshakes and %v, want one and no request", server.began, server.requests)
	}
}

func TestWhatAProxyDoesInThePlaceOfATunnelIsTold(t *testing.T) {
	authority, stranger := newIssuer(t), newIssuer(t)
	stranger.certificate.Subject.CommonName, stranger.certificate.RawSubject = "Corporate Proxy", nil
	server := startAPI(t, versions, authority.issue(t, "another.example", later))
	closed := closedPort(t)
	const opened = "HTTP/1.1 200 OK\r\n\r\n"
	flood := func(text string) func(net.Conn, *http.Request) {
		return func(conn net.Conn, _ *http.Request) {
			for range 1 << 16 {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
			}
		}
	}
	for name, test := range map[string]struct {
		answer func(net.Conn, *http.Request)
		stage  checks.Stage
		status int
		text   string
		kind   checks.FailureKind
		issuer string
	}{
		"is dead":                    {nil, checks.StageConnect, 0, "", checks.Refused, ""},
		"forbids it":                 {says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), checks.StageResponse, 403, "Forbidden", "", ""},
		"wants a password":           {says("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), checks.StageResponse, 407, "Proxy Authentication Required", "", ""},
		"says another success":       {says("HTTP/1.1 204 No Content\r\n\r\n"), checks.StageResponse, 204, "No Content", "", ""},
		"gives no reason":            {says("HTTP/1.1 503\r\n\r\n"), checks.StageResponse, 503, "", "", ""},
		"gives its reason at length": {says("HTTP/1.1 503 " + strings.Repeat("x", 9000) + "\r\n\r\n"), checks.StageResponse, 503, strings.Repeat("x", maxNameLength) + "…", "", ""},
		"steers the terminal":        {says("HTTP/1.1 503 a\x1b[31m\r\n\r\n"), checks.StageResponse, 503, "a [31m", "", ""},
		"repeats a token":            {says("HTTP/1.1 503 " + realToken + "\r\n\r\n"), checks.StageResponse, 503, hidden, "", ""},
		"promises first":             {says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n"), checks.StageResponse, 403, "Forbidden", "", ""},
		"promises without end":       {flood("HTTP/1.1 102 Processing\r\n\r\n"), checks.StageResponse, 0, "", checks.TooLarge, ""},
		"has headers without end":    {func(conn net.Conn, r *http.Request) { says("HTTP/1.1 200 OK\r\n")(conn, r); flood("X: y\r\n")(conn, r) }, checks.StageResponse, 0, "", checks.TooLarge, ""},
		"has a line without end":     {flood("HTTP/1.1 200 OK"), checks.StageResponse, 0, "", checks.TooLarge, ""},
		"is no proxy":                {says("SSH-2.0-OpenSSH_9.2\r\n"), checks.StageResponse, 0, "", checks.Invalid, ""},
		"hangs up":                   {says(""), checks.StageResponse, 0, "", checks.Closed, ""},
		"says nothing":               {func(conn net.Conn, _ *http.Request) { _, _ = io.Copy(io.Discard, conn) }, checks.StageResponse, 0, "", checks.TimedOut, ""},
		"leads to a stranger":        {withTLS(stranger.issue(t, "api.example", later)), checks.StageTLS, 200, "OK", checks.Untrusted, "CN=Corporate Proxy"},
		"leads to another server":    {tunnelling(server.address), checks.StageTLS, 200, "Connection established", checks.Untrusted, "CN=kubernetes"},
		"hangs up when the tunnel is there": {func(conn net.Conn, r *http.Request) {
			says(opened)(conn, r)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}, checks.StageTLS, 200, "OK", checks.Closed, ""},
		"speaks plain HTTP in the tunnel": {func(conn net.Conn, r *http.Request) {
			says(opened)(conn, r)
			_, _ = conn.Read(make([]byte, 1))
			says("HTTP/1.1 400 Bad Request\r\n\r\n")(conn, r)
			_, _ = io.Copy(io.Discard, conn)
		}, checks.StageTLS, 200, "OK", checks.Plaintext, ""},
		"says nothing in the tunnel": {func(conn net.Conn, r *http.Request) {
			says(opened)(conn, r)
			_, _ = io.Copy(io.Discard, conn)
		}, checks.StageTLS, 200, "OK", checks.TimedOut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := closed
			if test.answer != nil {
				address = startProxy(t, test.answer).address
			}
			r, facts := proxiedPod(t, authority, "http://shop:"+proxyPassword+"@"+address.String())
			var told *checks.DeepProxyFacts
			within(t, deepSteps*r.step()+slack, func() { told = r.deepProxy(t.Context(), facts) })
			tunnel := told.Tunnel
			var kind checks.FailureKind
			if tunnel.Failure != nil {
				kind = tunnel.Failure.Kind
			}
			if tunnel.Stage != test.stage || tunnel.Status != test.status || tunnel.StatusText != test.text || kind != test.kind || tunnel.Issuer != test.issuer || tunnel.Address != address {
				t.Errorf("got %+v (%+v), want %s, %d %q, %q by %q", tunnel, tunnel.Failure, test.stage, test.status, test.text, test.kind, test.issuer)
			}
			saved(t, told)
			written, err := json.Marshal(told)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{proxyPassword, realToken} {
				if strings.Contains(string(written), secret) {
					t.Errorf("the facts hold a secret: %s", written)
				}
			}
		})
	}
}

func TestAProxyOfAnotherKindIsOnlyConnectedTo(t *testing.T) {
	for scheme, usual := range map[string]uint16{"https": 443, "socks5": 1080, "socks5h": 1080} {
		t.Run(scheme, func(t *testing.T) {
			said := make(chan []byte, 1)
			address := listen(t, func(_ int, conn *net.TCPConn) {
				content, _ := io.ReadAll(conn)
				said <- content
			})
			r, facts := proxiedPod(t, newIssuer(t), scheme+"://"+address.String())
			told := r.deepProxy(t.Context(), facts)
			if tunnel := told.Tunnel; tunnel.Stage != checks.StageConnect || tunnel.Failure != nil || tunnel.Address != address || told.ByName != nil {
				t.Errorf("got %+v and %+v, want a connection alone", tunnel, told.ByName)
			}
			if content := <-said; len(content) > 0 {
				t.Errorf("the proxy was told %q, want nothing", content)
			}
			r, facts = proxiedPod(t, newIssuer(t), scheme+"://127.0.0.77")
			if got, want := r.deepProxy(t.Context(), facts).Tunnel.Address, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.77"), usual); got != want {
				t.Errorf("got the address %s, want %s", got, want)
			}
		})
	}
}

func TestAProxyIsLookedUpByThePodsOwnResolver(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, versions, authority.issue(t, "api.example", later))
	proxy := startProxy(t, tunnelling(server.address))
	port, _ := startNameservers(t, map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": func(asked *dns.Msg) *dns.Msg {
		question := asked.Question[0]
		if question.Name != "squid.infra.svc.cluster.local." {
			return rcode(dns.RcodeNameError)(asked)
		}
		reply := new(dns.Msg).SetReply(asked)
		reply.Authoritative = true
		if question.Qtype == dns.TypeA {
			reply.Answer = append(reply.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1),
			})
		}
		return reply
	}})
	for name, test := range map[string]struct {
		host, hosts string
		found       bool
	}{
		"by its search list": {host: "squid.infra.svc", found: true},
		"by its hosts file":  {host: "squid", hosts: "127.0.0.1 squid\n", found: true},
		"and not found":      {host: "gone.infra.svc"},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := proxiedPod(t, authority, "http://"+test.host+":"+strconv.Itoa(int(proxy.address.Port())))
			directory := t.TempDir()
			r.pod.DNSPort, r.pod.ResolvConf, r.pod.Hosts = port, filepath.Join(directory, "resolv.conf"), filepath.Join(directory, "hosts")
			for file, content := range map[string]string{r.pod.ResolvConf: "search cluster.local\nnameserver 127.0.0.1\n", r.pod.Hosts: test.hosts} {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r.memory = &memory{}
			told := r.deepProxy(t.Context(), facts)
			if told.Lookup == nil || told.Lookup.Name != test.host {
				t.Fatalf("got the lookup %+v, want one of %s", told.Lookup, test.host)
			}
			if !test.found {
				if told.Tunnel != nil || told.ByName != nil || len(told.Lookup.Queries) == 0 || told.Lookup.Queries[0].Rcode != "NXDOMAIN" {
					t.Errorf("got %+v after %+v, want no tunnel after NXDOMAIN", told.Tunnel, told.Lookup)
				}
				return
			}
			if told.Tunnel == nil || told.Tunnel.Stage != checks.StageDone || told.Tunnel.Address != proxy.address {
				t.Errorf("got %+v after %+v, want a tunnel by %s", told.Tunnel, told.Lookup, proxy.address)
			}
		})
	}
}

func TestNoProxyIsTriedThatIsNotOnTheWay(t *testing.T) {
	proxy := startProxy(t, says(""))
	address := "http://" + proxy.address.String()
	without := func(names ...checks.Name) func(*round, *checks.Facts) {
		return func(r *round, _ *checks.Facts) { r.skip = names }
	}
	for name, test := range map[string]struct {
		proxy  string
		more   []string
		change func(*round, *checks.Facts)
	}{
		"none is set":                  {proxy: ""},
		"NO_PROXY leaves it out":       {proxy: address, more: []string{"NO_PROXY", "api.example"}},
		"the server is on loopback":    {proxy: address, more: []string{"KUBERNETES_SERVICE_HOST", "127.0.0.1"}},
		"no server is named":           {proxy: address, more: []string{"KUBERNETES_SERVICE_HOST", ""}},
		"the server is no host":        {proxy: address, more: []string{"KUBERNETES_SERVICE_HOST", "a\r\nX: y"}},
		"the port is none":             {proxy: address, more: []string{"KUBERNETES_SERVICE_PORT", "https"}},
		"its kind is unknown":          {proxy: "ftp://" + proxy.address.String()},
		"its port is none":             {proxy: "http://127.0.0.1:99999"},
		"a password looks like a host": {proxy: "http://127.0.0.1/" + proxyPassword + "@" + proxy.address.String()},
		"its check is left out":        {proxy: address, change: without(checks.Environment)},
		"the API server is left out":   {proxy: address, change: without(checks.TLS, checks.API)},
		"the API server asked to wait": {proxy: address, change: func(_ *round, f *checks.Facts) { f.API.HeldUntil = time.Now().Add(time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := proxiedPod(t, newIssuer(t), test.proxy, test.more...)
			if test.change != nil {
				test.change(r, facts)
			}
			if told := r.deepProxy(t.Context(), facts); told != nil {
				t.Errorf("got %+v, want nothing", told)
			}
		})
	}
	if asked := proxy.asked(); len(asked) > 0 {
		t.Errorf("the proxy was asked %v", asked)
	}
}

func TestATunnelEndsWhenItsContextDoes(t *testing.T) {
	proxy := startProxy(t, func(conn net.Conn, _ *http.Request) { _, _ = io.Copy(io.Discard, conn) })
	r, facts := proxiedPod(t, newIssuer(t), "http://"+proxy.address.String())
	r.timeout = 5 * time.Minute
	ctx, cancel := contextFor(t, 100*time.Millisecond)
	defer cancel()
	within(t, patience, func() { r.deepProxy(ctx, facts) })
}
