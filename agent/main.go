// Command lifeline watches a pod's way to the Kubernetes API and says which
// link broke, why, and what to do.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/kube-lifeline/lifeline/checks"
)

// Exit codes.
const (
	exitHealthy = 0
	exitFailing = 1
	exitUsage   = 2
)

func main() {
	// Whoever reads the log may go away; the agent is not to end with it.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := program{pod: checks.ThisPod(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	if len(os.Args) == 1 {
		// The agent stays, and shares its node with others.
		p.keepSmall()
	}
	os.Exit(run(ctx, os.Args[1:], p))
}

// program is what a subcommand may touch of the process.
type program struct {
	pod checks.Pod
	in  io.Reader
	out io.Writer
	err io.Writer
}

// command is one subcommand. It gets the arguments after its name.
type command struct {
	name    string
	summary string
	help    string
	run     func(ctx context.Context, arguments []string, p program) int
}

func commands() []command {
	return []command{
		{"check", "look at every link and print what holds and what does not", checkHelp, runCheck},
		{"wait", "return when the API can be reached", waitHelp, runWait},
		{"explain", "tell what a reason means and what to do: explain REASON", explainHelp, runExplain},
		{"version", "print the version", versionHelp, runVersion},
	}
}

func findCommand(name string) (command, bool) {
	for _, command := range commands() {
		if command.name == name {
			return command, true
		}
	}
	return command{}, false
}

func run(ctx context.Context, arguments []string, p program) int {
	// What net/http prints of its own accord quotes what servers and clients
	// send, which may hold a token, and is no line of our log.
	log.SetOutput(io.Discard)
	if len(arguments) == 0 {
		return runAgent(ctx, p)
	}
	name := arguments[0]
	if name == "help" || isHelp(name) {
		return runHelp(arguments[1:], p)
	}
	command, found := findCommand(name)
	if !found {
		fmt.Fprintf(p.err, "lifeline: there is no command %q; there are %s, and lifeline help\n", cut(name), strings.Join(commandNames(), ", "))
		return exitUsage
	}
	return command.run(ctx, arguments[1:], p)
}

func commandNames() []string {
	var names []string
	for _, command := range commands() {
		names = append(names, command.name)
	}
	return names
}
