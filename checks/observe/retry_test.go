package observe_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/observe"
)

// A retry that begins just before the time limit would end with it, and hide
// behind its own timeout what the first try had met.
func TestATryThatTookMostOfTheTimeIsNotRepeated(t *testing.T) {
	const timeout = 600 * time.Millisecond
	for _, test := range []struct {
		name string
		hold time.Duration
		want int
	}{
		{"closed at once", 0, 2},
		{"closed when more than half of the time is gone", timeout * 2 / 3, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observer := &observe.Observer{
					Pod: checks.Pod{
						Environment:       map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"},
						ServiceAccountDir: t.TempDir(),
					},
					Timeout: timeout,
					Skip:    []checks.Name{checks.DNS},
					Dial: func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() {
							_, _ = far.Read(make([]byte, 4096))
							time.Sleep(test.hold)
							_ = far.Close()
						}()
						return near, nil
					},
				}
				exchanges := observer.Observe(t.Context()).API.ServiceHost.Exchanges
				if len(exchanges) != test.want {
					t.Errorf("the API server was tried %d times, want %d: %+v", len(exchanges), test.want, exchanges)
				}
				if last := exchanges[len(exchanges)-1]; last.Failure == nil || last.Failure.Kind == checks.TimedOut {
					t.Errorf("the last try met %+v, want a connection that ended", last.Failure)
				}
			})
		})
	}
}

func TestAServerThatFailsRoundAfterRoundIsAskedOnceInEach(t *testing.T) {
	failing := true
	server := newPooled(t, answerAPI)
	server.overHTTP1 = func(w http.ResponseWriter, r *http.Request) {
		if failing {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answerAPI(w, r)
	}
	for round, test := range []struct {
		failing bool
		want    int
	}{{true, 2}, {true, 1}, {true, 1}, {false, 1}, {true, 2}, {true, 1}} {
		failing = test.failing
		if got := len(server.Observe(t.Context()).API.ServiceHost.Exchanges); got != test.want {
			t.Errorf("round %d: the server was asked %d times, want %d", round, got, test.want)
		}
	}
}
