// Package agent runs the real binary in a pretend pod, as a process of its own,
// for tests and benchmarks that look at it from outside.
package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

const module = "github.com/kube-lifeline/lifeline"

// Build makes the binary as it ships and returns its path. It works from any
// folder of the module, and of those that replace the module by its folder.
func Build(t testing.TB) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("finding the folder of %s: %s", module, err)
	}
	binary := filepath.Join(t.TempDir(), "lifeline")
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w", "-o", binary, "./agent")
	command.Dir = strings.TrimSpace(string(root))
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building the agent: %s\n%s", err, output)
	}
	return binary
}

// World starts a pretend pod that is closed when the test ends.
func World(t testing.TB, options world.Options) *world.World {
	t.Helper()
	options.Dir = t.TempDir()
	pretend, err := world.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pretend.Close(); err != nil {
			t.Error(err)
		}
	})
	return pretend
}

// Process is a program that runs in a pretend pod.
type Process struct {
	t   testing.TB
	PID int
	// URL is where the agent serves.
	URL string
	// Stop ends the process before the test does, and waits for it.
	Stop func()
}

// Start runs the agent, with further variables of the form NAME=value, until
// the test ends.
func Start(t testing.TB, pretend *world.World, binary string, environment ...string) Process {
	t.Helper()
	return Run(t, pretend, exec.Command(binary), environment...)
}

// Run runs any program in the environment of the pretend pod.
func Run(t testing.TB, pretend *world.World, command *exec.Cmd, environment ...string) Process {
	t.Helper()
	return RunAt(t, FreeAddress(t), pretend, command, environment...)
}

// RunAt is Run with the address to listen on, for a program that takes the place
// of one that was stopped.
func RunAt(t testing.TB, listen string, pretend *world.World, command *exec.Cmd, environment ...string) Process {
	t.Helper()
	for name, value := range pretend.Environment() {
		command.Env = append(command.Env, name+"="+value)
	}
	command.Env = append(command.Env, environment...)
	command.Env = append(command.Env, "LIFELINE_LISTEN="+listen)
	if command.Stderr == nil {
		command.Stderr = t.Output()
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil && command.ProcessState.Exited() {
			t.Errorf("%s ended with %s", command.Path, err)
		}
	})
	t.Cleanup(stop)
	return Process{t: t, PID: command.Process.Pid, URL: "http://" + listen, Stop: stop}
}

// FreeAddress is one to listen on, and the test's own until it ends.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, claim, err := world.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = claim.Close() })
	return address
}

// Get returns a body, and nothing while the process does not serve yet.
func (p Process) Get(path string) []byte {
	response, err := http.Get(p.URL + path)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil
	}
	return body
}

// Report is the latest report; its round is 0 while there is none.
func (p Process) Report() (report checks.Report) {
	_ = json.Unmarshal(p.Get("/status"), &report)
	return report
}

// OnCPU is the processor time of all threads so far, in nanoseconds where
// times(2) counts hundredths of a second. It skips the test on systems other
// than Linux.
func (p Process) OnCPU() time.Duration {
	p.t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.PID))
	if err != nil || len(tasks) == 0 {
		p.t.Skip("processor time is read from Linux' /proc")
	}
	var sum time.Duration
	for _, task := range tasks {
		var running int64
		if content, err := os.ReadFile(task); err == nil {
			_, _ = fmt.Sscan(string(content), &running)
		}
		sum += time.Duration(running)
	}
	return sum
}

// Resident is the memory of the process that is in RAM, in bytes. It skips the
// test on systems other than Linux.
func (p Process) Resident() float64 {
	p.t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
	if err != nil {
		p.t.Skip("resident memory is read from Linux' /proc")
	}
	var size, pages int
	if _, err := fmt.Sscan(string(content), &size, &pages); err != nil {
		p.t.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}
