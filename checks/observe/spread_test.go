package observe

import (
	"net/http"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestAFleetTakesTurnsOverTheConnectionsThatItKeeps has a fleet start at once and
// make its rounds together, each second agent of which was away for two minutes.
func TestAFleetTakesTurnsOverTheConnectionsThatItKeeps(t *testing.T) {
	const agents, interval = 1000, 15 * time.Second
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	kept := make([]longLived, agents)
	for round := range 20 {
		turns := 0
		for agent := range kept {
			away := agent%2 == 0 && round >= 4 && round < 12
			if !away && kept[agent].hasTurn(start.Add(time.Duration(round)*interval), float64(agent)/agents) {
				turns++
			}
		}
		switch {
		case round == 0 && turns != 0:
			t.Errorf("%d agents have a turn in the first round", turns)
		case round > 0 && (round < 4 || round > 12):
			if want := agents * int(interval) / int(askEvery); turns < want-5 || turns > want+5 {
				t.Errorf("round %d: %d of %d agents have a turn, want %d", round, turns, agents, want)
			}
		}
	}
}

func TestAFleetDoesNotReturnAtOnceFromARetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for asked, wait := range map[float64]time.Duration{1: time.Second, 30: 30 * time.Second, 3600: maxHold} {
		const agents, parts = 2000, 4
		var returned [parts]int
		for range agents {
			r := &round{pod: checks.Pod{Now: func() time.Time { return now }}, memory: &memory{}, facts: &checks.Facts{}}
			r.obey(&checks.APIFacts{ServiceHost: &checks.Attempt{Exchanges: []checks.Exchange{{
				Response: &checks.Response{Status: http.StatusTooManyRequests, RetryAfterSeconds: asked},
			}}}})
			later := r.memory.hold.until.Sub(now) - wait
			if later < 0 || later >= wait {
				t.Fatalf("asked to wait for %gs, an agent returns after %s, want %s to twice as long", asked, wait+later, wait)
			}
			returned[later*parts/wait]++
		}
		for part, count := range returned {
			if count < agents/parts*8/10 || count > agents/parts*12/10 {
				t.Errorf("asked to wait for %gs, %d of %d agents return in part %d of %d", asked, count, agents, part, parts)
			}
		}
	}
}
