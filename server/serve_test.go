package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how long a test waits for what must happen; the limits under
// test are far shorter.
const patience = 10 * time.Second

// short is a limit that a test waits for.
const short = 200 * time.Millisecond

// patient are limits that no test meets, however slow its machine; each sets those
// that it is about.
func patient() limits {
	const never = time.Hour
	return limits{
		header: never, request: never, response: never, idle: never,
		shutdown: short, headerBytes: 4 << 10, connections: 16, perSource: 16,
	}
}

// serve serves a healthy report on loopback for the time of the test, and
// returns the address.
func serve(t *testing.T, limits limits) string {
	t.Helper()
	listener := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := New(Options{})
	s.limits = limits
	s.Publish(healthy())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// dial connects to the address, from the source if it is not empty, and gives
// up on everything when the test's patience ends.
func dial(t *testing.T, address, source string) *net.TCPConn {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	if source != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	connection, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return connection.(*net.TCPConn)
}

const request = "GET /healthz HTTP/1.1\r\nHost: lifeline\r\n\r\n"

func send(t *testing.T, connection net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
}

// readStatus reads one response and returns its status. A server that refuses
// a request may cut its body off.
func readStatus(t *testing.T, connection net.Conn) int {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("reading a response: %v", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// expectEnd fails the test unless the server ends the connection.
func expectEnd(t *testing.T, connection net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, connection)
	if isTimeout(err) {
		t.Fatalf("the server has not ended the connection in %s", patience)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestAClientThatDripsItsHeaderIsCutOff(t *testing.T) {
	limits := patient()
	limits.header = short
	slow := dial(t, serve(t, limits), "")
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		if _, err := io.WriteString(slow, "G"); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	expectEnd(t, slow)
}

func TestAClientThatSaysNothingIsCutOff(t *testing.T) {
	limits := patient()
	limits.header = short
	expectEnd(t, dial(t, serve(t, limits), ""))
}

func TestAConnectionIsNotKeptForLong(t *testing.T) {
	limits := patient()
	limits.idle = short
	connection := dial(t, serve(t, limits), "")
	send(t, connection, request)
	if got := readStatus(t, connection); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	expectEnd(t, connection)
}

func TestABodyIsNotWaitedFor(t *testing.T) {
	limits := patient()
	// The connection ends when what is left of the body has had its time.
	limits.request = short
	address := serve(t, limits)
	for _, framing := range []string{"Content-Length: 9", "Content-Length: 1000000000000", "Transfer-Encoding: chunked"} {
		connection := dial(t, address, "")
		send(t, connection, "GET /healthz HTTP/1.1\r\nHost: lifeline\r\n"+framing+"\r\n\r\n1")
		if got := readStatus(t, connection); got != 200 {
			t.Errorf("%s: got %d, want 200", framing, got)
		}
		expectEnd(t, connection)
	}
}

func TestAClientThatReadsNothingIsCutOff(t *testing.T) {
	limits := patient()
	limits.response = short
	connection := dial(t, serve(t, limits), "")
	if err := connection.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	many := strings.Repeat("GET /status HTTP/1.1\r\nHost: lifeline\r\n\r\n", 100)
	for range 20_000 {
		if _, err := io.WriteString(connection, many); err != nil {
			if isTimeout(err) {
				t.Errorf("the server neither reads on nor ends the connection in %s", patience)
			}
			return
		}
	}
	t.Error("the server has taken 2,000,000 requests whose answers nobody reads")
}

func TestWhatIsNoRequestIsRefused(t *testing.T) {
	address := serve(t, patient())
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"a header without end":   {"GET / HTTP/1.1\r\nHost: lifeline\r\nX: " + strings.Repeat("x", 16<<10), 431},
		"headers without end":    {"GET / HTTP/1.1\r\nHost: lifeline\r\n" + strings.Repeat("X: x\r\n", 4<<10), 431},
		"a path without end":     {"GET /" + strings.Repeat("x", 16<<10), 431},
		"bytes":                  {"\x16\x03\x01\x00\x05hello\r\n\r\n", 400},
		"no host":                {"GET /healthz HTTP/1.1\r\n\r\n", 400},
		"OPTIONS of the server":  {"OPTIONS * HTTP/1.1\r\nHost: lifeline\r\n\r\n", 405},
		"CONNECT to elsewhere":   {"CONNECT example.com:443 HTTP/1.1\r\nHost: lifeline\r\n\r\n", 405},
		"two different lengths":  {"GET / HTTP/1.1\r\nHost: lifeline\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		"an upgrade is left out": {"GET /healthz HTTP/1.1\r\nHost: lifeline\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			connection := dial(t, address, "")
			// What the server does not want to read may reset the connection
			// while it is being sent.
			if _, err := io.WriteString(connection, test.text); err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err)
			}
			if got := readStatus(t, connection); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestAClientThatHasClosedItsHalfIsAnswered(t *testing.T) {
	connection := dial(t, serve(t, patient()), "")
	send(t, connection, request)
	if err := connection.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := readStatus(t, connection); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	expectEnd(t, connection)
}

func TestClientsThatHoldOnToConnectionsKeepNobodyOut(t *testing.T) {
	for _, test := range []struct {
		name string
		// holders and newcomer are the addresses that connect.
		holders, newcomer string
		change            func(*limits)
	}{
		{"of one source", "127.0.0.1", "127.0.0.1", func(l *limits) { l.perSource = 3 }},
		{"of all sources", "127.0.0.1", "127.0.0.2", func(l *limits) { l.connections = 3 }},
	} {
		for manner, text := range map[string]string{"silent": "", "in their header": "GET /healthz HT"} {
			t.Run(test.name+", "+manner, func(t *testing.T) {
				limits := patient()
				test.change(&limits)
				address := serve(t, limits)
				var held []net.Conn
				for range 3 {
					connection := dial(t, address, test.holders)
					send(t, connection, text)
					held = append(held, connection)
				}
				newcomer := dial(t, address, test.newcomer)
				send(t, newcomer, request)
				if got := readStatus(t, newcomer); got != 200 {
					t.Errorf("the newcomer: got %d, want 200", got)
				}
				if text != "" {
					expectEnd(t, held[0])
				}
			})
		}
	}
}

// pipeListener accepts one end of a pipe for each that is dialled, so that
// synctest knows when the server is done with what it was sent.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "a pipe"} }

func (l *pipeListener) dial() net.Conn {
	near, far := net.Pipe()
	l.accepted <- far
	return near
}

// serve has the server serve over pipes until stop is called, which returns what
// Serve did.
func (l *pipeListener) serve(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	return func() error {
		cancel()
		return <-done
	}
}

func newPipeListener() *pipeListener {
	return &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

// A client has its answer before the server knows its connection as idle, so
// that on a real socket the order of several is anybody's guess.
func TestTheConnectionThatIsIdleLongestMakesRoom(t *testing.T) {
	for name, change := range map[string]func(*limits){
		"of its source": func(l *limits) { l.perSource = 3 },
		"of all":        func(l *limits) { l.connections = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				change(&s.limits)
				s.Publish(healthy())
				listener := newPipeListener()
				stop := listener.serve(t, s)

				var clients []net.Conn
				for range 4 {
					client := listener.dial()
					defer client.Close()
					send(t, client, request)
					if got := readStatus(t, client); got != 200 {
						t.Errorf("got %d, want 200", got)
					}
					synctest.Wait()
					clients = append(clients, client)
				}
				if _, err := clients[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("the one that is idle longest: got %v, want its end", err)
				}
				for _, client := range clients[1:] {
					send(t, client, request)
					if got := readStatus(t, client); got != 200 {
						t.Errorf("another: got %d, want 200", got)
					}
				}
				if err := stop(); err != nil {
					t.Errorf("Serve returned %v", err)
				}
			})
		})
	}
}

func TestServeEndsInTimeWhateverClientsDo(t *testing.T) {
	for name, text := range map[string]string{
		"a client in its header": "GET /healthz HT",
		"a client in its body":   "GET /healthz HTTP/1.1\r\nHost: lifeline\r\nContent-Length: 9\r\n\r\nx",
		"a client that is idle":  "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				listener := newPipeListener()
				stop := listener.serve(t, s)

				silent, connection := listener.dial(), listener.dial()
				send(t, connection, request)
				readStatus(t, connection)
				if text != "" {
					send(t, connection, text)
				}
				synctest.Wait()
				began := time.Now()
				if err := stop(); err != nil {
					t.Errorf("got %v, want nil", err)
				}
				if took := time.Since(began); took < s.limits.shutdown || took > s.limits.shutdown+time.Second {
					t.Errorf("it took %s, want the %s that clients are given and little more", took, s.limits.shutdown)
				}
				expectEnd(t, silent)
				expectEnd(t, connection)
				select {
				case <-listener.closed:
				default:
					t.Error("the listener is still open")
				}
			})
		})
	}
}

