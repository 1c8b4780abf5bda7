//go:build linux

package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
)

// NotifyContext ends with the first signal that asks this program to end, so
// that it can Close its cluster. Among them is SIGPIPE, which by default would
// end the program in the middle of that: it comes with the first line written to
// a "go test" that was killed or a terminal that was closed.
func NotifyContext(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(parent, signals...)
}

// runGo runs the go command in a folder and returns what it writes to its
// standard output. When the context ends it is killed with all that it started.
// Its temporary files do not outlive it, as they otherwise would where "go build"
// is killed or merely interrupted.
func runGo(ctx context.Context, folder string, environment []string, arguments ...string) (out []byte, err error) {
	temporary, unlock, err := takeFolder()
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(temporary))
		unlock()
	}()
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = folder
	command.Env = slices.Concat(os.Environ(), []string{"TMPDIR=" + temporary, "GOTMPDIR=" + temporary}, environment)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	if out, err = runHere(command); err != nil {
		err = withCause(ctx, err)
	}
	return out, err
}
