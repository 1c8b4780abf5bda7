package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// patience is more than anything takes here that is to come.
const patience = 30 * time.Second

// inWorld is the program in a pretend pod, with the faults given.
func inWorld(t *testing.T, faults ...string) (p program, pretend *world.World, out, err *agent.Log) {
	t.Helper()
	pretend = agent.World(t, world.Options{})
	for _, fault := range faults {
		if err := pretend.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
	out, err = &agent.Log{}, &agent.Log{}
	environment := maps.Clone(pretend.Environment())
	environment["LIFELINE_LISTEN"] = "127.0.0.1:0"
	return program{pod: checks.Pod{Environment: environment, Hostname: "web-0"}, out: out, err: err}, pretend, out, err
}

func TestCommandsEndWithTheCodeAndTheWordsThatScriptsRelyOn(t *testing.T) {
	for _, test := range []struct {
		name      string
		arguments string
		faults    []string
		code      int
		out, err  string
	}{
		{name: "a healthy check", arguments: "check", code: 0, out: "\nOK: This pod reaches the API; all 6 checks pass.\n"},
		{name: "a check with a warning", arguments: "check", faults: []string{"token-trailing-newline"}, code: 0, out: "token-trailing-newline"},
		{name: "a failing check", arguments: "check", faults: []string{"tcp-refused"}, code: 1, out: "\nFAIL: This pod does not reach the API. The connection to the API server is refused (tcp-refused, likely).\n"},
		{name: "a short check", arguments: "check -o short", faults: []string{"tcp-refused"}, code: 1, out: "tls skip waits-for\napi fail tcp-refused\nFAIL: This pod does not"},
		{name: "a check in an unknown format", arguments: "check -o yaml", code: 2, err: `-o "yaml" is none of text, json, short, facts`},
		{name: "a check with an argument", arguments: "check dns", code: 2, err: `takes no argument "dns"`},
		{name: "a check with an unknown flag", arguments: "check -verbose", code: 2, err: "flag provided but not defined: -verbose; lifeline check -help tells what it takes\n"},
		{name: "watching for a program", arguments: "check -watch -o json", code: 2, err: "-watch is for people and goes with -o text and -o short, not with -o json"},
		{name: "watching saved facts", arguments: "check -watch -facts facts.json", code: 2, err: "which -facts leaves out"},
		{name: "watching without a pause", arguments: "check -watch -every 999ms", code: 2, err: "-every must be 1s at the least"},
		{name: "a period without watching", arguments: "check -every 10s", code: 2, err: "-every goes with -watch alone"},
		{name: "waiting for what is there", arguments: "wait -timeout 30s", code: 0, out: "The API can be reached, after "},
		{name: "waiting for what forbids GET /api", arguments: "wait -timeout 30s", faults: []string{"http-403-discovery-rbac-removed"}, code: 0, out: "The API can be reached, after "},
		{name: "waiting in vain", arguments: "wait -timeout 4s -every 250ms", faults: []string{"tcp-refused"}, code: 1, out: "\nFAIL: This pod does not reach the API.", err: "lifeline wait: the API could not be reached within "},
		{name: "waiting for no time", arguments: "wait -timeout 0s", code: 2, err: "must be 250ms at the least"},
		{name: "an explanation", arguments: "explain token-rotation-stalled", code: 0, out: "Mend:"},
		{name: "all explanations", arguments: "explain", code: 0, out: "dns-timeout"},
		{name: "an unknown reason", arguments: "explain gremlins", code: 2, err: `there is no reason "gremlins"`},
		{name: "an explanation with its page", arguments: "explain dns-timeout", code: 0, out: "\nRead:\n  https://github.com/kube-lifeline/lifeline/blob/main/docs/reasons.md#dns-timeout\n  https://kubernetes.io/"},
		{name: "a reason spelt wrongly", arguments: "explain token-expried", code: 2, err: `there is no reason "token-expried"; did you mean token-expired`},
		{name: "a part of a reason", arguments: "explain subpath", code: 2, err: "did you mean token-subpath-frozen? lifeline explain lists all"},
		{name: "two reasons", arguments: "explain dns-timeout dns-slow", code: 2, err: "takes one reason"},
		{name: "the version", arguments: "version", code: 0, out: "lifeline "},
		{name: "help", arguments: "help", code: 0, out: "LIFELINE_INTERVAL"},
		{name: "help on a command", arguments: "help wait", code: 0, out: "lifeline wait [-timeout TIME] [-every TIME]"},
		{name: "help on no command", arguments: "help chekc", code: 2, err: "takes one command at the most: check, wait, explain, version"},
		{name: "an unknown command", arguments: "chekc", code: 2, err: `there is no command "chekc"; there are check, wait, explain, version, and lifeline help`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _, out, err := inWorld(t, test.faults...)
			if code := run(t.Context(), strings.Fields(test.arguments), p); code != test.code {
				t.Errorf("got exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(out.String(), test.out) || !strings.Contains(err.String(), test.err) {
				t.Errorf("got output\n%s\nand errors\n%s\nwant %q and %q in them", out, err, test.out, test.err)
			}
		})
	}
}

func TestACheckAsJSONIsAReport(t *testing.T) {
	p, _, out, _ := inWorld(t, "dns-refused-no-zone")
	if code := run(t.Context(), []string{"check", "-o", "json"}, p); code != exitFailing {
		t.Errorf("got exit code %d, want %d", code, exitFailing)
	}
	var report checks.Report
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatal(err)
	}
	if result, _ := report.Result(checks.DNS); result.Reason != checks.DNSRefusedNoZone {
		t.Errorf("got the reason %q, want %q", result.Reason, checks.DNSRefusedNoZone)
	}
}

