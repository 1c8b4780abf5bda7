//go:build linux

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Attach is a cluster that runs already, of which a kubeconfig is at hand. It
// can be used, but not be broken: it is not Own.
func Attach(ctx context.Context, kubeconfig string, options Options) (_ *Cluster, err error) {
	c := &Cluster{host: host{byName: map[string]*process{}, failed: func(error) {}}}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	if c.kubeconfig, err = filepath.Abs(kubeconfig); err != nil {
		return nil, err
	}
	if c.programs, err = build(ctx, options.progress(), "helm", "kubernetes"); err != nil {
		return nil, err
	}
	if err := c.takeFolder(); err != nil {
		return nil, err
	}
	if err := c.forward(); err != nil {
		return nil, fmt.Errorf("attach to the cluster of %s: %w", kubeconfig, err)
	}
	return c, nil
}

// Own tells that the cluster is this program's, which may break it.
func (c *Cluster) Own() bool { return c.namespaces != nil }

// forward starts the proxy through which pods of somebody's cluster are asked.
func (c *Cluster) forward() error {
	command := exec.Command(c.programs.path("kubernetes", "kubectl"), "--kubeconfig="+c.kubeconfig, "proxy", "--port=0")
	command.Env = c.environment()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	p := &process{process: command.Process, ended: make(chan struct{})}
	line, err := bufio.NewReader(out).ReadString('\n')
	c.byName["kubectl proxy"] = p
	c.waiters.Go(func() {
		defer close(p.ended)
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait()
	})
	if err != nil {
		return fmt.Errorf("start kubectl proxy: %w", err)
	}
	_, address, ok := strings.Cut(strings.TrimSpace(line), "127.0.0.1:")
	if !ok {
		return fmt.Errorf("start kubectl proxy: it says %q, not where it serves", line)
	}
	c.proxy = &url.URL{Scheme: "http", Host: "127.0.0.1:" + address}
	return nil
}

// origin is where a port of a pod is to be asked for.
func (c *Cluster) origin(pod Pod, port int) string {
	if c.Own() {
		return "http://" + net.JoinHostPort(pod.Address, strconv.Itoa(port))
	}
	return c.proxy.JoinPath("api", "v1", "namespaces", pod.Namespace, "pods", pod.Name+":"+strconv.Itoa(port), "proxy").String()
}
