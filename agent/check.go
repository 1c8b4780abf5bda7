package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/text"
	"github.com/kube-lifeline/lifeline/server"
)

// runCheck looks once at every link and prints the report.
func runCheck(ctx context.Context, arguments []string, p program) int {
	flags := p.flags("check", "Look once at every link of the way to the API and print the report.\nExit 0 if nothing fails (warnings included), 1 if a check fails.")
	output := flags.String("o", "text", "`format` of the report: text, json or short")
	if code, done := p.parse(flags, arguments); done {
		return code
	}
	formats := []string{"text", "json", "short"}
	if !slices.Contains(formats, *output) {
		fmt.Fprintf(p.err, "lifeline check: -o %q is none of %s\n", *output, strings.Join(formats, ", "))
		return exitUsage
	}
	config, ok := p.configure()
	if !ok {
		return exitUsage
	}
	report := judge.Judge(config.observer(p.pod, zerolog.Nop()).Observe(ctx), nil)
	if ctx.Err() != nil {
		fmt.Fprintln(p.err, "lifeline check: interrupted")
		return exitFailing
	}
	if err := p.print(report, *output); err != nil {
		fmt.Fprintf(p.err, "lifeline check: cannot write the report: %s\n", err)
		return exitFailing
	}
	return exitCode(report)
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
		for _, result := range report.Checks {
			if _, err := fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf("%s %s %s", result.Name, result.Status, result.Reason), " ")); err != nil {
				return err
			}
		}
		return nil
	default:
		return text.Write(p.out, report, p.style())
	}
}

// style suits what is printed to the terminal that shows it, if one does.
func (p program) style() text.Style {
	environment := p.pod.Environment
	terminal := isTerminal(p.out) && environment["TERM"] != "dumb"
	locale := environment["LC_ALL"] + environment["LC_CTYPE"] + environment["LANG"]
	_, plain := environment["NO_COLOR"]
	return text.Style{
		Colour:  terminal && !plain,
		Unicode: terminal && strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8"),
	}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
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
