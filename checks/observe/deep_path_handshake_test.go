package observe

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// afterHello serves what comes after the bytes that a server has read already.
type afterHello struct {
	net.Conn
	read io.Reader
}

func (c afterHello) Read(into []byte) (int, error) { return c.read.Read(into) }

// helloServer reads the record of each ClientHello and shakes hands where it is
// let through; else it is silent. Of each that is done it hands over what the
// client said after it.
func helloServer(t *testing.T, certificate tls.Certificate, through func(size int, conn *net.TCPConn) bool, heard chan<- string) netip.AddrPort {
	return listen(t, func(_ int, conn *net.TCPConn) {
		head := make([]byte, 5)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		size := int(head[3])<<8 | int(head[4])
		rest := make([]byte, size)
		if !through(size+len(head), conn) {
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		if _, err := io.ReadFull(conn, rest); err != nil {
			return
		}
		all := afterHello{conn, io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest), conn)}
		said, _ := io.ReadAll(tls.Server(all, &tls.Config{Certificates: []tls.Certificate{certificate}}))
		heard <- string(said)
	})
}

func TestOnlyASmallHelloPassesWhatSwallowsLargeOnes(t *testing.T) {
	authority := newIssuer(t)
	var (
		mu    sync.Mutex
		sizes []int
	)
	heard := make(chan string, freshConnections)
	server := helloServer(t, authority.issue(t, "cp-0", later), func(size int, _ *net.TCPConn) bool {
		mu.Lock()
		defer mu.Unlock()
		sizes = append(sizes, size)
		return size <= 1000
	}, heard)
	r, facts := deepPod(t, authority, server, handshakeMet(checks.TimedOut))

	path := &checks.DeepPathFacts{}
	target, _ := r.deepTarget(facts)
	within(t, r.step()+slack, func() { r.handshakes(t.Context(), target, path) })
	if small := path.SmallHello; !small.Connected || !small.Done || small.Failure != nil {
		t.Errorf("the small hello: got %+v, want that it is done", small)
	}
	for name, got := range map[string]*checks.Handshake{"full": path.FullHello, "clamped": path.Clamped} {
		if !got.Connected || got.Done || got.Failure == nil || got.Failure.Kind != checks.TimedOut {
			t.Errorf("the %s hello: got %+v, want that it timed out", name, got)
		}
	}
	select {
	case said := <-heard:
		if said != "" {
			t.Errorf("the server was told %q after the handshake", said)
		}
	case <-time.After(patience):
		t.Error("the server has seen no handshake to its end")
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(sizes)
	const leastSegment, ethernetSegment = 536, 1460
	if len(sizes) != 3 || sizes[0] > leastSegment || sizes[1] <= ethernetSegment || sizes[2] != sizes[1] {
		t.Errorf("got hellos of %v bytes, want one of a single segment and two of two segments", sizes)
	}
}

func TestHandshakesAreTriedOnlyWhereASizeCanBeTheCause(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, versions, authority.issue(t, "cp-0", later))
	for name, test := range map[string]struct {
		met  checks.Exchange
		want bool
	}{
		"timeout":          {handshakeMet(checks.TimedOut), true},
		"reset":            {handshakeMet(checks.Reset), true},
		"closed":           {handshakeMet(checks.Closed), true},
		"untrusted":        {handshakeMet(checks.Untrusted), false},
		"plaintext":        {handshakeMet(checks.Plaintext), false},
		"healthy":          {responseMet(200), false},
		"connect timeout":  {checks.Exchange{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.TimedOut}}, false},
		"response timeout": {checks.Exchange{Stage: checks.StageResponse, Failure: &checks.Failure{Kind: checks.TimedOut}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := deepPod(t, authority, server.address, test.met)
			facts.API.HeldUntil = later
			path := r.deepPath(t.Context(), facts, true)
			for _, got := range []*checks.Handshake{path.SmallHello, path.FullHello} {
				if (got != nil) != test.want || got != nil && !got.Done {
					t.Errorf("got the handshake %+v, want that one was made: %t", got, test.want)
				}
			}
		})
	}
}

