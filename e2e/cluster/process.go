//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// processes are the components that run, by their names, which are those of
// their programs except for a second API server.
type processes struct {
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
func (c *Cluster) launch(component, program string, arguments ...string) error {
	return c.launchAs(program, component, program, arguments...)
}

// launchAs starts a component. Its log is NAME.log in the cluster's folder of
// logs; a component that is started anew goes on in it.
func (c *Cluster) launchAs(name, component, program string, arguments ...string) error {
	log := filepath.Join(c.logs(), name+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	command := exec.Command(c.programs.path(component, program), arguments...)
	command.Env = c.environment()
	command.Stdout, command.Stderr = out, out
	if err := c.namespaces.start(command); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{component: component, program: program, arguments: arguments, process: command.Process, ended: make(chan struct{})}
	c.processes.mutex.Lock()
	defer c.processes.mutex.Unlock()
	c.processes.byName[name] = p
	c.processes.waiters.Go(func() {
		defer close(p.ended)
		err := command.Wait()
		if !p.wanted.Load() {
			c.failed(fmt.Errorf("%s has ended: %w; its log ends\n%s", name, err, tail(log)))
		}
	})
	return nil
}

// environment is that of every program of a cluster: nothing of this machine's
// own, since a proxy or a kubeconfig of its user must not come in.
func (c *Cluster) environment() []string {
	folders := slices.Sorted(maps.Values(c.programs))
	folders = append(folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	return []string{
		"PATH=" + strings.Join(folders, ":"),
		"HOME=" + c.folder,
	}
}

// Freeze stops a component, for example kube-apiserver, in the middle of what
// it does: its connections stay open and nothing answers.
func (c *Cluster) Freeze(component string) error { return c.signal(component, syscall.SIGSTOP) }

// Thaw lets a frozen component go on.
func (c *Cluster) Thaw(component string) error { return c.signal(component, syscall.SIGCONT) }

// Kill ends a component at once, as a crash would, and waits for its end. What
// it served is refused until Restart.
func (c *Cluster) Kill(component string) error {
	p, err := c.process(component)
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

// Restart ends a component if it runs, starts it anew, with the API server those
// that are lost without it, and returns when the API server is ready. Each flag, as in --anonymous-auth=false, is given in the place
// of the one of that name that the component was first started with, or beside
// them. Without flags the component is as it was first.
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

func (c *Cluster) relaunch(component string, flags []string) error {
	if err := c.Kill(component); err != nil {
		return err
	}
	old, err := c.process(component)
	if err != nil {
		return err
	}
	if err := c.launchAs(component, old.component, old.program, replaceFlags(old.arguments, flags)...); err != nil {
		return err
	}
	c.processes.mutex.Lock()
	c.processes.byName[component].arguments = old.arguments
	c.processes.mutex.Unlock()
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

func (c *Cluster) process(component string) (*process, error) {
	c.processes.mutex.Lock()
	defer c.processes.mutex.Unlock()
	p, ok := c.processes.byName[component]
	if !ok {
		return nil, fmt.Errorf("no component is called %q", component)
	}
	return p, nil
}

func (c *Cluster) signal(component string, signal syscall.Signal) error {
	p, err := c.process(component)
	if err != nil {
		return fmt.Errorf("send %s: %w", signal, err)
	}
	if err := p.process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, component, err)
	}
	return nil
}