// brokenListener fails with one error after the other, then as the listener
// within.
type brokenListener struct {
	net.Listener
	failures []error
}

func (l *brokenListener) Accept() (net.Conn, error) {
	if len(l.failures) > 0 {
		failure := l.failures[0]
		l.failures = l.failures[1:]
		return nil, failure
	}
	return l.Listener.Accept()
}

func TestAListenerThatFailsIsReported(t *testing.T) {
	listener := listen(t)
	err := New(Options{}).Serve(t.Context(), &brokenListener{listener, []error{io.ErrUnexpectedEOF}})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(fmt.Sprint(err), listener.Addr().String()) {
		t.Errorf("got %v, want the listener's address and error", err)
	}
}

// lockedBuffer is a buffer that goroutines share.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestServingGoesOnWhenFilesRunOutAndTheLogSaysSo(t *testing.T) {
	listener := listen(t)
	var log lockedBuffer
	s := New(Options{ErrorLog: &log})
	s.Publish(healthy())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, &brokenListener{listener, []error{syscall.EMFILE, syscall.EMFILE}}) }()

	connection := dial(t, listener.Addr().String(), "")
	send(t, connection, request)
	if got := readStatus(t, connection); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if !strings.Contains(log.String(), syscall.EMFILE.Error()) {
		t.Errorf("the log has %q", log.String())
	}
}
