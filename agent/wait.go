package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
)

// waitFlags are how lifeline wait is called.
type waitFlags struct {
	limit time.Duration
	every time.Duration
}

func (f *waitFlags) set() *flag.FlagSet {
	flags := newFlags("wait")
	flags.DurationVar(&f.limit, "timeout", 2*time.Minute, "")
	flags.DurationVar(&f.every, "every", 2*time.Second, "")
	return flags
}

// runWait looks until the API can be reached, for init containers and for what
// starts before the network does.
func runWait(ctx context.Context, arguments []string, p program) int {
	var f waitFlags
	if code, done := p.parse(f.set(), arguments); done {
		return code
	}
	if f.limit < minWait || f.every < minWait {
		fmt.Fprintf(p.err, "lifeline wait: -timeout and -every must be %s at the least\n", minWait)
		return exitUsage
	}
	config, ok := p.configure()
	if !ok {
		return exitUsage
	}
	// The first try must end early enough for its report to be of use.
	config.Timeout = min(config.Timeout, f.limit/4)
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	observer := config.observer(p.pod, zerolog.Nop())
	defer observer.Close()
	waiting := waiter{program: p, observer: observer, every: f.every}
	return waiting.run(ctx)
}

// minWait keeps a wait from becoming a load.
const minWait = 250 * time.Millisecond

type waiter struct {
	program
	observer observer
	every    time.Duration
}

func (w waiter) run(ctx context.Context) int {
	start := time.Now()
	schedule := newSchedule(start, w.every, podIdentity(w.pod))
	var report *checks.Report
	for {
		facts := w.observer.Observe(ctx)
		if ctx.Err() != nil {
			return w.giveUp(ctx, report, time.Since(start))
		}
		previous := report
		report = judge.Judge(facts, previous)
		if reachable(report) {
			fmt.Fprintf(w.out, "The API can be reached, after %s.\n", time.Since(start).Round(time.Millisecond))
			return exitHealthy
		}
		w.progress(previous, report)
		select {
		case <-ctx.Done():
			return w.giveUp(ctx, report, time.Since(start))
		case <-time.After(time.Until(schedule.next(time.Now()))):
		}
	}
}

// reachable tells whether an application would get its answers. What a check of
// another link says does not matter once the API answers.
func reachable(report *checks.Report) bool {
	result, found := report.Result(checks.API)
	if !found {
		return report.Status != checks.Fail
	}
	details, told := result.Details.(*checks.APIDetails)
	return told && details.Answered
}

// progress tells of a cause once, not at every try.
func (w waiter) progress(previous, report *checks.Report) {
	if len(report.Diagnosis) == 0 {
		return
	}
	cause := report.Diagnosis[0]
	if previous != nil && len(previous.Diagnosis) > 0 && previous.Diagnosis[0].Reason == cause.Reason {
		return
	}
	fmt.Fprintf(w.out, "Waiting: %s (%s)\n", cause.Evidence[0], cause.Reason)
}

// giveUp tells a signal, which cancels ctx, from the time limit.
func (w waiter) giveUp(ctx context.Context, report *checks.Report, after time.Duration) int {
	if errors.Is(ctx.Err(), context.Canceled) {
		fmt.Fprintln(w.err, "lifeline wait: interrupted")
		return exitFailing
	}
	fmt.Fprintf(w.err, "lifeline wait: the API could not be reached within %s\n", after.Round(time.Millisecond))
	if report != nil {
		if err := w.print(report, "text"); err != nil {
			fmt.Fprintf(w.err, "lifeline wait: cannot write the report: %s\n", err)
		}
	}
	return exitFailing
}
