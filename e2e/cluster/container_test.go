//go:build linux

package cluster

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheContainerThatRunsIsFoundAmongThoseThatHaveEnded(t *testing.T) {
	const tasks = `TASK    PID    STATUS
old     12     STOPPED
other   13     RUNNING
new     14     RUNNING
`
	if pid, err := running([]string{"old", "new"}, tasks); pid != 14 || err != nil {
		t.Errorf("the process is %d (error %v), want 14", pid, err)
	}
	if pid, err := running([]string{"old"}, tasks); err == nil {
		t.Errorf("the process is %d though no container of that name runs", pid)
	}
}

func TestAProgramRunsAsInTheContainer(t *testing.T) {
	c := pretendContainer(t, `
		mkdir -p `+ServiceAccountFolder+`
		echo first > `+ServiceAccountFolder+`/token
		echo 'nameserver 192.0.2.1' > /run/resolv.conf
		echo '192.0.2.2 a-name' > /run/hosts
		mount --bind /run/resolv.conf /etc/resolv.conf
		mount --bind /run/hosts /etc/hosts`)
	before := mounts(t, c)

	t.Run("with its files, environment and network", func(t *testing.T) {
		output, err := c.Run(t.Context(), "sh", "-c", `
			cat `+ServiceAccountFolder+`/token /etc/resolv.conf /etc/hosts
			getent hosts a-name
			echo "$OF_THE_CONTAINER"
			readlink /proc/self/ns/net`)
		if err != nil {
			t.Fatal(err)
		}
		var network string
		if err := c.namespaces.within(2, func() (err error) {
			network, err = os.Readlink(c.process("ns/net"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := "first\nnameserver 192.0.2.1\n192.0.2.2 a-name\n192.0.2.2       a-name\nits value\n" + network + "\n"
		if diff := cmp.Diff(want, string(output.Out)); diff != "" {
			t.Errorf("what the program sees (-want +got):\n%s\n%s", diff, output.Complaint)
		}
	})

	t.Run("which sees a token that is rotated meanwhile", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		rotated := make(chan error, 1)
		go func() {
			rotated <- c.namespaces.within(2, func() error {
				// Through /proc/PID/root, the link /var/run would lead to the machine's.
				folder := c.process("root", strings.TrimPrefix(ServiceAccountFolder, "/var"))
				// The program has read the first token when this is there.
				for ctx.Err() == nil {
					if _, err := os.Stat(filepath.Join(folder, "seen")); err == nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if err := os.WriteFile(filepath.Join(folder, "next"), []byte("second\n"), 0o600); err != nil {
					return err
				}
				return os.Rename(filepath.Join(folder, "next"), filepath.Join(folder, "token"))
			})
		}()
		output, err := c.Run(ctx, "sh", "-c", `cd `+ServiceAccountFolder+`; cat token > first; mv first seen; until grep second token; do sleep 0.01; done; cat seen`)
		if got := string(output.Out); err != nil || got != "second\nfirst\n" {
			t.Errorf("the token is %q (error %v), want the second after the first; %s", got, err, output.Complaint)
		}
		if err := <-rotated; err != nil {
			t.Error(err)
		}
	})

	t.Run("to the exit code that it chooses", func(t *testing.T) {
		output, err := c.Run(t.Context(), "sh", "-c", "echo out; echo complaint >&2; exit 7")
		if diff := cmp.Diff(Output{Out: []byte("out\n"), Complaint: []byte("complaint\n"), Code: 7}, output); diff != "" || err != nil {
			t.Errorf("error %v, output (-want +got):\n%s", err, diff)
		}
	})

	t.Run("no longer than the context, with all that it started", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		began := time.Now()
		// Run would wait for the second process too, which has the same output.
		_, err := c.Run(ctx, "sh", "-c", "sleep 60 & sleep 60")
		if took := time.Since(began); took > 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended after %s with error %v, want %v after 200ms", took, err, context.DeadlineExceeded)
		}
	})

	if diff := cmp.Diff(before, mounts(t, c)); diff != "" {
		t.Errorf("the mounts of the machine and the cluster have changed (-before +after):\n%s", diff)
	}
}

func TestAContainerWithoutServiceAccountFilesShowsNoFolder(t *testing.T) {
	c := pretendContainer(t, "")
	output, err := c.Run(t.Context(), "test", "-e", filepath.Dir(ServiceAccountFolder))
	if err != nil || output.Code != 1 {
		t.Errorf("the folder is there: exit %d, error %v", output.Code, err)
	}
}

func TestTheContainersNameserverIsAskedWhereThisMachinesFileIsALink(t *testing.T) {
	c := pretendContainer(t, "; echo 'nameserver 192.0.2.1' > /run/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf")
	// As systemd-resolved has it.
	if err := c.namespaces.script(t.Context(), `
		mount -t tmpfs tmpfs /etc
		ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
		touch /etc/hosts /etc/nsswitch.conf`); err != nil {
		t.Fatal(err)
	}
	output, err := c.Run(t.Context(), "cat", "/etc/resolv.conf")
	if got, want := string(output.Out), "nameserver 192.0.2.1\n"; err != nil || got != want {
		t.Errorf("resolv.conf is %q (error %v), want %q", got, err, want)
	}
}

func TestAContainerThatHasEndedIsAnError(t *testing.T) {
	c := pretendContainer(t, "")
	c.pid = 1 << 30
	if _, err := c.Run(t.Context(), "true"); err == nil || !strings.Contains(err.Error(), "the container has ended") {
		t.Errorf("error %v, want one that says that the container has ended", err)
	}
}

// pretendContainer is a process with mounts and a network of its own, which the
// script prepares, in namespaces that are like a cluster's.
func pretendContainer(t *testing.T, script string) *Container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: namespaces need root")
	}
	folder := t.TempDir()
	if err := compile(t.Context(), ".", filepath.Join(folder, "pause"), "./pause"); err != nil {
		t.Fatal(err)
	}
	node := &Node{host: host{folder: folder, logs: filepath.Join(folder, "log")}}
	for _, name := range []string{"lib", "log"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if node.namespaces, err = newNamespaces(filepath.Join(folder, "pause")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.end)
	if err := node.namespaces.within(2, node.mount); err != nil {
		t.Fatal(err)
	}
	if err := node.namespaces.script(t.Context(), "mount -t proc proc /proc"); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("unshare", "--net", "--mount", "sh", "-e", "-c", "mount -t tmpfs tmpfs /run"+script+"\necho $$; exec sleep 300")
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "OF_THE_CONTAINER=its value"}
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.namespaces.start(command); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c := &Container{Namespace: "a", Pod: "b", Name: "c", namespaces: node.namespaces}
	if c.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return c
}

// mounts are those of this machine and those of the cluster.
func mounts(t *testing.T, c *Container) []string {
	t.Helper()
	machine, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := c.namespaces.run(exec.CommandContext(t.Context(), "sh", "-c", "cat /proc/1/mountinfo; find /run"))
	if err != nil {
		t.Fatal(err)
	}
	return append(strings.Split(string(machine), "\n"), strings.Split(string(cluster), "\n")...)
}
