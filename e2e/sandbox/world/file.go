package world

import (
	"fmt"
	"os"
	"syscall"
)

// file is what stands under a name. The zero file is an empty regular one.
type file struct {
	kind    fileKind
	content string
}

type fileKind int

const (
	regular fileKind = iota
	missing
	directory
	fifo
	// gigabyte is a sparse file, which takes no room on the disk.
	gigabyte
)

// create makes the file at a path where nothing stands.
func (f file) create(path string) error {
	var err error
	switch f.kind {
	case missing:
	case directory:
		err = os.Mkdir(path, 0o755)
	case fifo:
		err = syscall.Mkfifo(path, 0o644)
	case gigabyte:
		err = createSparse(path, 1<<30)
	default:
		err = os.WriteFile(path, []byte(f.content), 0o644)
	}
	if err != nil {
		return fmt.Errorf("creating a file of the pretend pod: %w", err)
	}
	return nil
}

// replace puts the file in the place of whatever stands at path, in one step
// where it is a regular file.
func (f file) replace(path string) error {
	if f.kind != regular {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing a file of the pretend pod: %w", err)
		}
		return f.create(path)
	}
	next := path + ".next"
	if err := f.create(next); err != nil {
		return err
	}
	return takePlace(next, path)
}

// takePlace renames a file onto another, and removes first what a rename does
// not replace: a directory.
func takePlace(from, to string) error {
	if info, err := os.Lstat(to); err == nil && info.IsDir() {
		if err := os.RemoveAll(to); err != nil {
			return fmt.Errorf("removing a file of the pretend pod: %w", err)
		}
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("replacing a file of the pretend pod: %w", err)
	}
	return nil
}

func createSparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
