package observe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// goodbye is how long the end of a connection may take.
const goodbye = 100 * time.Millisecond

// errNotHTTP is met where what came back is no HTTP response.
var errNotHTTP = errors.New("what came back is no HTTP response")

// transport makes requests over HTTP/1.1, one after the other. It keeps the
// connection for the next one, so that a retry needs no handshake of its own.
//
// It is no [http.Transport] since that one goes on reading where nothing was
// asked. What comes before a request or behind a response it prints by the
// package log, and behind an error page may stand the request, token and all.
// Here nothing is read but the answer.
type transport struct {
	dialer *dialer
	// tls is nil where no TLS is spoken.
	tls *tls.Config

	conn net.Conn
	// unbind frees the connection from the context that it was made under.
	unbind func() bool
	source *source
	reader *bufio.Reader
	// final tells that the last response was to be the last.
	final bool
}

// seen is what was seen of one try.
type seen struct {
	reused            bool
	tlsStart, tlsDone time.Time
	state             tls.ConnectionState
	tlsErr            error
	// tcp is what the kernel knew of a connection before its handshake was
	// given up.
	tcp              *checks.TCPFacts
	wrote, firstByte time.Time
}

// roundTrip makes one request and reads the head of its response, whose body
// is to be read to its end or the transport to be closed.
func (t *transport) roundTrip(request *http.Request) (*http.Response, seen, error) {
	if t.conn != nil && (t.final || t.source.err != nil || t.reader.Buffered() > 0) {
		t.CloseIdleConnections()
	}
	told := seen{reused: t.conn != nil}
	response, err := t.exchange(request, &told)
	if told.reused && told.firstByte.IsZero() && slices.Contains([]checks.FailureKind{checks.Reset, checks.Closed}, failureKind(err)) {
		// The server may end a connection that it thinks is idle.
		t.CloseIdleConnections()
		told = seen{}
		response, err = t.exchange(request, &told)
	}
	if err != nil && request.Context().Err() != nil {
		err = request.Context().Err()
	}
	return response, told, err
}

func (t *transport) exchange(request *http.Request, told *seen) (*http.Response, error) {
	if t.conn == nil {
		if err := t.connect(request.Context(), told); err != nil {
			return nil, err
		}
	}
	unwritten := t.write(request)
	told.wrote = time.Now()
	response, err := t.read(request, told)
	t.final = t.final || unwritten != nil
	if unwritten != nil && err != nil && !isAlert(err) {
		return nil, unwritten
	}
	return response, err
}

// isAlert tells an error that is the other side's word of TLS. It explains why
// nothing more could be written.
func isAlert(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "remote error"
}

func (t *transport) connect(ctx context.Context, told *seen) error {
	conn, err := t.dialer.connect(ctx)
	if err != nil {
		return err
	}
	if t.tls != nil {
		secured := tls.Client(conn, t.tls)
		told.tlsStart = time.Now()
		told.tlsErr = secured.HandshakeContext(ctx)
		told.tlsDone = time.Now()
		if told.tlsErr != nil {
			told.tcp = tcpFacts(conn)
			_ = conn.Close()
			return told.tlsErr
		}
		told.state = secured.ConnectionState()
		conn = secured
	}
	t.conn, t.source = conn, &source{conn: conn}
	t.unbind = context.AfterFunc(ctx, t.dialer.close)
	t.reader = bufio.NewReader(t.source)
	return nil
}

func (t *transport) write(request *http.Request) error {
	writer := bufio.NewWriter(t.conn)
	if err := request.Write(writer); err != nil {
		return err
	}
	return writer.Flush()
}

// read passes over interim responses, RFC 9110 section 15.2, which count as a
// part of the head.
func (t *transport) read(request *http.Request, told *seen) (*http.Response, error) {
	t.source.left = maxHeader
	if _, err := t.reader.Peek(1); err != nil {
		return nil, err
	}
	told.firstByte = time.Now()
	for {
		response, err := http.ReadResponse(t.reader, request)
		switch {
		case err != nil && errors.Is(t.source.err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil && t.source.err != nil:
			// The parser blames the line that this left without an end.
			return nil, t.source.err
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errNotHTTP, err)
		case response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols:
			t.source.left = math.MaxInt
			t.final = response.Close || request.Close || response.StatusCode < 200
			return response, nil
		}
	}
}

// CloseIdleConnections ends the connection, if there is one.
func (t *transport) CloseIdleConnections() {
	if t.conn != nil {
		t.unbind()
		hangUp(t.conn)
		t.conn = nil
	}
}

// hangUp closes a connection. To say goodbye over TLS is not worth a wait, and
// crypto/tls would wait for five seconds where the other side does not read.
func hangUp(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		defer time.AfterFunc(goodbye, func() { _ = secured.NetConn().Close() }).Stop()
	}
	_ = conn.Close()
}

// source reads what a server sends, up to a limit, and keeps the error that
// ended it.
type source struct {
	conn net.Conn
	left int
	err  error
}

func (s *source) Read(buffer []byte) (read int, err error) {
	if s.left <= 0 {
		s.err = errHeadTooLarge
		return 0, s.err
	}
	read, err = s.conn.Read(buffer[:min(len(buffer), s.left)])
	s.left -= read
	if err != nil {
		s.err = err
	}
	return read, err
}
