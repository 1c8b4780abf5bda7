//go:build linux

package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// ofSomebody is a cluster that is not Own, so that its shells need no namespaces.
func ofSomebody(t *testing.T) *Cluster {
	t.Helper()
	folder := t.TempDir()
	kubeconfig := filepath.Join(folder, "a:kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte("of the cluster\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Cluster{host: host{folder: folder}, kubeconfig: kubeconfig}
}

func TestAShellRunsWhatIsPastedInItsFolderAndKnowsTheCluster(t *testing.T) {
	c, folder := ofSomebody(t), t.TempDir()
	for range 2 {
		got, err := c.Shell(t.Context(), folder, "cat ~/.kube/config\npwd\n[ -t 1 ] || echo no terminal >&2\nexit 3")
		if err != nil {
			t.Fatal(err)
		}
		want := Output{Out: []byte("of the cluster\n" + folder + "\n"), Complaint: []byte("no terminal\n"), Code: 3}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the shell's output (-want +got):\n%s", diff)
		}
	}
}

func TestATerminalShowsBothOutputsAndHasASize(t *testing.T) {
	got, err := ofSomebody(t).Terminal(t.Context(), t.TempDir(), "stty size\nstty raw\necho complaint >&2\n[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && exit 3")
	if err != nil {
		t.Fatal(err)
	}
	want := Output{Out: []byte("40 120\r\ncomplaint\n"), Code: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the terminal's output (-want +got):\n%s", diff)
	}
}

func TestAShellEndsWithItsContextAndAllThatItStarted(t *testing.T) {
	c := ofSomebody(t)
	for name, run := range map[string]func(context.Context, string, string) (Output, error){"shell": c.Shell, "terminal": c.Terminal} {
		t.Run(name, func(t *testing.T) {
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			folder := t.TempDir()
			waits := filepath.Join(folder, "waits")
			if err := unix.Mkfifo(waits, 0o600); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := run(ctx, folder, "(echo started > waits; sleep 1000) &\nsleep 1000")
				ended <- err
			}()
			// The shell's output stays open for as long as one of its processes lives.
			if said, err := os.ReadFile(waits); err != nil || string(said) != "started\n" {
				t.Fatalf("the shell says %q, error %v", said, err)
			}
			cancel(why)
			if err := <-ended; !errors.Is(err, why) {
				t.Errorf("it ended with the error %v, want %v", err, why)
			}
		})
	}
}
