package observe_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/observe"
)

const secretToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0LWFuZC0zMmI"

// serve has connections served one after the other until the test ends. The
// API server's are of TLS, by a certificate that is in the pod's ca.crt.
func serve(t *testing.T, secure bool, handle func(net.Conn)) (host, port, directory string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err = net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	directory = t.TempDir()
	if secure {
		// Its certificate is all that is wanted of it.
		template := httptest.NewTLSServer(http.NotFoundHandler())
		template.Close()
		listener = tls.NewListener(listener, &tls.Config{Certificates: template.TLS.Certificates, MinVersion: tls.VersionTLS12})
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: template.Certificate().Raw})
		for name, content := range map[string][]byte{"ca.crt": authority, "token": []byte(secretToken)} {
			if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			handle(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return host, port, directory
}

// observed is the attempt at such a server, and what was printed meanwhile by
// the package log.
func observed(t *testing.T, secure bool, handle func(net.Conn)) (attempt *checks.Attempt, printed string) {
	t.Helper()
	var lines bytes.Buffer
	log.SetOutput(&lines)
	defer log.SetOutput(os.Stderr)
	host, port, directory := serve(t, secure, handle)
	observer := &observe.Observer{
		// Where resolv.conf is missing, resolvers ask this machine (resolv.conf(5)).
		Pod:  checks.Pod{Environment: map[string]string{}, ServiceAccountDir: directory, ResolvConf: filepath.Join(directory, "resolv.conf")},
		Skip: []checks.Name{checks.DNS},
	}
	if secure {
		observer.Pod.Environment = map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
		attempt = observer.Observe(t.Context()).API.ServiceHost
	} else {
		observer.KubectlProxyURL = "http://" + net.JoinHostPort(host, port)
		attempt = &observer.Observe(t.Context()).KubectlProxy.Attempt
	}
	// What would print does so when the answer has been read.
	time.Sleep(50 * time.Millisecond)
	return attempt, lines.String()
}

// request reads the head of one request.
func request(conn net.Conn) string {
	var head []byte
	buffer := make([]byte, 4096)
	for !bytes.Contains(head, []byte("\r\n\r\n")) {
		read, err := conn.Read(buffer)
		if err != nil {
			break
		}
		head = append(head, buffer[:read]...)
	}
	return string(head)
}

func TestWhatStandsBehindAnAnswerIsNotRead(t *testing.T) {
	var connections atomic.Int32
	attempt, printed := observed(t, true, func(conn net.Conn) {
		connections.Add(1)
		echo := request(conn)
		fmt.Fprintf(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\nbad gateway%s", echo)
		_, _ = io.Copy(io.Discard, conn)
	})
	if printed != "" {
		t.Errorf("the package log printed %q", printed)
	}
	last := attempt.Last()
	if last.Response == nil || last.Response.Status != 502 || last.Response.BodyStart != "bad gateway" {
		t.Errorf("got %+v, want the answer alone", last)
	}
	// What stands behind the first answer must not become the second.
	if got, want := int(connections.Load()), 2; got != want || last.Reused {
		t.Errorf("got %d connections and the last try over the first: %t, want %d", got, last.Reused, want)
	}
	written, err := json.Marshal(attempt)
	if err != nil || strings.Contains(string(written), secretToken[10:40]) {
		t.Errorf("the facts have the token in them: %s (%v)", written, err)
	}
}

func TestARetryNeedsNoHandshakeOfItsOwn(t *testing.T) {
	var connections atomic.Int32
	attempt, _ := observed(t, true, func(conn net.Conn) {
		connections.Add(1)
		request(conn)
		fmt.Fprint(conn, "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n")
		request(conn)
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	})
	if got := int(connections.Load()); got != 1 || len(attempt.Exchanges) != 2 || !attempt.Last().Reused || attempt.Last().Response.Status != 200 {
		t.Errorf("got %d connections and %+v, want two tries over one", got, attempt.Exchanges)
	}
}

func TestAConnectionThatEndedBeforeTheRetryIsMadeAnew(t *testing.T) {
	var connections atomic.Int32
	attempt, _ := observed(t, true, func(conn net.Conn) {
		request(conn)
		if connections.Add(1) == 1 {
			fmt.Fprint(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nbad")
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	})
	if got := int(connections.Load()); got != 2 || attempt.Last().Reused || attempt.Last().Failure != nil {
		t.Errorf("got %d connections and %+v, want an answer over the second", got, attempt.Last())
	}
}

// TestAnAnswerIsToldAsWhatItIs has servers of plain HTTP that write at once,
// before they read, or after.
func TestAnAnswerIsToldAsWhatItIs(t *testing.T) {
	for _, test := range []struct {
		name  string
		text  string
		kind  checks.FailureKind
		stage checks.Stage
	}{
		{"a whole answer", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "", checks.StageDone},
		{"an interim one before it", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "", checks.StageDone},
		{"the greeting of SSH", "SSH-2.0-OpenSSH_9.2\r\n", checks.Invalid, checks.StageResponse},
		{"the greeting of SMTP", "220 mail.example.com ESMTP\r\n", checks.Invalid, checks.StageResponse},
		{"a header that is none", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", checks.Invalid, checks.StageResponse},
		{"a head cut off", "HTTP/1.1 200 OK\r\nContent-Le", checks.Closed, checks.StageResponse},
		{"a body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", checks.Closed, checks.StageBody},
		{"nothing", "", checks.Closed, checks.StageResponse},
		{"interim ones without end", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 3000), checks.TooLarge, checks.StageResponse},
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, early %t", test.name, early), func(t *testing.T) {
				attempt, printed := observed(t, false, func(conn net.Conn) {
					if !early {
						request(conn)
					}
					fmt.Fprint(conn, test.text)
					if early {
						// Closing before the request is read would reset.
						request(conn)
					}
				})
				last := attempt.Last()
				kind, message := checks.FailureKind(""), ""
				if last.Failure != nil {
					kind, message = last.Failure.Kind, last.Failure.Message
				}
				if kind != test.kind || last.Stage != test.stage {
					t.Errorf("got %q at %s (%s), want %q at %s", kind, last.Stage, message, test.kind, test.stage)
				}
				if strings.Contains(message, "%!") || printed != "" {
					t.Errorf("got the message %q, and the package log printed %q", message, printed)
				}
			})
		}
	}
}
