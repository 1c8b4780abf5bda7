//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Shell runs the lines of a script in a folder as if the cluster's administrator
// had pasted them: kubectl and helm are in PATH and know the cluster. Any exit code
// is an Output; the error is for a shell that could not be started, or that was
// ended with all that it started since the context was.
func (c *Cluster) Shell(ctx context.Context, folder, script string) (Output, error) {
	var out, complaint bytes.Buffer
	command := c.shell(ctx, folder, script)
	command.Stdout, command.Stderr = &out, &complaint
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := c.startShell(command)
	if err == nil {
		err = command.Wait()
	}
	output := Output{Out: out.Bytes(), Complaint: complaint.Bytes()}
	if err := output.ended(ctx, err); err != nil {
		return output, fmt.Errorf("run a shell: %w", err)
	}
	return output, nil
}

// Terminal is Shell on a terminal of 120 columns. What that showed, of both
// outputs, is Output.Out.
func (c *Cluster) Terminal(ctx context.Context, folder, script string) (Output, error) {
	near, far, err := openTerminal()
	if err != nil {
		return Output{}, fmt.Errorf("open a terminal: %w", err)
	}
	defer near.Close()
	command := c.shell(ctx, folder, script)
	command.Stdin, command.Stdout, command.Stderr = far, far, far
	// The terminal is that of a session of its own, whose first process may set it.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = c.startShell(command)
	if err := errors.Join(err, far.Close()); err != nil {
		return Output{}, fmt.Errorf("run a shell on a terminal: %w", err)
	}
	// When nobody has the far end any more, reading fails so.
	shown, err := io.ReadAll(near)
	if errors.Is(err, unix.EIO) {
		err = nil
	}
	output := Output{Out: shown}
	if err := output.ended(ctx, errors.Join(err, command.Wait())); err != nil {
		return output, fmt.Errorf("run a shell on a terminal: %w", err)
	}
	return output, nil
}

func (c *Cluster) shell(ctx context.Context, folder, script string) *exec.Cmd {
	command := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	command.Env = append(c.environment(), "TERM=xterm")
	command.Dir = folder
	command.Cancel = func() error { return unix.Kill(-command.Process.Pid, unix.SIGKILL) }
	return command
}

// startShell starts a shell in which kubectl finds the cluster without being told,
// by HOME, which is the cluster's folder.
func (c *Cluster) startShell(command *exec.Cmd) error {
	config := filepath.Join(c.folder, ".kube", "config")
	if err := os.MkdirAll(filepath.Dir(config), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(c.kubeconfig, config); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !c.Own() {
		return command.Start()
	}
	return c.namespaces.within(3, command.Start)
}

// openTerminal makes a pseudo-terminal, see pty(7): what is written to its far end
// is read from the near one.
func openTerminal() (near, far *os.File, err error) {
	near, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	descriptor := int(near.Fd())
	number, err := unix.IoctlGetUint32(descriptor, unix.TIOCGPTN)
	if err == nil {
		err = errors.Join(
			unix.IoctlSetPointerInt(descriptor, unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(descriptor, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}),
		)
	}
	if err == nil {
		far, err = os.OpenFile("/dev/pts/"+strconv.FormatUint(uint64(number), 10), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, near.Close())
	}
	return near, far, nil
}
