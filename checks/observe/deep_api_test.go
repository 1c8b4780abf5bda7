package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func contextFor(t *testing.T, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), limit)
}

// first drops whether there is a value.
func first[T any](value T, _ bool) T { return value }

const reviewed = `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","status":{"userInfo":{
	"username":"system:serviceaccount:shop:web","uid":"0af1","groups":["system:serviceaccounts"],"extra":{
	"authentication.kubernetes.io/pod-name":["web-0"],"authentication.kubernetes.io/pod-uid":["1bf2"],
	"authentication.kubernetes.io/node-name":["node-2"],"authentication.kubernetes.io/credential-id":["JTI=3c"]}}}}`

// kubernetes answers as a kube-apiserver does that takes the real token.
func kubernetes(_ int, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Audit-Id", "7e57")
	authorization := r.Header.Get("Authorization")
	switch {
	case authorization != "" && authorization != "Bearer "+realToken:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"Status","reason":"Unauthorized","message":"Unauthorized","code":401}`)
	case r.URL.Path == "/version":
		_, _ = io.WriteString(w, `{"major":"1","minor":"37"}`)
	case r.URL.Path == "/readyz":
		_, _ = io.WriteString(w, "ok")
	case r.URL.Path == reviewPath && r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json":
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, reviewed)
	default:
		http.NotFound(w, r)
	}
}

func TestOnlyTheQuestionsAreAskedThatThePulseLeavesOpen(t *testing.T) {
	const version, ready = "GET /version", "GET /readyz"
	const wrong, self = "GET /api Bearer " + wrongToken, "POST " + reviewPath + " Bearer " + realToken + " " + review
	waiting := responseMet(http.StatusTooManyRequests)
	waiting.Response.RetryAfterSeconds = 1
	authority := newIssuer(t)
	for name, test := range map[string]struct {
		met     checks.Exchange
		noToken bool
		want    []string
	}{
		"200":              {responseMet(200), false, []string{version, self, ready}},
		"401":              {responseMet(401), false, []string{version, wrong, self, ready}},
		"403":              {responseMet(403), false, []string{version, wrong, self, ready}},
		"403, no token":    {responseMet(403), true, []string{version, wrong, ready}},
		"500":              {responseMet(500), false, []string{version, self, ready}},
		"no answer":        {handshakeMet(checks.TimedOut), false, []string{version, ready}},
		"429":              {responseMet(429), false, []string{version, self, ready}},
		"429 to be waited": {waiting, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := startAPI(t, kubernetes, authority.issue(t, "cp-0", later))
			r, facts := deepPod(t, authority, server.address, test.met)
			if test.noToken {
				r.token = ""
			}
			told := r.deepAPI(t.Context(), facts)
			var got []string
			for _, request := range server.asked() {
				got = append(got, strings.TrimSpace(strings.Join([]string{request.what, request.authorization, request.body}, " ")))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the server was asked (-want +got):\n%s", diff)
			}
			if test.want == nil {
				if told != nil {
					t.Errorf("got %+v, want nothing", told)
				}
				return
			}
			if told.Version.Status != 200 || told.Version.AuditID != "7e57" || told.Ready.Status != 200 || told.Ready.BodyStart != "ok" {
				t.Errorf("got the version %+v and the readiness %+v", told.Version, told.Ready)
			}
			if (told.WrongToken != nil) != slices.Contains(test.want, wrong) || told.WrongToken != nil && told.WrongToken.Status != 401 {
				t.Errorf("got the answer %+v to the wrong token", told.WrongToken)
			}
			var wantSelf *checks.Self
			if slices.Contains(test.want, self) {
				wantSelf = &checks.Self{
					Status: 201, Username: "system:serviceaccount:shop:web", UID: "0af1", Pod: "web-0", PodUID: "1bf2", Node: "node-2",
				}
			}
			if diff := cmp.Diff(wantSelf, told.Self); diff != "" {
				t.Errorf("the review differs (-want +got):\n%s", diff)
			}
			if told.Failures != nil {
				t.Errorf("got the failures %v, want none", told.Failures)
			}
		})
	}
}

// TestAnAPIServerThatWaitsForItsStoreHasTimeToSaySo has /readyz answered after two
// steps, where all else is at once.
func TestAnAPIServerThatWaitsForItsStoreHasTimeToSaySo(t *testing.T) {
	authority := newIssuer(t)
	var step time.Duration
	server := startAPI(t, func(number int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != readyPath {
			kubernetes(number, w, r)
			return
		}
		time.Sleep(2 * step)
		w.Header().Set("Audit-Id", "7e57")
		http.Error(w, "[-]etcd failed: reason withheld", http.StatusInternalServerError)
	}, authority.issue(t, "cp-0", later))
	r, facts := deepPod(t, authority, server.address, responseMet(200))
	step = r.step()
	told := r.deepAPI(t.Context(), facts)
	if told.Ready == nil || told.Ready.Status != 500 || !slices.Equal(told.Ready.FailedParts, []string{"etcd"}) {
		t.Errorf("got the readiness %+v and the failures %v, want etcd to be named", told.Ready, told.Failures)
	}
}

func TestAHostileReviewTellsNothing(t *testing.T) {
	r := &round{token: realToken}
	for name, test := range map[string]struct {
		status int
		body   string
		want   checks.Self
	}{
		"rejected":         {401, reviewed, checks.Self{}},
		"not created":      {200, reviewed, checks.Self{}},
		"no JSON":          {201, `<html>`, checks.Self{}},
		"nothing":          {201, ``, checks.Self{}},
		"null":             {201, `null`, checks.Self{}},
		"a list":           {201, `[` + reviewed + `]`, checks.Self{}},
		"other types":      {201, `{"status":{"userInfo":{"username":7,"extra":[]}}}`, checks.Self{}},
		"extra of texts":   {201, `{"status":{"userInfo":{"extra":{"authentication.kubernetes.io/pod-name":"web"}}}}`, checks.Self{}},
		"extra of nothing": {201, `{"status":{"userInfo":{"extra":{"authentication.kubernetes.io/pod-name":[]}}}}`, checks.Self{}},
		"the token":        {201, `{"status":{"userInfo":{"username":"` + realToken + `"}}}`, checks.Self{Username: "[token]"}},
		"an escape":        {201, `{"status":{"userInfo":{"uid":"\u001b]0;x\u0007"}}}`, checks.Self{UID: " ]0;x "}},
		"a text without end": {
			201, `{"status":{"userInfo":{"username":"` + strings.Repeat("x", 60000) + `"}}}`,
			checks.Self{Username: strings.Repeat("x", maxNameLength) + "…"},
		},
		"no end of brackets": {201, strings.Repeat(`{"status":`, 6000), checks.Self{}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Status = test.status
			if diff := cmp.Diff(&test.want, r.self(test.status, []byte(test.body))); diff != "" {
				t.Errorf("the review differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAnswerThatAsksToWaitIsTheLast(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, authority.issue(t, "cp-0", later))
	r, facts := deepPod(t, authority, server.address, responseMet(401))
	told := r.deepAPI(t.Context(), facts)
	if got := len(server.asked()); got != 1 || told.Version.RetryAfterSeconds != 5 || told.Ready != nil {
		t.Errorf("got %d requests and %+v, want the first alone", got, told)
	}
}

// TestAServerIsNeverAskedMoreThanTenTimes counts at servers that answer in ways
// after which clients ask again.
func TestAServerIsNeverAskedMoreThanTenTimes(t *testing.T) {
	authority := newIssuer(t)
	for name, answer := range map[string]http.HandlerFunc{
		"closes without an answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"never answers":            func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"answers 500":              func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"floods": func(w http.ResponseWriter, _ *http.Request) {
			for range 4096 {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
		},
		"drips": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(" ")); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		},
		"repeats the token": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/?"+r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusFound)
			fmt.Fprintf(w, "what is %s?", r.Header.Get("Authorization"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startAPI(t, func(_ int, w http.ResponseWriter, r *http.Request) { answer(w, r) }, authority.issue(t, "cp-0", later))
			r, facts := deepPod(t, authority, server.address, responseMet(401))
			// A server that keeps every request waiting may leave no time for the last
			// ones on a busy machine; the others have plenty.
			mayRunOut := name == "never answers" || name == "drips"
			r.timeout = 2 * time.Second
			if mayRunOut {
				r.timeout = 200 * time.Millisecond
			}
			ctx, cancel := contextFor(t, 10*r.timeout)
			defer cancel()
			var path *checks.DeepPathFacts
			var api *checks.DeepAPIFacts
			within(t, 10*r.timeout+slack, func() {
				together(func() { path = r.deepPath(ctx, facts, true) }, func() { api = r.deepAPI(ctx, facts) })
			})
			if got, want := len(server.asked()), 10; got > want || got < want && !mayRunOut {
				t.Errorf("the server was asked %d times, want %d: %v", got, want, server.asked())
			}
			if got, want := len(path.Fresh), freshConnections; got > want || got < want && !mayRunOut {
				t.Errorf("got %d fresh connections, want %d", got, want)
			}
			written, err := json.Marshal([]any{path, api})
			if err != nil {
				t.Fatal(err)
			}
			for part := range strings.SplitSeq(realToken, ".") {
				if strings.Contains(string(written), part) {
					t.Errorf("the facts hold a part of the token: %s", written)
				}
			}
			if len(written) > 16<<10 {
				t.Errorf("the facts are of %d bytes", len(written))
			}
		})
	}
}

func TestARequestWithoutAnAnswerIsToldByItsFailure(t *testing.T) {
	authority := newIssuer(t)
	server := startAPI(t, func(replica int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			panic(http.ErrAbortHandler)
		}
		kubernetes(replica, w, r)
	}, authority.issue(t, "cp-0", later))
	r, facts := deepPod(t, authority, server.address, responseMet(200))
	told := r.deepAPI(t.Context(), facts)
	if failed := told.Failures["version"]; failed == nil || failed.Kind != checks.Closed || told.Version != nil || len(told.Failures) != 1 {
		t.Errorf("got the failures %v, want that the connection of /version was closed", told.Failures)
	}
	if told.Ready == nil || told.Self == nil {
		t.Errorf("got %+v, want the other answers", told)
	}
}

func FuzzSelf(f *testing.F) {
	f.Add([]byte(reviewed))
	f.Add([]byte(`{"status":{"userInfo":{"username":"\u001b"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &round{token: realToken}
		saved(t, r.self(http.StatusCreated, body))
	})
}
