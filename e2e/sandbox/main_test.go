package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongUsageIsToldAndExitsWithTwo(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		want      []string
	}{
		{[]string{"-fault", "dns-timeot"}, []string{`"dns-timeot"`, "dns-timeout", "-list"}},
		{[]string{"-fault", "help"}, []string{`"help"`, "-list"}},
		{[]string{"dns-timeout"}, []string{`"dns-timeout"`, "-fault"}},
		{[]string{"-listen", "8080"}, []string{"-listen", `"8080"`}},
		{[]string{"-listen", "127.0.0.1:0"}, []string{"-listen", `"127.0.0.1:0"`}},
		{[]string{"-control", "here"}, []string{"-control", `"here"`}},
		{[]string{"-interval", "1ms"}, []string{"-interval", "1ms"}},
		{[]string{"-interval", "soon"}, []string{"-interval", "soon"}},
		{[]string{"-token-lifetime", "0"}, []string{"-token-lifetime", "0s"}},
		{[]string{"-nonsense"}, []string{"-nonsense"}},
	} {
		t.Run(strings.Join(test.arguments, " "), func(t *testing.T) {
			var out, err bytes.Buffer
			if code := run(context.Background(), test.arguments, checks.Pod{}, &out, &err); code != 2 {
				t.Errorf("the exit code is %d, want 2", code)
			}
			if out.Len() > 0 {
				t.Errorf("the output is %q, want none", out.String())
			}
			for _, want := range test.want {
				if !strings.Contains(err.String(), want) {
					t.Errorf("the error is %q, want it to name %s", err.String(), want)
				}
			}
		})
	}
}

func TestHelpIsNoError(t *testing.T) {
	var out, err bytes.Buffer
	if code := run(context.Background(), []string{"-h"}, checks.Pod{}, &out, &err); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
	for _, flag := range []string{"-list", "-fault NAME", "-listen ADDRESS", "-control ADDRESS", "-interval", "-token-lifetime", "-v"} {
		if !strings.Contains(err.String(), "  "+flag) {
			t.Errorf("the help does not name %s:\n%s", flag, err.String())
		}
	}
}

func TestListNamesEachFaultWithWhatItLeadsTo(t *testing.T) {
	var out, err bytes.Buffer
	if code := run(context.Background(), []string{"-list"}, checks.Pod{}, &out, &err); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got, want := len(lines), 3*len(world.Faults()); got != want {
		t.Fatalf("the list has %d lines, want %d", got, want)
	}
	at := slices.Index(lines, "token-fifo")
	if at < 0 {
		t.Fatal("the list does not name token-fifo")
	}
	want := []string{"token-fifo", "    The token is a named pipe that nobody writes to.", "    Lifeline says: token fail, token-not-a-file"}
	if diff := cmp.Diff(want, lines[at:at+3]); diff != "" {
		t.Errorf("the entry of token-fifo (-want +got):\n%s", diff)
	}
}

func TestTheAgentGetsACleanEnvironment(t *testing.T) {
	machine := map[string]string{"PATH": "/bin", "HOME": "/nowhere", "HTTPS_PROXY": "http://127.0.0.1:9"}
	o := options{listen: "127.0.0.1:8080", interval: 5 * time.Second}
	got := environment(o, machine, map[string]string{"KUBERNETES_SERVICE_HOST": "127.0.0.1"})
	want := []string{
		"HOME=/nowhere",
		"KUBERNETES_SERVICE_HOST=127.0.0.1",
		"LIFELINE_INTERVAL=5s",
		"LIFELINE_LISTEN=127.0.0.1:8080",
		"LIFELINE_LOG_FORMAT=console",
		"LIFELINE_TIMEOUT=2.5s",
		"PATH=/bin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the environment (-want +got):\n%s", diff)
	}
	o.verbose = true
	if !slices.Contains(environment(o, machine, nil), "LIFELINE_LOG_LEVEL=debug") {
		t.Error("-v does not have the agent log everything")
	}
}
