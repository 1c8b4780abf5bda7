package observe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// patience is more than anything takes here that is to come.
	patience = 30 * time.Second
	// slack is what a busy machine may take beside a time limit.
	slack = 5 * time.Second
)

// realToken is the token of the pods of these tests.
const realToken = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0"

// issuer is a certificate authority.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{certificate, key}
}

// issue makes the serving certificate of a control-plane node.
func (i *issuer) issue(t testing.TB, node string, notAfter time.Time) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter,
		DNSNames: []string{node}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, i.certificate, i.key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: i.key}
}

// deepPod is a pod whose API server is at an address, and what its pulse is told
// to have met there.
func deepPod(t testing.TB, authority *issuer, server netip.AddrPort, met checks.Exchange) (*round, *checks.Facts) {
	t.Helper()
	directory := t.TempDir()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.certificate.Raw})
	for name, content := range map[string][]byte{"token": []byte(realToken), "ca.crt": bundle} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	observer := &Observer{
		Pod: checks.Pod{
			Environment: map[string]string{
				"KUBERNETES_SERVICE_HOST": server.Addr().String(), "KUBERNETES_SERVICE_PORT": strconv.Itoa(int(server.Port())),
			},
			ServiceAccountDir: directory,
			MountInfo:         filepath.Join(directory, "mountinfo"),
			Routes:            filepath.Join(directory, "route"),
		},
	}
	r := observer.newRound()
	r.facts.Environment, r.facts.Token, r.facts.CA = r.environment(), r.serviceAccountToken(), r.authorities()
	met.Address = server
	return r, &checks.Facts{API: &checks.APIFacts{ServiceHost: &checks.Attempt{Exchanges: []checks.Exchange{met}}}}
}

// handshakeMet is what the pulse met where its handshake failed.
func handshakeMet(kind checks.FailureKind) checks.Exchange {
	return checks.Exchange{Stage: checks.StageTLS, Failure: &checks.Failure{Kind: kind}}
}

// responseMet is what the pulse met where it had an answer.
func responseMet(status int) checks.Exchange {
	return checks.Exchange{Stage: checks.StageDone, Response: &checks.Response{Status: status}}
}

// listen serves raw connections, each by its number from 0, until the test ends.
func listen(t testing.TB, serve func(number int, conn *net.TCPConn)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() {
		for number := 0; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			running.Go(func() {
				defer stop()
				defer conn.Close()
				serve(number, conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		running.Wait()
	})
	return netip.MustParseAddrPort(listener.Addr().String())
}

// asked is one request as the server saw it.
type asked struct{ what, authorization, body string }

// apiServer is an API server of several replicas, which take connections in
// turn.
type apiServer struct {
	address netip.AddrPort

	mu       sync.Mutex
	requests []asked
	replica  map[string]int // by the address of the client
	began    int
}

// startAPI serves each request by the number of the replica that it came to.
func startAPI(t testing.TB, answer func(replica int, w http.ResponseWriter, r *http.Request), certificates ...tls.Certificate) *apiServer {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &apiServer{address: netip.MustParseAddrPort(listener.Addr().String()), replica: make(map[string]int)}
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		server.mu.Lock()
		defer server.mu.Unlock()
		replica := server.began % len(certificates)
		server.began++
		server.replica[hello.Conn.RemoteAddr().String()] = replica
		return &tls.Config{Certificates: certificates[replica : replica+1]}, nil
	}}
	serving := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			server.mu.Lock()
			server.requests = append(server.requests, asked{r.Method + " " + r.URL.Path, r.Header.Get("Authorization"), string(body)})
			replica := server.replica[r.RemoteAddr]
			server.mu.Unlock()
			answer(replica, w, r)
		}),
	}
	var running sync.WaitGroup
	running.Go(func() { _ = serving.Serve(tls.NewListener(listener, config)) })
	t.Cleanup(func() {
		_ = serving.Close()
		running.Wait()
	})
	return server
}

func (s *apiServer) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.requests...)
}

// within fails the test where a function takes longer than it may.
func within(t *testing.T, limit time.Duration, function func()) {
	t.Helper()
	start := time.Now()
	function()
	if took := time.Since(start); took > limit {
		t.Errorf("it took %s, more than %s", took, limit)
	}
}
