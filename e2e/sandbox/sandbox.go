package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// sandbox is the pretend pod with the agent in it.
type sandbox struct {
	options options
	world   *world.World
	agent   *agent
	// control is the URL that faults are switched at.
	control string
}

// start runs a sandbox until ctx ends, which is no error, or the agent does.
func start(ctx context.Context, o options, machine checks.Pod, out, err io.Writer) (failure error) {
	directory, failure := os.MkdirTemp("", "lifeline-sandbox-")
	if failure != nil {
		return fmt.Errorf("making a directory for the sandbox: %w", failure)
	}
	defer func() { failure = errors.Join(failure, os.RemoveAll(directory)) }()

	fmt.Fprintln(err, "Building the agent ...")
	binary := filepath.Join(directory, "lifeline")
	if failure := build(ctx, binary, err); failure != nil {
		return unlessStopped(ctx, failure)
	}
	pod := filepath.Join(directory, "pod")
	if failure := os.Mkdir(pod, 0o755); failure != nil {
		return fmt.Errorf("making a directory for the pretend pod: %w", failure)
	}
	w, failure := world.Start(ctx, world.Options{Dir: pod, PodName: machine.Hostname, TokenLifetime: o.tokenLifetime, KubectlProxy: true})
	if failure != nil {
		return unlessStopped(ctx, failure)
	}
	defer func() { failure = errors.Join(failure, w.Close()) }()
	if o.fault != "" {
		if failure := w.Inject(o.fault); failure != nil {
			return failure
		}
	}
	if len(o.command) > 0 {
		return unlessStopped(ctx, once(ctx, binary, o.command, environment(o, machine.Environment, w.Environment()), out, err))
	}
	return newSandbox(o, machine, w, binary, err).run(ctx, out)
}

// once runs a command of lifeline in the pretend pod. Its standard input and, where
// out is the terminal, that are its own.
func once(ctx context.Context, binary string, command, environment []string, out, err io.Writer) error {
	process := exec.CommandContext(ctx, binary, command...)
	process.Env = environment
	process.Stdin, process.Stdout, process.Stderr = os.Stdin, out, err
	process.Cancel = func() error { return process.Process.Signal(syscall.SIGTERM) }
	process.WaitDelay = 5 * time.Second
	return process.Run()
}

func newSandbox(o options, machine checks.Pod, w *world.World, binary string, log io.Writer) *sandbox {
	return &sandbox{
		options: o,
		world:   w,
		agent: &agent{
			binary:      binary,
			environment: func() []string { return environment(o, machine.Environment, w.Environment()) },
			log:         log,
			grace:       6 * time.Second,
			again:       make(chan struct{}, 1),
		},
	}
}

// run serves the control address and keeps the agent running.
func (s *sandbox) run(ctx context.Context, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.options.control)
	if err != nil {
		return unlessStopped(ctx, fmt.Errorf("opening the control address, which -control changes: %w", err))
	}
	if err := free(ctx, s.options.listen); err != nil {
		return errors.Join(unlessStopped(ctx, err), listener.Close())
	}
	s.control = "http://" + listener.Addr().String()
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprint(out, s.banner())
	failure := s.agent.run(ctx)

	// Requests that are being answered still need the world.
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		failure = errors.Join(failure, fmt.Errorf("closing the control address: %w", err))
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		failure = errors.Join(failure, fmt.Errorf("serving the control address: %w", err))
	}
	return failure
}

// free tells early, and by the flag's name, that the agent could not listen.
func free(ctx context.Context, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("trying the agent's address, which -listen changes: %w", err)
	}
	return listener.Close()
}

// turn changes the world and starts the agent again where its environment is
// another one then.
func (s *sandbox) turn(change func() error) error {
	before := s.world.Environment()
	err := change()
	if !maps.Equal(before, s.world.Environment()) {
		s.agent.restart()
	}
	return err
}

// environment is all that the agent's process is given: that of the pod, and
// of the machine the few variables without which programs are not at home, and
// those that tell what the terminal can show.
func environment(o options, machine, pod map[string]string) []string {
	all := map[string]string{
		"PATH":              machine["PATH"],
		"HOME":              machine["HOME"],
		"LIFELINE_LISTEN":   o.listen,
		"LIFELINE_INTERVAL": o.interval.String(),
		// Half of the interval, the most that the agent takes, leaves the slow
		// faults time to show as slow.
		"LIFELINE_TIMEOUT":    (o.interval / 2).String(),
		"LIFELINE_LOG_FORMAT": "console",
	}
	for _, name := range []string{"TERM", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR"} {
		if value, set := machine[name]; set {
			all[name] = value
		}
	}
	maps.Copy(all, pod)
	if o.verbose {
		all["LIFELINE_LOG_LEVEL"] = "debug"
	}
	var entries []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		entries = append(entries, name+"="+all[name])
	}
	return entries
}

// unlessStopped is no error where the user has stopped the sandbox, which ends
// whatever is under way.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
