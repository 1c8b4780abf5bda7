package observe_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
)

func TestOneConnectionIsKeptAndAskedAgain(t *testing.T) {
	server := newPooled(t, answerAPI)
	for round := range 4 {
		facts := server.kept(t)
		if facts.Requests != round+1 || facts.Ended != 0 || facts.MadeAt.IsZero() || !facts.Address.IsValid() {
			t.Errorf("round %d: got %+v, want %d requests over one connection", round, facts, round+1)
		}
		if latest := facts.Latest; round > 0 && (latest.Status != 200 || !latest.NewAnswered || latest.Answered != round || latest.Failure != nil) {
			t.Errorf("round %d: got the latest request %+v, want an answer", round, latest)
		}
	}
	if diff := cmp.Diff(map[string]int{"HTTP/1.1": 4, "HTTP/2.0": 4}, server.asked); diff != "" {
		t.Errorf("the requests (-want +got):\n%s", diff)
	}
	if got, want := len(server.conns), 5; got != want {
		t.Errorf("got %d connections, want one for each of four rounds and one that is kept", got)
	}
}

// TestTheConnectionIsAskedWhetherTheAPIServerIsReady has etcd fail, and then be silent
// to the API server, which waits for it before it answers.
func TestTheConnectionIsAskedWhetherTheAPIServerIsReady(t *testing.T) {
	ready, failing, waiting := "ok", "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n", ""
	said := atomic.Pointer[string]{}
	server := newPooled(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Audit-Id", "a")
		switch body := *said.Load(); {
		case r.URL.Path == "/api":
			answerAPI(w, r)
		case body == waiting:
			<-r.Context().Done()
		case body == failing:
			http.Error(w, body, http.StatusInternalServerError)
		default:
			fmt.Fprint(w, body)
		}
	})
	server.Timeout = silence
	var made time.Time
	for round, want := range []struct {
		says   string
		status int
		failed []string
	}{{ready, 0, nil}, {ready, 200, nil}, {failing, 500, []string{"etcd"}}, {waiting, 500, []string{"etcd"}}, {waiting, 500, []string{"etcd"}}, {ready, 200, nil}} {
		said.Store(&want.says)
		facts := server.kept(t)
		if round == 0 {
			made = facts.MadeAt
		}
		got := checks.Response{}
		if facts.Ready != nil {
			got = *facts.Ready
		}
		if diff := cmp.Diff(want.failed, got.FailedParts); diff != "" || got.Status != want.status {
			t.Errorf("round %d: it is held for ready with %d and the failing parts (-want +got):\n%s, want %d", round, got.Status, diff, want.status)
		}
		if latest := facts.Latest; !facts.MadeAt.Equal(made) || latest != nil && latest.Failure != nil {
			t.Errorf("round %d: got %+v with the latest request %+v, want the first connection to be well", round, facts, latest)
		}
	}
}

func TestAConnectionIsLeftIdleForAWhile(t *testing.T) {
	server := newPooled(t, answerAPI)
	server.TakeTurnsEvery(time.Hour)
	for range 3 {
		if facts := server.kept(t); facts.Requests != 1 || facts.Latest != nil {
			t.Errorf("got %+v, want one request and no further one", facts)
		}
	}
}

// TestASilentConnectionIsToldUntilAnotherHasAnsweredAgain has requests over
// HTTP/2 answered (+) or met with silence (-), one each round: what is made anew
// is asked for the first time in the round after.
func TestASilentConnectionIsToldUntilAnotherHasAnsweredAgain(t *testing.T) {
	// The answer is told by + and silence by !, where there is something to tell.
	for _, test := range []struct{ requests, want string }{
		{"++++", " +++"},
		{"++-++", " ++++"},
		{"++-+-+", " +++++"},
		{"++--++", " ++!!+"},
		{"++--+--", " ++!!!!"},
	} {
		t.Run(test.requests, func(t *testing.T) {
			t.Parallel()
			server, silent := newSilenceable(t)
			got := ""
			for _, request := range test.requests {
				silent.Store(request == '-')
				switch latest := server.kept(t).Latest; {
				case latest == nil:
					got += " "
				case latest.Status == http.StatusOK:
					got += "+"
				case latest.Failure.Kind == checks.TimedOut && latest.NewAnswered:
					got += "!"
				default:
					t.Errorf("got the latest request %+v", latest)
				}
			}
			if got != test.want {
				t.Errorf("the rounds told %q, want %q", got, test.want)
			}
		})
	}
}

// TestAHangThatDeepProbesMeetIsNotHeldForADeadConnection has the API server
// answer again as deep probes still wait for the answer to an earlier request.
func TestAHangThatDeepProbesMeetIsNotHeldForADeadConnection(t *testing.T) {
	server, silent := newSilenceable(t)
	facts := server.Observe(t.Context())
	silent.Store(true)
	if asked := server.Deep(t.Context(), facts).Path.LongLived; asked == nil || asked.Failure == nil || asked.Failure.Kind != checks.TimedOut {
		t.Fatalf("the deep probes got %+v, want silence", asked)
	}
	silent.Store(false)
	for range 2 {
		if facts := server.kept(t); facts.Ended != 0 || facts.Latest == nil || facts.Latest.Status != http.StatusOK {
			t.Errorf("got %+v, want an answer over the first connection", facts)
		}
	}
}

