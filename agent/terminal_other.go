//go:build !unix

package main

import "os"

// sizeOf takes a character device for a terminal, of the usual width.
func sizeOf(file *os.File) (s screen, shown bool) {
	info, err := file.Stat()
	return screen{columns: usualColumns}, err == nil && info.Mode()&os.ModeCharDevice != 0
}
