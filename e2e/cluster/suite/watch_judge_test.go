//go:build linux

package suite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
)

// graceIntervals are how many of its intervals an agent has to see that what
// happened is over: one may pass until its next round, and that takes its time.
const graceIntervals = 2

// event is a disturbance that happened.
type event struct {
	disturbance
	began, ended time.Time
}

// remark is something that an agent said, once or several times in a row or not,
// of what happened.
type remark struct {
	// event is the number of it, -1 where nothing happened.
	event       int
	agent, said string
	rounds      int
	lasted      time.Duration
	finding     finding
}

// finding is what is to be thought of a remark.
type finding string

const (
	isTrue    finding = "true"
	isSymptom finding = "true as a symptom"
	isFalse   finding = "FALSE"
	isWorse   finding = "FALSE AND CERTAIN"
	// isIdle is told where nothing happened, or no longer.
	isIdle finding = "FALSE, there was nothing"
)

// judgeWatch gathers what the agents said other than that all is well, by what
// happened, in the order in which it was said first.
func judgeWatch(events []event, agents []*watched) []remark {
	var remarks []remark
	for _, a := range agents {
		for i, v := range a.verdicts {
			if v.saysNothing() {
				continue
			}
			at, found := judgeVerdict(events, a, v)
			lasted := a.interval
			if i+1 < len(a.verdicts) {
				lasted = a.verdicts[i+1].published.Sub(v.published)
			}
			known := slices.IndexFunc(remarks, func(r remark) bool {
				return r.event == at && r.agent == a.name && r.said == v.String() && r.finding == found
			})
			if known < 0 {
				known = len(remarks)
				remarks = append(remarks, remark{event: at, agent: a.name, said: v.String(), finding: found})
			}
			remarks[known].rounds++
			remarks[known].lasted += lasted
		}
	}
	return remarks
}

// judgeVerdict tells what a verdict is of: of the latest event that it is true of,
// or else of the latest that was not long over when the round began.
func judgeVerdict(events []event, a *watched, v verdict) (at int, found finding) {
	at, found = -1, isIdle
	if slices.Contains(a.always, v.cause) {
		found = isTrue
	}
	for i, e := range slices.Backward(events) {
		if v.published.Before(e.began) || v.began.After(e.ended.Add(graceIntervals*a.interval)) {
			continue
		}
		switch {
		case slices.Contains(e.causes, v.cause), slices.Contains(a.always, v.cause):
			return i, isTrue
		case slices.Contains(e.symptoms, v.cause) && v.certainty != "certain":
			return i, isSymptom
		}
		if at < 0 {
			at, found = i, isFalse
			if v.certainty == "certain" {
				found = isWorse
			}
		}
	}
	return at, found
}

func (v verdict) saysNothing() bool { return v.cause == "" && v.status != "fail" }

func countFalse(remarks []remark) int {
	count := 0
	for _, r := range remarks {
		if !r.finding.holds() {
			count++
		}
	}
	return count
}

func (f finding) holds() bool { return f == isTrue || f == isSymptom }

// untrue are the reports, of those that were seen, that said what was not so.
func (a *watched) untrue(events []event) []report {
	return slices.DeleteFunc(slices.Clone(a.rounds.seen()), func(r report) bool {
		v := r.verdict()
		_, found := judgeVerdict(events, a, v)
		return v.saysNothing() || found.holds()
	})
}

// watchTable has a line for every remark, and for each thing that happened one
// for the agents who said nothing of it.
func watchTable(events []event, agents []*watched, remarks []remark) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "what happened\tfor\tagent\tsaid\trounds\tfor\tfinding\n")
	for i := -1; i < len(events); i++ {
		name, lasted := "nothing", "-"
		if i >= 0 {
			name, lasted = events[i].name, seconds(events[i].ended.Sub(events[i].began))
		}
		var silent []string
		for _, a := range agents {
			before := len(silent)
			silent = append(silent, a.name)
			for _, r := range remarks {
				if r.event == i && r.agent == a.name {
					silent = silent[:before]
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", name, lasted, r.agent, r.said, r.rounds, seconds(r.lasted), r.finding)
				}
			}
		}
		if len(silent) > 0 {
			fmt.Fprintf(table, "%s\t%s\t%s\tnothing\t-\t-\t-\n", name, lasted, strings.Join(silent, ", "))
		}
	}
	_ = table.Flush()
	return out.String()
}

func TestAVerdictIsJudgedByWhatHappenedAtItsTime(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	events := []event{
		{disturbance: disturbance{name: "killed", causes: []string{"tcp-refused"}, symptoms: []string{"tcp-timeout"}}, began: at(100), ended: at(110)},
		{disturbance: disturbance{name: "rolled", causes: []string{"dns-slow"}}, began: at(112), ended: at(120)},
	}
	agent := &watched{name: "quick", interval: 5 * time.Second, always: []string{"agent-starved"}}
	for _, test := range []struct {
		name             string
		second           int
		cause, certainty string
		event            int
		want             finding
	}{
		{"a true cause", 101, "tcp-refused", "certain", 0, isTrue},
		{"a cause of the event before, within its grace", 115, "tcp-refused", "certain", 0, isTrue},
		{"a cause of the event before, after it", 121, "tcp-refused", "certain", 1, isWorse},
		{"a symptom", 102, "tcp-timeout", "likely", 0, isSymptom},
		{"a symptom that is called certain", 102, "tcp-timeout", "certain", 0, isWorse},
		{"another cause", 101, "dns-slow", "likely", 0, isFalse},
		{"before anything happened", 90, "tcp-refused", "likely", -1, isIdle},
		{"at the end of the grace", 130, "dns-slow", "likely", 1, isTrue},
		{"after it", 131, "dns-slow", "likely", -1, isIdle},
		{"what is always so", 50, "agent-starved", "certain", -1, isTrue},
		{"what is always so, while something happens", 101, "agent-starved", "certain", 0, isTrue},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := verdict{began: at(test.second), published: at(test.second), status: "fail", cause: test.cause, certainty: test.certainty}
			event, found := judgeVerdict(events, agent, v)
			if event != test.event || found != test.want {
				t.Errorf("got event %d, %s, want %d, %s", event, found, test.event, test.want)
			}
		})
	}
}

func TestWhatIsSaidAgainIsOneRemark(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	said := func(second int, cause string) verdict {
		moment := start.Add(time.Duration(second) * time.Second)
		v := verdict{round: second, began: moment, published: moment, status: "ok", cause: cause}
		if cause != "" {
			v.status, v.certainty = "fail", "likely"
		}
		return v
	}
	agent := &watched{name: "quick", interval: 5 * time.Second, verdicts: []verdict{
		said(5, ""), said(10, "tcp-refused"), said(15, "tcp-refused"), said(20, ""), said(25, "tcp-refused"), said(30, "dns-slow"),
	}}
	got := judgeWatch(nil, []*watched{agent})
	want := []remark{
		{event: -1, agent: "quick", said: "tcp-refused (likely)", rounds: 3, lasted: 15 * time.Second, finding: isIdle},
		{event: -1, agent: "quick", said: "dns-slow (likely)", rounds: 1, lasted: 5 * time.Second, finding: isIdle},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(remark{})); diff != "" {
		t.Errorf("remarks (-want +got):\n%s", diff)
	}
}
