//go:build !unix

package main

import "os"

// sizeOf takes a character device for a terminal, of a size that it does not
// tell.
func sizeOf(file *os.File) (s screen, shown bool) {
	info, err := file.Stat()
	return screen{}, err == nil && info.Mode()&os.ModeCharDevice != 0
}
