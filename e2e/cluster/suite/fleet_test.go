//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

const (
	// settling is until all agents of a crowd have started, and measuring for how long
	// they are watched then.
	settling  = ordinary + 5*time.Second
	measuring = 2 * ordinary
)

// expense is what the API server spends while a crowd asks it.
type expense struct {
	who      string
	agents   int
	spent    time.Duration
	interval time.Duration
}

// fleet tells what an agent costs the API server: in one pod there are as many as
// -fleet, by the defaults and with real connections, of which the machine has to
// hold both ends.
func fleet(ctx context.Context, t *testing.T, s suite) {
	if *fleetSize == 0 {
		t.Skip("skipped: what a fleet costs the API server is measured with -fleet, as in -fleet 1000")
	}
	s.needsOwn(t, "see what the API server spends")
	crowd := s.buildCrowd(ctx, t)
	const namespace = "fleet"
	s.makeNamespace(ctx, t, namespace)
	s.startPod(ctx, t, s.lifelinePod(namespace, "crowd"))

	none := s.measure(ctx, t, crowd, "nobody else", 0)
	half := s.measure(ctx, t, crowd, "agents", *fleetSize/2)
	all := s.measure(ctx, t, crowd, "agents", *fleetSize)
	kept := s.measure(ctx, t, crowd, "clients that ask over a kept connection", *fleetSize, "-kept")

	var out strings.Builder
	lines := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(lines, "how many\tcores of the API server\tms of each an interval\t  who")
	for _, c := range []expense{none, half, all, kept} {
		fmt.Fprintf(lines, "%d\t%.3f\t%.2f\t  %s\n", c.agents, c.cores(), c.beyond(none), c.who)
	}
	_ = lines.Flush()
	// While a crowd is young, each agent makes the connection that it keeps in one of
	// 50 seconds, and asks over it as often: 1.3 handshakes and requests an interval.
	const turns = float64(ordinary) / float64(50*time.Second)
	request := kept.beyond(none)
	handshake := all.beyond(none)/(1+turns) - request
	t.Logf("\n%s\na request: %.2f ms; a new connection for it: %.2f ms; an agent that has been there for a minute: %.2f ms an interval of %s",
		out.String(), request, handshake, handshake+(1+turns)*request, ordinary)
	if request <= 0 || handshake <= 0 {
		t.Error("nothing is to be seen of what the crowd costs, so what was measured is something else")
	}
}

func (c expense) cores() float64 { return c.spent.Seconds() / c.interval.Seconds() }

// beyond are the milliseconds that one of the crowd costs an interval.
func (c expense) beyond(none expense) float64 {
	if c.agents == 0 {
		return 0
	}
	return (c.cores() - none.cores()) * float64(ordinary.Milliseconds()) / float64(c.agents)
}

func (s suite) buildCrowd(ctx context.Context, t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crowd")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, "./e2e/fleet/crowd")
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the crowd: %s: %s", err, out)
	}
	return file
}

// measure runs a crowd in the pod and measures what the API server spends.
func (s suite) measure(ctx context.Context, t *testing.T, crowd, who string, agents int, flags ...string) expense {
	t.Helper()
	running, stop := context.WithCancel(ctx)
	ended := make(chan string, 1)
	if agents > 0 {
		container, err := s.Container(ctx, "fleet", "crowd", "lifeline")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			out, err := container.Run(running, crowd, append(flags, fmt.Sprintf("-agents=%d", agents))...)
			ended <- fmt.Sprintf("%s %v", out.Complaint, err)
		}()
	} else {
		ended <- ""
	}
	pause(ctx, t, settling)
	before, err := s.ProcessorTime("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	pause(ctx, t, measuring)
	after, err := s.ProcessorTime("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	measured := expense{who: who, agents: agents, spent: after - before, interval: time.Since(began)}
	early := running.Err() == nil && len(ended) > 0 && agents > 0
	stop()
	if complaint := <-ended; early || strings.Count(complaint, "\n") > agents/100 {
		t.Errorf("%d %s were not well, so what was measured is something else: %s", agents, who, complaint[:min(len(complaint), 2000)])
	}
	return measured
}
