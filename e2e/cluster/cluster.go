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
	"strings"
	"sync"
	"time"
)

// The fixed addresses of a cluster, which mean nothing outside of its namespaces.
const (
	// NodeAddress is that of the first node, and so of the API server. A second API
	// server is at SecondAddress of the same node.
	NodeAddress   = "172.30.0.2"
	SecondAddress = "172.30.0.3"
	ServerAddress = "10.96.0.1"
	DNSAddress    = "10.96.0.10"
	// PodRange has the addresses of all pods.
	PodRange = "10.244.0.0/16"

	gateway = "172.30.0.1"
	server  = "https://" + NodeAddress + ":6443"
)

// Options are the choices for a cluster. The zero value is a good one.
type Options struct {
	// Progress is told what is done and how long it took, and where the logs are
	// of a cluster that did not come up. Nil is for silence, and no such logs.
	Progress io.Writer
}

func (o Options) progress() io.Writer {
	if o.Progress == nil {
		return io.Discard
	}
	return o.Progress
}

// Cluster is a running Kubernetes. Where it is Own, its control plane runs on its
// first node.
type Cluster struct {
	host
	kubeconfig string
	authority  *authority
	proxy      *url.URL
	tellLogs   io.Writer
	unlock     func()

	listing sync.Mutex
	nodes   []*Node
}

// startLimit is ten times what starting takes on two busy cores.
const startLimit = 2 * time.Minute

// Start builds what is not built yet, starts a cluster, and returns when its
// node is ready and its DNS serves, or with an error two minutes after the build
// at the latest. The context bounds starting only; Close ends the cluster.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	if err := startable(ctx); err != nil {
		return nil, fmt.Errorf("start a cluster: %w", err)
	}
	progress := options.progress()
	if _, err := Sweep(os.TempDir()); err != nil {
		fmt.Fprintln(progress, err)
	}
	programs, err := build(ctx, progress)
	if err != nil {
		return nil, err
	}
	// A component that ends while the cluster starts ends the start.
	starting, failed := context.WithCancelCause(ctx)
	c := &Cluster{host: host{programs: programs, failed: failed, byName: map[string]*process{}}}
	starting, cancel := context.WithTimeoutCause(starting, startLimit, fmt.Errorf("it was not up within %s", startLimit))
	defer cancel()
	if err := c.start(starting, progress); err != nil {
		// One that was interrupted has nothing to tell.
		if ctx.Err() == nil && options.Progress != nil {
			c.KeepLogs(options.Progress)
		}
		return nil, errors.Join(fmt.Errorf("start a cluster: %w", withCause(starting, err)), c.Close())
	}
	return c, nil
}

// startable tells why this machine cannot have a cluster.
func startable(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("only root can")
	}
	for _, tool := range []string{"go", "cc", "pkg-config", "ip", "mount", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	cache, err := programsCache()
	if err != nil {
		return err
	}
	if err := errors.Join(
		refuseCovered(os.TempDir(), "its folder would be", "set TMPDIR to another one"),
		refuseCovered(cache, "its programs would be", "set XDG_CACHE_HOME to another folder"),
	); err != nil {
		return err
	}
	root, err := Root(ctx)
	if err != nil {
		return err
	}
	return refuseCovered(root, "this repository is", "move it to another folder")
}

// withCause is the error of something that the context ended, with the reason
// for that where it does not say it already.
func withCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return errors.Join(err, cause)
}

// start starts all parts of the cluster, one after the other.
func (c *Cluster) start(ctx context.Context, progress io.Writer) error {
	began := time.Now()
	if err := c.takeFolder(); err != nil {
		return err
	}
	first := c.newNode(1, c.failed)
	c.nodes = []*Node{first}
	if err := first.prepare(); err != nil {
		return err
	}
	c.namespaces = first.namespaces
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"network", first.startNetwork},
		{"control plane", c.startControlPlane},
		{"node", first.startComponents},
		{"DNS", c.startDNS},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(progress, "%6.1fs  %s\n", time.Since(began).Seconds(), step.name)
	}
	return nil
}

// Close ends everything that the cluster started and removes what it made. It is
// to be called once.
func (c *Cluster) Close() error {
	c.failed(nil)
	for _, node := range c.Nodes() {
		node.end()
	}
	if !c.Own() {
		for name := range c.byName {
			_ = c.Kill(name)
		}
	}
	c.waiters.Wait()
	if c.folder == "" {
		return nil
	}
	err := errors.Join(removeCgroups(c.Name()), c.moveLogs(), os.RemoveAll(c.folder))
	c.unlock()
	if err != nil {
		return fmt.Errorf("clear away a cluster: %w", err)
	}
	return nil
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
			return withCause(ctx, err)
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
