//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAProgramWhoseOutputIsDeadClearsAwayStill(t *testing.T) {
	const variable = "CLEARED_FILE"
	if cleared := os.Getenv(variable); cleared != "" {
		ctx, stop := NotifyContext(context.Background())
		defer stop()
		for ctx.Err() == nil {
			fmt.Println("progress")
			time.Sleep(time.Millisecond)
		}
		fmt.Println("more of it, while it clears away")
		if err := os.WriteFile(cleared, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cleared := filepath.Join(t.TempDir(), "cleared")
	program := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	program.Env = append(os.Environ(), variable+"="+cleared)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	_ = out.Close()
	ended := program.Wait()
	if _, err := os.Stat(cleared); err != nil {
		t.Errorf("it ended with %v before it had cleared away: %v", ended, err)
	}
}

func TestAConnectionThatWasClosedEndsNoProgram(t *testing.T) {
	ctx, stop := NotifyContext(t.Context())
	defer stop()
	near, far, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := far.WriteString("to nobody"); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("writing failed with %v, want %v", err, syscall.EPIPE)
	}
	select {
	case <-ctx.Done():
		t.Errorf("it ended: %v", context.Cause(ctx))
	case <-time.After(200 * time.Millisecond):
	}
}

func TestAGoCommandThatIsEndedLeavesNothing(t *testing.T) {
	temporary, cache := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := runGo(ctx, "", []string{"GOCACHE=" + cache, "GOFLAGS="}, "build", "-a", "-o", os.DevNull, "./pause")
		ended <- err
	}()
	for ctx.Err() == nil {
		// There is a folder for each package that is being compiled.
		if begun, _ := filepath.Glob(filepath.Join(temporary, "*", "go-build*", "*")); len(begun) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v, want %v", err, context.Canceled)
	}
	if left, err := os.ReadDir(temporary); len(left) > 0 || err != nil {
		t.Errorf("left are %v (error %v)", left, err)
	}
}

func TestTheReasonWhySomethingWasEndedIsSaidOnce(t *testing.T) {
	cause := errors.New("etcd has ended; its log ends so")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := poll(ctx, func() error { return errors.New("nothing answers") })
	err = withCause(ctx, fmt.Errorf("control plane: %w", err))
	if count := strings.Count(err.Error(), cause.Error()); count != 1 || !strings.Contains(err.Error(), "nothing answers") {
		t.Errorf("error %q, want the reason in it once and not %d times", err, count)
	}
}
