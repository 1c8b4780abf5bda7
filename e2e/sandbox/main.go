// Command sandbox starts a pretend pod on loopback, with the agent in it, and
// breaks it on request.
//
//	go run ./e2e/sandbox                     a healthy pod
//	go run ./e2e/sandbox -list               what can be broken
//	go run ./e2e/sandbox -fault dns-timeout  a pod with that broken
//	go run ./e2e/sandbox -fault dns-timeout check
//	                                         what lifeline check says in it
//
// It needs neither root nor a cluster, and listens on loopback only unless
// told otherwise. See package world for what the pod consists of.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// Exit codes.
const (
	exitStopped = 0
	exitFailed  = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], checks.ThisPod(), os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	list          bool
	fault         string
	listen        string
	control       string
	interval      time.Duration
	tokenLifetime time.Duration
	verbose       bool
	// command is what lifeline is to do once in the place of the agent.
	command []string
}

// run is main, with what it touches handed in: machine is the environment that
// the sandbox itself runs in. It returns the exit code.
func run(ctx context.Context, arguments []string, machine checks.Pod, out, err io.Writer) int {
	o, wrong := parse(arguments, err)
	switch {
	case errors.Is(wrong, flag.ErrHelp):
		return exitStopped
	case wrong != nil:
		fmt.Fprintf(err, "sandbox: %v\n", wrong)
		return exitUsage
	case o.list:
		fmt.Fprint(out, list(world.Faults()))
		return exitStopped
	}
	var ended *exec.ExitError
	switch failure := start(ctx, o, machine, out, err); {
	case len(o.command) > 0 && errors.As(failure, &ended):
		return ended.ExitCode()
	case failure != nil:
		fmt.Fprintf(err, "sandbox: %v\n", failure)
		return exitFailed
	}
	return exitStopped
}

func parse(arguments []string, err io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error
	flags.BoolVar(&o.list, "list", false, "list the faults and exit")
	flags.StringVar(&o.fault, "fault", "", "start with the fault `NAME` switched on")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`ADDRESS` that the agent serves on")
	flags.StringVar(&o.control, "control", "127.0.0.1:8081", "`ADDRESS` that faults are switched at")
	flags.DurationVar(&o.interval, "interval", 5*time.Second, "time from one round of the agent to the next; below 5s what is slow shows as a timeout")
	flags.DurationVar(&o.tokenLifetime, "token-lifetime", 3607*time.Second, "lifetime of the token; it is replaced at 80 % of it")
	flags.BoolVar(&o.verbose, "v", false, "have the agent log everything")
	if wrong := flags.Parse(arguments); wrong != nil {
		if errors.Is(wrong, flag.ErrHelp) {
			fmt.Fprintln(err, "Usage: sandbox [flags] [command of lifeline]")
			fmt.Fprintln(err, "A pretend pod on loopback with the agent in it, or with one command such as check in its place.")
			flags.SetOutput(err)
			flags.PrintDefaults()
		}
		return o, wrong
	}
	o.command = flags.Args()
	return o, o.validate()
}

func (o options) validate() error {
	if len(o.command) > 0 {
		if _, err := world.FindFault(o.command[0]); err == nil {
			return fmt.Errorf("%q is a fault and no command of lifeline; it is switched on by -fault %s", o.command[0], o.command[0])
		}
	}
	if _, port, err := net.SplitHostPort(o.listen); err != nil || port == "" || port == "0" {
		return fmt.Errorf("-listen %q is no address with a port such as 127.0.0.1:8080", o.listen)
	}
	if _, _, err := net.SplitHostPort(o.control); err != nil {
		return fmt.Errorf("-control %q is no address such as 127.0.0.1:8081", o.control)
	}
	if o.interval < time.Second {
		return fmt.Errorf("-interval %v is shorter than the second that the agent takes at least", o.interval)
	}
	if o.tokenLifetime < time.Second {
		return fmt.Errorf("-token-lifetime %v is shorter than a second", o.tokenLifetime)
	}
	if o.fault == "" {
		return nil
	}
	if _, err := world.FindFault(o.fault); err != nil {
		return fmt.Errorf("%w; -list lists all of them", err)
	}
	return nil
}
