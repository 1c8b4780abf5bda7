//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const kubernetesVersion = "v1.37.2"

// component is a part of a cluster that is built from source.
type component struct {
	name, version string
	// module is a folder with a go.mod that pins the component. Where it is
	// empty, the packages are built as "go install" does, at the version.
	module   string
	packages []string
	// cgo says that the component needs a C compiler.
	cgo   bool
	flags []string
	// setVersion names the variables that tell the program its version.
	setVersion string
}

func components() []component {
	const (
		containerd = "github.com/containerd/containerd/v2"
		plugins    = "github.com/containernetworking/plugins/plugins"
	)
	return []component{
		{name: "etcd", version: "v3.6.8", module: "etcd", packages: []string{"go.etcd.io/etcd/server/v3"}},
		{name: "runc", version: "v1.5.2", packages: []string{"github.com/opencontainers/runc"}, cgo: true, flags: []string{"-tags=seccomp"}},
		{name: "cni", version: "v1.9.1", packages: []string{plugins + "/main/ptp", plugins + "/main/loopback", plugins + "/ipam/host-local"}},
		{
			name: "containerd", version: "v2.4.2", setVersion: "-X " + containerd + "/version.Version=v2.4.2",
			packages: []string{containerd + "/cmd/containerd", containerd + "/cmd/containerd-shim-runc-v2", containerd + "/cmd/ctr"},
		},
		{name: "coredns", version: "v1.15.0", packages: []string{"github.com/coredns/coredns"}},
		{name: "helm", version: "v4.3.1", packages: []string{"helm.sh/helm/v4/cmd/helm"}},
		{
			name: "kubernetes", version: kubernetesVersion, module: "kubernetes", packages: []string{"tool"},
			setVersion: "-X k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
		},
	}
}

// arguments are those of the go command that builds the component.
func (c component) arguments(into string) []string {
	flags := append([]string{"-trimpath", "-ldflags=" + strings.TrimSpace("-s -w "+c.setVersion)}, c.flags...)
	if c.module != "" {
		return append(append([]string{"build", "-o", into + "/"}, flags...), c.packages...)
	}
	arguments := append([]string{"install"}, flags...)
	for _, pkg := range c.packages {
		arguments = append(arguments, pkg+"@"+c.version)
	}
	return arguments
}

// build leaves the component's programs in a folder below cache, which it
// returns. Programs that are there already are not built again.
func (c component) build(ctx context.Context, source, cache string, progress io.Writer) (string, error) {
	folder := filepath.Join(cache, c.name+"-"+c.version)
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return folder, err
	}
	// A build that is interrupted leaves no folder that looks whole.
	partial := folder + ".partial"
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", fmt.Errorf("make the folder to build %s in: %w", c.name, err)
	}
	fmt.Fprintf(progress, "build %s %s …\n", c.name, c.version)
	began := time.Now()
	command := exec.CommandContext(ctx, "go", c.arguments(partial)...)
	command.Env = append(os.Environ(), "GOBIN="+partial, "CGO_ENABLED=0", "GOFLAGS=")
	if c.cgo {
		command.Env = append(command.Env, "CGO_ENABLED=1")
	}
	command.Dir = cache
	if c.module != "" {
		command.Dir = filepath.Join(source, "components", c.module)
	}
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s %s: %w: %s", c.name, c.version, err, out)
	}
	if c.name == "etcd" {
		// Its package's folder is called server.
		if err := os.Rename(filepath.Join(partial, "server"), filepath.Join(partial, "etcd")); err != nil {
			return "", fmt.Errorf("name etcd: %w", err)
		}
	}
	fmt.Fprintf(progress, "built %s %s in %s\n", c.name, c.version, time.Since(began).Round(time.Second))
	return folder, os.Rename(partial, folder)
}

// programs are the folders in which the programs of a cluster are, by the name
// of their component.
type programs map[string]string

// build builds the named components, or else all of them, and the first process
// of namespaces and pods.
func build(ctx context.Context, progress io.Writer, names ...string) (programs, error) {
	where, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a folder to keep the programs in: %w", err)
	}
	cache := filepath.Join(where, "lifeline", "cluster")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder to keep the programs in: %w", err)
	}
	unlock, err := lock(ctx, cache)
	if err != nil {
		return nil, fmt.Errorf("wait for another build: %w", err)
	}
	defer unlock()

	module, err := source(ctx)
	if err != nil {
		return nil, err
	}
	built := programs{"pause": filepath.Join(cache, "pause")}
	for _, component := range components() {
		if len(names) > 0 && !slices.Contains(names, component.name) {
			continue
		}
		if built[component.name], err = component.build(ctx, module, cache, progress); err != nil {
			return nil, err
		}
	}
	return built, compile(ctx, module, filepath.Join(built["pause"], "pause"), "./pause")
}

// source is the folder of this module.
func source(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kube-lifeline/lifeline/e2e/cluster").Output()
	if err != nil {
		return "", fmt.Errorf("find the source of this module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Root is the folder of the repository that this module is in.
func Root(ctx context.Context) (string, error) {
	module, err := source(ctx)
	return filepath.Join(module, "..", ".."), err
}

// compile builds one static program out of a module's folder.
func compile(ctx context.Context, module, output, pkg string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", output, pkg)
	command.Dir = module
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return nil
}

// path is the file of a component's program.
func (p programs) path(component, program string) string {
	return filepath.Join(p[component], program)
}

// lock waits until it can lock a folder against other processes, and returns
// what unlocks it.
func lock(ctx context.Context, folder string) (unlock func(), err error) {
	for {
		unlock, err := tryLock(folder)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryLock locks a folder, or fails with EWOULDBLOCK where another process has
// locked it. The kernel unlocks it at the end of this process, whatever ends it.
func tryLock(folder string) (unlock func(), err error) {
	file, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	return func() { _ = file.Close() }, nil
}
