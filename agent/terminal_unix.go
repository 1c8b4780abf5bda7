//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// sizeOf asks the terminal that a file is for its size (tty_ioctl(4)).
func sizeOf(file *os.File) (s screen, shown bool) {
	// Not by Fd, which would make the file's reads and writes block.
	connection, err := file.SyscallConn()
	if err != nil {
		return screen{}, false
	}
	var size *unix.Winsize
	controlled := connection.Control(func(descriptor uintptr) {
		size, err = unix.IoctlGetWinsize(int(descriptor), unix.TIOCGWINSZ)
	})
	if controlled != nil || err != nil {
		return screen{}, false
	}
	return screen{columns: int(size.Col), rows: int(size.Row)}, true
}
