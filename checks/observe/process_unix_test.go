//go:build unix

package observe

import (
	"bufio"
	"flag"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

var stopped = flag.Bool("stopped", false, "be the process that a test stops")

func TestWaitsForAProcessorAreMeasured(t *testing.T) {
	if *stopped {
		waiting := waitForProcessor()
		_, _ = os.Stdout.WriteString("watching\n")
		time.Sleep(600 * time.Millisecond)
		_, _ = os.Stdout.WriteString(waiting.stop().longest.String() + "\n")
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-stopped")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := child.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	lines.Scan()
	longest, err := time.ParseDuration(lines.Text())
	if err != nil {
		t.Fatalf("the process that was stopped says %q: %s", lines.Text(), err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if longest < 200*time.Millisecond {
		t.Errorf("got %s as the longest wait of a process that was stopped for 300 ms", longest)
	}
}
