package rounds_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/agent/rounds"
)

func TestRoundsComeAtEvenIntervals(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	schedule := rounds.NewSchedule(start, 15*time.Second, "web-0")
	second := schedule.Next(start)
	if wait := second.Sub(start); wait < 7500*time.Millisecond || wait >= 22500*time.Millisecond {
		t.Errorf("the second round comes %s after the first, want half to one and a half intervals", wait)
	}
	third := schedule.Next(second)
	if got := third.Sub(second); got != 15*time.Second {
		t.Errorf("the third round comes %s after the second, want 15s", got)
	}
	if got := schedule.Next(second.Add(40 * time.Second)).Sub(second); got != 45*time.Second {
		t.Errorf("after a round of 40s the next comes %s after, want 45s", got)
	}
}

func TestAFleetThatStartsAtOnceIsSpreadOverTheInterval(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const agents, slots = 10_000, 10
	var counts [slots]int
	for i := range agents {
		wait := rounds.NewSchedule(start, 10*time.Second, fmt.Sprintf("/web-%d", i)).Next(start).Sub(start) - 5*time.Second
		counts[wait/time.Second]++
	}
	for slot, count := range counts {
		if want := agents / slots; count < want*85/100 || count > want*115/100 {
			t.Errorf("second %d has %d agents, want about %d", slot, count, want)
		}
	}
}
