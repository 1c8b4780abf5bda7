//go:build linux

package buildah

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const name = "lifeline.test/lifeline:e2e"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case inPod:
			os.Exit(exitCode(tellOfPod(os.Args[2:])))
		case untilKilled:
			os.Exit(exitCode(Build(context.Background(), Options{Source: os.Args[2], Name: name, Archive: os.Args[3], Progress: os.Stdout})))
		}
	}
	os.Exit(m.Run())
}

func exitCode(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// available skips the test where no image can be built.
func available(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: no image is built with -short")
	}
	if err := Available(); err != nil {
		t.Skipf("skipped: %v", err)
	}
}

// leavesNothing fails the test if it leaves a mount on this machine, or a file
// in the folder for temporary ones.
func leavesNothing(t *testing.T) {
	t.Helper()
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	before := mounts(t)
	t.Cleanup(func() {
		if diff := cmp.Diff(before, mounts(t)); diff != "" {
			t.Errorf("the mounts of this machine have changed (-before +after):\n%s", diff)
		}
		left, err := os.ReadDir(temporary)
		if err != nil || len(left) > 0 {
			t.Errorf("%v is left in the folder for temporary files: %v", left, err)
		}
	})
}

func mounts(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// project is a folder with a Dockerfile of its own, which begins with the
// stand-in for the base.
func project(t *testing.T, dockerfile string) string {
	t.Helper()
	folder := t.TempDir()
	version, _, _ := strings.Cut(strings.TrimPrefix(runtime.Version(), "go"), " ")
	for file, content := range map[string]string{
		"Dockerfile": "FROM golang:" + version + "\n" + dockerfile,
		"go.mod":     "module example.test/project\n\ngo 1.26.0\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestABuildHasNoNetworkAndCannotChangeTheMachinesGo(t *testing.T) {
	available(t)
	source, archive := project(t, `
RUN ! touch /usr/local/go && ! touch /proxy
RUN grep -o '^ *[^ ]*:' /proc/net/dev > /interfaces
FROM scratch
COPY --from=0 /interfaces /interfaces
`), filepath.Join(t.TempDir(), "archive.tar")
	leavesNothing(t)
	if err := Build(t.Context(), Options{Source: source, Name: name, Archive: archive}); err != nil {
		t.Fatal(err)
	}
	image, err := Inspect(archive)
	if err != nil {
		t.Fatal(err)
	}
	if len(image.Files) != 1 {
		t.Fatalf("the image holds %d files, want one", len(image.Files))
	}
	if got, want := strings.Fields(string(image.Files[0].Content)), []string{"lo:"}; !cmp.Equal(got, want) {
		t.Errorf("the build saw the interfaces %v, want %v", got, want)
	}
}

func TestABuildThatFailsSaysWhy(t *testing.T) {
	available(t)
	source, archive := project(t, "RUN echo there is no way && false\n"), filepath.Join(t.TempDir(), "archive.tar")
	leavesNothing(t)
	err := Build(t.Context(), Options{Source: source, Name: name, Archive: archive})
	if err == nil || !strings.Contains(err.Error(), "\nthere is no way\n") {
		t.Errorf("the build ends with %v, want what the failed command said", err)
	}
	if _, err := os.Stat(archive); !os.IsNotExist(err) {
		t.Errorf("looking for the archive gives %v, want that there is none", err)
	}
}

// untilKilled has TestMain build the image of a source into an archive.
const untilKilled = "until-killed"

func TestABuildThatIsCutShortLeavesNothing(t *testing.T) {
	available(t)
	// So long sleeps nobody else.
	const command = "sleep 7654321"
	source, archive := project(t, "RUN echo half-way && "+command+"\n"), filepath.Join(t.TempDir(), "archive.tar")
	cutShort := map[string]func(halfway chan struct{}) error{
		"by its context": func(halfway chan struct{}) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { <-halfway; cancel() }()
			err := Build(ctx, Options{Source: source, Name: name, Archive: archive, Progress: &signal{halfway: halfway}})
			if !errors.Is(err, context.Canceled) {
				return fmt.Errorf("the build ended with %w, want that it was cancelled", err)
			}
			return nil
		},
		"by kill -9": func(halfway chan struct{}) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { <-halfway; cancel() }()
			builder := exec.CommandContext(ctx, os.Args[0], untilKilled, source, archive)
			builder.Stdout = &signal{halfway: halfway}
			// What is left of it may still hold its output.
			builder.WaitDelay = time.Second
			if err := builder.Run(); ctx.Err() == nil {
				return fmt.Errorf("the builder ended by itself: %w", err)
			}
			return nil
		},
	}
	for name, cut := range cutShort {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			if err := cut(make(chan struct{})); err != nil {
				t.Fatal(err)
			}
			// The kernel takes its time with ending what nobody waits for.
			for deadline := time.Now().Add(10 * time.Second); running(t, command); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%q still runs", command)
				}
			}
		})
	}
}

// signal closes a channel once the build is half-way.
type signal struct {
	said    bytes.Buffer
	halfway chan struct{}
	done    bool
}

func (s *signal) Write(p []byte) (int, error) {
	s.said.Write(p)
	if !s.done && strings.Contains(s.said.String(), "\nhalf-way\n") {
		s.done = true
		close(s.halfway)
	}
	return len(p), nil
}

// running tells whether some process of this machine is the command.
func running(t *testing.T, command string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("list the processes: %d, %v", len(files), err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file) // which fails for one that has ended since
		if strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " ") == command {
			return true
		}
	}
	return false
}

func TestOnlyTheGoThatTheDockerfileAsksForStandsIn(t *testing.T) {
	for _, test := range []struct{ dockerfile, version, want, problem string }{
		{"FROM --platform=$BUILDPLATFORM golang:1.26 AS build", "go1.26.8", "docker.io/library/golang:1.26", ""},
		{"FROM golang:1.26.8-bookworm AS build", "go1.26.8", "docker.io/library/golang:1.26.8-bookworm", ""},
		{"FROM golang:1.2 AS build", "go1.26.8", "", "go1.26.8 cannot stand in for golang:1.2"},
		{"FROM golang:1.26.9", "go1.26.8", "", "go1.26.8 cannot stand in for golang:1.26.9"},
		{"FROM busybox", "go1.26.8", "", "no line FROM golang:VERSION"},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte("# A comment.\n"+test.dockerfile+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Options{Source: folder}.base(test.version)
		if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s with %s: got %q, %v; want %q, %q", test.dockerfile, test.version, got, err, test.want, test.problem)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		if err := Available(); err == nil || !strings.Contains(err.Error(), "root") {
			t.Errorf("without root it says %v, want that it needs root", err)
		}
		return
	}
	// Programs that load libraries: a busybox of this kind does not start in
	// an image that has none.
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("skipped: there is no program that loads libraries")
	}
	path := t.TempDir()
	t.Setenv("PATH", path)
	for _, program := range []string{"buildah", "go", "busybox"} {
		if err := Available(); err == nil || !strings.Contains(err.Error(), "needs "+program) {
			t.Errorf("without %s it says %v, want that it needs %[1]s", program, err)
		}
		if err := os.Symlink(shell, filepath.Join(path, program)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Available(); err == nil || !strings.Contains(err.Error(), "needs busybox-static") {
		t.Errorf("with a busybox that loads libraries it says %v, want that it needs busybox-static", err)
	}
}
