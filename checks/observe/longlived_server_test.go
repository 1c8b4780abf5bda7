package observe_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/observe"
)

// pooled is an API server that speaks HTTP/2, and an observer of it. The
// connections that it took are in the order in which they came.
type pooled struct {
	*observe.Observer
	mu    sync.Mutex
	conns []net.Conn
	// asked are the requests by their protocol.
	asked map[string]int
	// failing has new connections closed at once.
	failing atomic.Bool
	// overHTTP1 is what is served over HTTP/1.1.
	overHTTP1 http.HandlerFunc
}

const apiVersions = `{"kind":"APIVersions","versions":["v1"]}`

func answerAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Audit-Id", "a")
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, apiVersions)
}

// newPooled serves HTTP/1.1 by answerAPI and HTTP/2 by the handler.
func newPooled(t *testing.T, overHTTP2 http.HandlerFunc) *pooled {
	t.Helper()
	return newPooledOver(t, overHTTP2, true)
}

// newPooledOver is newPooled with HTTP/2 or without.
func newPooledOver(t *testing.T, overHTTP2 http.HandlerFunc, speaksHTTP2 bool) *pooled {
	t.Helper()
	server := &pooled{asked: make(map[string]int), overHTTP1: answerAPI}
	serving := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.mu.Lock()
		server.asked[r.Proto]++
		server.mu.Unlock()
		if r.ProtoMajor == 2 {
			overHTTP2(w, r)
			return
		}
		server.overHTTP1(w, r)
	}))
	serving.EnableHTTP2 = speaksHTTP2
	serving.Config.ErrorLog = log.New(io.Discard, "", 0)
	serving.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state != http.StateNew {
			return
		}
		if server.failing.Load() {
			_ = conn.Close()
		}
		server.mu.Lock()
		server.conns = append(server.conns, conn)
		server.mu.Unlock()
	}
	serving.StartTLS()
	t.Cleanup(serving.Close)
	directory := t.TempDir()
	authority := pemOf(serving.Certificate())
	for name, content := range map[string][]byte{"ca.crt": authority, "token": []byte(secretToken)} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host, port, err := net.SplitHostPort(serving.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server.Observer = &observe.Observer{
		Pod: checks.Pod{
			Environment:       map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port},
			ServiceAccountDir: directory,
		},
		Skip: []checks.Name{checks.DNS},
	}
	server.TakeTurnsEvery(time.Nanosecond)
	t.Cleanup(server.Close)
	return server
}

// silence is the time limit where a test waits for what does not come.
const silence = 2 * time.Second

// newSilenceable is a server that leaves requests over HTTP/2 without an answer
// while it is silent.
func newSilenceable(t *testing.T) (server *pooled, silent *atomic.Bool) {
	t.Helper()
	silent = new(atomic.Bool)
	server = newPooled(t, func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			<-r.Context().Done()
			return
		}
		answerAPI(w, r)
	})
	server.Timeout = silence
	return server, silent
}

// kept is what a round tells of the connection that is kept.
func (p *pooled) kept(t *testing.T) checks.LongLivedFacts {
	t.Helper()
	facts := p.Observe(t.Context()).API.LongLived
	if facts == nil {
		return checks.LongLivedFacts{}
	}
	return *facts
}
