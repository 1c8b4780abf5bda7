package judge

import (
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// newPod has the process be so old, and the volume be written so long before it,
// in the second of two rounds.
func newPod(age, prepared time.Duration) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.Process.StartedAt = noon.Add(-age)
		f.Token.WrittenAt = noon.Add(-age - prepared)
		f.History = &checks.History{Rounds: 1}
	}
}

func TestANewPodWithoutAWayIsGivenTime(t *testing.T) {
	const seconds = time.Second
	silent := connectFails(checks.TimedOut)
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"ten seconds old", both(silent, newPod(10*seconds, 5*seconds)), checks.TCPTimeoutStartupRace},
		{"ten seconds old, its image pulled for two minutes", both(silent, newPod(10*seconds, 2*time.Minute)), checks.TCPTimeoutStartupRace},
		{"ten seconds old, and other Services answer", both(silent, newPod(10*seconds, 5*seconds), deepened(func(d *checks.DeepFacts) {
			d.Path.Controls = []checks.Control{control(checks.ControlDNSOverTCP, "10.96.0.10:53", "")}
		})), checks.TCPTimeoutStartupRace},
		{"two minutes old", both(silent, newPod(2*time.Minute, 5*seconds)), checks.TCPTimeout},
		{"a container restarted in an old pod", both(silent, newPod(10*seconds, time.Hour)), checks.TCPTimeout},
		{"a process older than its volume, whose token was rotated", both(silent, newPod(10*seconds, -5*seconds)), checks.TCPTimeout},
		{"its first round, or the only one", both(silent, newPod(10*seconds, 5*seconds), func(f *checks.Facts) { f.History = nil }), checks.TCPTimeout},
		{"it has connected before", both(silent, newPod(30*seconds, 5*seconds), func(f *checks.Facts) { f.History.ConnectedAt = noon.Add(-20 * seconds) }), checks.TCPTimeout},
		{"a deep probe has connected", both(silent, newPod(10*seconds, 5*seconds), deepened(func(d *checks.DeepFacts) {
			d.Path.Fresh = []checks.FreshConnection{{Leaf: "a", Status: 200}, {Failure: &checks.Failure{Kind: checks.TimedOut}}}
		})), checks.TCPTimeout},
		{"refused", both(connectFails(checks.Refused), newPod(10*seconds, 5*seconds)), checks.TCPRefused},
		{"saved by a release that does not tell when the process began", both(silent, newPod(10*seconds, 5*seconds), func(f *checks.Facts) { f.Process.StartedAt = time.Time{} }), checks.TCPTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			report := Judge(facts, nil)
			got := report.Diagnosis[0]
			if got.Reason != test.want {
				t.Errorf("got %s first, want %s", got.Reason, test.want)
			}
			if report.Status != checks.Fail {
				t.Errorf("the whole is %s while nothing connects, want fail", report.Status)
			}
			if got.Reason != checks.TCPTimeoutStartupRace {
				return
			}
			if got.Severity != checks.Warn || got.Certainty != checks.Likely || len(report.Diagnosis) < 2 || report.Diagnosis[1].Severity != checks.Fail {
				t.Errorf("got %s and %s (%+v), want warn and likely, and what else it may be behind it", got.Severity, got.Certainty, report.Diagnosis)
			}
		})
	}
}
