//go:build linux

package buildah

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Options are what an image is built from and where it goes.
type Options struct {
	// Source is the folder that has the Dockerfile, go.mod and what is copied.
	Source string
	// Name is what the image is called in the archive, with a registry, a
	// repository and a tag; no registry is asked.
	Name string
	// Version is the build argument VERSION. Where it is empty the Dockerfile's
	// own default holds.
	Version string
	// Architecture is amd64 or arm64, and this machine's where it is empty.
	Architecture string
	// Archive is the file to write, as "docker save" and "ctr images import"
	// know it. One that is there is written anew.
	Archive string
	// Cache is the folder to keep Go's build cache in, by default
	// lifeline/cluster/buildah in the user's cache folder.
	Cache string
	// Progress is told what buildah and Go say, where it is not nil.
	Progress io.Writer
}

//go:embed build.sh
var script string

// Available is nil where images can be built on this machine, and otherwise an
// error that says what is missing.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("building an image needs root")
	}
	for _, program := range []string{"buildah", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("building an image needs %s: %w", program, err)
		}
	}
	_, err := busybox()
	return err
}

// busybox is the file of one that runs where there is no library.
func busybox() (string, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("the stand-in for the base image needs busybox-static: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	program, err := elf.NewFile(file)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		return "", errors.Join(fmt.Errorf("the stand-in for the base image needs busybox-static, but %s loads %v", path, libraries), err)
	}
	return path, nil
}

// Build builds the Dockerfile of the source into an archive. Modules that this
// machine's module cache lacks are fetched before, as by any build with Go.
// When ctx ends, so does the build.
func Build(ctx context.Context, o Options) error {
	if err := o.build(ctx); err != nil {
		return fmt.Errorf("build the image %s: %w", o.Name, errors.Join(ctx.Err(), err))
	}
	return nil
}

func (o Options) build(ctx context.Context) error {
	if err := Available(); err != nil {
		return err
	}
	o.Architecture = cmp.Or(o.Architecture, runtime.GOARCH)
	if o.Cache == "" {
		where, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find a folder to keep the build cache in: %w", err)
		}
		o.Cache = filepath.Join(where, "lifeline", "cluster", "buildah")
	}
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return fmt.Errorf("make the folder to keep the build cache in: %w", err)
	}
	environment, err := o.environment(ctx)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "sh", "-c", script)
	command.Env = environment
	return o.runApart(command)
}

// environment has the script's variables and nothing of this machine's user, a
// proxy or credentials least of all.
func (o Options) environment(ctx context.Context) ([]string, error) {
	toolchain, err := o.toolchain(ctx)
	if err != nil {
		return nil, err
	}
	base, err := o.base(toolchain.GOVERSION)
	if err != nil {
		return nil, err
	}
	shell, err := busybox()
	if err != nil {
		return nil, err
	}
	environment := []string{
		"PATH=" + os.Getenv("PATH"), "BUSYBOX=" + shell, "BASE=" + base, "GOROOT=" + toolchain.GOROOT,
		"NAME=" + o.Name, "VERSION=" + o.Version, "ARCHITECTURE=" + o.Architecture,
	}
	for variable, path := range map[string]string{
		"SOURCE": o.Source, "ARCHIVE": o.Archive, "CACHE": o.Cache, "MODULES": filepath.Join(toolchain.GOMODCACHE, "cache", "download"),
	} {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		environment = append(environment, variable+"="+absolute)
	}
	return environment, nil
}

// toolchain is what "go env" tells of the Go that builds the source.
type toolchain struct{ GOROOT, GOVERSION, GOMODCACHE string }

// toolchain finds the source's Go, and sees to it that its module cache has all
// that the source needs.
func (o Options) toolchain(ctx context.Context) (toolchain, error) {
	var found toolchain
	var told bytes.Buffer
	environment := exec.CommandContext(ctx, "go", "env", "-json", "GOROOT", "GOVERSION", "GOMODCACHE")
	environment.Stdout = &told
	for _, command := range []*exec.Cmd{environment, exec.CommandContext(ctx, "go", "mod", "download")} {
		command.Dir = o.Source
		command.Env = append(os.Environ(), "GOFLAGS=")
		if err := o.run(command); err != nil {
			return found, err
		}
	}
	if err := json.Unmarshal(told.Bytes(), &found); err != nil {
		return found, fmt.Errorf("read what go env tells: %w", err)
	}
	return found, nil
}

var golang = regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(golang:([0-9.]+)\S*)`)

// base is the full name of the image that the Dockerfile builds on, of which
// the given version of Go must be one.
func (o Options) base(version string) (string, error) {
	dockerfile, err := os.ReadFile(filepath.Join(o.Source, "Dockerfile"))
	if err != nil {
		return "", err
	}
	from := golang.FindSubmatch(dockerfile)
	if from == nil {
		return "", errors.New("the Dockerfile has no line FROM golang:VERSION")
	}
	if want := "go" + string(from[2]); version != want && !strings.HasPrefix(version, want+".") {
		return "", fmt.Errorf("this machine's %s cannot stand in for %s", version, from[1])
	}
	return "docker.io/library/" + string(from[1]), nil
}

// runApart runs a command in a mount, a network and a process namespace of its
// own. With its end, or that of this program whatever ended it, the kernel ends
// every process in them.
func (o Options) runApart(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWNS, // which, of the two ways, also keeps mounts from spreading
		Setpgid:      true,
		Pdeathsig:    syscall.SIGKILL,
	}
	ended := make(chan error)
	go func() {
		// The signal is sent at the end of the thread that started the process,
		// so that thread is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ended <- o.run(command)
	}()
	return <-ended
}

// run runs a command to its end. How what it says ends is part of the error.
func (o Options) run(command *exec.Cmd) error {
	var said bytes.Buffer
	command.Stderr = &said
	if o.Progress != nil {
		command.Stderr = io.MultiWriter(&said, o.Progress)
	}
	if command.Stdout == nil {
		command.Stdout = command.Stderr
	}
	// A process that a command leaves behind may hold its output.
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", command.Args[0], err, tail(said.String()))
	}
	return nil
}

// tail is the last lines of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