// TestAConnectionIsGivenUpThatIsSilentWhereNewOnesFail has an outage of all
// connections, after which TCP would take long to send again what was lost.
func TestAConnectionIsGivenUpThatIsSilentWhereNewOnesFail(t *testing.T) {
	for _, notice := range []string{"a round", "deep probes"} {
		t.Run(notice, func(t *testing.T) {
			server, silent := newSilenceable(t)
			facts := server.Observe(t.Context())
			before := facts.API.LongLived.MadeAt
			silent.Store(true)
			server.failing.Store(true)
			if notice == "a round" {
				server.Observe(t.Context())
			} else if asked := server.Deep(t.Context(), facts).Path.LongLived; asked == nil || asked.Failure == nil || asked.NewAnswered {
				t.Fatalf("the deep probes got %+v, want silence like that of new connections", asked)
			}
			server.failing.Store(false)
			silent.Store(false)
			if got := server.kept(t); got.Latest != nil || !got.MadeAt.After(before) {
				t.Errorf("got %+v, want a connection made after %s and nothing told of the one before", got, before)
			}
		})
	}
}

// TestARoundEndsInTimeHoweverManyConnectionsItTakes has the connection that is kept
// end at half of the time limit, and no other come about after it.
func TestARoundEndsInTimeHoweverManyConnectionsItTakes(t *testing.T) {
	t.Parallel()
	const limit = 6 * time.Second
	var server *pooled
	ending := false
	server = newPooled(t, func(w http.ResponseWriter, r *http.Request) {
		if ending {
			time.Sleep(limit / 2)
			// It is the second of all. New ones wait for the lock.
			server.mu.Lock()
			_ = server.conns[1].Close()
			return
		}
		answerAPI(w, r)
	})
	server.Timeout = limit
	server.kept(t)
	ending = true
	start := time.Now()
	facts := server.kept(t)
	took := time.Since(start)
	server.mu.Unlock()
	if facts.Ended != 1 || took >= limit*3/2 {
		t.Errorf("got %+v after %s, want one ended connection after %s", facts, took, limit)
	}
}

func TestAnEndOfTheConnectionIsNoFault(t *testing.T) {
	goAway := func(w http.ResponseWriter, r *http.Request) {
		// The server of Go makes a GOAWAY of it.
		w.Header().Set("Connection", "close")
		answerAPI(w, r)
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		between func(*pooled)
	}{
		{"a GOAWAY with each answer", goAway, func(*pooled) {}},
		{"a close in between", answerAPI, func(p *pooled) { _ = p.conns[len(p.conns)-1].Close() }},
		{"a reset in between", answerAPI, func(p *pooled) {
			if conn, ok := p.conns[len(p.conns)-1].(interface{ NetConn() net.Conn }); ok {
				_ = conn.NetConn().(*net.TCPConn).SetLinger(0)
				_ = conn.NetConn().Close()
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newPooled(t, test.handler)
			for round := range 4 {
				report := judge.Judge(server.Observe(t.Context()), nil)
				result, _ := report.Result(checks.API)
				if result.Status != checks.OK {
					t.Errorf("round %d: got %s %s (%s), want ok", round, result.Status, result.Reason, result.Message)
				}
				server.mu.Lock()
				test.between(server)
				server.mu.Unlock()
			}
			if facts := server.kept(t); facts.Ended < 2 {
				t.Errorf("got %+v, want ended connections to be counted", facts)
			}
		})
	}
}

func TestAConnectionThatWasMadeBeforeIsAskedWhereNewOnesFail(t *testing.T) {
	server := newPooled(t, answerAPI)
	server.kept(t)
	server.failing.Store(true)
	facts := server.Observe(t.Context())
	latest := facts.API.LongLived.Latest
	if latest == nil || latest.Status != 200 || latest.NewAnswered {
		t.Fatalf("got %+v, want an answer over it, and none to a new one", latest)
	}
	first := judge.Judge(facts, nil).Diagnosis[0]
	if evidence := strings.Join(first.Evidence, " "); !strings.Contains(evidence, "still answered") {
		t.Errorf("the evidence of %s is %q, want that connection in it", first.Reason, evidence)
	}
	server.TakeTurnsEvery(time.Hour)
	deep := server.Deep(t.Context(), facts)
	if asked := deep.Path.LongLived; asked == nil || asked.Status != 200 || asked.NewAnswered {
		t.Errorf("a deep probe got %+v, want an answer over it, and none to new ones", asked)
	}
}

func TestNothingIsKeptWhereItWouldBeABurden(t *testing.T) {
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Audit-Id", "a")
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		every   time.Duration
		http2   int
	}{
		{"a server that asks to wait", status(http.StatusTooManyRequests, "Retry-After", "60"), time.Nanosecond, 1},
		{"a redirect", status(http.StatusFound, "Location", "https://127.0.0.1:1/"), time.Nanosecond, 3},
		{"an answer without end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, time.Hour, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newPooled(t, test.handler)
			server.TakeTurnsEvery(test.every)
			for range 3 {
				server.kept(t)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if got := server.asked["HTTP/2.0"]; got > test.http2 {
				t.Errorf("got %d requests over HTTP/2, want %d at the most", got, test.http2)
			}
		})
	}
}

