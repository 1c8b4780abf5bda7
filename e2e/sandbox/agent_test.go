package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	agenttest "github.com/kube-lifeline/lifeline/e2e/agent"
)

// patience is more than anything takes here.
const patience = 30 * time.Second

// output is what a process wrote so far.
type output struct{ agenttest.Log }

// wait waits until the output has so many of a word.
func (o *output) wait(t *testing.T, word string, count int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for strings.Count(o.String(), word) < count {
		if time.Now().After(deadline) {
			t.Fatalf("the output is %q, want %d times %q", o.String(), count, word)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// script is an agent that is a shell script.
func script(t *testing.T, log *output, text string) *agent {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lifeline")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return &agent{
		binary:      path,
		environment: func() []string { return []string{"PATH=" + checks.ThisPod().Environment["PATH"], "GREETING=hello"} },
		log:         log,
		grace:       patience,
		again:       make(chan struct{}, 1),
	}
}

// runInBackground runs an agent; stop ends it and returns what run did.
func runInBackground(a *agent) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

const obedient = `trap 'echo stopped; exit 0' TERM
echo "$GREETING"
while :; do sleep 0.01; done
`

func TestTheAgentIsAskedToStop(t *testing.T) {
	log := new(output)
	stop := runInBackground(script(t, log, obedient))
	log.wait(t, "hello", 1)
	if err := stop(); err != nil {
		t.Errorf("stopping gives %v, want no error", err)
	}
	if got, want := log.String(), "hello\nstopped\n"; got != want {
		t.Errorf("the agent wrote %q, want %q", got, want)
	}
}

func TestAnAgentThatDoesNotStopIsKilled(t *testing.T) {
	log := new(output)
	a := script(t, log, "trap '' TERM\necho hello\nexec sleep 60\n")
	a.grace = 100 * time.Millisecond
	stop := runInBackground(a)
	log.wait(t, "hello", 1)
	start := time.Now()
	if err := stop(); err != nil {
		t.Errorf("stopping gives %v, want no error", err)
	}
	if took := time.Since(start); took < a.grace || took > patience {
		t.Errorf("the agent ended after %v, want it to be killed after %v", took, a.grace)
	}
}

func TestRestartStartsTheAgentAgain(t *testing.T) {
	log := new(output)
	a := script(t, log, obedient)
	stop := runInBackground(a)
	log.wait(t, "hello", 1)
	a.restart()
	log.wait(t, "hello", 2)
	if err := stop(); err != nil {
		t.Errorf("stopping gives %v, want no error", err)
	}
	if got, want := log.String(), "hello\nstopped\nhello\nstopped\n"; got != want {
		t.Errorf("the agent wrote %q, want %q", got, want)
	}
}

func TestAnAgentThatEndsByItselfIsAnError(t *testing.T) {
	for code, want := range map[string]string{"0": "exit status 0", "3": "exit status 3"} {
		err := script(t, new(output), "exit "+code+"\n").run(context.Background())
		if err == nil || !strings.Contains(err.Error(), "by itself") || !strings.Contains(err.Error(), want) {
			t.Errorf("an agent that exits with %s gives %v, want an error with %s", code, err, want)
		}
	}
}

func TestAnAgentThatIsNotThereIsAnError(t *testing.T) {
	a := script(t, new(output), "")
	a.binary += "-not-there"
	if err := a.run(context.Background()); err == nil || !strings.Contains(err.Error(), "starting the agent") {
		t.Errorf("an agent that is not there gives %v, want an error that says so", err)
	}
}
