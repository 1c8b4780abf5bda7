//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// down ends the process that keeps the cluster, and waits for its end. It also
// removes what is left where that process was killed.
func down(ctx context.Context, p place) error {
	outcome := "there is none"
	file, err := p.take()
	if errors.Is(err, errTaken) {
		outcome = "the cluster is gone"
		file, err = p.end(ctx)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	removed, err := p.sweep()
	if err := errors.Join(err, os.RemoveAll(p.folder)); err != nil {
		return err
	}
	for _, folder := range removed {
		fmt.Fprintln(p.out, "removed", folder, "that a killed program left")
	}
	fmt.Fprintln(p.out, outcome)
	return nil
}

// end asks the process that keeps the cluster to end it, takes the place after
// it and prints what it had to say of that.
func (p place) end(ctx context.Context) (*os.File, error) {
	if said, err := os.Open(p.file(log)); err == nil {
		defer said.Close()
		if _, err := said.Seek(0, io.SeekEnd); err != nil {
			return nil, err
		}
		defer func() { _, _ = io.Copy(p.out, said) }()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("it has not ended within a minute; its log is %s", p.file(log)))
	defer cancel()
	asked := 0
	for {
		// While the cluster is made, another one takes over.
		if pid := p.keeper(); pid != 0 && pid != asked {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
				return nil, fmt.Errorf("end process %d: %w", pid, err)
			}
			asked = pid
		}
		file, err := p.take()
		if !errors.Is(err, errTaken) {
			return file, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
