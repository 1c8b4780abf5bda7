package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/kube-lifeline/lifeline/checks/text"
)

const checkHelp = `Look at every link of this pod's way to the Kubernetes API, once, and print
what holds, what does not and why, what to do about it, and in the last line
the verdict.

Usage:
  lifeline check [-o FORMAT] [-watch [-every TIME]]
  lifeline check -facts FILE [-o FORMAT]

Flags:
  -o FORMAT    how to print it:
                 text   for people (this is the default)
                 short  a line for each check, NAME STATUS REASON, and the
                        verdict in the last one
                 json   for programs, as /status has it
                 facts  what was seen in place of the report, without any
                        secret, to be judged elsewhere with -facts
  -watch       go on looking until Ctrl-C: on a terminal the report stands in
               its place, elsewhere it comes first and then a line for each
               change
  -every TIME  time from one look to the next, with -watch: 5s if not given, at
               least 1s
  -facts FILE  judge what -o facts wrote, and look at nothing; - is standard
               input

Examples:
  In a pod in which Lifeline runs, here beside an application:
    kubectl exec -it -n shop web-0 -c lifeline -- /lifeline check
  While something is being mended:
    kubectl exec -it -n shop web-0 -c lifeline -- /lifeline check -watch
  For somebody who has no way into the cluster:
    kubectl exec -n shop web-0 -c lifeline -- /lifeline check -o facts >facts.json
    lifeline check -facts facts.json

Exit codes:
  0  no check fails; there may be warnings
  1  a check fails, or the look was interrupted
  2  a wrong call or configuration, or nothing that can be judged
With -watch, Ctrl-C ends it with the code of the last report.

A terminal gets colours, unless NO_COLOR is set, and progress on standard error.
LIFELINE_TIMEOUT and what else is looked at can be set as for the agent:
lifeline help lists the variables.
`

const waitHelp = `Look at this pod's way to the Kubernetes API until the API can be reached: for
an init container, or for what starts before the network does.

Usage:
  lifeline wait [-timeout TIME] [-every TIME]

Flags:
  -timeout TIME  how long to wait at the most: 2m if not given
  -every TIME    time from one try to the next: 2s if not given, at least 250ms

What it waits for is told on standard error: in a log by a line when the cause
is another one and a sign of life every 30s, on a terminal by a line that is
kept up to date. When the time is over the last report is printed.

Examples:
  As an init container:
    args: [wait, -timeout, 2m]
  By hand, in a pod in which Lifeline runs:
    kubectl exec -it -n shop web-0 -c lifeline -- /lifeline wait -timeout 30s

Exit codes:
  0  the API answers
  1  it could not be reached in time, or the wait was interrupted
  2  a wrong call or configuration
`

const explainHelp = `Tell what a reason means, how to confirm it and how to mend it; or list all
reasons.

Usage:
  lifeline explain [REASON]

Examples:
  lifeline explain token-rotation-stalled
  lifeline explain | grep token

Exit codes:
  0  there is such a reason
  2  there is none; those spelt alike are named
`

const versionHelp = `Print the version of this program and of Go.

Usage:
  lifeline version
`

func isHelp(argument string) bool {
	return argument == "-h" || argument == "-help" || argument == "--help"
}

// runHelp prints the help of the program, or of the command that is named.
func runHelp(arguments []string, p program) int {
	if len(arguments) == 0 {
		fmt.Fprint(p.out, usage())
		return exitHealthy
	}
	command, found := findCommand(arguments[0])
	if !found || len(arguments) > 1 {
		fmt.Fprintf(p.err, "lifeline help: takes one command at the most: %s\n", strings.Join(commandNames(), ", "))
		return exitUsage
	}
	fmt.Fprint(p.out, command.help)
	return exitHealthy
}

func usage() string {
	var help strings.Builder
	help.WriteString(`Lifeline watches a pod's way to the Kubernetes API and says which link broke,
why, and what to do.

Usage:
  lifeline            run the agent: check every LIFELINE_INTERVAL and serve
                      /healthz, /readyz, /livez, /status and /metrics
`)
	for _, command := range commands() {
		fmt.Fprintf(&help, "  lifeline %-10s %s\n", command.name, command.summary)
	}
	help.WriteString(`
lifeline COMMAND -help has the flags, examples and exit codes of each.

Examples:
  What is wrong, seen from a pod in which the agent runs:
    kubectl exec -it -n lifeline daemonset/lifeline -- /lifeline check
  What the agent saw last, without looking again:
    curl 'http://POD-IP:8080/status?format=text'

Environment of the agent and of each command that looks:
`)
	for _, setting := range settings() {
		value := ""
		if setting.value != "" {
			value = " (default: " + setting.value + ")"
		}
		fmt.Fprintf(&help, "  %s%s\n", setting.variable, value)
		for _, line := range text.Wrap(setting.meaning, 72) {
			fmt.Fprintf(&help, "      %s\n", line)
		}
	}
	return help.String()
}

// newFlags is a set of flags of a command, whose help is written by hand.
func newFlags(command string) *flag.FlagSet {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parse reads the flags of a command that takes no other arguments. done tells
// that the command ends here, with code.
func (p program) parse(flags *flag.FlagSet, arguments []string) (code int, done bool) {
	wrong := ""
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		command, _ := findCommand(flags.Name())
		fmt.Fprint(p.out, command.help)
		return exitHealthy, true
	case err != nil:
		wrong = text.Clean(err.Error())
	case flags.NArg() > 0:
		wrong = fmt.Sprintf("takes no argument %q", cut(flags.Arg(0)))
	default:
		return exitHealthy, false
	}
	fmt.Fprintf(p.err, "lifeline %s: %s; lifeline %s -help tells what it takes\n", flags.Name(), wrong, flags.Name())
	return exitUsage, true
}
