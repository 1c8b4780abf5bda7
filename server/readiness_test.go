package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// reportOf has the statuses of dns, tls and api; tls waits for dns and api for
// tls where they are skipped.
func reportOf(dns, tls, api checks.Status) *checks.Report {
	return &checks.Report{Status: checks.OK, Checks: []checks.Result{
		{Name: checks.DNS, Status: dns, Reason: "r", Message: "m"},
		{Name: checks.TLS, Status: tls, Reason: "r", Message: "m", WaitsFor: checks.DNS},
		{Name: checks.API, Status: api, Reason: "r", Message: "m", WaitsFor: checks.TLS},
	}}
}

func TestReadinessChangesOnlyAfterSeveralRounds(t *testing.T) {
	gate := []checks.Name{checks.API}
	for name, test := range map[string]struct {
		policy ReadyPolicy
		// rounds are g for good, b for bad, s for one of a starved agent and f for one without files; ready has +
		// or - after each, and before the first.
		rounds, ready string
	}{
		"the first round decides at once, well":   {ReadyPolicy{Checks: gate}, "g", "-+"},
		"the first round decides at once, badly":  {ReadyPolicy{Checks: gate}, "b", "--"},
		"two bad rounds change nothing":           {ReadyPolicy{Checks: gate}, "gbbgbb", "-++++++"},
		"the third bad round in a row does":       {ReadyPolicy{Checks: gate}, "gbbb", "-+++-"},
		"one good round changes nothing":          {ReadyPolicy{Checks: gate}, "bgbgb", "------"},
		"the second good round in a row does":     {ReadyPolicy{Checks: gate}, "gbbbbgg", "-+++---+"},
		"a starved round is neither good nor bad": {ReadyPolicy{Checks: gate}, "gbsbsbsgsg", "-+++++----+"},
		"a starved round decides nothing":         {ReadyPolicy{Checks: gate}, "ssg", "---+"},
		"a round without files tells nothing":     {ReadyPolicy{Checks: gate}, "fgbbbffg", "--+++----"},
		"thresholds can be set":                   {ReadyPolicy{Checks: gate, Failures: 1, Successes: 3}, "gbggg", "-+---+"},
		"with no gate the first round is enough":  {ReadyPolicy{}, "bbbb", "-++++"},
		"a gate that is left out is no hindrance": {ReadyPolicy{Checks: []checks.Name{checks.Token}}, "bbbb", "-++++"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Ready: test.policy})
			answer := func() string {
				if get(t, s, "/readyz").Code == 200 {
					return "+"
				}
				return "-"
			}
			got := answer()
			for _, round := range test.rounds {
				report := reportOf(checks.OK, checks.OK, checks.OK)
				switch round {
				case 'b':
					report.Checks[2].Status = checks.Fail
				case 's':
					report.Checks[2].Status, report.Checks[2].Reason = checks.Warn, checks.AgentStarved
				case 'f':
					report.Checks[2].Status, report.Checks[2].Reason = checks.Warn, checks.AgentOutOfFiles
				}
				s.Publish(report)
				got += answer()
			}
			if got != test.ready {
				t.Errorf("rounds %s: got %s, want %s", test.rounds, got, test.ready)
			}
		})
	}
}

func TestAGateIsBlockedByWhatItWaitsFor(t *testing.T) {
	circle := reportOf(checks.Skip, checks.Skip, checks.Skip)
	circle.Checks[0].WaitsFor = checks.API
	for name, test := range map[string]struct {
		report *checks.Report
		want   bool
	}{
		"it fails":                             {reportOf(checks.OK, checks.OK, checks.Fail), true},
		"it warns":                             {reportOf(checks.OK, checks.OK, checks.Warn), false},
		"it waits for one that fails":          {reportOf(checks.OK, checks.Fail, checks.Skip), true},
		"it waits for one that waits":          {reportOf(checks.Fail, checks.Skip, checks.Skip), true},
		"another fails":                        {reportOf(checks.Fail, checks.OK, checks.OK), false},
		"it waits for one that does not fail":  {reportOf(checks.OK, checks.Warn, checks.Skip), false},
		"it is skipped and none of them fails": {circle, false},
	} {
		if got := ground(test.report, checks.API).Status == checks.Fail; got != test.want {
			t.Errorf("%s: got %t, want %t", name, got, test.want)
		}
	}
}

func TestReadyzExplainsItself(t *testing.T) {
	s := New(Options{Ready: ReadyPolicy{Checks: []checks.Name{checks.DNS, checks.API, checks.Token}}})
	expect := func(target string, status int, body string) {
		t.Helper()
		got := get(t, s, target)
		if diff := cmp.Diff(body, got.Body.String()); diff != "" || got.Code != status {
			t.Errorf("%s: got %d, want %d; body (-want +got):\n%s", target, got.Code, status, diff)
		}
	}
	expect("/readyz", 503, "[-]rounds failed: no round has ended yet\nreadyz check failed\n")
	s.Publish(reportOf(checks.OK, checks.OK, checks.OK))
	expect("/readyz", 200, "ok")
	bad := reportOf(checks.OK, checks.OK, checks.Fail)
	s.Publish(bad)
	expect("/readyz", 200, "ok")
	expect("/readyz?verbose", 200, "[+]dns ok\n[-]api failed: r: m\n[ ]token left out\n[+]rounds ok: 1 bad in a row, unready at 3\nreadyz check passed\n")
	s.Publish(bad)
	s.Publish(bad)
	expect("/readyz", 503, "[+]dns ok\n[-]api failed: r: m\n[ ]token left out\n[-]rounds failed: 0 good in a row, ready at 2\nreadyz check failed\n")
	s.Publish(reportOf(checks.OK, checks.OK, checks.OK))
	expect("/readyz?verbose", 503, "[+]dns ok\n[+]api ok\n[ ]token left out\n[-]rounds failed: 1 good in a row, ready at 2\nreadyz check failed\n")
}
