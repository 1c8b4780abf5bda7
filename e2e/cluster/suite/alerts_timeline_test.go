//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
)

// entry is what became of an incident.
type entry struct {
	incident
	injected, mended time.Time
	// reported is when the agent first said that something fails, and well when it
	// no longer did; zero where it tells of nothing.
	reported, well time.Time
	period
}

// period is when an alert began to wait, when it fired, and when it was gone. A
// zero time is for what did not come.
type period struct{ pending, firing, resolved time.Time }

// told are all alerts of a time, by the moments in which Prometheus evaluated the
// rules, which it does every second.
func (o *observatory) told(ctx context.Context, t *testing.T, from, to time.Time) map[alert]period {
	t.Helper()
	evaluations, _, _, err := o.prometheus.Query(ctx, fmt.Sprintf("ALERTS[%dms]", to.Sub(from).Milliseconds()), to)
	if err != nil {
		t.Fatal(err)
	}
	told := map[alert]period{}
	for _, series := range evaluations.(model.Matrix) {
		first := series.Values[0].Timestamp.Time()
		last := series.Values[len(series.Values)-1].Timestamp.Time().Add(time.Second)
		one := told[alertOf(series.Metric)]
		switch series.Metric["alertstate"] {
		case "pending":
			one.pending = first
		case "firing":
			one.firing, one.resolved = first, last
		}
		told[alertOf(series.Metric)] = one
	}
	return told
}

// hears takes from an agent's reports when it told of the incident.
func (e *entry) hears(rounds []report) {
	for _, r := range rounds {
		published := r.Time.Add(time.Duration(r.DurationSeconds * float64(time.Second)))
		failing := r.Status == "fail"
		switch {
		case failing && e.reported.IsZero() && published.After(e.injected):
			e.reported = published
		case !failing && e.well.IsZero() && published.After(e.mended):
			e.well = published
		}
	}
}

// table has times in seconds after the injection, and, once it was mended, after
// that.
func table(timeline []entry) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "injected\tat\treported\tpending\tfiring\talert\tscope\tof\tmended\twell\tresolved\n")
	for _, e := range timeline {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			e.name, e.injected.UTC().Format(time.TimeOnly), after(e.injected, e.reported), after(e.injected, e.pending), after(e.injected, e.firing),
			e.want.Name, orNone(e.want.Scope), orNone(e.want.of()),
			after(e.injected, e.mended), after(e.mended, e.well), after(e.mended, e.resolved))
	}
	_ = table.Flush()
	return "what was injected, and when it was told\n" + out.String()
}

func after(from, to time.Time) string {
	if to.IsZero() {
		return "-"
	}
	return fmt.Sprintf("+%.0fs", to.Sub(from).Seconds())
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
