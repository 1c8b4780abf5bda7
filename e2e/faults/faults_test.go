// Package faults breaks one link after the other under the real binary, and
// looks where people and programs look.
package faults

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

const (
	interval = 5 * time.Second
	// slack is what a busy machine may take beside: less than one more interval.
	slack = 4 * time.Second
	// probing is how long a round itself may take: two probes, of which each
	// has half an interval.
	probing = interval + slack
	// retryAfter is twice what some faults ask for, as long as the agent obeys it at
	// the most.
	retryAfter = 10 * time.Second
	// atOnce bounds the agents that run at a time; they mostly sleep.
	atOnce = 12
)

// TestEachFaultShowsEverywhereWithinAnIntervalAndClears runs every fault of the
// sandbox.
func TestEachFaultShowsEverywhereWithinAnIntervalAndClears(t *testing.T) {
	binary := agent.Build(t)
	places := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for _, fault := range world.Faults() {
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(fault.Name, func(t *testing.T) {
				switch {
				case fault.Deep:
					showsInACheck(t, binary, fault)
				case fault.Environment != nil:
					showsFromTheStart(t, binary, fault)
				default:
					showsAndClears(t, binary, fault)
				}
			})
		})
	}
	running.Wait()
}

// watched is an agent and what it has logged.
type watched struct {
	agent.Process
	log *agent.Log
}

func start(t *testing.T, binary string, pretend *world.World) watched {
	t.Helper()
	log := &agent.Log{}
	command := exec.Command(binary)
	command.Stderr = log
	return watched{log: log, Process: agent.Run(t, pretend, command,
		"LIFELINE_INTERVAL="+interval.String(), "LIFELINE_TIMEOUT="+(interval/2).String())}
}

func showsAndClears(t *testing.T, binary string, fault world.Fault) {
	pretend := agent.World(t, world.Options{KubectlProxy: true})
	process := start(t, binary, pretend)
	within(t, probing, "a healthy start", process.healthy)
	if err := pretend.Inject(fault.Name); err != nil {
		t.Fatal(err)
	}
	within(t, interval+probing+fault.Delay, fault.Name, func() string { return process.shows(fault) })
	if err := pretend.Restore(fault.Name); err != nil {
		t.Fatal(err)
	}
	within(t, interval+probing+retryAfter+fault.Delay, "the end of "+fault.Name, process.healthy)
}

func showsFromTheStart(t *testing.T, binary string, fault world.Fault) {
	pretend := agent.World(t, world.Options{})
	if err := pretend.Inject(fault.Name); err != nil {
		t.Fatal(err)
	}
	process := start(t, binary, pretend)
	within(t, probing, fault.Name, func() string { return process.shows(fault) })
}

// showsInACheck looks with deep probes, three times at the most: what they tell by
// counting, a busy machine can hide from one look.
func showsInACheck(t *testing.T, binary string, fault world.Fault) {
	pretend := agent.World(t, world.Options{})
	if err := pretend.Inject(fault.Name); err != nil {
		t.Fatal(err)
	}
	var missing string
	for range 3 {
		if missing = missingIn(check(t, binary, pretend), fault); missing == "" {
			return
		}
	}
	t.Error(missing)
}

// check is the report of lifeline check.
func check(t *testing.T, binary string, pretend *world.World) checks.Report {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, "check", "-o", "json")
	for name, value := range pretend.Environment() {
		command.Env = append(command.Env, name+"="+value)
	}
	output, err := command.Output()
	if err != nil {
		t.Fatalf("lifeline check: %s\n%s", err, output)
	}
	var report checks.Report
	if err := json.Unmarshal(output, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// missingIn says what of a fault a report does not have; nothing where it has all.
func missingIn(report checks.Report, fault world.Fault) string {
	result, _ := report.Result(fault.Check)
	if result.Status != fault.Status || result.Reason != fault.Reason {
		return fmt.Sprintf("lifeline check has %s %s %s, want %s %s", fault.Check, result.Status, result.Reason, fault.Status, fault.Reason)
	}
	if len(report.Diagnosis) == 0 || report.Diagnosis[0].Reason != fault.Reason {
		return fmt.Sprintf("the diagnosis is %v, want %s first", report.Diagnosis, fault.Reason)
	}
	return ""
}

// within looks until nothing is missing.
func within(t *testing.T, limit time.Duration, what string, missing func() string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		miss := missing()
		if miss == "" {
			return
		}
		if time.Since(began) > limit {
			t.Fatalf("%s: after %s %s", what, limit, miss)
		}
	}
}

func (w watched) healthy() string {
	report := w.Report()
	if report.Status != checks.OK {
		return fmt.Sprintf("the status is %q, want ok: %v", report.Status, report.Diagnosis)
	}
	for _, way := range report.Access {
		if !way.Works {
			return fmt.Sprintf("%s does not work: %s", way.Path, way.Why)
		}
	}
	if got, want := len(report.Access), 4; got != want {
		return fmt.Sprintf("of %d ways it is told whether they work, want %d", got, want)
	}
	if healthz := string(w.Get("/healthz")); healthz != "ok" {
		return fmt.Sprintf("/healthz says %q, want ok", healthz)
	}
	return ""
}

// shows tells where the fault does not show, if anywhere.
func (w watched) shows(fault world.Fault) string {
	report := w.Report()
	result, _ := report.Result(fault.Check)
	if result.Status != fault.Status || result.Reason != fault.Reason {
		return fmt.Sprintf("/status has %s %s %s, want %s %s", fault.Check, result.Status, result.Reason, fault.Status, fault.Reason)
	}
	if cause := fault.First(); len(report.Diagnosis) == 0 || report.Diagnosis[0].Reason != cause {
		return fmt.Sprintf("the diagnosis is %v, want %s first", report.Diagnosis, cause)
	}
	line := fmt.Sprintf("[-]%s failed: %s", fault.Check, fault.Reason)
	if fault.Status == checks.Warn {
		line = fmt.Sprintf("[+]%s ok (warning: %s)", fault.Check, fault.Reason)
	}
	if healthz := string(w.Get("/healthz?verbose")); !strings.Contains(healthz, line) {
		return fmt.Sprintf("/healthz says\n%s\nwant %q in it", healthz, line)
	}
	series := fmt.Sprintf(`lifeline_check_reason{check=%q,reason=%q} 1`, fault.Check, fault.Reason)
	if !strings.Contains(string(w.Get("/metrics")), series) {
		return fmt.Sprintf("/metrics has no %s", series)
	}
	if !w.logged(fault) {
		return fmt.Sprintf("the log has no line of %s:\n%s", fault.Reason, w.log)
	}
	return ""
}

func (w watched) logged(fault world.Fault) bool {
	for line := range strings.Lines(w.log.String()) {
		var event struct {
			Check  checks.Name
			Reason checks.Reason
		}
		if json.Unmarshal([]byte(line), &event) == nil && event.Check == fault.Check && event.Reason == fault.Reason {
			return true
		}
	}
	return false
}
