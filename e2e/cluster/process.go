//go:build linux

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// launch starts a component. Its log is NAME.log in the cluster's folder of
// logs.
func (c *Cluster) launch(component, name string, arguments ...string) error {
	log := filepath.Join(c.logs, name+".log")
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	command := exec.Command(c.programs.path(component, name), arguments...)
	command.Env = c.environment()
	command.Stdout, command.Stderr = out, out
	if err := c.namespaces.start(command); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	c.processes[name] = command.Process
	c.waiters.Go(func() {
		err := command.Wait()
		c.failed(fmt.Errorf("%s has ended: %w; its log ends\n%s", name, err, tail(log)))
	})
	return nil
}

// environment is that of every program of a cluster: nothing of this machine's
// own, since a proxy or a kubeconfig of its user must not come in.
func (c *Cluster) environment() []string {
	var folders []string
	for _, folder := range c.programs {
		folders = append(folders, folder)
	}
	folders = append(folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	return []string{
		"PATH=" + strings.Join(folders, ":"),
		"HOME=" + c.folder,
		"KUBECONFIG=" + c.authority.path("admin.kubeconfig"),
	}
}

// Freeze stops a component, for example kube-apiserver, in the middle of what
// it does: its connections stay open and nothing answers.
func (c *Cluster) Freeze(component string) error { return c.signal(component, syscall.SIGSTOP) }

// Thaw lets a frozen component go on.
func (c *Cluster) Thaw(component string) error { return c.signal(component, syscall.SIGCONT) }

func (c *Cluster) signal(component string, signal syscall.Signal) error {
	process, ok := c.processes[component]
	if !ok {
		return fmt.Errorf("send %s to %s: no component has that name", signal, component)
	}
	if err := process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, component, err)
	}
	return nil
}
