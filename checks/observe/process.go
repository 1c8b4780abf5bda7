package observe

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// turn is how often the process asks for a processor while it is watched. A
	// round that is well ends before the first.
	turn = 20 * time.Millisecond
	// promptTurn is how late a turn may be without counting, since other
	// processes have their turns too.
	promptTurn = 5 * time.Millisecond
	// worthAsking are waits for which the control group is asked.
	worthAsking = 50 * time.Millisecond
	// maxControlGroupFile bounds each file of a control group.
	maxControlGroupFile = 4 << 10
)

// waits are times in which the process was due to run and did not.
type waits struct{ total, longest time.Duration }

func (w *waits) add(late time.Duration) {
	if late <= promptTurn {
		return
	}
	w.total += late
	w.longest = max(w.longest, late)
}

// waiting measures waits for a processor: of its own, whatever the network does.
type waiting struct {
	done  chan struct{}
	ended chan waits
}

// waitForProcessor measures until stop is called.
func waitForProcessor() waiting {
	w := waiting{done: make(chan struct{}), ended: make(chan waits, 1)}
	due := time.Now().Add(turn)
	go func() {
		var seen waits
		timer := time.NewTimer(turn)
		defer timer.Stop()
		for {
			select {
			case <-w.done:
				seen.add(time.Since(due))
				w.ended <- seen
				return
			case <-timer.C:
				seen.add(time.Since(due))
				due = time.Now().Add(turn)
				timer.Reset(turn)
			}
		}
	}()
	return w
}

func (w waiting) stop() waits {
	close(w.done)
	return <-w.ended
}

// process tells what waits there were and, where they matter, of what quota.
func (r *round) process(waited waits) checks.ProcessFacts {
	facts := checks.ProcessFacts{
		StartedAt:          r.memory.clock.first,
		WaitedSeconds:      waited.total.Seconds(),
		LongestWaitSeconds: waited.longest.Seconds(),
	}
	if waited.total >= worthAsking {
		facts.Processor = readProcessor(r.pod.ControlGroups)
	}
	return facts
}

// readProcessor reads the CPU controller of either version of control groups, of
// which a container sees its own at the root. It returns nil where there is none.
func readProcessor(root string) *checks.ProcessorFacts {
	for _, folder := range []string{root, filepath.Join(root, "cpu"), filepath.Join(root, "cpu,cpuacct")} {
		file, stat := readFile(filepath.Join(folder, "cpu.stat"), maxControlGroupFile)
		if file.Problem != "" {
			continue
		}
		facts := parseProcessorUse(string(stat))
		if _, most := readFile(filepath.Join(folder, "cpu.max"), maxControlGroupFile); len(most) > 0 {
			quota, period, _ := strings.Cut(strings.TrimSpace(string(most)), " ")
			facts.Limit = processors(quota, period)
		} else {
			_, quota := readFile(filepath.Join(folder, "cpu.cfs_quota_us"), maxControlGroupFile)
			_, period := readFile(filepath.Join(folder, "cpu.cfs_period_us"), maxControlGroupFile)
			facts.Limit = processors(string(quota), string(period))
		}
		return &facts
	}
	return nil
}

func parseProcessorUse(stat string) (facts checks.ProcessorFacts) {
	for line := range strings.Lines(stat) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		count, err := strconv.ParseUint(text, 10, 64)
		switch {
		case err != nil:
		case name == "nr_periods":
			facts.Periods = count
		case name == "nr_throttled":
			facts.Throttled = count
		}
	}
	return facts
}

// processors is what a quota within a period comes to, 0 for one without end,
// which is "max" in version 2 and -1 in version 1.
func processors(quota, period string) float64 {
	used, err := strconv.ParseUint(strings.TrimSpace(quota), 10, 32)
	of, periodErr := strconv.ParseUint(strings.TrimSpace(period), 10, 32)
	if err != nil || periodErr != nil || of == 0 {
		return 0
	}
	return float64(used) / float64(of)
}