func TestAnInterimAnswerAndTrailersArePassedOver(t *testing.T) {
	server := newPooled(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-End")
		answerAPI(w, r)
		w.Header().Set("X-End", "1")
	})
	server.kept(t)
	if facts := server.kept(t); facts.Latest == nil || facts.Latest.Status != 200 {
		t.Errorf("got %+v, want the answer", facts.Latest)
	}
}

func TestAServerThatIsNoAPIServerIsLeftInPeace(t *testing.T) {
	pretend, observer := start(t)
	if err := pretend.Inject("http-200-not-kubernetes"); err != nil {
		t.Fatal(err)
	}
	observer.TakeTurnsEvery(time.Nanosecond)
	if facts := observer.Observe(t.Context()).API.LongLived; facts != nil {
		t.Errorf("got %+v of a server that is no kube-apiserver, want nothing", facts)
	}
}

// TestAServerWithoutHTTP2IsLeftInPeace counts connections: one for each of four rounds,
// and one to find out.
func TestAServerWithoutHTTP2IsLeftInPeace(t *testing.T) {
	server := newPooledOver(t, answerAPI, false)
	for range 4 {
		if facts := server.kept(t); facts.Requests != 0 {
			t.Errorf("got %+v, want no connection to be kept", facts)
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if got, want := len(server.conns), 5; got != want || server.asked["HTTP/1.1"] != 4 {
		t.Errorf("got %d connections and the requests %v, want %d and 4 over HTTP/1.1", got, server.asked, want)
	}
}

func TestTheTokenIsReadAnewForEachRequest(t *testing.T) {
	var seen []string
	server := newPooled(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		answerAPI(w, r)
	})
	server.kept(t)
	rotated := secretToken + "A"
	if err := os.WriteFile(server.Pod.TokenFile(), []byte(rotated), 0o600); err != nil {
		t.Fatal(err)
	}
	server.kept(t)
	if diff := cmp.Diff([]string{"Bearer " + secretToken, "Bearer " + rotated}, seen); diff != "" {
		t.Errorf("the headers of two requests (-want +got):\n%s", diff)
	}
}

func TestNothingIsPrintedOrToldOfTheToken(t *testing.T) {
	var lines bytes.Buffer
	log.SetOutput(&lines)
	defer log.SetOutput(os.Stderr)
	server := newPooled(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Audit-Id", r.Header.Get("Authorization"))
		w.Header().Set("Warning", `299 - "`+r.Header.Get("Authorization")+`"`)
		fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	server.kept(t)
	written, err := json.Marshal(server.Observe(t.Context()))
	if err != nil || strings.Contains(string(written), secretToken[10:40]) {
		t.Errorf("the facts have the token in them: %s (%v)", written, err)
	}
	if lines.Len() > 0 {
		t.Errorf("the package log printed %q", lines.String())
	}
}

// TestAConnectionThatIsNotProvenCarriesNothing has ca.crt replaced by one that
// does not prove the server.
func TestAConnectionThatIsNotProvenCarriesNothing(t *testing.T) {
	server := newPooled(t, answerAPI)
	if err := os.WriteFile(server.Pod.CAFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if facts := server.kept(t); facts != (checks.LongLivedFacts{}) || len(server.asked) > 0 {
		t.Errorf("got %+v and the requests %v, want none", facts, server.asked)
	}
}

// TestWhereverADialerLeadsTheServerHasToProveItself has the connections to an API
// server led to one of another name.
func TestWhereverADialerLeadsTheServerHasToProveItself(t *testing.T) {
	for host, proven := range map[string]bool{"127.0.0.1": true, "10.96.0.1": false} {
		t.Run(host, func(t *testing.T) {
			server := newPooled(t, answerAPI)
			there := net.JoinHostPort(server.Pod.Environment["KUBERNETES_SERVICE_HOST"], server.Pod.Environment["KUBERNETES_SERVICE_PORT"])
			server.Pod.Environment["KUBERNETES_SERVICE_HOST"] = host
			server.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, there)
			}
			facts := server.Observe(t.Context())
			if verified := facts.API.ServiceHost.Last().TLS.Verified; verified != proven {
				t.Errorf("the handshake is verified: %t, want %t", verified, proven)
			}
			if asked := len(server.asked) > 0; asked != proven || len(server.conns) == 0 {
				t.Errorf("got the requests %v over %d connections, want some: %t", server.asked, len(server.conns), proven)
			}
		})
	}
}

func TestClosingEndsTheConnectionAndALaterRoundMakesAnother(t *testing.T) {
	server := newPooled(t, answerAPI)
	server.kept(t)
	server.Close()
	if facts := server.kept(t); facts.Requests != 1 || facts.Latest != nil {
		t.Errorf("got %+v, want a connection with one request", facts)
	}
}

func pemOf(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
