package world

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// apiConditions are what a fault can change of the API server, its certificate
// apart.
type apiConditions struct {
	// addresses are where the port is open.
	addresses []netip.Addr
	protocol  protocol
	// http1 leaves HTTP/2 out.
	http1 bool
	// forgotten has every connection go silent once it has answered.
	forgotten bool
	// proxied are filters in front of the API server, as of a proxy. received
	// come before it knows the user and authenticated after; responses of both
	// are known for its own.
	proxied, received, authenticated []filter
}

// protocol is what the port speaks.
type protocol int

const (
	speaksTLS protocol = iota
	speaksPlainHTTP
	// saysNothing accepts connections and leaves it at that.
	saysNothing
	// hangsUp closes connections when the client has said hello.
	hangsUp
)

// apiServer serves one port of several loopback addresses.
type apiServer struct {
	// base is what handlers' contexts come of; done is closed when it ends.
	base    func(net.Listener) context.Context
	done    <-chan struct{}
	port    uint16
	claim   io.Closer // on the port
	handler *apiHandler
	sockets sockets[netip.Addr]
	present atomic.Pointer[presence]
}

// presence is how the API server shows itself at one time.
type presence struct {
	protocol protocol
	http1    bool
	// forgotten is as in apiConditions.
	forgotten bool
	tls       *tls.Config
	handler   http.Handler
}

func startAPIServer(ctx context.Context, handler *apiHandler, certificate *tls.Certificate, conditions apiConditions) (*apiServer, error) {
	s := &apiServer{
		base:    func(net.Listener) context.Context { return ctx },
		done:    ctx.Done(),
		handler: handler,
		sockets: make(sockets[netip.Addr]),
	}
	s.show(certificate, conditions)
	var err error
	s.claim, err = onSomePort(func(port uint16) error {
		s.port = port
		if err := s.sockets.match(conditions.addresses, s.open); err != nil {
			return errors.Join(err, s.sockets.match(nil, nil))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("starting the API server: %w", err)
	}
	return s, nil
}

// change makes the API server match other conditions. Connections that began
// differently are closed.
func (s *apiServer) change(certificate *tls.Certificate, conditions apiConditions) error {
	if s.show(certificate, conditions) {
		for _, socket := range s.sockets {
			socket.(*apiSocket).disconnect()
		}
	}
	return s.sockets.match(conditions.addresses, func(address netip.Addr) (io.Closer, error) {
		return patiently(s.done, func() (io.Closer, error) { return s.open(address) })
	})
}

// show tells whether connections begin differently from now on.
func (s *apiServer) show(certificate *tls.Certificate, conditions apiConditions) bool {
	next := &presence{
		protocol:  conditions.protocol,
		http1:     conditions.http1,
		forgotten: conditions.forgotten,
		handler:   s.handler.chain(conditions),
	}
	last := s.present.Load()
	changed := last == nil || last.protocol != next.protocol || last.http1 != next.http1 ||
		last.tls.Certificates[0].Leaf != certificate.Leaf
	if changed {
		next.tls = tlsConfig(certificate, conditions.http1)
	} else {
		next.tls = last.tls
	}
	s.present.Store(next)
	return changed
}

func tlsConfig(certificate *tls.Certificate, http1 bool) *tls.Config {
	config := &tls.Config{
		Certificates: []tls.Certificate{*certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if http1 {
		config.NextProtos = config.NextProtos[1:]
	}
	return config
}

func (s *apiServer) close() error {
	return errors.Join(s.sockets.match(nil, nil), s.claim.Close())
}

func (s *apiServer) open(address netip.Addr) (io.Closer, error) {
	listener, err := net.Listen("tcp4", netip.AddrPortFrom(address, s.port).String())
	if err != nil {
		return nil, fmt.Errorf("opening a socket of the API server: %w", err)
	}
	socket := &apiSocket{present: &s.present, open: make(map[*connection]struct{})}
	socket.server = &http.Server{
		Handler:           http.HandlerFunc(socket.serveHTTP),
		BaseContext:       s.base,
		ConnContext:       withConnection,
		ConnState:         socket.count,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // failed handshakes are what the faults are for
	}
	socket.running.Go(func() { _ = socket.server.Serve(&entrance{listener, socket}) })
	return socket, nil
}

// apiSocket is one listening socket with its server.
type apiSocket struct {
	server  *http.Server
	present *atomic.Pointer[presence]
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[*connection]struct{}
}

func (s *apiSocket) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		return
	}
	defer s.running.Done()
	present := s.present.Load()
	conn := connectionOf(r)
	if conn.requests.Add(1) > 1 && present.forgotten {
		conn.forgotten.Store(true)
		<-r.Context().Done()
		return
	}
	present.handler.ServeHTTP(w, r)
}

type connectionKey struct{}

// withConnection lets a handler know its connection.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, conn)
}

// connectionOf is what a request came over.
func connectionOf(r *http.Request) *connection {
	conn, _ := r.Context().Value(connectionKey{}).(*connection)
	return conn
}

// begin has Close wait for a handler, unless it waits already.
func (s *apiSocket) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// count has Close wait for the connections of the server.
func (s *apiSocket) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// disconnect closes all connections.
func (s *apiSocket) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Conn.Close()
	}
	clear(s.open)
}

// Close closes the socket with its connections and waits for their handlers.
func (s *apiSocket) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.server.Close()
	s.disconnect()
	s.running.Wait()
	return err
}

// entrance is the listener of a socket. It hands to the server only those
// connections that get as far as HTTP.
type entrance struct {
	net.Listener
	socket *apiSocket
}

// Accept returns the next connection for the server.
func (e *entrance) Accept() (net.Conn, error) {
	for {
		accepted, err := e.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, ok := e.admit(accepted)
		if !ok {
			continue
		}
		switch present := e.socket.present.Load(); present.protocol {
		case speaksPlainHTTP:
			return conn, nil
		case saysNothing:
			e.socket.running.Go(func() { ignore(conn) })
		case hangsUp:
			e.socket.running.Go(func() { hangUp(conn) })
		default:
			return tls.Server(conn, present.tls), nil
		}
	}
}

// admit notes a connection so that it can be closed; none is admitted to a
// socket that closes.
func (e *entrance) admit(accepted net.Conn) (*connection, bool) {
	e.socket.mu.Lock()
	defer e.socket.mu.Unlock()
	if e.socket.closed {
		_ = accepted.Close()
		return nil, false
	}
	conn := &connection{Conn: accepted, socket: e.socket}
	e.socket.open[conn] = struct{}{}
	return conn, true
}

// connection is one that the socket can close.
type connection struct {
	net.Conn
	socket *apiSocket
	// requests counts those that came over it.
	requests atomic.Int32
	// forgotten has nothing go out any more.
	forgotten atomic.Bool
}

// Write sends what is not lost.
func (c *connection) Write(content []byte) (int, error) {
	if c.forgotten.Load() {
		return len(content), nil
	}
	return c.Conn.Write(content)
}

// Close closes the connection and lets it be forgotten.
func (c *connection) Close() error {
	c.socket.mu.Lock()
	defer c.socket.mu.Unlock()
	delete(c.socket.open, c)
	return c.Conn.Close()
}

// ignore reads until the other side has gone, and answers nothing.
func ignore(conn net.Conn) {
	defer conn.Close()
	_, _ = io.Copy(io.Discard, conn)
}

// hangUp waits for the first byte and closes.
func hangUp(conn net.Conn) {
	defer conn.Close()
	_, _ = conn.Read(make([]byte, 1))
}
