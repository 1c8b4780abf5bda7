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
	"time"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/text"
	"github.com/kube-lifeline/lifeline/server"
)

// errInterrupted is what ends a look that was cut short, which tells nothing.
var errInterrupted = errors.New("interrupted")

// checkFlags are how lifeline check is called.
type checkFlags struct {
	output string
	facts  string
	watch  bool
	every  time.Duration
}

func (f *checkFlags) set() *flag.FlagSet {
	flags := newFlags("check")
	flags.StringVar(&f.output, "o", "text", "")
	flags.StringVar(&f.facts, "facts", "", "")
	flags.BoolVar(&f.watch, "watch", false, "")
	flags.DurationVar(&f.every, "every", 0, "")
	return flags
}

// usualPeriod is from one look to the next while somebody watches: short enough to
// see that something has been mended, and no load.
const usualPeriod = 5 * time.Second

// mistake says what is wrong with them together; it is empty where nothing is.
func (f checkFlags) mistake() string {
	formats := []string{"text", "json", "short", "facts"}
	switch {
	case !slices.Contains(formats, f.output):
		return fmt.Sprintf("-o %q is none of %s", cut(f.output), strings.Join(formats, ", "))
	case f.output == "facts" && f.facts != "":
		return "-o facts writes what this pod sees, which -facts leaves out"
	case f.watch && f.facts != "":
		return "-watch looks at this pod again and again, which -facts leaves out"
	case f.watch && f.output != "text" && f.output != "short":
		return fmt.Sprintf("-watch is for people and goes with -o text and -o short, not with -o %s", f.output)
	case f.every != 0 && !f.watch:
		return "-every goes with -watch alone"
	case f.watch && f.every < minInterval:
		return fmt.Sprintf("-every must be %s at the least", minInterval)
	default:
		return ""
	}
}

// runCheck looks at every link, once or again and again, or at facts that were
// saved elsewhere, and prints the report.
func runCheck(ctx context.Context, arguments []string, p program) int {
	var f checkFlags
	if code, done := p.parse(f.set(), arguments); done {
		return code
	}
	if f.watch && f.every == 0 {
		f.every = usualPeriod
	}
	if mistake := f.mistake(); mistake != "" {
		fmt.Fprintf(p.err, "lifeline check: %s\n", mistake)
		return exitUsage
	}
	if f.watch {
		return p.follow(ctx, f)
	}
	facts, code := p.facts(ctx, f.facts)
	if facts == nil {
		return code
	}
	report := judge.Judge(facts, nil)
	seen(ctx, p.out)
	if f.output == "facts" {
		if err := checks.WriteFacts(p.out, facts); err != nil {
			fmt.Fprintf(p.err, "lifeline check: %s\n", err)
			return exitFailing
		}
		return exitCode(report)
	}
	if err := p.print(report, f.output); err != nil {
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
	facts = p.look(ctx, config)
	if ctx.Err() != nil {
		fmt.Fprintf(p.err, "lifeline check: %s\n", errInterrupted)
		return nil, exitFailing
	}
	return facts, exitHealthy
}

// look is one round and the deep probes.
func (p program) look(ctx context.Context, config config) *checks.Facts {
	observer := config.observer(p.pod, zerolog.Nop())
	defer observer.Close()
	progress := p.progress(silent{})
	defer progress.end()
	progress.tell(firstLook(config))
	facts := observer.Observe(ctx)
	progress.tell(activity{
		doing: "Trying what tells one cause from another",
		since: time.Now(),
		limit: 2 * config.Timeout,
	})
	facts.Deep = observer.Deep(ctx, facts)
	return facts
}

func firstLook(config config) activity {
	return activity{doing: "Looking at every link of the way to the API", since: time.Now(), limit: 2 * config.Timeout}
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
