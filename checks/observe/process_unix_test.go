//go:build unix

package observe

import (
	"bufio"
	"errors"
	"flag"
	"io"
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
		_, _ = io.Copy(io.Discard, os.Stdin)
		_, _ = os.Stdout.WriteString(waiting.stop().longest.String() + "\n")
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-stopped")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for status := syscall.WaitStatus(0); !status.Stopped(); {
		if _, err := syscall.Wait4(child.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	if err := errors.Join(child.Process.Signal(syscall.SIGCONT), in.Close()); err != nil {
		t.Fatal(err)
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
