package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func testSandbox(t *testing.T) *sandbox {
	t.Helper()
	o := options{listen: ":8080", interval: 5 * time.Second}
	s := newSandbox(o, checks.Pod{}, startWorld(t), "", new(output))
	s.control = "http://127.0.0.1:8081"
	return s
}

func TestFaultsAreSwitchedAtTheControlAddress(t *testing.T) {
	s := testSandbox(t)
	handler := s.handler()
	for _, step := range []struct {
		method, path string
		code         int
		body         string // a part of it
		on           []string
		restarted    bool
	}{
		{"GET", "/", 200, "curl -X PUT http://127.0.0.1:8081/faults/dns-timeout", nil, false},
		{"PUT", "/faults/dns-timeout", 200, "curl http://127.0.0.1:8080/healthz/dns", []string{"dns-timeout"}, false},
		{"PUT", "/faults/dns-timeout", 200, "dns is to say fail, dns-timeout", []string{"dns-timeout"}, false},
		{"GET", "/", 200, "curl -X DELETE http://127.0.0.1:8081/faults/dns-timeout", []string{"dns-timeout"}, false},
		{"POST", "/faults/env-service-vars-missing", 200, "on: ", []string{"env-service-vars-missing", "dns-timeout"}, true},
		{"DELETE", "/faults/dns-timeout", 200, "off: ", []string{"env-service-vars-missing"}, false},
		{"PUT", "/faults/dns-timeot", 404, "dns-timeout", []string{"env-service-vars-missing"}, false},
		{"DELETE", "/faults/dns-timeot", 404, "dns-timeout", []string{"env-service-vars-missing"}, false},
		{"DELETE", "/faults", 200, "off", nil, true},
		{"PATCH", "/faults/dns-timeout", 405, "", nil, false},
		{"GET", "/elsewhere", 404, "", nil, false},
	} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(step.method, step.path, http.NoBody))
		name := step.method + " " + step.path
		if recorder.Code != step.code || !strings.Contains(recorder.Body.String(), step.body) {
			t.Errorf("%s gives %d %q, want %d and %q", name, recorder.Code, recorder.Body, step.code, step.body)
		}
		var on []string
		for _, fault := range s.world.Injected() {
			on = append(on, fault.Name)
		}
		if diff := cmp.Diff(step.on, on); diff != "" {
			t.Errorf("after %s, the faults that are on (-want +got):\n%s", name, diff)
		}
		if got := s.restarted(); got != step.restarted {
			t.Errorf("after %s, that the agent is to start again is %t, want %t", name, got, step.restarted)
		}
	}
}

// restarted tells whether the agent is to start again, and forgets it.
func (s *sandbox) restarted() bool {
	select {
	case <-s.agent.again:
		return true
	default:
		return false
	}
}

func TestTheListSaysWhatIsOn(t *testing.T) {
	s := testSandbox(t)
	if err := s.world.Inject("ca-expired"); err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	s.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	list := recorder.Body.String()
	if got := strings.Count(list, "\nON "); got != 1 {
		t.Errorf("%d faults are said to be on, want 1:\n%s", got, list)
	}
	if got, want := strings.Count(list, "off  "), len(world.Faults())-1; got != want {
		t.Errorf("%d faults are said to be off, want %d", got, want)
	}
}

func TestTheBannerSaysWhatToOpenAndWhatIsBroken(t *testing.T) {
	s := testSandbox(t)
	if err := s.world.Inject("env-service-vars-missing"); err != nil {
		t.Fatal(err)
	}
	banner := s.banner()
	pod := s.world.Pod()
	for _, want := range []string{
		"open http://127.0.0.1:8080/status",
		"curl 'http://127.0.0.1:8080/healthz?verbose'",
		"curl -X PUT http://127.0.0.1:8081/faults/dns-timeout",
		"curl -X DELETE http://127.0.0.1:8081/faults\n",
		"curl -X DELETE http://127.0.0.1:8081/faults/env-service-vars-missing",
		"https://127.0.0.1:" + pod.Environment["KUBERNETES_PORT_443_TCP_PORT"],
		pod.ServiceAccountDir,
		"Ctrl-C",
	} {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner lacks %q:\n%s", want, banner)
		}
	}
}

func startWorld(t *testing.T) *world.World {
	t.Helper()
	w, err := world.Start(t.Context(), world.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}
