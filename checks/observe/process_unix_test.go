//go:build unix

package observe

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// stoppedVariable makes the test below the process that is stopped.
const stoppedVariable = "LIFELINE_TEST_STOPPED"

func TestWaitsForAProcessorAreMeasured(t *testing.T) {
	if os.Getenv(stoppedVariable) != "" {
		waiting := waitForProcessor()
		_, _ = os.Stdout.WriteString("watching\n")
		time.Sleep(600 * time.Millisecond)
		_, _ = os.Stdout.WriteString(waiting.stop().longest.String() + "\n")
		return
	}
	stopped := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	stopped.Env = append(os.Environ(), stoppedVariable+"=yes")
	out, err := stopped.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stopped.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := stopped.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	lines.Scan()
	longest, err := time.ParseDuration(lines.Text())
	if err != nil {
		t.Fatalf("the process that was stopped says %q: %s", lines.Text(), err)
	}
	if err := stopped.Wait(); err != nil {
		t.Fatal(err)
	}
	if longest < 200*time.Millisecond {
		t.Errorf("got %s as the longest wait of a process that was stopped for 300 ms", longest)
	}
}
