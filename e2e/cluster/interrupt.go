//go:build linux

package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// NotifyContext ends with the first signal that asks this program to end, so
// that it can Close its cluster, and where nobody reads any more what it writes, as
// after a "go test" that was killed or a terminal that was closed. By default that
// would end the program in the middle of closing.
func NotifyContext(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, unnotify := signal.NotifyContext(parent, signals...)
	ctx, cancel := context.WithCancelCause(ctx)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-broken:
				// The signal comes for a connection that was closed too.
				if isDead(os.Stdout) || isDead(os.Stderr) {
					cancel(errors.New("nobody reads what this program writes any more"))
				}
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
		signal.Stop(broken)
		unnotify()
	}
}

// isDead tells a pipe that nobody reads from.
func isDead(out *os.File) bool {
	polled := []unix.PollFd{{Fd: int32(out.Fd())}}
	_, err := unix.Poll(polled, 0)
	return err == nil && polled[0].Revents&unix.POLLERR != 0
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
