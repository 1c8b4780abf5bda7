package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestHealthzIsTheVerdict(t *testing.T) {
	const failed = `[+]environment ok
[+]dns ok
[+]token ok
[+]ca ok (warning: ca-expiring-soon)
[ ]tls skipped: waits for api
[-]api failed: tcp-timeout: 10.96.0.1:443 did not answer in 5s
healthz check failed
`
	warning := failing()
	warning.Checks = warning.Checks[:4]
	for name, test := range map[string]struct {
		report *checks.Report
		later  time.Duration
		target string
		status int
		body   string
	}{
		"before the first round": {nil, 0, "/healthz", 503, "[-]rounds failed: no round has ended yet\nhealthz check failed\n"},
		"healthy":                {healthy(), 0, "/healthz", 200, "ok"},
		"failing":                {failing(), 0, "/healthz", 503, failed},
		"failing, verbose":       {failing(), 0, "/healthz?verbose", 503, failed},
		"warning":                {warning, 0, "/healthz", 200, "ok"},
		"warning, verbose": {
			warning, 0, "/healthz?verbose=1", 200,
			"[+]environment ok\n[+]dns ok\n[+]token ok\n[+]ca ok (warning: ca-expiring-soon)\nhealthz check passed\n",
		},
		"a query that means nothing": {healthy(), 0, "/healthz?x=y", 200, "ok"},
		"the failing one excluded":   {failing(), 0, "/healthz?exclude=api", 200, "ok"},
		"the failing one excluded, verbose": {
			failing(), 0, "/healthz?exclude=api&exclude=dns&exclude=api&verbose", 200,
			"[+]environment ok\n[ ]dns excluded\n[+]token ok\n[+]ca ok (warning: ca-expiring-soon)\n[ ]tls skipped: waits for api\n[ ]api excluded\nhealthz check passed\n",
		},
		"an unknown one excluded": {
			warning, 0, "/healthz?exclude=ap%1bi&verbose", 200,
			"[+]environment ok\n[+]dns ok\n[+]token ok\n[+]ca ok (warning: ca-expiring-soon)\nwarn: no check is named \"ap\\x1bi\", so none was excluded for it\nhealthz check passed\n",
		},
		"three intervals old": {healthy(), 45 * time.Second, "/healthz", 200, "ok"},
		"older": {
			warning, 46 * time.Second, "/healthz", 503,
			"[-]rounds failed: the last round ended 46s ago, more than three intervals of 15s\n[+]environment ok\n[+]dns ok\n[+]token ok\n[+]ca ok (warning: ca-expiring-soon)\nhealthz check failed\n",
		},
		"one check":                           {failing(), 0, "/healthz/dns", 200, "ok"},
		"one check, verbose":                  {failing(), 0, "/healthz/dns?verbose", 200, "[+]dns ok\nhealthz check passed\n"},
		"one check that warns":                {failing(), 0, "/healthz/ca", 200, "ok"},
		"one check that fails":                {failing(), 0, "/healthz/api", 503, "[-]api failed: tcp-timeout: 10.96.0.1:443 did not answer in 5s\nhealthz check failed\n"},
		"one check that is skipped":           {failing(), 0, "/healthz/tls", 503, "[ ]tls skipped: waits for api\nhealthz check failed\n"},
		"one check, old":                      {healthy(), time.Minute, "/healthz/dns", 503, "[-]rounds failed: the last round ended 1m0s ago, more than three intervals of 15s\n[+]dns ok\nhealthz check failed\n"},
		"one check before the first round":    {nil, 0, "/healthz/dns", 503, "[-]rounds failed: no round has ended yet\nhealthz check failed\n"},
		"an unknown check":                    {healthy(), 0, "/healthz/dn%0as", 404, "no check is named \"dn\\ns\"; /healthz?verbose lists them\n"},
		"an unknown check before the first":   {nil, 0, "/healthz/dnss", 404, "no check is named \"dnss\"; /healthz?verbose lists them\n"},
		"a check that this report leaves out": {warning, 0, "/healthz/api", 404, "no check is named \"api\"; /healthz?verbose lists them\n"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := New(Options{Now: clock.Now})
			if test.report != nil {
				s.Publish(test.report)
			}
			clock.advance(test.later)
			got := get(t, s, test.target)
			if got.Code != test.status {
				t.Errorf("got status %d, want %d", got.Code, test.status)
			}
			if diff := cmp.Diff(test.body, got.Body.String()); diff != "" {
				t.Errorf("body differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProbeShowsNothingOfAServerRaw(t *testing.T) {
	report := failing()
	report.Checks[5].Message = "the server said \x1b[2J\n[+]api ok"
	s := New(Options{Ready: ReadyPolicy{Checks: []checks.Name{checks.API}}})
	s.Publish(report)
	for _, target := range []string{"/healthz", "/healthz/api", "/readyz"} {
		got := get(t, s, target).Body.String()
		if !strings.Contains(got, `[-]api failed: tcp-timeout: the server said \x1b[2J\n[+]api ok`) {
			t.Errorf("%s answers %q", target, got)
		}
	}
}

func TestLivezDependsOnRoundsAlone(t *testing.T) {
	for name, test := range map[string]struct {
		interval time.Duration
		report   *checks.Report
		later    time.Duration
		target   string
		status   int
		body     string
	}{
		"at the start":                   {0, nil, 0, "/livez", 200, "ok"},
		"with the API gone":              {0, failing(), 0, "/livez", 200, "ok"},
		"ten intervals after the start":  {0, nil, 150 * time.Second, "/livez", 200, "ok"},
		"later with no round":            {0, nil, 151 * time.Second, "/livez", 503, "[-]rounds failed: no round has ended for 2m31s, more than 2m30s\nlivez check failed\n"},
		"ten intervals after a round":    {0, healthy(), 150 * time.Second, "/livez", 200, "ok"},
		"later than that":                {0, healthy(), 151 * time.Second, "/livez", 503, "[-]rounds failed: no round has ended for 2m31s, more than 2m30s\nlivez check failed\n"},
		"a minute with a short interval": {time.Second, healthy(), time.Minute, "/livez", 200, "ok"},
		"later with a short interval":    {time.Second, healthy(), 61 * time.Second, "/livez", 503, "[-]rounds failed: no round has ended for 1m1s, more than 1m0s\nlivez check failed\n"},
		"verbose":                        {0, healthy(), 3 * time.Second, "/livez?verbose", 200, "[+]rounds ok: 3s since the last round or the start, 2m30s are allowed\nlivez check passed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := New(Options{Now: clock.Now, Interval: test.interval})
			if test.report != nil {
				clock.advance(time.Hour)
				s.Publish(test.report)
			}
			clock.advance(test.later)
			got := get(t, s, test.target)
			if got.Code != test.status || got.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", got.Code, got.Body, test.status, test.body)
			}
		})
	}
}

func TestPathsAndMethods(t *testing.T) {
	s := New(Options{})
	s.Publish(healthy())
	for name, test := range map[string]struct {
		method, target string
		status         int
		header, value  string
		body           string
	}{
		"the root leads to the status":    {"GET", "/", 302, "Location", "./status", "see /status\n"},
		"an unknown path lists the paths": {"GET", "/statuz", 404, "Content-Type", "text/plain; charset=utf-8", "there is nothing at \"/statuz\"\n\n" + paths},
		"a path in another case":          {"GET", "/Healthz", 404, "Cache-Control", "no-store", "there is nothing at \"/Healthz\"\n\n" + paths},
		"POST":                            {"POST", "/healthz", 405, "Allow", "GET, HEAD", "only GET and HEAD are answered\n"},
		"OPTIONS of an unknown path":      {"OPTIONS", "/x", 405, "Allow", "GET, HEAD", "only GET and HEAD are answered\n"},
		"HEAD":                            {"HEAD", "/healthz", 200, "Content-Length", "2", "ok"},
		"nothing is kept by caches":       {"GET", "/healthz", 200, "Cache-Control", "no-store", "ok"},
		"nothing is sniffed":              {"GET", "/livez", 200, "X-Content-Type-Options", "nosniff", "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			got := httptest.NewRecorder()
			s.Handler().ServeHTTP(got, httptest.NewRequest(test.method, test.target, nil))
			if got.Code != test.status || got.Header().Get(test.header) != test.value {
				t.Errorf("got %d and %s %q, want %d and %q", got.Code, test.header, got.Header().Get(test.header), test.status, test.value)
			}
			if diff := cmp.Diff(test.body, got.Body.String()); diff != "" {
				t.Errorf("body differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheHandlerCanBeMountedBelowAnotherPath(t *testing.T) {
	s := New(Options{})
	s.Publish(healthy())
	mux := http.NewServeMux()
	mux.Handle("/lifeline/", http.StripPrefix("/lifeline", s.Handler()))
	service := httptest.NewServer(mux)
	defer service.Close()

	response, err := service.Client().Get(service.URL + "/lifeline/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Request.URL.Path; response.StatusCode != http.StatusOK || got != "/lifeline/status" {
		t.Errorf("got status %d of %s, want 200 of /lifeline/status", response.StatusCode, got)
	}
}

func TestAnAnswerIsNotChangedByWhoeverWrapsTheHandler(t *testing.T) {
	s := New(Options{})
	s.Publish(healthy())
	for range 2 {
		recorder := get(t, s, "/healthz")
		recorder.Header().Add("Cache-Control", "private")
		recorder.Header().Set("Content-Type", "text/html")
	}
	if got := get(t, s, "/healthz").Header(); len(got["Cache-Control"]) != 1 || got.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("a later answer has the header %v", got)
	}
}

func TestHealthzAllocatesNothing(t *testing.T) {
	s := New(Options{})
	s.Publish(healthy())
	handler, request := s.Handler(), httptest.NewRequest(http.MethodGet, "/healthz", nil)
	w := discard{}
	allocations := testing.AllocsPerRun(100, func() {
		clear(w)
		handler.ServeHTTP(w, request)
	})
	if allocations != 0 {
		t.Errorf("got %v allocations a request, want none", allocations)
	}
}
