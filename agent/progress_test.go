package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// unready is an observer of a pod that is refused at first and then not answered,
// until the API is there.
type unready struct {
	start              time.Time
	refused, reachable time.Duration
}

func (u unready) Observe(context.Context) *checks.Facts {
	facts := &checks.Facts{
		Time:        time.Now(),
		Skipped:     []checks.Name{checks.DNS, checks.Token, checks.CA, checks.TLS, checks.KubectlProxy},
		Environment: &checks.EnvironmentFacts{ServiceHost: "10.96.0.1", ServicePort: "443", Namespace: "shop"},
		Token:       &checks.TokenFacts{},
		CA:          &checks.CAFacts{},
	}
	exchange := checks.Exchange{Stage: checks.StageConnect}
	switch since := time.Since(u.start); {
	case since < u.refused:
		exchange.Failure = &checks.Failure{Kind: checks.Refused, Message: "connection \x1b[31mrefused"}
	case since < u.reachable:
		exchange.Failure = &checks.Failure{Kind: checks.TimedOut, Message: "i/o timeout"}
	default:
		exchange = checks.Exchange{Stage: checks.StageDone, Response: &checks.Response{Status: 200, Kind: "APIVersions", Versions: []string{"v1"}}}
	}
	facts.API = &checks.APIFacts{ServiceHost: &checks.Attempt{URL: "https://10.96.0.1:443/api", Exchanges: []checks.Exchange{exchange}}}
	return facts
}

func (unready) Deep(context.Context, *checks.Facts) *checks.DeepFacts    { return nil }
func (unready) DeepDNS(context.Context, *checks.Facts) *checks.DeepFacts { return nil }

func TestAWaitIsToldInALogByItsCausesAndASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, log bytes.Buffer
		w := waiter{
			program:   program{pod: checks.Pod{}, out: &out, err: &log},
			waitFlags: waitFlags{limit: 2 * time.Minute, every: time.Second},
			observer:  unready{start: time.Now(), refused: 40 * time.Second, reachable: 50 * time.Second},
		}
		if code := w.run(t.Context()); code != exitHealthy {
			t.Errorf("got exit code %d, want %d", code, exitHealthy)
		}
		var got []string
		for line := range strings.Lines(log.String()) {
			before, after, _ := strings.Cut(line, " at the most: ")
			reason, _, _ := strings.Cut(after, ":")
			got = append(got, before+" "+reason)
		}
		want := []string{
			"Waiting for the API, 0s of 2m tcp-refused",
			"Waiting for the API, 30s of 2m tcp-refused",
			"Waiting for the API, 40s of 2m tcp-timeout",
		}
		for i := range got {
			// The rounds are shifted by a hash of the pod.
			got[i] = strings.Replace(strings.Replace(got[i], " 31s", " 30s", 1), " 41s", " 40s", 1)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the log differs (-want +got):\n%s\n%s", diff, &log)
		}
		if !strings.HasPrefix(out.String(), "The API can be reached, after 5") {
			t.Errorf("got %q, want that the API can be reached after some 50s", &out)
		}
		if strings.Contains(log.String(), "\x1b") {
			t.Errorf("what was met is written raw: %q", &log)
		}
	})
}

func TestAWaitInVainEndsWithTheReportOfItsLastRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := waiter{
			program:   program{pod: checks.Pod{}, out: &out, err: &log},
			waitFlags: waitFlags{limit: time.Minute, every: time.Second},
			observer:  unready{start: time.Now(), refused: time.Hour},
		}
		if code := w.run(ctx); code != exitFailing {
			t.Errorf("got exit code %d, want %d", code, exitFailing)
		}
		if !strings.HasSuffix(log.String(), "\nlifeline wait: the API could not be reached within 1m0s\n") {
			t.Errorf("got the log\n%s\nwant how long it waited in its last line", &log)
		}
		if !strings.Contains(out.String(), "tcp-refused") || !strings.Contains(out.String(), "rounds in a row") {
			t.Errorf("got\n%s\nwant a report that tells for how many rounds it is so", &out)
		}
	})
}

func TestLengthsOfTimeAreToldInSeconds(t *testing.T) {
	for length, want := range map[time.Duration]string{
		0: "0s", 250 * time.Millisecond: "250ms", 1400 * time.Millisecond: "1s", 90 * time.Second: "1m30s", 2 * time.Minute: "2m", time.Hour: "1h0m",
	} {
		if got := whole(length); got != want {
			t.Errorf("%v: got %q, want %q", length, got, want)
		}
	}
}

func TestNothingButTheReportIsWrittenWhereThereIsNoTerminal(t *testing.T) {
	p, _, out, err := inWorld(t)
	p.pod.Environment["TERM"], p.pod.Environment["LANG"] = "xterm", "C.UTF-8"
	if code := run(t.Context(), []string{"check"}, p); code != exitHealthy {
		t.Errorf("got exit code %d, want %d", code, exitHealthy)
	}
	if err.String() != "" || strings.ContainsAny(out.String(), "\x1b\r√") {
		t.Errorf("got errors %q and\n%s\nwant no progress, no colour and no symbol", err, out)
	}
}
