package fleet_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// latency is from an agent to the API server and back.
const latency = 2 * time.Millisecond

// idle is how long a kube-apiserver leaves a connection without a request
// (apiserver pkg/server/secure_serving.go).
const idle = 90 * time.Second

// state is how the API server fares.
type state int

const (
	well state = iota
	// refusing is that nothing listens, and what was connected has ended.
	refusing
	// silent is that no packet comes back.
	silent
	// overloaded is 429 with Retry-After.
	overloaded
	// starting is 500, as of an API server of which a part is not up yet.
	starting
)

// retryAfter is what an overloaded API server asks for, in seconds.
const retryAfter = 30

// apiServer is one that a whole fleet asks: the server of net/http behind real
// handshakes. Only the network is in memory, since virtual time stands still
// while anything waits for the kernel.
type apiServer struct {
	*traffic
	serving http.Server
	tls     *tls.Config
	// arrived are connections of which the handshake is done.
	arrived chan net.Conn
	closed  chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex
	state state
	// open are the ends of the agents.
	open map[net.Conn]struct{}
}

func serve(certificate tls.Certificate, traffic *traffic) *apiServer {
	s := &apiServer{
		traffic: traffic,
		// A ticket would be written while an agent writes its request, and nobody
		// reads either: the network in memory has no buffers.
		tls:     &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true},
		arrived: make(chan net.Conn),
		closed:  make(chan struct{}),
		open:    make(map[net.Conn]struct{}),
	}
	s.serving = http.Server{Handler: s, TLSConfig: s.tls, IdleTimeout: idle, ErrorLog: log.New(io.Discard, "", 0)}
	s.running.Go(func() { _ = s.serving.Serve(s) })
	return s
}

// become has the API server fare otherwise from now on.
func (s *apiServer) become(next state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = next
	if next == refusing {
		for conn := range s.open {
			_ = conn.Close()
		}
	}
}

func (s *apiServer) now() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// dialer is an agent's way to the API server; whatever else it dials is not there.
func (s *apiServer) dialer(agent int) func(ctx context.Context, network, to string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		failed := func(err error) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Net: network, Err: err} }
		switch now := s.now(); {
		case now == silent:
			<-ctx.Done()
			return failed(os.ErrDeadlineExceeded)
		case now == refusing || to != apiServerAddress.String():
			time.Sleep(latency)
			return failed(os.NewSyscallError("connect", syscall.ECONNREFUSED))
		}
		time.Sleep(latency)
		near, far := net.Pipe()
		s.mu.Lock()
		s.open[near] = struct{}{}
		s.mu.Unlock()
		s.running.Go(func() { s.welcome(agent, &wire{Conn: far, server: s}) })
		return &wire{Conn: near, server: s}, nil
	}
}

// welcome makes the handshake with an agent.
func (s *apiServer) welcome(agent int, conn net.Conn) {
	secured := tls.Server(conn, s.tls)
	time.Sleep(latency)
	s.handshakes.add(agent)
	if secured.Handshake() != nil {
		_ = conn.Close()
		return
	}
	select {
	case s.arrived <- secured:
	case <-s.closed:
		_ = conn.Close()
	}
}

// userAgent goes before the number of an agent, by which its requests are known.
const userAgent = "lifeline/"

func nameOf(agent int) string { return userAgent + strconv.Itoa(agent) }

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if number, err := strconv.Atoi(strings.TrimPrefix(r.UserAgent(), userAgent)); err == nil {
		s.requests.add(number)
	}
	time.Sleep(latency)
	w.Header().Set("Audit-Id", "3c9a5e5e-9bd8-4c1e-9d39-6c2f1b6f6b7e")
	w.Header().Set("Content-Type", "application/json")
	switch s.now() {
	case overloaded:
		w.Header().Set("Retry-After", fmt.Sprint(retryAfter))
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"kind":"Status","status":"Failure","reason":"TooManyRequests","code":429}`)
	case starting:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"kind":"Status","status":"Failure","reason":"InternalError","code":500}`)
	default:
		fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
	}
}

// Accept, Close and Addr make the API server the listener of its own requests.
func (s *apiServer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.arrived:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *apiServer) Close() error { return nil }

func (s *apiServer) Addr() net.Addr { return net.TCPAddrFromAddrPort(apiServerAddress) }

// end returns when no connection is left.
func (s *apiServer) end() {
	close(s.closed)
	_ = s.serving.Close()
	s.running.Wait()
}

// wire is one end of a connection in memory that fails as one of the kernel does.
type wire struct {
	net.Conn
	server *apiServer
}

// Write loses what it is given while no packet comes back, so that whoever waits for
// an answer goes on waiting.
func (w *wire) Write(content []byte) (int, error) {
	if w.server.now() == silent {
		return len(content), nil
	}
	written, err := w.Conn.Write(content)
	if errors.Is(err, io.ErrClosedPipe) {
		err = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return written, err
}

func (w *wire) Close() error {
	w.server.mu.Lock()
	delete(w.server.open, w.Conn)
	w.server.mu.Unlock()
	return w.Conn.Close()
}

// credentials are what the API server proves itself with, and the folder of the
// service account of every agent.
func credentials(t *testing.T) (certificate tls.Certificate, folder string) {
	t.Helper()
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Virtual time begins with the year 2000.
	begin := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"},
		NotBefore: begin, NotAfter: begin.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, authority.Public(), authority)
	if err != nil {
		t.Fatal(err)
	}
	// That of the parsed one has the key's identifier.
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: begin, NotAfter: begin.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"kubernetes.default.svc"}, IPAddresses: []net.IP{apiServerAddress.Addr().AsSlice()},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), authority)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for name, content := range map[string][]byte{
		"ca.crt":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		"token":     []byte("a.fleets.token"),
		"namespace": []byte("lifeline"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{leafDER, rootDER}, PrivateKey: key}, folder
}
