package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const module = "github.com/kube-lifeline/lifeline"

// build compiles the agent of the module that the working directory is in.
func build(ctx context.Context, binary string, log io.Writer) error {
	find := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	find.Stderr = log
	root, err := find.Output()
	if err != nil {
		return fmt.Errorf("finding the module %s, in whose folder the sandbox is to be run: %w", module, err)
	}
	compile := exec.CommandContext(ctx, "go", "build", "-o", binary, "./agent")
	compile.Dir = strings.TrimSpace(string(root))
	compile.Stdout, compile.Stderr = log, log
	if err := compile.Run(); err != nil {
		return fmt.Errorf("building the agent: %w", err)
	}
	return nil
}

// agent is the agent as a child process.
type agent struct {
	binary string
	// environment is asked for at each start.
	environment func() []string
	log         io.Writer
	// grace is how long the process may take to end before it is killed.
	grace time.Duration
	again chan struct{}
}

// restart has the process started again. It does not wait for it.
func (a *agent) restart() {
	select {
	case a.again <- struct{}{}:
	default: // it is about to be already
	}
}

// run keeps the process running until ctx ends. That it ends by itself is an
// error.
func (a *agent) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := a.runOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runOnce returns when the process has ended because it was to.
func (a *agent) runOnce(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	process := exec.CommandContext(running, a.binary)
	process.Env = a.environment()
	process.Stdout, process.Stderr = a.log, a.log
	process.Cancel = func() error { return process.Process.Signal(syscall.SIGTERM) }
	process.WaitDelay = a.grace
	// In a group of its own the process does not hear of the terminal's
	// interrupt, which would look like an end by itself.
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := process.Start(); err != nil {
		return unlessStopped(ctx, fmt.Errorf("starting the agent: %w", err))
	}
	var failure error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failure = process.Wait()
	}()
	select {
	case <-ended:
		if failure == nil {
			failure = errors.New("exit status 0")
		}
		return unlessStopped(ctx, fmt.Errorf("the agent has ended by itself: %w", failure))
	case <-a.again:
	case <-ctx.Done():
	}
	stop()
	<-ended
	return nil
}
