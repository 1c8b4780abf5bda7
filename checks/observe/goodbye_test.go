package observe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestAConnectionEndsThoughNobodyReadsTheGoodbye has a server that does not read
// any more.
func TestAConnectionEndsThoughNobodyReadsTheGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := newIssuer(t)
		raw, other := net.Pipe()
		t.Cleanup(func() { _ = other.Close() })
		certificate := authority.issue(t, "a", time.Now().Add(time.Hour))
		server := tls.Server(other, &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS13})
		shaken := make(chan error, 1)
		go func() { shaken <- server.HandshakeContext(t.Context()) }()
		roots := x509.NewCertPool()
		roots.AddCert(authority.certificate)
		conn := tls.Client(raw, &tls.Config{ServerName: "127.0.0.1", RootCAs: roots, MinVersion: tls.VersionTLS13})
		if err := errors.Join(conn.HandshakeContext(t.Context()), <-shaken); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		hangUp(conn)
		if took := time.Since(start); took != goodbye {
			t.Errorf("it took %s, want %s", took, goodbye)
		}
		if _, err := raw.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("writing to the connection gives the error %v, want that it is closed", err)
		}
	})
}
