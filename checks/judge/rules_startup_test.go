package judge

import (
	"slices"
	"strings"
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
	alone := both(silent, unresolved(broken(checks.TimedOut)))
	met := func(rounds uint64, controls ...checks.Control) func(*checks.Facts) {
		return both(deepened(func(d *checks.DeepFacts) { d.Path.Controls = controls }), func(f *checks.Facts) { f.History.Rounds = rounds })
	}
	dns := func(kind checks.FailureKind) checks.Control {
		return control(checks.ControlDNSOverTCP, "10.96.0.10:53", kind)
	}
	node := func(kind checks.FailureKind) checks.Control {
		return control(checks.ControlNode, "10.244.0.1:443", kind)
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"ten seconds old", both(alone, newPod(10*seconds, 5*seconds)), checks.TCPTimeoutStartupRace},
		{"ten seconds old, its image pulled for two minutes", both(alone, newPod(10*seconds, 2*time.Minute)), checks.TCPTimeoutStartupRace},
		{"ten seconds old, and nothing else answers", both(alone, newPod(10*seconds, 5*seconds), met(1, dns(checks.TimedOut), node(checks.TimedOut))), checks.TCPTimeoutStartupRace},
		{"ten seconds old, and its node alone answers", both(alone, newPod(10*seconds, 5*seconds), met(1, dns(checks.TimedOut), node(checks.Refused))), checks.TCPTimeoutStartupRace},
		{"ten seconds old, in the third round with nothing to compare with", both(alone, newPod(10*seconds, 5*seconds), func(f *checks.Facts) { f.History.Rounds = 2 }), checks.TCPTimeoutStartupRace},
		{"ten seconds old, in the third round to which nothing else answers", both(alone, newPod(10*seconds, 5*seconds), met(2, dns(checks.TimedOut), node(checks.TimedOut))), checks.TCPTimeoutNetworkPolicy},
		{"ten seconds old, in the third round to which its node alone answers", both(alone, newPod(10*seconds, 5*seconds), met(2, dns(checks.TimedOut), node(checks.Refused))), checks.TCPTimeoutKubeProxyNotProgrammed},
		{"ten seconds old, and other Services answer", both(silent, newPod(10*seconds, 5*seconds), met(1, dns(""))), checks.TCPTimeoutNetworkPolicy},
		{"ten seconds old, and the nameserver refuses", both(silent, unresolved(broken(checks.Refused)), newPod(10*seconds, 5*seconds)), checks.TCPTimeout},
		{"ten seconds old, and the nameserver answers", both(silent, newPod(10*seconds, 5*seconds)), checks.TCPTimeout},
		{"two minutes old", both(alone, newPod(2*time.Minute, 5*seconds)), checks.TCPTimeout},
		{"a container restarted in an old pod", both(alone, newPod(10*seconds, time.Hour)), checks.TCPTimeout},
		{"a process older than its volume, whose token was rotated", both(alone, newPod(10*seconds, -5*seconds)), checks.TCPTimeout},
		{"its first round, or the only one", both(alone, newPod(10*seconds, 5*seconds), func(f *checks.Facts) { f.History = nil }), checks.TCPTimeout},
		{"it has connected before", both(alone, newPod(30*seconds, 5*seconds), func(f *checks.Facts) { f.History.ConnectedAt = noon.Add(-20 * seconds) }), checks.TCPTimeout},
		{"a deep probe has connected", both(alone, newPod(10*seconds, 5*seconds), deepened(func(d *checks.DeepFacts) {
			d.Path.Fresh = []checks.FreshConnection{{Leaf: "a", Status: 200}, {Failure: &checks.Failure{Kind: checks.TimedOut}}}
		})), checks.TCPTimeout},
		{"refused", both(connectFails(checks.Refused), newPod(10*seconds, 5*seconds)), checks.TCPRefused},
		{"saved by a release that does not tell when the process began", both(alone, newPod(10*seconds, 5*seconds), func(f *checks.Facts) { f.Process.StartedAt = time.Time{} }), checks.TCPTimeout},
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

func TestThatAPodIsNewIsSaidBesideALikelierCause(t *testing.T) {
	answers := func(f *checks.Facts) {
		f.Deep.Path.Controls = []checks.Control{control(checks.ControlDNSOverTCP, "10.96.0.10:53", "")}
	}
	isOld := func(f *checks.Facts) { f.Process.StartedAt = noon.Add(-time.Hour) }
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   bool
	}{
		{"new", answers, true},
		{"old", both(answers, isOld), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			both(connectFails(checks.TimedOut), newPod(10*time.Second, 5*time.Second), deepened(func(*checks.DeepFacts) {}), test.change)(facts)
			diagnosis := Judge(facts, nil).Diagnosis
			got := slices.ContainsFunc(diagnosis[0].Evidence, func(told string) bool { return strings.Contains(told, "the pod is new") })
			if len(diagnosis) != 1 || diagnosis[0].Reason != checks.TCPTimeoutNetworkPolicy || diagnosis[0].Severity != checks.Fail || got != test.want {
				t.Errorf("got %+v, want %s alone, and in its evidence that the pod is new: %t", diagnosis, checks.TCPTimeoutNetworkPolicy, test.want)
			}
		})
	}
}
