package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// follow goes on looking until ctx ends or nobody reads any more, by the rounds of
// the agent, so that what the rules see over time is seen here too.
func (p program) follow(ctx context.Context, flags checkFlags) int {
	config, ok := p.configure()
	if !ok {
		return exitUsage
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	observer := config.observer(p.pod, zerolog.Nop())
	defer observer.Close()
	shown := &follower{program: p, flags: flags, unread: cancel, progress: p.progress(silent{})}
	shown.progress.tell(firstLook(config))
	rounds.Loop{
		Observer:  observer,
		Publisher: shown,
		Interval:  flags.every,
		Limit:     config.roundLimit(),
		Identity:  p.pod.Identity(),
	}.Run(ctx)
	return shown.end()
}

// follower shows the reports of the rounds: on a terminal each in the place of the
// one before, elsewhere the first and a line for each change.
type follower struct {
	program
	flags checkFlags
	// unread is called where a report cannot be written.
	unread context.CancelFunc
	// progress is told until the first report is there.
	progress progress
	latest   *checks.Report
	failed   error
}

// The alternate screen of a terminal (XTerm Control Sequences, private mode 1049)
// keeps what was on it before, and the shown reports from what is scrolled.
const (
	alternateScreen = "\x1b[?1049h"
	usualScreen     = "\x1b[?1049l"
	emptyScreen     = "\x1b[H\x1b[2J"
)

// Publish shows a report.
func (f *follower) Publish(report *checks.Report) {
	previous := f.latest
	f.latest = report
	if previous == nil {
		f.progress.end()
	}
	var err error
	switch {
	case f.steers(f.out):
		err = f.redraw(report, previous == nil)
	case previous == nil:
		err = f.print(report, f.flags.output)
	default:
		err = writeChanges(f.out, previous, report)
	}
	if err != nil {
		f.failed = err
		f.unread()
	}
}

func (f *follower) redraw(report *checks.Report, first bool) error {
	const usualRows = 24
	screen, _ := screenOf(f.out)
	style := f.style(f.out)
	// One row has the heading, and one stays empty below the last.
	style.Rows = max(1, cmp.Or(screen.rows, usualRows)-2)
	var drawing bytes.Buffer
	if first {
		drawing.WriteString(alternateScreen)
	}
	fmt.Fprintf(&drawing, "%sEvery %s; Ctrl-C ends it.\n", emptyScreen, whole(f.flags.every))
	write := text.Write
	if f.flags.output == "short" {
		write = text.WriteShort
	}
	if err := write(&drawing, report, style); err != nil {
		return err
	}
	_, err := f.out.Write(drawing.Bytes())
	return err
}

// end leaves the last report on the terminal, whole.
func (f *follower) end() int {
	if f.latest == nil {
		f.progress.end()
		fmt.Fprintf(f.err, "lifeline check: %s\n", errInterrupted)
		return exitFailing
	}
	if f.failed == nil && f.steers(f.out) {
		if _, f.failed = io.WriteString(f.out, usualScreen); f.failed == nil {
			f.failed = f.print(f.latest, f.flags.output)
		}
	}
	if f.failed != nil {
		fmt.Fprintf(f.err, "lifeline check: cannot write the report: %s\n", f.failed)
		return exitFailing
	}
	return exitCode(f.latest)
}

// writeChanges writes a line for each check that is otherwise than before, and
// one where the verdict is.
func writeChanges(out io.Writer, previous, report *checks.Report) error {
	var lines bytes.Buffer
	line := func(words string) {
		fmt.Fprintln(&lines, text.Style{}.Quote(text.Time(report.Time)+" "+words))
	}
	for _, result := range changed(previous, report) {
		state := strings.TrimRight(fmt.Sprintf("%s %s %s", result.Name, result.Status, result.Reason), " ")
		line(state + ": " + result.Message)
	}
	if turned(previous, report) {
		line(strings.ToUpper(string(report.Status)) + ": " + text.Verdict(report))
	}
	_, err := out.Write(lines.Bytes())
	return err
}
