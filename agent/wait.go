package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/text"
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
	waiting := waiter{program: p, observer: observer, waitFlags: f}
	return waiting.run(ctx)
}

// minWait keeps a wait from becoming a load.
const minWait = 250 * time.Millisecond

type waiter struct {
	program
	waitFlags
	observer rounds.Observer
}

func (w waiter) run(ctx context.Context) int {
	start := time.Now()
	report, reached := w.look(ctx, start)
	after := time.Since(start).Round(time.Millisecond)
	switch {
	case reached:
		fmt.Fprintf(w.out, "The API can be reached, after %s.\n", after)
		return exitHealthy
	case errors.Is(ctx.Err(), context.Canceled):
		// A signal, and not the time limit.
		fmt.Fprintln(w.err, "lifeline wait: interrupted")
		return exitFailing
	}
	fmt.Fprintf(w.err, "lifeline wait: the API could not be reached within %s\n", after)
	if report != nil {
		if err := text.Write(w.out, report, w.style(w.out)); err != nil {
			fmt.Fprintf(w.err, "lifeline wait: cannot write the report: %s\n", err)
		}
	}
	return exitFailing
}

// look makes rounds until the API is reached or ctx ends, and returns the latest
// report.
func (w waiter) look(ctx context.Context, start time.Time) (report *checks.Report, reached bool) {
	waiting := activity{doing: "Waiting for the API", since: start, limit: w.limit}
	progress := w.progress(&lines{out: w.err})
	defer progress.end()
	schedule := rounds.NewSchedule(start, w.every, w.pod.Identity())
	for {
		progress.tell(waiting)
		facts := w.observer.Observe(ctx)
		if ctx.Err() != nil {
			return report, false
		}
		report = judge.Judge(facts, report)
		if reachable(report) {
			return report, true
		}
		if len(report.Diagnosis) > 0 {
			cause := report.Diagnosis[0]
			waiting.reason, waiting.evidence = cause.Reason, cause.Evidence[0]
		}
		progress.tell(waiting)
		select {
		case <-ctx.Done():
			return report, false
		case <-time.After(time.Until(schedule.Next(time.Now()))):
		}
	}
}

// reachable tells whether an application would get its answers. What a check of
// another link says does not matter once the API answers, nor that it forbids GET
// /api itself, which applications seldom ask for.
func reachable(report *checks.Report) bool {
	result, found := report.Result(checks.API)
	if !found {
		return report.Status != checks.Fail
	}
	if result.Reason == checks.HTTP403DiscoveryRBACRemoved {
		return true
	}
	details, told := result.Details.(*checks.APIDetails)
	return told && details.Answered
}
