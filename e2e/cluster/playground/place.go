//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// place is the folder of the one playground that a user can have.
type place struct {
	folder string
	// out is where a person reads.
	out io.Writer
}

// The files of a place. Whoever makes, keeps or ends the cluster holds a lock on
// holder, and has its process ID in it if it can be asked to end; temporary has
// the folder that the cluster's own is in; ready is there once all is.
const (
	holder     = "holder"
	temporary  = "temporary"
	ready      = "ready"
	log        = "log"
	kubeconfig = "kubeconfig"
)

func (p place) file(name string) string { return filepath.Join(p.folder, name) }

// errTaken is for a place whose holder is locked.
var errTaken = errors.New("the playground is in use")

// take locks the place, which it makes where it is missing. It is left when the
// file is closed here and in every process that inherited it.
func (p place) take() (*os.File, error) {
	for range 100 {
		if err := os.MkdirAll(p.folder, 0o700); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(p.file(holder), os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && p.isHolder(file) {
			// No process ID of one that crashed is to be taken for this one's.
			return file, file.Truncate(0)
		}
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errTaken
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", p.file(holder), err)
		}
		// Whoever had the place removed it between the opening and the locking.
	}
	return nil, fmt.Errorf("%s is always being removed", p.folder)
}

// isHolder tells whether the file is still that of the place.
func (p place) isHolder(file *os.File) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(p.file(holder))
	return err == nil && os.SameFile(opened, named)
}

// setKeeper writes which process is to be asked to end the cluster.
func setKeeper(file *os.File, pid int) error {
	_, err := file.WriteAt(fmt.Appendf(nil, "%-10d\n", pid), 0)
	return err
}

// keeper is the process to ask, 0 where it is not known.
func (p place) keeper() int {
	content, err := os.ReadFile(p.file(holder))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	// To the kernel, a negative one is a whole group.
	return max(0, pid)
}

// sweep removes what is left of clusters whose program was killed, here and
// where the place's last one was.
func (p place) sweep() (removed []string, err error) {
	folders := []string{os.TempDir()}
	if last, err := os.ReadFile(p.file(temporary)); err == nil && string(last) != folders[0] {
		folders = append(folders, string(last))
	}
	var failures []error
	for _, folder := range folders {
		swept, err := cluster.Sweep(folder)
		removed, failures = append(removed, swept...), append(failures, err)
	}
	return removed, errors.Join(failures...)
}
