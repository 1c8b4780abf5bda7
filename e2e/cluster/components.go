//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
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
		{
			// Of its many ways to find what it looks at, the one of a cluster.
			name: "prometheus", version: "v0.316.0", packages: []string{"github.com/prometheus/prometheus/cmd/prometheus"},
			flags: []string{"-tags=remove_all_sd,enable_kubernetes_sd"},
		},
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
	environment := []string{"GOBIN=" + partial, "CGO_ENABLED=0", "GOFLAGS="}
	if c.cgo {
		environment = append(environment, "CGO_ENABLED=1")
	}
	from := cache
	if c.module != "" {
		from = filepath.Join(source, "components", c.module)
	}
	if _, err := runGo(ctx, from, environment, c.arguments(partial)...); err != nil {
		return "", fmt.Errorf("build %s %s: %w", c.name, c.version, err)
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

// programsCache is the folder that programs are kept in.
func programsCache() (string, error) {
	where, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder to keep the programs in: %w", err)
	}
	cache := filepath.Join(where, "lifeline", "cluster")
	if strings.Contains(cache, ":") {
		return "", fmt.Errorf("keep the programs in %s: it cannot be in PATH, since it has a colon; set XDG_CACHE_HOME to another folder", cache)
	}
	return cache, nil
}

// build builds the named components, or else all of them, and the first process
// of namespaces and pods.
func build(ctx context.Context, progress io.Writer, names ...string) (programs, error) {
	cache, err := programsCache()
	if err != nil {
		return nil, err
	}
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
	out, err := runGo(ctx, "", nil, "list", "-m", "-f", "{{.Dir}}", "github.com/kube-lifeline/lifeline/e2e/cluster")
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
	if _, err := runGo(ctx, module, []string{"CGO_ENABLED=0"}, "build", "-trimpath", "-ldflags=-s -w", "-o", output, pkg); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}
	return nil
}

// path is the file of a component's program.
func (p programs) path(component, program string) string {
	return filepath.Join(p[component], program)
}
