//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const cgroups = "/sys/fs/cgroup"

// makeCgroups makes the cgroup below which kubelet keeps those of its pods, in
// every hierarchy of version 1 or in the one of version 2.
func makeCgroups(name string) error {
	hierarchies := []string{cgroups}
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err != nil {
		if hierarchies, err = filepath.Glob(filepath.Join(cgroups, "*")); err != nil {
			return err
		}
	}
	for _, hierarchy := range hierarchies {
		if err := os.MkdirAll(filepath.Join(hierarchy, name), 0o755); err != nil {
			return fmt.Errorf("make a cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroups removes what makeCgroups made and all below it.
func removeCgroups(name string) error {
	roots, _ := filepath.Glob(filepath.Join(cgroups, "*", name))
	roots = append(roots, filepath.Join(cgroups, name))
	var failures []error
	for _, root := range roots {
		// A cgroup is busy for a moment after its last process is gone.
		var err error
		for range 20 {
			if err = removeTree(root); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// removeTree removes directories only, the innermost first, since the files of
// a cgroup cannot be removed.
func removeTree(root string) error {
	var directories []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			directories = append(directories, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) && len(directories) == 0 {
		return nil
	}
	for _, directory := range slices.Backward(directories) {
		if err := os.Remove(directory); err != nil {
			return err
		}
	}
	return err
}
