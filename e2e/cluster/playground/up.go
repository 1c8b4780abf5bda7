//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// up starts a process that keeps the cluster, and prints what it says until it
// is ready. Where that fails or is interrupted nothing stays.
//
// The place is taken first, so that "down" finds someone to ask from then on. A
// "go run" that is killed does not tell what it runs, which then goes on.
func up(ctx context.Context, p place) error {
	file, err := p.take()
	if errors.Is(err, errTaken) {
		words, err := os.ReadFile(p.file(ready))
		if err != nil {
			return fmt.Errorf("it is being started or ended by process %d; its log is %s", p.keeper(), p.file(log))
		}
		return fmt.Errorf("it is up already, kept by process %d\n\n%s", p.keeper(), words)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := p.start(ctx, file); err != nil {
		// For a keeper that was killed before it could.
		_, unswept := p.sweep()
		return errors.Join(err, unswept, os.RemoveAll(p.folder))
	}
	return nil
}

// start starts the keeper, to which it hands the lock on the place, and waits
// until it is ready.
func (p place) start(ctx context.Context, lock *os.File) error {
	if err := setKeeper(lock, os.Getpid()); err != nil {
		return err
	}
	if _, err := p.sweep(); err != nil {
		fmt.Fprintln(p.out, err)
	}
	where, err := filepath.Abs(os.TempDir())
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.file(temporary), []byte(where), 0o600); err != nil {
		return err
	}
	if err := os.Remove(p.file(ready)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(p.file(log), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	said, err := os.Open(p.file(log))
	if err != nil {
		return err
	}
	defer said.Close()
	// Not bound to this program's context: it stays when this one has ended.
	keeper := exec.Command("/proc/self/exe", "hold")
	keeper.Stdout, keeper.Stderr = out, out
	keeper.ExtraFiles = []*os.File{lock}
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("start the process that keeps the cluster: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = keeper.Wait()
	}()
	err = setKeeper(lock, keeper.Process.Pid)
	if err == nil {
		err = p.follow(ctx, said, ended)
	}
	if err == nil {
		return nil
	}
	_ = keeper.Process.Signal(syscall.SIGTERM)
	<-ended
	_, _ = io.Copy(p.out, said)
	return fmt.Errorf("the cluster did not come up: %w", err)
}

// follow copies the log until the cluster is ready, or its keeper has ended.
func (p place) follow(ctx context.Context, said io.Reader, ended <-chan struct{}) error {
	for {
		if _, err := io.Copy(p.out, said); err != nil {
			return err
		}
		if words, err := os.ReadFile(p.file(ready)); err == nil {
			_, err := fmt.Fprintf(p.out, "\n%s", words)
			return err
		}
		select {
		case <-ended:
			return errors.New("the process that was to keep it has ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
