//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// The fixed names and addresses of a cluster. The addresses mean nothing
// outside of its namespaces.
const (
	NodeName      = "node-1"
	NodeAddress   = "172.30.0.2"
	ServerAddress = "10.96.0.1"
	DNSAddress    = "10.96.0.10"

	gateway  = "172.30.0.1"
	podRange = "10.244.0.0/24"
	server   = "https://" + NodeAddress + ":6443"
)

// Options are the choices for a cluster. The zero value is a good one.
type Options struct {
	// Progress is told what is done and how long it took; nil is for silence.
	Progress io.Writer
	// Logs is a folder, made where it is missing, in which every component and
	// container leaves its log. Empty means that logs go when the cluster does.
	Logs string
}

func (o Options) progress() io.Writer {
	if o.Progress == nil {
		return io.Discard
	}
	return o.Progress
}

// Cluster is a running Kubernetes, of one node where it is Own.
type Cluster struct {
	folder, logs string
	programs     programs
	kubeconfig   string
	namespaces   *namespaces
	authority    *authority
	processes    processes
	filters      atomic.Int64
	proxy        *url.URL
	failed       context.CancelCauseFunc
	unlock       func()
}

// Start builds what is not built yet, starts a cluster, and returns when its
// node is ready and its DNS serves. The context bounds starting only; Close
// ends the cluster.
func Start(ctx context.Context, options Options) (_ *Cluster, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("start a cluster: only root can")
	}
	for _, tool := range []string{"go", "cc", "pkg-config", "ip", "mount", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("start a cluster: %w", err)
		}
	}
	progress := options.progress()
	sweep()
	c := &Cluster{processes: processes{byName: map[string]*process{}}}
	if c.programs, err = build(ctx, progress); err != nil {
		return nil, err
	}
	began := time.Now()
	// A component that ends while the cluster starts ends the start.
	ctx, c.failed = context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start a cluster: %w", err), context.Cause(ctx), c.Close())
		}
	}()
	if err := c.prepare(options.Logs); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"network", c.startNetwork},
		{"control plane", c.startControlPlane},
		{"node", c.startNode},
		{"DNS", c.startDNS},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(progress, "%6.1fs  %s\n", time.Since(began).Seconds(), step.name)
	}
	return c, nil
}

// Name is what the cluster's folder in $TMPDIR and its cgroups are called.
func (c *Cluster) Name() string { return filepath.Base(c.folder) }

// prepare makes the cluster's folder, cgroups and namespaces.
func (c *Cluster) prepare(logs string) (err error) {
	if c.folder, err = os.MkdirTemp("", folderPrefix); err != nil {
		return err
	}
	if c.unlock, err = tryLock(c.folder); err != nil {
		return err
	}
	c.logs = logs
	if logs == "" {
		c.logs = filepath.Join(c.folder, "log")
	}
	for _, folder := range []string{c.logs, filepath.Join(c.folder, "lib"), filepath.Join(c.folder, "cni")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := makeCgroups(c.Name()); err != nil {
		return err
	}
	if c.namespaces, err = newNamespaces(c.programs.path("pause", "pause")); err != nil {
		return err
	}
	return c.namespaces.within(2, c.mount)
}

// Close ends everything that the cluster started and removes what it made.
func (c *Cluster) Close() error {
	c.failed(nil)
	if c.namespaces != nil {
		c.namespaces.close()
	} else {
		for name := range c.processes.byName {
			_ = c.Kill(name)
		}
	}
	c.processes.waiters.Wait()
	if c.folder == "" {
		return nil
	}
	err := errors.Join(removeCgroups(c.Name()), os.RemoveAll(c.folder))
	if c.unlock != nil {
		c.unlock()
	}
	if err != nil {
		return fmt.Errorf("clear away a cluster: %w", err)
	}
	return nil
}

const folderPrefix = "lifeline-cluster-"

// sweep removes what clusters left whose program was killed before it could:
// those folders that nobody holds a lock on, with the cgroups of their name.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, folder := range left {
		if unlock, err := tryLock(folder); err == nil {
			_ = removeCgroups(filepath.Base(folder))
			_ = os.RemoveAll(folder)
			unlock()
		}
	}
}

// poll calls f until it succeeds, at most every tenth of a second.
func poll(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tail is the end of a log.
func tail(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
