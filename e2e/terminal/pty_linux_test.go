package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// pseudoterminal is a terminal with nobody but the test at it, see pty(7).
type pseudoterminal struct {
	*screen
	t       *testing.T
	control *os.File
	// side is the one that a program has as its terminal.
	side    *os.File
	reading sync.WaitGroup
}

func open(t *testing.T, columns, rows int) *pseudoterminal {
	t.Helper()
	control := device(t, "/dev/ptmx")
	var number int
	ioctl(t, control, func(descriptor int) (err error) {
		if err = unix.IoctlSetPointerInt(descriptor, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(descriptor, unix.TIOCGPTN)
		return err
	})
	p := &pseudoterminal{screen: newScreen(columns, rows), t: t, control: control, side: device(t, fmt.Sprintf("/dev/pts/%d", number))}
	p.setSize(columns, rows)
	p.reading.Go(func() {
		// It ends with EIO when the last program has closed its side.
		if _, err := io.Copy(p.screen, control); err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		p.side.Close()
		control.Close()
		p.reading.Wait()
	})
	return p
}

// device opens a terminal that does not become this process' own and whose reads
// end when it is closed.
func device(t *testing.T, path string) *os.File {
	t.Helper()
	descriptor, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("there is no pseudo-terminal: %s: %s", path, err)
	}
	return os.NewFile(uintptr(descriptor), path)
}

func ioctl(t *testing.T, file *os.File, call func(descriptor int) error) {
	t.Helper()
	connection, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := errors.Join(connection.Control(func(descriptor uintptr) { failed = call(int(descriptor)) }), failed); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
}

func (p *pseudoterminal) setSize(columns, rows int) {
	p.t.Helper()
	p.resize(columns, rows)
	p.tellSize(columns, rows)
}

// tellSize sets the size that a program is told.
func (p *pseudoterminal) tellSize(columns, rows int) {
	p.t.Helper()
	ioctl(p.t, p.control, func(descriptor int) error {
		return unix.IoctlSetWinsize(descriptor, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)})
	})
}

// press sends what a key sends.
func (p *pseudoterminal) press(key string) {
	p.t.Helper()
	if _, err := io.WriteString(p.control, key); err != nil {
		p.t.Fatal(err)
	}
}

// running is a program that runs in a pretend pod and has the terminal as its own.
type running struct {
	t       *testing.T
	command *exec.Cmd
	ended   chan struct{}
}

// start runs the command with the environment of the pod and the further
// variables given. What the command has of standard streams it keeps, the
// terminal is the rest.
func (p *pseudoterminal) start(pretend *world.World, command *exec.Cmd, environment ...string) *running {
	p.t.Helper()
	for name, value := range pretend.Environment() {
		command.Env = append(command.Env, name+"="+value)
	}
	command.Env = append(command.Env, environment...)
	command.Stdin = p.side
	if command.Stdout == nil {
		command.Stdout = p.side
	}
	if command.Stderr == nil {
		command.Stderr = p.side
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	r := &running{t: p.t, command: command, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		_ = command.Wait()
	}()
	p.t.Cleanup(func() {
		_ = command.Process.Kill()
		<-r.ended
	})
	return r
}

// code waits for the end of the program and for what it wrote last.
func (p *pseudoterminal) code(r *running) int {
	p.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		p.t.Fatalf("the program does not end:\n%s", p)
	}
	// A mark of the test's own comes behind all that the program wrote.
	const mark = "\x1b[39m"
	if _, err := io.WriteString(p.side, mark); err != nil {
		p.t.Fatal(err)
	}
	p.until("what was written last", func() bool { return strings.HasSuffix(p.written(), mark) })
	return r.command.ProcessState.ExitCode()
}

// patience is more than anything takes here.
const patience = 20 * time.Second

func (p *pseudoterminal) until(what string, holds func() bool) {
	p.t.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			p.t.Fatalf("%s did not come:\n%s", what, p)
		}
	}
}
