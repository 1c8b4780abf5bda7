//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const folderPrefix = "lifeline-cluster-"

// Folder is the cluster's own folder in $TMPDIR. What is put there goes with the
// cluster, or else with the next sweep.
func (c *Cluster) Folder() string { return c.folder }

// Name is what the cluster's folder and its cgroups are called.
func (c *Cluster) Name() string { return filepath.Base(c.folder) }

// takeFolder makes a folder in $TMPDIR and locks it, which tells a sweep that it
// is in use.
func takeFolder() (folder string, unlock func(), err error) {
	temporary, err := filepath.Abs(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	for range 100 {
		if folder, err = os.MkdirTemp(temporary, folderPrefix); err != nil {
			return "", nil, err
		}
		if unlock, err = tryLock(folder); err != nil {
			continue
		}
		if _, err = os.Stat(folder); err == nil {
			return folder, unlock, nil
		}
		// A sweep came between the making and the locking, and took it for one that
		// was left.
		unlock()
	}
	return "", nil, fmt.Errorf("make a folder in %s: %w", temporary, err)
}

// takeFolder gives the cluster its folder.
func (c *Cluster) takeFolder() (err error) {
	c.folder, c.unlock, err = takeFolder()
	c.logs = filepath.Join(c.folder, "log")
	return err
}

// Sweep removes from a folder, as a rule os.TempDir(), what clusters left whose
// program was killed before it could: their own folders, which nobody holds a
// lock on, with the cgroups of their name. It returns what it removed.
func Sweep(temporary string) (removed []string, err error) {
	left, err := filepath.Glob(filepath.Join(temporary, folderPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("look for what clusters left in %s: %w", temporary, err)
	}
	var failures []error
	for _, folder := range left {
		unlock, err := tryLock(folder)
		if err != nil {
			continue
		}
		err = errors.Join(removeCgroups(filepath.Base(folder)), os.RemoveAll(folder))
		unlock()
		if err != nil {
			failures = append(failures, fmt.Errorf("remove what a cluster left: %w", err))
			continue
		}
		removed = append(removed, folder)
	}
	return removed, errors.Join(failures...)
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

// refuseCovered fails where what the cluster reads could not be seen within its
// namespaces, since it has folders of its own in the place of this machine's.
func refuseCovered(folder, what, remedy string) error {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	// What is not there yet is made there, whatever a link in it leads to.
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = resolved
	}
	for _, covered := range []string{"/run", "/var/lib", "/var/log", "/proc"} {
		if absolute == covered || strings.HasPrefix(absolute, covered+"/") {
			return fmt.Errorf("%s in %s, which a cluster cannot use since it covers %s with one of its own; %s", what, folder, covered, remedy)
		}
	}
	return nil
}

// KeepLogs has Close leave the logs of all components and containers, which else
// go with the cluster, in a folder of their own in $TMPDIR, and write where that
// is. Where that cannot be written, they go.
func (c *Cluster) KeepLogs(where io.Writer) { c.tellLogs = where }

// moveLogs moves the logs out of the cluster's folder if they are to be kept.
func (c *Cluster) moveLogs() error {
	if c.tellLogs == nil {
		return nil
	}
	// The control plane is started first: without its logs there are none.
	if logs, _ := filepath.Glob(filepath.Join(c.logs, "*.log")); len(logs) == 0 {
		return nil
	}
	kept := filepath.Join(filepath.Dir(c.folder), "lifeline-logs-"+strings.TrimPrefix(c.Name(), folderPrefix))
	if _, err := fmt.Fprintf(c.tellLogs, "the logs of the cluster's components are in %s\n", kept); err != nil {
		return nil //nolint:nilerr // Nobody would know of them.
	}
	return os.Rename(c.logs, kept)
}
