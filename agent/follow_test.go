package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/checks"
)

// staged is an observer of a pod of which the environment fails by the clock.
type staged struct {
	start time.Time
	// status is that of the environment check at a time since the start.
	status func(since time.Duration) checks.Status
}

func (s *staged) Observe(context.Context) *checks.Facts {
	environment := &checks.EnvironmentFacts{ServiceHost: "10.96.0.1", ServicePort: "443", Namespace: "shop"}
	if s.status(time.Since(s.start)) == checks.Fail {
		environment.ServiceHost = ""
	}
	skipped := slices.DeleteFunc(checks.Names(), func(name checks.Name) bool { return name == checks.Environment })
	return &checks.Facts{Time: time.Now(), Skipped: skipped, Environment: environment}
}

func (*staged) Deep(context.Context, *checks.Facts) *checks.DeepFacts {
	return &checks.DeepFacts{Time: time.Now()}
}

func (s *staged) DeepDNS(ctx context.Context, facts *checks.Facts) *checks.DeepFacts {
	return s.Deep(ctx, facts)
}

// following runs rounds every 5s until ctx ends, and what a follower shows of them.
func following(ctx context.Context, shown *follower, status func(since time.Duration) checks.Status) (code int) {
	ctx, shown.unread = context.WithCancel(ctx)
	defer shown.unread()
	shown.progress = silent{}
	observer := &staged{start: time.Now(), status: status}
	rounds.Loop{Observer: observer, Publisher: shown, Interval: 5 * time.Second, Limit: time.Minute}.Run(ctx)
	return shown.end()
}

func TestWithoutATerminalTheReportComesFirstAndThenALineForEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		shown := &follower{program: program{out: &out, err: &log}, flags: checkFlags{output: "text"}}
		code := following(ctx, shown, func(since time.Duration) checks.Status {
			if since > time.Minute && since < 2*time.Minute || since > 4*time.Minute {
				return checks.Fail
			}
			return checks.OK
		})
		if code != exitFailing || log.Len() > 0 {
			t.Errorf("got exit code %d and errors %q, want %d as of the last report, and none", code, &log, exitFailing)
		}
		report, changes, _ := strings.Cut(out.String(), "\nOK: The one check passes.\n")
		if !strings.HasPrefix(report, "From a pod in namespace shop") || strings.Count(out.String(), "From ") != 1 {
			t.Errorf("got\n%s\nwant one report first", &out)
		}
		var got []string
		for line := range strings.Lines(changes) {
			at, what, _ := strings.Cut(line, " ")
			if _, err := time.Parse(time.RFC3339, at); err != nil {
				t.Errorf("the line %q does not begin with a time: %s", line, err)
			}
			short, _, _ := strings.Cut(what, ":")
			got = append(got, short)
		}
		fails := []string{"environment fail env-service-vars-missing", "FAIL"}
		if diff := cmp.Diff(append(append(fails, "environment ok", "OK"), fails...), got); diff != "" {
			t.Errorf("the changes differ (-want +got):\n%s\n%s", diff, &out)
		}
	})
}

func TestWatchingEndsWhenNobodyReadsAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		began := time.Now()
		shown := &follower{program: program{out: closedPipe{}, err: &log}, flags: checkFlags{output: "text"}}
		code := following(t.Context(), shown, func(time.Duration) checks.Status { return checks.OK })
		if took := time.Since(began); code != exitFailing || took > time.Second {
			t.Errorf("got exit code %d after %s, want %d at once", code, took, exitFailing)
		}
		if !strings.Contains(log.String(), "cannot write the report") {
			t.Errorf("got %q, want that the report could not be written", &log)
		}
	})
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWatchingEndsWithTheCodeOfTheLastReport(t *testing.T) {
	for fault, want := range map[string]int{"": exitHealthy, "token-trailing-newline": exitHealthy, "tcp-refused": exitFailing} {
		var faults []string
		if fault != "" {
			faults = append(faults, fault)
		}
		p, _, out, log := inWorld(t, faults...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() { ended <- run(ctx, []string{"check", "--watch", "-every", "1s", "-o", "short"}, p) }()
		waitFor(t, "the first report", func() bool { return strings.Contains(out.String(), ": ") })
		cancel()
		if code := <-ended; code != want || log.String() != "" {
			t.Errorf("%q: got exit code %d and errors %q, want %d and none", fault, code, log, want)
		}
	}
}
