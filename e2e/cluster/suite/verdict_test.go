//go:build linux

package suite_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// verdict is what the report of a round begins with.
type verdict struct {
	round int
	// began is when the round did. Where only the log tells of it, that is no
	// later than it was.
	began, published         time.Time
	status, cause, certainty string
}

// String is the cause and how sure the agent is of it.
func (v verdict) String() string {
	if v.cause == "" {
		return v.status
	}
	return fmt.Sprintf("%s (%s)", v.cause, v.certainty)
}

func (r report) verdict() verdict {
	v := verdict{round: r.Round, began: r.Time, published: r.Time.Add(time.Duration(r.DurationSeconds * float64(time.Second))), status: r.Status, cause: r.first()}
	if len(r.Diagnosis) > 0 {
		v.certainty = r.Diagnosis[0].Certainty
	}
	return v
}

// verdicts are those of the rounds that were seen, and of those too that were
// not, out of the agent's log, which has every change of the verdict. It returns
// also when the agent started.
func (s suite) verdicts(ctx context.Context, p cluster.Pod, seen []report) (started time.Time, all []verdict, err error) {
	out, err := s.Kubectl(ctx, "logs", "--namespace="+p.Namespace, p.Name, "--container=lifeline", "--timestamps")
	if err != nil {
		return time.Time{}, nil, err
	}
	started, logged, err := readLog(out)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("read the log of %s: %w", p.Name, err)
	}
	return started, merge(seen, logged), nil
}

// readLog reads what kubectl logs --timestamps prints.
func readLog(out string) (started time.Time, logged []verdict, err error) {
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		stamp, line, _ := strings.Cut(lines.Text(), " ")
		var event struct {
			Message, Status, Cause, Certainty string
			Round                             int
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			return started, logged, fmt.Errorf("%w: %q", err, lines.Text())
		}
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			return started, logged, err
		}
		if event.Message == "lifeline started" {
			started = at
		}
		if event.Round > 0 {
			logged = append(logged, verdict{round: event.Round, began: at, published: at, status: event.Status, cause: event.Cause, certainty: event.Certainty})
		}
	}
	return started, logged, lines.Err()
}

// merge adds to the reports that were seen those of which only the log tells.
// Such a round began after the one before it was published.
func merge(seen []report, logged []verdict) []verdict {
	var all []verdict
	for _, r := range seen {
		all = append(all, r.verdict())
	}
	for _, v := range logged {
		if !slices.ContainsFunc(all, func(known verdict) bool { return known.round == v.round }) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b verdict) int { return cmp.Compare(a.round, b.round) })
	for i := 1; i < len(all); i++ {
		if all[i].began.Equal(all[i].published) {
			all[i].began = all[i-1].published
		}
	}
	return all
}
