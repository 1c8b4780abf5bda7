package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/text"
	"github.com/kube-lifeline/lifeline/server"
)

// errInterrupted is what ends a look that was cut short, which tells nothing.
var errInterrupted = errors.New("interrupted")

// runCheck looks once at every link, or at facts that were saved elsewhere, and
// prints the report.
func runCheck(ctx context.Context, arguments []string, p program) int {
	flags := p.flags("check", "Look once at every link of the way to the API and print the report.\nExit 0 if nothing fails (warnings included), 1 if a check fails, 2 if there is nothing to judge.")
	formats := []string{"text", "json", "short", "facts"}
	output := flags.String("o", "text", "`format` of the report: text, json or short; or facts, which prints what was seen in place of the report,\nto be judged elsewhere")
	saved := flags.String("facts", "", "judge the facts in this `file`, which -o facts wrote, and look at nothing; - is standard input")
	if code, done := p.parse(flags, arguments); done {
		return code
	}
	switch {
	case !slices.Contains(formats, *output):
		fmt.Fprintf(p.err, "lifeline check: -o %q is none of %s\n", cut(*output), strings.Join(formats, ", "))
		return exitUsage
	case *output == "facts" && *saved != "":
		fmt.Fprintln(p.err, "lifeline check: -o facts writes what this pod sees, which -facts leaves out")
		return exitUsage
	}
	facts, code := p.facts(ctx, *saved)
	if facts == nil {
		return code
	}
	report := judge.Judge(facts, nil)
	if *output == "facts" {
		if err := checks.WriteFacts(p.out, facts); err != nil {
			fmt.Fprintf(p.err, "lifeline check: %s\n", err)
			return exitFailing
		}
		return exitCode(report)
	}
	if err := p.print(report, *output); err != nil {
		fmt.Fprintf(p.err, "lifeline check: cannot write the report: %s\n", err)
		return exitFailing
	}
	return exitCode(report)
}

// facts are those of a file, or of this pod where none is named. They are nil
// where there are none, and the program ends with the code.
func (p program) facts(ctx context.Context, file string) (facts *checks.Facts, code int) {
	if file != "" {
		facts, err := p.savedFacts(ctx, file)
		switch {
		case errors.Is(err, errInterrupted):
			fmt.Fprintf(p.err, "lifeline check: %s\n", err)
			return nil, exitFailing
		case err != nil:
			fmt.Fprintln(p.err, text.Clean(fmt.Sprintf("lifeline check: cannot judge %s: %s", cut(file), err)))
			return nil, exitUsage
		}
		return facts, exitHealthy
	}
	config, ok := p.configure()
	if !ok {
		return nil, exitUsage
	}
	observer := config.observer(p.pod, zerolog.Nop())
	defer observer.Close()
	facts = observer.Observe(ctx)
	facts.Deep = observer.Deep(ctx, facts)
	if ctx.Err() != nil {
		fmt.Fprintf(p.err, "lifeline check: %s\n", errInterrupted)
		return nil, exitFailing
	}
	return facts, exitHealthy
}

// savedFacts reads facts of a file, or of standard input. When ctx ends it does
// not wait for a read that nothing can interrupt, as of a terminal.
func (p program) savedFacts(ctx context.Context, file string) (*checks.Facts, error) {
	type outcome struct {
		facts *checks.Facts
		err   error
	}
	read := make(chan outcome, 1)
	go func() {
		facts, err := readFacts(file, p.in)
		read <- outcome{facts, err}
	}()
	select {
	case <-ctx.Done():
		return nil, errInterrupted
	case done := <-read:
		return done.facts, done.err
	}
}

func readFacts(file string, standard io.Reader) (*checks.Facts, error) {
	if file == "-" {
		return checks.ReadFacts(standard)
	}
	opened, err := os.Open(file)
	var refused *fs.PathError
	switch {
	case errors.As(err, &refused):
		return nil, refused.Err
	case err != nil:
		return nil, err
	}
	defer opened.Close()
	return checks.ReadFacts(opened)
}

func exitCode(report *checks.Report) int {
	if report.Status == checks.Fail {
		return exitFailing
	}
	return exitHealthy
}

func (p program) print(report *checks.Report, format string) error {
	switch format {
	case "json":
		_, err := p.out.Write(server.JSON(report))
		return err
	case "short":
		return text.WriteShort(p.out, report, p.style(p.out))
	default:
		return text.Write(p.out, report, p.style(p.out))
	}
}

// flags is a set of flags whose help says what the command is for.
func (p program) flags(name, purpose string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(p.err)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "%s\n\nUsage: lifeline %s [flags]\n", purpose, name)
		flags.PrintDefaults()
	}
	return flags
}

// parse reads the flags of a command that takes no other arguments. done tells
// that the command ends here, with code.
func (p program) parse(flags *flag.FlagSet, arguments []string) (code int, done bool) {
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return exitHealthy, true
	case err != nil:
		return exitUsage, true
	case flags.NArg() > 0:
		fmt.Fprintf(p.err, "lifeline %s: takes no argument %q\n", flags.Name(), flags.Arg(0))
		return exitUsage, true
	}
	return exitHealthy, false
}