func TestTheEndOfAConnectionIsToldByItsKind(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*net.TCPConn)
		want checks.FailureKind
	}{
		"reset": {func(conn *net.TCPConn) { _ = conn.SetLinger(0) }, checks.Reset},
		"closed": {func(conn *net.TCPConn) {
			_ = conn.CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}, checks.Closed},
		"plaintext": {func(conn *net.TCPConn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
		}, checks.Plaintext},
	} {
		t.Run(name, func(t *testing.T) {
			server := listen(t, func(_ int, conn *net.TCPConn) {
				_, _ = conn.Read(make([]byte, 1))
				test.end(conn)
			})
			r, facts := deepPod(t, newIssuer(t), server, handshakeMet(checks.Reset))
			path := r.deepPath(t.Context(), facts, true)
			for _, got := range []*checks.Handshake{path.SmallHello, path.FullHello} {
				if !got.Connected || got.Done || got.Failure == nil || got.Failure.Kind != test.want {
					t.Errorf("got %+v (%+v), want %s", got, got.Failure, test.want)
				}
			}
			for _, fresh := range path.Fresh {
				if fresh.Failure == nil || fresh.Failure.Kind != test.want || fresh.Leaf != "" || fresh.Status != 0 {
					t.Errorf("got %+v (%+v), want %s", fresh, fresh.Failure, test.want)
				}
			}
			if got, want := len(path.Fresh), freshConnections; got != want {
				t.Errorf("got %d fresh connections, want %d: they connect", got, want)
			}
		})
	}
}

// TestByNameAServerMayShowAnotherCertificate has one whose certificate for the name of
// the Service has expired.
func TestByNameAServerMayShowAnotherCertificate(t *testing.T) {
	authority := newIssuer(t)
	good, expired := authority.issue(t, "kubernetes.default.svc", later), authority.issue(t, "kubernetes.default.svc", time.Now().Add(-time.Minute))
	heard := make(chan string, 1)
	server := listen(t, func(_ int, conn *net.TCPConn) {
		secured := tls.Server(conn, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == checks.ServiceName {
				return &expired, nil
			}
			return &good, nil
		}})
		if err := secured.Handshake(); err == nil {
			said, _ := io.ReadAll(secured)
			heard <- string(said)
		}
	})
	r, facts := deepPod(t, authority, server, responseMet(200))
	target, _ := r.deepTarget(facts)
	if got := r.handshakeByName(t.Context(), target); got == nil || got.Verified || got.Failure.Kind != checks.Untrusted || got.Chain[0].SHA256 != fingerprint(expired) {
		t.Errorf("got %+v, want the certificate that has expired", got)
	}
	expired = good
	if got := r.handshakeByName(t.Context(), target); got == nil || !got.Verified || got.ServerName != checks.ServiceName {
		t.Errorf("got %+v, want a certificate that proves the name", got)
	}
	if said := <-heard; said != "" {
		t.Errorf("the server was told %q after the handshake", said)
	}
	target.host = checks.ServiceName
	if got := r.handshakeByName(t.Context(), target); got != nil {
		t.Errorf("got %+v, want none where the pulse goes by the name", got)
	}
}

func TestTheNameIsAskedForWhereItLeadsToTheTarget(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, versions, authority.issue(t, "kubernetes.default.svc", later))
	for name, test := range map[string]struct {
		change func(*checks.Facts)
		want   bool
	}{
		"the same address": {func(f *checks.Facts) { f.DNS.Lookup.Addresses = []netip.Addr{server.address.Addr()} }, true},
		"another address":  {func(f *checks.Facts) { f.DNS.Lookup.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.9")} }, false},
		"no address":       {func(*checks.Facts) {}, false},
		"no lookup":        {func(f *checks.Facts) { f.DNS = nil }, false},
		"a request to wait": {func(f *checks.Facts) {
			f.DNS.Lookup.Addresses, f.API.HeldUntil = []netip.Addr{server.address.Addr()}, later
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := deepPod(t, authority, server.address, responseMet(200))
			facts.DNS = &checks.DNSFacts{}
			test.change(facts)
			if got := r.deepPath(t.Context(), facts, true).ByName; (got != nil) != test.want || got != nil && !got.Verified {
				t.Errorf("got %+v, want a handshake: %t", got, test.want)
			}
		})
	}
}
