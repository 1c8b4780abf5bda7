// Package soak runs the agent for a long time while faults come and go, and
// wants each told in time, none left standing, and no growth.
package soak

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

var (
	duration = flag.Duration("duration", 20*time.Second, "how long to go on")
	seed     = flag.Uint64("seed", 1, "which faults come in which order")
)

const (
	interval = 5 * time.Second
	// slack is what a busy machine may take beside: less than one more interval.
	slack = 4 * time.Second
	// probing bounds a round: two time limits, of which each is half the
	// interval at the most.
	probing = interval + slack
	// held is for how long the agent stays away at the most by the Retry-After of
	// five seconds that some faults end with.
	held = 10 * time.Second
	// lifetime makes kubelet's part rotate the token every few minutes.
	lifetime = 10 * time.Minute
)

// TestFaultsThatComeAndGoAreToldAndForgotten takes -duration.
func TestFaultsThatComeAndGoAreToldAndForgotten(t *testing.T) {
	pretend := agent.World(t, world.Options{TokenLifetime: lifetime})
	process := agent.Start(t, pretend, agent.Build(t),
		"LIFELINE_INTERVAL="+interval.String(), "LIFELINE_TIMEOUT="+(interval/2).String())
	soak := soak{t: t, pretend: pretend, process: process, faults: switchable()}
	soak.wait("the start", probing, func(report checks.Report) string { return unlike(report, checks.OK) })

	random := rand.New(rand.NewPCG(*seed, *seed))
	began := time.Now()
	for next := began.Add(time.Minute); time.Since(began) < *duration; {
		soak.pass(random)
		if time.Now().After(next) {
			soak.sample(time.Since(began))
			next = next.Add(time.Minute)
		}
	}
	soak.sample(time.Since(began))
	t.Logf("%d faults told within %s and gone within %s; slowest to show %s, to clear %s",
		soak.count, interval+probing, interval+probing+held, soak.slowestShown.Round(time.Millisecond), soak.slowestCleared.Round(time.Millisecond))
	soak.wantNoGrowth()
}

// switchable are the faults that need no restart of the agent and that its rounds
// meet at once.
func switchable() []world.Fault {
	return slices.DeleteFunc(world.Faults(), func(fault world.Fault) bool {
		return fault.Environment != nil || fault.Deep || fault.Delay > 0
	})
}

type soak struct {
	t       *testing.T
	pretend *world.World
	process agent.Process
	faults  []world.Fault

	count                        int
	slowestShown, slowestCleared time.Duration
	samples                      []sample
}

type sample struct {
	resident   float64
	goroutines float64
}

// pass lets one fault come, at times with a second one behind it, and go.
func (s *soak) pass(random *rand.Rand) {
	fault := s.faults[random.IntN(len(s.faults))]
	s.inject(fault.Name)
	shown := s.wait(fault.Name, interval+probing, func(report checks.Report) string {
		result, _ := report.Result(fault.Check)
		if result.Status == fault.Status && result.Reason == fault.Reason {
			return ""
		}
		return fmt.Sprintf("%s is %s %s, want %s %s", fault.Check, result.Status, result.Reason, fault.Status, fault.Reason)
	})
	if random.IntN(4) == 0 {
		s.inject(s.faults[random.IntN(len(s.faults))].Name)
		time.Sleep(time.Duration(random.Int64N(int64(2 * interval))))
	}
	if err := s.pretend.RestoreAll(); err != nil {
		s.t.Fatal(err)
	}
	cleared := s.wait("the end of "+fault.Name, interval+probing+held, func(report checks.Report) string { return unlike(report, checks.OK) })
	s.count++
	s.slowestShown, s.slowestCleared = max(s.slowestShown, shown), max(s.slowestCleared, cleared)
}

func (s *soak) inject(name string) {
	s.t.Helper()
	if err := s.pretend.Inject(name); err != nil {
		s.t.Fatal(err)
	}
}

// wait looks until a report is as wanted, and returns how long it took.
func (s *soak) wait(what string, limit time.Duration, wrong func(checks.Report) string) time.Duration {
	s.t.Helper()
	began := time.Now()
	for {
		mistake := wrong(s.process.Report())
		if mistake == "" {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			s.t.Errorf("%s: after %s, %s", what, limit, mistake)
			return limit
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func unlike(report checks.Report, want checks.Status) string {
	if report.Status == want {
		return ""
	}
	var troubles []string
	for _, result := range report.Checks {
		if result.Status != checks.OK {
			troubles = append(troubles, fmt.Sprintf("%s %s %s", result.Name, result.Status, result.Reason))
		}
	}
	return fmt.Sprintf("the status is %q (%s), want %q", report.Status, strings.Join(troubles, ", "), want)
}

// sample scrapes the metrics as Prometheus does and notes what could grow.
func (s *soak) sample(after time.Duration) {
	now := sample{resident: s.process.Resident(), goroutines: s.metric("go_goroutines")}
	s.samples = append(s.samples, now)
	s.t.Logf("after %s: %d faults, %.1f MB resident, %.0f goroutines, %.0f open files",
		after.Round(time.Second), s.count, now.resident/1e6, now.goroutines, s.metric("process_open_fds"))
}

func (s *soak) metric(name string) (value float64) {
	for line := range strings.Lines(string(s.process.Get("/metrics"))) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			_, _ = fmt.Sscan(rest, &value)
		}
	}
	return value
}

// wantNoGrowth compares the last quarter of the samples with the second; the
// first is for warming up.
func (s *soak) wantNoGrowth() {
	quarter := len(s.samples) / 4
	if quarter < 2 {
		return
	}
	early, late := peak(s.samples[quarter:2*quarter]), peak(s.samples[len(s.samples)-quarter:])
	if late.resident > early.resident*1.1 {
		s.t.Errorf("resident memory grew from %.1f MB to %.1f MB", early.resident/1e6, late.resident/1e6)
	}
	if late.goroutines > early.goroutines+5 {
		s.t.Errorf("goroutines grew from %.0f to %.0f", early.goroutines, late.goroutines)
	}
}

func peak(samples []sample) (most sample) {
	for _, one := range samples {
		most.resident, most.goroutines = max(most.resident, one.resident), max(most.goroutines, one.goroutines)
	}
	return most
}
