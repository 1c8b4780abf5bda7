package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestATokenThatNobodyCouldRenewIsNotTheFirstCause(t *testing.T) {
	answered := func(ago time.Duration) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.History = &checks.History{Rounds: 9, AnsweredAt: noon.Add(-ago), Clock: &checks.ClockReading{Time: noon.Add(-ago)}}
		}
	}
	gone := connectFails(checks.Refused)
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   []checks.Reason
		told   bool
	}{
		{"the API server is gone since before one was due", both(gone, lasting(10*time.Minute), aged(5*time.Minute), answered(8*time.Minute)), []checks.Reason{checks.TCPRefused, checks.TokenExpired}, true},
		{"the API server answered when one was due", both(gone, lasting(10*time.Minute), aged(5*time.Minute), answered(3*time.Minute)), []checks.Reason{checks.TokenExpired, checks.TCPRefused}, false},
		{"the API server never answered", both(gone, lasting(10*time.Minute), aged(5*time.Minute), answered(0), func(f *checks.Facts) { f.History.AnsweredAt = time.Time{} }), []checks.Reason{checks.TokenExpired, checks.TCPRefused}, false},
		{"kubelet renews none that is mounted by subPath", both(gone, bySubPath, lasting(10*time.Minute), aged(5*time.Minute), answered(8*time.Minute)), []checks.Reason{checks.TokenExpired, checks.TCPRefused, checks.TokenSubPathFrozen}, false},
		{"the API server answers and rejects it", both(unauthorizedAnswer, lasting(10*time.Minute), aged(5*time.Minute), answered(0)), []checks.Reason{checks.TokenExpired}, false},
		{"the token goes on by the API server's grace", both(gone, aged(2*time.Hour), answered(100*time.Minute)), []checks.Reason{checks.TCPRefused, checks.TokenPastWarnAfter}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			var got []checks.Reason
			told := false
			for _, finding := range Judge(facts, nil).Diagnosis {
				got = append(got, finding.Reason)
				told = told || isOfRenewal(finding.Reason) && strings.Contains(strings.Join(finding.Evidence, " "), "has not answered this pod since")
			}
			if diff := cmp.Diff(test.want, got); diff != "" || told != test.told {
				t.Errorf("that nobody answered is told: %t, want %t; the causes differ (-want +got):\n%s", told, test.told, diff)
			}
		})
	}
}
