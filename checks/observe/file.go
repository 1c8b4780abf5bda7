package observe

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxMessage bounds every text that somebody else wrote.
const maxMessage = 512

// readFile reads a regular file of at most limit bytes. It does not wait for
// the other end of a FIFO and reads no device.
//
// kubelet swaps ..data and at once removes the folder that it led to, so a file
// that is missing behind a link is looked for again.
func readFile(path string, limit int64) (file checks.File, content []byte) {
	const tries = 3
	for range tries {
		file, content = readOnce(path, limit)
		if file.Problem != checks.FileMissing || file.Link == "" {
			break
		}
	}
	return file, content
}

func readOnce(path string, limit int64) (checks.File, []byte) {
	file := lookAtFile(path)
	if file.Problem != "" {
		return file, nil
	}
	if file.Size > limit {
		file.Problem = checks.FileTooLarge
		return file, nil
	}
	// The file may have become a FIFO since; without O_NONBLOCK opening one
	// would wait for its writer.
	handle, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return withProblem(file, err), nil
	}
	defer handle.Close()
	if info, err := handle.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Problem = checks.FileIrregular
		return file, nil
	}
	// The size is a hint: files of /proc have none, and any may grow.
	content := bytes.NewBuffer(make([]byte, 0, min(file.Size, limit)+bytes.MinRead))
	if _, err := content.ReadFrom(io.LimitReader(handle, limit+1)); err != nil {
		return withProblem(file, err), nil
	}
	if int64(content.Len()) > limit {
		file.Problem = checks.FileTooLarge
		return file, nil
	}
	file.Size = int64(content.Len())
	return file, content.Bytes()
}

// lookAtFile tells what a path leads to without opening it.
func lookAtFile(path string) checks.File {
	file := checks.File{Path: path}
	if link, err := os.Readlink(path); err == nil {
		file.Link = clip(link, maxMessage)
	}
	info, err := os.Stat(path)
	if err != nil {
		return withProblem(file, err)
	}
	file.Size = info.Size()
	file.Mode = info.Mode().String()
	if !info.Mode().IsRegular() {
		file.Problem = checks.FileIrregular
	}
	return file
}

// lookAtDirectory is lookAtFile for a path that should be a directory.
func lookAtDirectory(path string) checks.File {
	file := lookAtFile(path)
	if file.Problem == checks.FileIrregular && strings.HasPrefix(file.Mode, fs.ModeDir.String()[:1]) {
		file.Problem = ""
	}
	return file
}

func withProblem(file checks.File, err error) checks.File {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		file.Problem = checks.FileMissing
	case errors.Is(err, fs.ErrPermission):
		file.Problem = checks.FileForbidden
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		file.Problem = checks.FileBeyondLimit
	default:
		file.Problem = checks.FileUnreadable
	}
	file.Error = clip(err.Error(), maxMessage)
	return file
}

// clip cuts a text to a number of bytes and marks the cut. It leaves no broken
// rune and nothing unprintable behind, since texts end up in terminals.
func clip(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		text = text[:limit]
	}
	text = strings.Map(func(char rune) rune {
		if !unicode.IsPrint(char) {
			return ' '
		}
		return char
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if cut {
		text += "…"
	}
	return text
}

// clipAll clips every text and keeps at most maxNames of them.
func clipAll(texts []string, limit int) []string {
	if len(texts) == 0 {
		return nil
	}
	clipped := make([]string, 0, min(len(texts), maxNames))
	for _, text := range texts[:min(len(texts), maxNames)] {
		clipped = append(clipped, clip(text, limit))
	}
	return clipped
}
