//go:build linux

package cluster

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFolderIsSweptOnceNobodyHoldsIt(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	folder, unlock, err := takeFolder()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(temporary, "of-another-program"), 0o700); err != nil {
		t.Fatal(err)
	}
	if removed, err := Sweep(temporary); len(removed) > 0 || err != nil {
		t.Errorf("removed %v (error %v) though it is in use", removed, err)
	}
	unlock()
	removed, err := Sweep(temporary)
	if diff := cmp.Diff([]string{folder}, removed); diff != "" || err != nil {
		t.Errorf("error %v, removed (-want +got):\n%s", err, diff)
	}
	entries, err := os.ReadDir(temporary)
	if err != nil || len(entries) != 1 || entries[0].Name() != "of-another-program" {
		t.Errorf("left are %v (error %v), want what is another program's", entries, err)
	}
}

func TestAFolderIsNotSweptBetweenItsMakingAndItsLocking(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ended := make(chan struct{})
	var sweeping sync.WaitGroup
	for range 2 {
		sweeping.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if _, err := Sweep(os.TempDir()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 500 {
		folder, unlock, err := takeFolder()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(folder); err != nil {
			t.Fatalf("swept while it was in use: %v", err)
		}
		unlock()
	}
	close(ended)
	sweeping.Wait()
}

func TestTheFolderIsAbsoluteWhereTMPDIRIsNot(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", ".")
	folder, unlock, err := takeFolder()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if !filepath.IsAbs(folder) {
		t.Errorf("the folder is %s", folder)
	}
}

func TestFoldersThatTheClusterCoversAreRefusedByName(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/var/lib", link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ folder, want string }{
		{"/run", "it covers /run "},
		{"/run/user/0", "it covers /run "},
		{"/var/lib/continuous-integration", "it covers /var/lib "},
		{"/var/log/../log", "it covers /var/log "},
		{link, "it covers /var/lib "},
		{"/runs", ""},
		{"/var/library", ""},
		{filepath.Dir(link), ""},
	} {
		t.Run(test.folder, func(t *testing.T) {
			err := refuseCovered(test.folder, "its folder would be", "set TMPDIR to another one")
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "TMPDIR") {
				t.Errorf("error %v, want one that has %q and the remedy", err, test.want)
			}
		})
	}
}

func TestACacheThatCannotBeInPATHIsRefused(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/tmp/a:b")
	if _, err := programsCache(); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
		t.Errorf("error %v, want one that names XDG_CACHE_HOME", err)
	}
}

// closed is what nobody reads any more.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestLogsStayWhereSomebodyCanBeToldOfThem(t *testing.T) {
	// cluster has a log of one line in its folder and nothing else.
	cluster := func(t *testing.T) *Cluster {
		t.Setenv("TMPDIR", t.TempDir())
		c := &Cluster{host: host{failed: func(error) {}}}
		if err := c.takeFolder(); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(c.logs, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.logs, "etcd.log"), []byte("a line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return c
	}
	wantNothing := func(t *testing.T) {
		t.Helper()
		if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
			t.Errorf("left are %v (error %v)", left, err)
		}
	}

	t.Run("not by default", func(t *testing.T) {
		if err := cluster(t).Close(); err != nil {
			t.Error(err)
		}
		wantNothing(t)
	})
	t.Run("not where nobody reads", func(t *testing.T) {
		c := cluster(t)
		c.KeepLogs(closed{})
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wantNothing(t)
	})
	t.Run("not where there are none", func(t *testing.T) {
		c := cluster(t)
		if err := os.RemoveAll(c.logs); err != nil {
			t.Fatal(err)
		}
		c.KeepLogs(t.Output())
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wantNothing(t)
	})
	t.Run("where asked for", func(t *testing.T) {
		c := cluster(t)
		var told bytes.Buffer
		c.KeepLogs(&told)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		_, folder, _ := strings.Cut(strings.TrimSpace(told.String()), "are in ")
		content, err := os.ReadFile(filepath.Join(folder, "etcd.log"))
		if string(content) != "a line\n" || err != nil {
			t.Errorf("the log is %q (error %v); it says %q", content, err, told.String())
		}
		if _, err := os.Stat(c.folder); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the cluster's folder is there still (error %v)", err)
		}
	})
}
