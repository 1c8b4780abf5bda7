//go:build linux

package suite_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	// inTime is within what time the first cause must be the right one.
	inTime = 2 * interval
	// wantedRight is the share of cases, in percent, in which it must be, and
	// enoughRight that which tells a broken tree from a machine that was busy with
	// something else.
	wantedRight = 95
	enoughRight = 85
)

// telling is how the agent told of a fault.
type telling struct {
	// told is set where a report began with the right cause, the first after that
	// time from the fault on.
	told  bool
	after time.Duration
	// before is what reports said until then. A symptom may come first, since the
	// deep probes that tell its cause run after it.
	before []string
	// instead is what they said later, when it was no longer allowed to.
	instead []string
	// wrong is what was said with certainty and was not so, at any time.
	wrong []string
}

// isRight tells whether the right cause came first and stayed.
func (g telling) isRight() bool { return g.told && len(g.instead) == 0 }

func (g telling) isLate() bool { return g.told && g.after > inTime }

// tells judges what was said from when the fault had begun until it was to end.
// The report of a round that was under way as it began is of neither time. Of a
// round that saw nothing wrong, as there are some while a fault comes and goes,
// it cannot be said that it names a wrong cause. The time of one that wavers runs
// from the first round that met it, and each of its faces may have its symptom
// first.
func (f fault) tells(began, ended time.Time, verdicts []verdict) telling {
	var g telling
	if f.wavers {
		began = firstMet(began, verdicts)
	}
	add := func(to *[]string, v verdict) {
		if !slices.Contains(*to, v.String()) {
			*to = append(*to, v.String())
		}
	}
	for _, v := range verdicts {
		after := v.published.Sub(began)
		switch {
		case v.began.Before(began) || v.published.After(ended):
		case v.cause == f.first:
			if !g.told {
				g.told, g.after = true, after
			}
		case v.cause == "":
		default:
			if v.certainty == "certain" {
				add(&g.wrong, v)
			}
			if g.told && after > inTime && !f.wavers || f.first == "" {
				add(&g.instead, v)
			} else if !g.told {
				add(&g.before, v)
			}
		}
	}
	return g
}

// firstMet is when the first round began after a time that saw something wrong.
func firstMet(began time.Time, verdicts []verdict) time.Time {
	for _, v := range verdicts {
		if v.cause != "" && !v.began.Before(began) {
			return v.began
		}
	}
	return began
}

// result is a row of the table.
type result struct {
	fault, want, first, status, certainty string
	telling                               telling
	probes                                map[string]int
	cells                                 []cell
	cleared                               time.Duration
}

// amiss is what the score has against the case; empty where that is nothing.
func (r result) amiss() string {
	var words []string
	if !r.telling.told {
		words = append(words, fmt.Sprintf("not told; said was %q at last, before it %s", r.first, listed(r.telling.before)))
	}
	if r.telling.isLate() {
		words = append(words, fmt.Sprintf("told after %s intervals; said was before it %s", intervals(r.telling.after), listed(r.telling.before)))
	}
	if len(r.telling.instead) > 0 {
		words = append(words, "said instead: "+listed(r.telling.instead))
	}
	if len(r.telling.wrong) > 0 {
		words = append(words, "wrong and certain: "+listed(r.telling.wrong))
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: want %q: %s", r.fault, r.want, strings.Join(words, "; "))
}

// results are gathered by tests that run at the same time.
type results struct {
	mutex sync.Mutex
	all   []result
}

func (r *results) add(one result) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, one)
}

// score is one line, whether it is good enough, and a line for each case that is
// not as it should be.
func (r *results) score(strict bool) (line string, good bool, amiss []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var right, late, wrong int
	var slowest time.Duration
	for _, one := range r.all {
		if one.telling.isRight() {
			right++
		}
		if one.telling.isLate() {
			late++
		}
		wrong += len(one.telling.wrong)
		slowest = max(slowest, one.telling.after)
		if text := one.amiss(); text != "" {
			amiss = append(amiss, text)
		}
	}
	line = fmt.Sprintf("diagnosis: %d of %d cases right first (%.1f %%), slowest %s intervals, %d wrong certain",
		right, len(r.all), 100*float64(right)/float64(max(len(r.all), 1)), intervals(slowest), wrong)
	if !strict {
		return line, 100*right >= enoughRight*len(r.all), amiss
	}
	return line, 100*right >= wantedRight*len(r.all) && late == 0 && wrong == 0, amiss
}

func (r *results) table() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "fault\tfirst\tcertainty\tstatus\tlivez\treadyz\thealthz\ttold\tintervals\tsaid before\tcleared\n")
	for _, one := range r.all {
		after, count := "-", "-"
		if one.telling.told {
			after, count = seconds(one.telling.after), intervals(one.telling.after)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", one.fault, one.first, one.certainty, one.status,
			one.probes["/livez"], one.probes["/readyz"], one.probes["/healthz"], after, count, listed(one.telling.before), seconds(one.cleared))
	}
	fmt.Fprintf(table, "\nfault\tgo-client\tpython-client\trest\tkubectl-proxy\n")
	for _, one := range r.all {
		fmt.Fprint(table, one.fault)
		for _, cell := range one.cells {
			fmt.Fprintf(table, "\t%s", cell)
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush()
	return fmt.Sprintf("%d faults\n%s", len(r.all), out.String())
}

func listed(said []string) string {
	if len(said) == 0 {
		return "-"
	}
	return strings.Join(said, ", ")
}

func intervals(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(interval)) }

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

