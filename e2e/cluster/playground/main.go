//go:build linux

// Command playground keeps a Kubernetes cluster with Lifeline in it, to look at.
//
//	playground up      starts it in the background and says how to look
//	playground down    ends it and removes all that is left of it
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "playground:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	p := place{folder: filepath.Join(cache, "lifeline", "playground")}
	switch strings.Join(arguments, " ") {
	case "up":
		return up(ctx, p)
	case "down":
		return down(ctx, p)
	case "hold":
		return hold(ctx, p)
	default:
		return errors.New("usage: playground up | down")
	}
}

// place is the folder of the one playground that a user can have.
type place struct{ folder string }

func (p place) file(name string) string { return filepath.Join(p.folder, name) }

// The files of a place. The process that keeps the cluster holds a lock on
// holder, which has its process ID; ready is there once all is.
const (
	holder     = "holder"
	ready      = "ready"
	log        = "log"
	kubeconfig = "kubeconfig"
)

// up starts a process that keeps the cluster, and prints what it says until it
// is ready.
func up(ctx context.Context, p place) error {
	if pid, err := p.holder(); err != nil || pid != 0 {
		if err == nil {
			err = fmt.Errorf("it is up already, kept by process %d; see %s", pid, p.file(ready))
		}
		return err
	}
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return err
	}
	if err := os.Remove(p.file(ready)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.Create(p.file(log))
	if err != nil {
		return err
	}
	defer out.Close()
	// Not bound to this program's context: it stays when this one has ended.
	keeper := exec.Command("/proc/self/exe", "hold")
	keeper.Stdout, keeper.Stderr = out, out
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("start the process that keeps the cluster: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- keeper.Wait() }()
	return p.follow(ctx, keeper.Process, ended)
}

// follow copies the log until the cluster is ready, or its keeper has ended.
func (p place) follow(ctx context.Context, keeper *os.Process, ended <-chan error) error {
	said, err := os.Open(p.file(log))
	if err != nil {
		return err
	}
	defer said.Close()
	for {
		if _, err := io.Copy(os.Stdout, said); err != nil {
			return err
		}
		if words, err := os.ReadFile(p.file(ready)); err == nil {
			fmt.Printf("\n%s", words)
			return nil
		}
		select {
		case err := <-ended:
			_, _ = io.Copy(os.Stdout, said)
			return fmt.Errorf("the cluster did not come up: %w", err)
		case <-ctx.Done():
			_ = keeper.Signal(syscall.SIGTERM)
			return errors.Join(context.Cause(ctx), <-ended)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// down ends the process that keeps the cluster, and waits for its end.
func down(ctx context.Context, p place) error {
	pid, err := p.holder()
	if err != nil {
		return err
	}
	if pid == 0 {
		fmt.Println("there is none")
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("process %d has not ended within a minute; its log is %s", pid, p.file(log)))
	defer cancel()
	for {
		if left, err := p.holder(); err != nil || left == 0 {
			fmt.Println("the cluster is gone")
			return errors.Join(err, os.RemoveAll(p.folder))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// holder is the process that keeps the cluster, 0 where there is none. A process
// ID that a crash left behind is not taken for one, since nobody holds its lock.
func (p place) holder() (pid int, err error) {
	file, err := os.Open(p.file(holder))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return 0, fmt.Errorf("look whether %s is locked: %w", file.Name(), err)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}

// hold takes the place and returns what leaves it.
func (p place) hold() (leave func(), err error) {
	file, err := os.OpenFile(p.file(holder), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("there is one already: %w", err)
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(file, os.Getpid())
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
