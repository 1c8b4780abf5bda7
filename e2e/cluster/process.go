//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// host is where programs run: the namespaces of a node, or this machine where
// they are nil. It keeps the components that were started there by their names,
// which are those of their programs except for a second API server.
type host struct {
	programs   programs
	namespaces *namespaces
	// folder is the home of the programs, and logs has the components' logs.
	folder, logs string
	// failed is told of a component that ended by itself.
	failed context.CancelCauseFunc

	mutex   sync.Mutex
	byName  map[string]*process
	waiters sync.WaitGroup
}

// process is one run of a component.
type process struct {
	component, program string
	arguments          []string
	process            *os.Process
	// wanted is set before the process is ended on purpose.
	wanted atomic.Bool
	ended  chan struct{}
}

// launch starts a component by the name of its program.
func (h *host) launch(component, program string, arguments ...string) error {
	return h.launchAs(program, component, program, arguments...)
}

// launchAs starts a component. Its log is NAME.log in the folder of logs; a
// component that is started anew goes on in it.
func (h *host) launchAs(name, component, program string, arguments ...string) error {
	log := filepath.Join(h.logs, name+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	command := exec.Command(h.programs.path(component, program), arguments...)
	command.Env = h.environment()
	command.Stdout, command.Stderr = out, out
	if err := h.namespaces.start(command); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{component: component, program: program, arguments: arguments, process: command.Process, ended: make(chan struct{})}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.byName[name] = p
	h.waiters.Go(func() {
		defer close(p.ended)
		err := command.Wait()
		if !p.wanted.Load() {
			h.failed(fmt.Errorf("%s has ended: %w; its log ends\n%s", name, err, tail(log)))
		}
	})
	return nil
}

// environment is that of every program of a cluster: nothing of this machine's
// own, since a proxy or a kubeconfig of its user must not come in.
func (h *host) environment() []string {
	folders := slices.Sorted(maps.Values(h.programs))
	folders = append(folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	return []string{
		"PATH=" + strings.Join(folders, ":"),
		"HOME=" + h.folder,
	}
}

// Freeze stops a component, for example kube-apiserver, in the middle of what
// it does: its connections stay open and nothing answers.
func (h *host) Freeze(component string) error { return h.signal(component, syscall.SIGSTOP) }

// Thaw lets a frozen component go on.
func (h *host) Thaw(component string) error { return h.signal(component, syscall.SIGCONT) }

// Kill ends a component at once, as a crash would, and waits for its end. What
// it served is refused until Restart.
func (h *host) Kill(component string) error {
	p, err := h.process(component)
	if err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	p.wanted.Store(true)
	if err := p.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", component, err)
	}
	<-p.ended
	return nil
}

// Restart ends a component of the control plane if it runs, starts it anew, with
// the API server those that are lost without it, and returns when the API server is
// ready. Each flag, as in --anonymous-auth=false, is given in the place of the one
// of that name that the component was first started with, or beside them. Without
// flags the component is as it was first.
func (c *Cluster) Restart(ctx context.Context, component string, flags ...string) error {
	if err := c.relaunch(component, flags); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	if component != apiServer {
		return nil
	}
	// They would come back to it by themselves, but not for up to a minute.
	return errors.Join(c.relaunch("kube-controller-manager", nil), c.relaunch("kube-scheduler", nil))
}

// Restart is that of a cluster, for kubelet, containerd or kube-proxy of the node.
// Nothing is waited for but the end of the one that ran.
func (n *Node) Restart(component string, flags ...string) error { return n.relaunch(component, flags) }

func (h *host) relaunch(component string, flags []string) error {
	if err := h.Kill(component); err != nil {
		return err
	}
	old, err := h.process(component)
	if err != nil {
		return err
	}
	if err := h.launchAs(component, old.component, old.program, replaceFlags(old.arguments, flags)...); err != nil {
		return err
	}
	h.mutex.Lock()
	h.byName[component].arguments = old.arguments
	h.mutex.Unlock()
	return nil
}

// replaceFlags returns arguments with each flag in the place of the one of the
// same name.
func replaceFlags(arguments, flags []string) []string {
	arguments = slices.Clone(arguments)
	for _, flag := range flags {
		name, _, _ := strings.Cut(flag, "=")
		arguments = slices.DeleteFunc(arguments, func(argument string) bool { return strings.HasPrefix(argument, name+"=") })
		arguments = append(arguments, flag)
	}
	return arguments
}

func (h *host) process(component string) (*process, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	p, ok := h.byName[component]
	if !ok {
		return nil, fmt.Errorf("no component is called %q", component)
	}
	return p, nil
}

// ProcessorTime is what a component has spent since it was started last.
func (h *host) ProcessorTime(component string) (time.Duration, error) {
	p, err := h.process(component)
	if err != nil {
		return 0, fmt.Errorf("ask for the processor time: %w", err)
	}
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.process.Pid))
	if err != nil {
		return 0, fmt.Errorf("ask for the processor time of %s: %w", component, err)
	}
	// The name of the program, in brackets, may hold anything. utime and stime are
	// the 14th and 15th of all fields, in hundredths of a second, proc_pid_stat(5).
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	var spent time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("ask for the processor time of %s: %w", component, err)
		}
		spent += time.Duration(ticks) * 10 * time.Millisecond
	}
	return spent, nil
}

func (h *host) signal(component string, signal syscall.Signal) error {
	p, err := h.process(component)
	if err != nil {
		return fmt.Errorf("send %s: %w", signal, err)
	}
	if err := p.process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, component, err)
	}
	return nil
}