func TestAFaultIsToldByWhatIsSaidWhileItLasts(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const ended = 10 * interval
	// said is a round that takes a tenth of an interval.
	said := func(intervals float64, cause, certainty string) verdict {
		at := began.Add(time.Duration(intervals * float64(interval)))
		return verdict{began: at, published: at.Add(interval / 10), cause: cause, certainty: certainty}
	}
	const symptom, right, other = "tcp-timeout", "tcp-timeout-networkpolicy", "tcp-refused"
	for _, test := range []struct {
		name   string
		first  string
		said   []verdict
		want   telling
		right  bool
		late   bool
		wavers bool
	}{
		{
			name: "from the first round that met it, where it wavers", first: right, wavers: true,
			said:  []verdict{said(0.5, "", ""), said(5, symptom, "likely"), said(6, right, "likely"), said(9, symptom, "likely")},
			want:  telling{told: true, after: 11 * interval / 10, before: []string{symptom + " (likely)"}},
			right: true,
		},
		{
			name: "at once", first: right, said: []verdict{said(0.4, right, "certain"), said(1.4, right, "certain")},
			want: telling{told: true, after: interval / 2}, right: true,
		},
		{
			name: "after its symptom", first: right, said: []verdict{said(0.4, symptom, "likely"), said(0.9, right, "likely")},
			want: telling{told: true, after: interval, before: []string{symptom + " (likely)"}}, right: true,
		},
		{
			name: "late", first: right, said: []verdict{said(0.4, symptom, "likely"), said(2.9, right, "likely")},
			want: telling{told: true, after: 3 * interval, before: []string{symptom + " (likely)"}}, right: true, late: true,
		},
		{
			name: "not at all", first: right, said: []verdict{said(0.4, symptom, "likely"), said(9, symptom, "likely")},
			want: telling{before: []string{symptom + " (likely)"}},
		},
		{
			name: "by a round that began before it", first: right, said: []verdict{said(-0.05, right, "certain"), said(-0.01, other, "certain")},
			want: telling{},
		},
		{
			name: "when it is over", first: right, said: []verdict{said(9.95, right, "certain"), said(11, other, "certain")},
			want: telling{},
		},
		{
			name: "and then no longer", first: right, said: []verdict{said(0.4, right, "likely"), said(1, other, "likely"), said(2.5, symptom, "likely")},
			want: telling{told: true, after: interval / 2, instead: []string{symptom + " (likely)"}},
		},
		{
			name: "with a certain error on the way", first: right, said: []verdict{said(0.4, other, "certain"), said(0.9, right, "certain")},
			want:  telling{told: true, after: interval, before: []string{other + " (certain)"}, wrong: []string{other + " (certain)"}},
			right: true,
		},
		{
			name: "where it comes and goes", first: right, said: []verdict{said(0.4, right, "likely"), said(3, "", ""), said(4, right, "likely")},
			want: telling{told: true, after: interval / 2}, right: true,
		},
		{
			name: "where nothing is wrong", said: []verdict{said(0.4, "", "")},
			want: telling{told: true, after: interval / 2}, right: true,
		},
		{
			name: "where nothing is wrong but is said to be", said: []verdict{said(0.4, "", ""), said(1, other, "likely")},
			want: telling{told: true, after: interval / 2, instead: []string{other + " (likely)"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := fault{first: test.first, wavers: test.wavers}.tells(began, began.Add(ended), test.said)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(telling{})); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if got.isRight() != test.right || got.isLate() != test.late {
				t.Errorf("right %t and late %t, want %t and %t", got.isRight(), got.isLate(), test.right, test.late)
			}
		})
	}
}

func TestTheScoreIsGoodFrom95PercentOnWithNothingLateAndNoErrorThatIsCertain(t *testing.T) {
	right, missed := telling{told: true, after: interval}, telling{}
	late := telling{told: true, after: inTime + interval/2}
	mistaken := telling{told: true, wrong: []string{"tcp-refused (certain)"}}
	for _, test := range []struct {
		name  string
		cases []telling
		line  string
		good  bool
	}{
		{"all are right", slices.Repeat([]telling{right}, 20), "diagnosis: 20 of 20 cases right first (100.0 %), slowest 1.0 intervals, 0 wrong certain", true},
		{"one of twenty is not told", append(slices.Repeat([]telling{right}, 19), missed), "diagnosis: 19 of 20 cases right first (95.0 %), slowest 1.0 intervals, 0 wrong certain", true},
		{"one of nineteen is not told", append(slices.Repeat([]telling{right}, 18), missed), "diagnosis: 18 of 19 cases right first (94.7 %), slowest 1.0 intervals, 0 wrong certain", false},
		{"one of twenty is late", append(slices.Repeat([]telling{right}, 19), late), "diagnosis: 20 of 20 cases right first (100.0 %), slowest 2.5 intervals, 0 wrong certain", false},
		{"one of twenty is wrong and certain", append(slices.Repeat([]telling{right}, 19), mistaken), "diagnosis: 20 of 20 cases right first (100.0 %), slowest 1.0 intervals, 1 wrong certain", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &results{}
			amissWanted := 0
			for _, one := range test.cases {
				r.add(result{telling: one})
				if !one.isRight() || one.isLate() || len(one.wrong) > 0 {
					amissWanted++
				}
			}
			line, good, amiss := r.score(true)
			if line != test.line || good != test.good {
				t.Errorf("got %q, good %t, want %q, good %t", line, good, test.line, test.good)
			}
			if _, enough, _ := r.score(false); !enough {
				t.Error("this is not enough for a machine that is busy")
			}
			if len(amiss) != amissWanted {
				t.Errorf("%d cases are told of, want %d: %q", len(amiss), amissWanted, amiss)
			}
		})
	}
}