func TestABrokenConfigurationIsToldWholeAndEndsEveryCommand(t *testing.T) {
	for _, arguments := range [][]string{nil, {"check"}, {"wait"}} {
		p, _, _, err := inWorld(t)
		p.pod.Environment["LIFELINE_INTERVAL"] = "often"
		p.pod.Environment["LIFELINE_LOG_LEVEL"] = "loud"
		if code := run(t.Context(), arguments, p); code != exitUsage {
			t.Errorf("%v: got exit code %d, want %d", arguments, code, exitUsage)
		}
		for _, want := range []string{`LIFELINE_INTERVAL="often"`, `LIFELINE_LOG_LEVEL="loud"`} {
			if !strings.Contains(err.String(), want) {
				t.Errorf("%v: the message %q does not have %s", arguments, err, want)
			}
		}
	}
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p, _, _, log := inWorld(t)
	p.pod.Environment["LIFELINE_LISTEN"] = listener.Addr().String()
	if code := run(t.Context(), nil, p); code != exitFailing {
		t.Errorf("got exit code %d, want %d", code, exitFailing)
	}
	if !strings.Contains(log.String(), listener.Addr().String()) {
		t.Errorf("the log %q does not name the address", log)
	}
}

// serving runs the agent until stop is called, which returns how long the end
// took.
func serving(t *testing.T, p program, log *agent.Log) (url string, stop func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, nil, p) }()
	for began := time.Now(); url == ""; time.Sleep(5 * time.Millisecond) {
		if _, rest, found := strings.Cut(log.String(), `"listen":"`); found {
			address, _, _ := strings.Cut(rest, `"`)
			url = "http://" + address
		}
		if time.Since(began) > patience {
			t.Fatalf("the agent does not serve: %s", log)
		}
	}
	return url, func() time.Duration {
		began := time.Now()
		cancel()
		if code := <-ended; code != exitHealthy {
			t.Errorf("got exit code %d, want %d", code, exitHealthy)
		}
		return time.Since(began)
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func TestTheAgentServesWhileNothingWorksAndEndsInTime(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	p, _, _, log := inWorld(t, "dns-timeout", "tls-handshake-timeout", "token-not-mounted-automount-false", "ca-file-missing")
	p.pod.Environment["LIFELINE_INTERVAL"], p.pod.Environment["LIFELINE_TIMEOUT"] = "4m", "2m"
	url, stop := serving(t, p, log)
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/healthz": 503, "/status": 200, "/metrics": 200} {
		if got, body := get(t, url+path); got != want {
			t.Errorf("%s before the first round: got %d, want %d: %s", path, got, want, body)
		}
	}
	if took := stop(); took > patience {
		t.Errorf("the end took %s, more than %s, in the middle of probes that hang", took, patience)
	}
}

func TestARotatedTokenIsNoticedAtOnce(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	p, pretend, _, log := inWorld(t)
	p.pod.Environment["LIFELINE_INTERVAL"] = "1h"
	p.pod.Environment["LIFELINE_TIMEOUT"] = "5s"
	url, stop := serving(t, p, log)
	defer stop()
	waitFor(t, "the first round", func() bool { return round(t, url) == 1 })
	// From outside nobody sees since when the directory is watched.
	var rotated time.Time
	waitFor(t, "a round after the rotation", func() bool {
		if time.Since(rotated) > 2*time.Second {
			rotated = time.Now()
			if err := pretend.RotateToken(); err != nil {
				t.Fatal(err)
			}
		}
		return round(t, url) > 1
	})
}

// round is the number of the latest report, 0 before the first.
func round(t *testing.T, url string) uint64 {
	t.Helper()
	var report checks.Report
	_, body := get(t, url+"/status")
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatal(err)
	}
	return report.Round
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("%s did not come within %s", what, patience)
		}
	}
}

func TestNoSecretReachesAnyOutput(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	p, _, _, log := inWorld(t, "token-malformed", "http-401-unattributed")
	p.pod.Environment["LIFELINE_LOG_LEVEL"] = "debug"
	p.pod.Environment["HTTPS_PROXY"] = "http://user:hunter2@127.0.0.1:9"
	url, stop := serving(t, p, log)
	waitFor(t, "the first round", func() bool { return round(t, url) > 0 })
	said := log.String()
	for _, path := range []string{"/status", "/status?format=text", "/status?format=html", "/metrics", "/healthz?verbose"} {
		_, body := get(t, url+path)
		said += body
	}
	stop()
	content, err := os.ReadFile(filepath.Join(p.pod.Environment["LIFELINE_SERVICE_ACCOUNT_DIR"], "token"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(strings.Split(string(content), "."), "hunter2") {
		if len(secret) > 6 && strings.Contains(said, secret) {
			t.Errorf("a secret of %d characters is told", len(secret))
		}
	}
}

func TestAnInterruptedCommandSaysSoAndJudgesNothing(t *testing.T) {
	for _, command := range []string{"check", "wait"} {
		t.Run(command, func(t *testing.T) {
			p, _, out, err := inWorld(t, "dns-timeout", "tls-handshake-timeout")
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if code := run(ctx, []string{command}, p); code != exitFailing {
				t.Errorf("got exit code %d, want %d", code, exitFailing)
			}
			if !strings.Contains(err.String(), "interrupted") || strings.Contains(out.String(), "FAIL") {
				t.Errorf("got output %q and errors %q, want an interruption and no verdict", out, err)
			}
		})
	}
}
