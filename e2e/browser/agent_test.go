package browser_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// pod starts an agent as it ships, in a pod with a few faults.
func (s suite) pod(t *testing.T, faults ...string) agent.Process {
	t.Helper()
	pretend := agent.World(t, world.Options{KubectlProxy: true})
	inject(t, pretend, faults...)
	process := agent.Start(t, pretend, s.binary)
	hasReport(t, process)
	return process
}

func inject(t *testing.T, pretend *world.World, faults ...string) {
	t.Helper()
	for _, fault := range faults {
		if err := pretend.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
}

func restore(t *testing.T, pretend *world.World, fault string) {
	t.Helper()
	if err := pretend.Restore(fault); err != nil {
		t.Fatal(err)
	}
}

// hasReport returns when a round has been judged, in which the agent had the
// processor that it needs: browsers that start leave it little.
func hasReport(t *testing.T, process agent.Process) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		report := process.Report()
		starved := slices.ContainsFunc(report.Diagnosis, func(f checks.Finding) bool { return f.Reason == checks.AgentStarved })
		if report.Round > 0 && !starved {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("within %s no report but %v", patience, report.Diagnosis)
		}
	}
}
