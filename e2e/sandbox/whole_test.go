package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	agenttest "github.com/kube-lifeline/lifeline/e2e/agent"
)

// TestTheSandboxShowsAHealthyAgentAndEachSwitch builds and runs the agent.
func TestTheSandboxShowsAHealthyAgentAndEachSwitch(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	listen, control := agenttest.FreeAddress(t), agenttest.FreeAddress(t)
	out, log := new(output), new(output)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"-interval", "1s", "-listen", listen, "-control", control}, checks.ThisPod(), out, log)
	}()

	status := "http://" + listen + "/status"
	waitFor(t, log, status, checks.API, checks.OK, "")
	for _, step := range []struct {
		method, path string
		check        checks.Name
		status       checks.Status
		reason       checks.Reason
	}{
		{"PUT", "/faults/token-expired", checks.Token, checks.Fail, checks.TokenExpired},
		{"DELETE", "/faults/token-expired", checks.Token, checks.OK, ""},
		{"PUT", "/faults/env-service-host-invalid", checks.Environment, checks.Fail, checks.EnvServiceHostInvalid},
		{"DELETE", "/faults", checks.Environment, checks.OK, ""},
	} {
		request(t, step.method, "http://"+control+step.path)
		waitFor(t, log, status, step.check, step.status, step.reason)
	}
	if !strings.Contains(out.String(), "open "+status) {
		t.Errorf("the banner does not say what to open:\n%s", out)
	}

	cancel()
	if code := <-exit; code != 0 {
		t.Errorf("the exit code is %d, want 0; the log:\n%s", code, log)
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "lifeline-*")); len(left) > 0 {
		t.Errorf("the sandbox left %v", left)
	}
}

func TestACommandRunsOnceInThePretendPod(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, test := range []struct {
		arguments []string
		code      int
		says      string
	}{
		{[]string{"check", "-o", "short"}, 0, "token ok"},
		{[]string{"-fault", "token-expired", "check", "-o", "short"}, 1, "token fail token-expired"},
		{[]string{"check", "-o", "yaml"}, 2, ""},
	} {
		out, log := new(output), new(output)
		code := run(t.Context(), test.arguments, checks.ThisPod(), out, log)
		if code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%v: the exit code is %d, want %d; the output:\n%s\nthe log:\n%s", test.arguments, code, test.code, out, log)
		}
	}
}

func TestATakenAddressIsToldByItsFlag(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, flags := range [][]string{
		{"-listen", taken.Addr().String(), "-control", "127.0.0.1:0"},
		{"-control", taken.Addr().String()},
	} {
		log := new(output)
		code := run(t.Context(), flags, checks.ThisPod(), new(output), log)
		if code != 1 || !strings.Contains(log.String(), flags[0]) {
			t.Errorf("%v: the exit code is %d and the log %q, want 1 and the flag's name", flags, code, log)
		}
	}
}

func request(t *testing.T, method, url string) {
	t.Helper()
	request, err := http.NewRequest(method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s %s gives %s", method, url, response.Status)
	}
}

// waitFor waits until /status has a check as it is to be.
func waitFor(t *testing.T, log *output, url string, name checks.Name, status checks.Status, reason checks.Reason) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute) // building the agent takes a part of it
	var last string
	for time.Now().Before(deadline) {
		report, err := fetch(url)
		if err == nil {
			result, _ := report.Result(name)
			if result.Status == status && result.Reason == reason {
				return
			}
			last = fmt.Sprintf("%s %s", result.Status, result.Reason)
		} else {
			last = err.Error()
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the check %s is %s, want %s %s; the log:\n%s", name, last, status, reason, log)
}

func fetch(url string) (*checks.Report, error) {
	request, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var report checks.Report
	return &report, json.NewDecoder(response.Body).Decode(&report)
}
