package observe_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestDeepProbesTellWhatThePulseLeavesOpen makes them at the servers and files
// of the sandbox.
func TestDeepProbesTellWhatThePulseLeavesOpen(t *testing.T) {
	const every = 6
	type want struct {
		fresh, status                                     int
		kind                                              checks.FailureKind
		handshakes                                        bool
		version, ready, wrongToken, self, failedQuestions int
	}
	for fault, want := range map[string]want{
		"":                            {fresh: every, status: 200, version: 200, ready: 200, self: 404},
		"token-expired":               {fresh: every, status: 401, version: 200, ready: 200, wrongToken: 401, self: 401},
		"token-empty":                 {fresh: every, status: 403, version: 200, ready: 200, wrongToken: 401},
		"http-401-unattributed":       {fresh: every, status: 401, version: 200, ready: 200, wrongToken: 401, self: 401},
		"http-403-anonymous":          {fresh: every, status: 403, version: 200, ready: 200, wrongToken: 403, self: 403},
		"http-500-internal":           {fresh: every, status: 500, version: 200, ready: 200, self: 404},
		"http-redirect":               {fresh: every, status: 302, version: 302, ready: 302, self: 302},
		"http-429-apf":                {},
		"http-response-timeout":       {fresh: every, kind: checks.TimedOut, version: 200, ready: 200},
		"http-response-drip":          {fresh: every, kind: checks.TimedOut, status: 200, version: 200, ready: 200, self: 404, failedQuestions: 3},
		"http-header-endless":         {fresh: every, kind: checks.TooLarge, version: 200, ready: 200},
		"tls-handshake-timeout":       {fresh: every, kind: checks.TimedOut, handshakes: true, failedQuestions: 1},
		"tls-eof-or-reset":            {fresh: every, kind: checks.Reset, handshakes: true, failedQuestions: 1},
		"tls-plaintext-or-wrong-port": {fresh: every, kind: checks.Plaintext, failedQuestions: 1},
		"cert-serving-expired":        {fresh: every, kind: checks.Untrusted, failedQuestions: 1},
		"ca-file-missing":             {fresh: every, kind: checks.Untrusted, failedQuestions: 1},
		"tcp-refused":                 {fresh: every, kind: checks.Refused, failedQuestions: 1},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			pretend, observer := start(t)
			if fault != "" {
				if err := pretend.Inject(fault); err != nil {
					t.Fatal(err)
				}
			}
			look(pretend, observer)
			observer.Timeout = silence
			facts := observer.Observe(t.Context())
			began := time.Now()
			deep := observer.Deep(t.Context(), facts)
			if took := time.Since(began); took > 2*observer.Timeout+slack {
				t.Errorf("the deep probes took %s, more than two time limits of %s", took, observer.Timeout)
			}
			if len(deep.Panics) > 0 {
				t.Errorf("got the panics %v", deep.Panics)
			}
			path, fewest := deep.Path, want.fresh
			if want.kind == checks.TimedOut {
				// Each takes one of the five steps for which there is time.
				fewest = 4
			}
			if len(path.Fresh) < fewest || len(path.Fresh) > want.fresh || (path.SmallHello != nil) != want.handshakes {
				t.Errorf("got %d fresh connections and the handshake %+v", len(path.Fresh), path.SmallHello)
			}
			for _, fresh := range path.Fresh {
				var kind checks.FailureKind
				if fresh.Failure != nil {
					kind = fresh.Failure.Kind
				}
				if fresh.Status != want.status || kind != want.kind {
					t.Errorf("got the fresh connection %+v (%s), want %d %s", fresh, kind, want.status, want.kind)
				}
			}
			for _, control := range path.Controls {
				if control.What != checks.ControlDNSOverTCP || control.Failure != nil {
					t.Errorf("got the control %+v, want a nameserver that answers", control)
				}
			}
			api := deep.API
			if (api != nil) != (want.fresh > 0) {
				t.Fatalf("got %+v of the API", api)
			}
			if api == nil {
				return
			}
			got := want
			got.version, got.ready, got.wrongToken = status(api.Version), status(api.Ready), status(api.WrongToken)
			got.self, got.failedQuestions = 0, len(api.Failures)
			if api.Self != nil {
				got.self = api.Self.Status
			}
			if got != want {
				t.Errorf("got %+v, want %+v; the failures are %v", got, want, api.Failures)
			}
			tellsNoToken(t, pretend.Pod().TokenFile(), deep)
		})
	}
}

func status(response *checks.Response) int {
	if response == nil {
		return 0
	}
	return response.Status
}

func tellsNoToken(t *testing.T, file string, facts any) {
	t.Helper()
	written, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(token), ".") {
		if part != "" && strings.Contains(string(written), part) {
			t.Errorf("the facts hold a part of the token, %d characters long", len(part))
		}
	}
}
