//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaces are a network, a mount and a process namespace that live as long
// as one process in them. With the end of that process, or of this program
// whatever ended it, the kernel ends every process in them, and their mounts
// and interfaces go with them.
type namespaces struct {
	holder *os.Process
	ended  chan struct{}
	files  []*os.File
}

// newNamespaces starts init as the first process of new namespaces.
func newNamespaces(init string) (*namespaces, error) {
	command := exec.Command(init)
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Setpgid:    true,
		Pdeathsig:  syscall.SIGKILL,
	}
	n := &namespaces{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(n.ended)
		// The signal is sent at the end of the thread that started the process,
		// so that thread is kept.
		runtime.LockOSThread()
		err := command.Start()
		n.holder = command.Process
		started <- err
		if err == nil {
			_ = command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the first process of the namespaces: %w", err)
	}
	for _, kind := range []string{"net", "mnt", "pid"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", n.holder.Pid, kind))
		if err != nil {
			n.close()
			return nil, fmt.Errorf("open the %s namespace: %w", kind, err)
		}
		n.files = append(n.files, file)
	}
	return n, nil
}

// close ends every process in the namespaces and waits until the last is gone.
func (n *namespaces) close() {
	_ = n.holder.Kill()
	<-n.ended
	for _, file := range n.files {
		_ = file.Close()
	}
}

// within calls f on a thread that is in the first of the namespaces: the
// network for 1, the mounts too for 2, and for 3 the processes that f starts
// belong to the process namespace. The thread is not used again.
func (n *namespaces) within(first int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		// A thread that shares its working directory may not change its mounts.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			done <- fmt.Errorf("unshare the thread's working directory: %w", err)
			return
		}
		for _, file := range n.files[:first] {
			if err := unix.Setns(int(file.Fd()), 0); err != nil {
				done <- fmt.Errorf("enter %s: %w", file.Name(), err)
				return
			}
		}
		done <- f()
	}()
	return <-done
}

// start starts the command in the namespaces and a process group of its own.
func (n *namespaces) start(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Dir = "/"
	return n.within(3, command.Start)
}

// run runs a command in the namespaces to its end and returns what it wrote to
// its standard output. What it wrote to the other one is part of the error.
func (n *namespaces) run(command *exec.Cmd) ([]byte, error) { return run(command, n.start) }

// runHere is run without namespaces.
func runHere(command *exec.Cmd) ([]byte, error) { return run(command, (*exec.Cmd).Start) }

func run(command *exec.Cmd, start func(*exec.Cmd) error) ([]byte, error) {
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	err := start(command)
	if err == nil {
		err = command.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), err
}

// cable lays a cable between the networks of two namespaces, with a device of the
// given name at either end.
func (n *namespaces) cable(ctx context.Context, near string, other *namespaces, far string) error {
	command := exec.CommandContext(ctx, "ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", strconv.Itoa(other.holder.Pid))
	command.Dir = "/"
	// In the process namespace of the one, the other's process has no number.
	_, err := run(command, func(command *exec.Cmd) error { return n.within(1, command.Start) })
	return err
}

// script runs lines of words as commands, one after the other.
func (n *namespaces) script(ctx context.Context, lines string) error {
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if _, err := n.run(exec.CommandContext(ctx, words[0], words[1:]...)); err != nil {
			return err
		}
	}
	return nil
}

// dial connects to an address within the network namespace. It must be given
// by number, since a name would be looked up on other threads.
func (n *namespaces) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		return nil, errors.New("dial " + address + ": not an IP address")
	}
	var connection net.Conn
	err = n.within(1, func() (err error) {
		connection, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return connection, err
}
