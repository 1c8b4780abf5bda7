package observe

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAFileThatIsNoneIsToldAndNotWaitedFor(t *testing.T) {
	directory := t.TempDir()
	path := func(name string) string { return filepath.Join(directory, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(path("good"), []byte("content"), 0o600))
	must(os.WriteFile(path("empty"), nil, 0o600))
	must(os.WriteFile(path("long"), []byte("0123456789abcdef0"), 0o600))
	must(os.WriteFile(path("secret"), []byte("content"), 0))
	must(os.Mkdir(path("directory"), 0o700))
	must(syscall.Mkfifo(path("fifo"), 0o600))
	must(os.Symlink("loop", path("loop")))
	must(os.Symlink("nowhere", path("dangling")))
	must(os.Symlink("good", path("link")))
	must(os.Truncate(path("long"), 17))
	sparse, err := os.Create(path("gigabyte"))
	must(err)
	must(sparse.Truncate(1 << 30))
	must(sparse.Close())

	for name, want := range map[string]checks.FileProblem{
		"good": "", "empty": "", "link": "",
		"long":      checks.FileTooLarge,
		"gigabyte":  checks.FileTooLarge,
		"directory": checks.FileIrregular,
		"fifo":      checks.FileIrregular,
		"loop":      checks.FileUnreadable,
		"dangling":  checks.FileMissing,
		"absent":    checks.FileMissing,
		"good/x":    checks.FileMissing,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			file, content := readFile(path(name), 16)
			if file.Problem != want {
				t.Errorf("got the problem %q (%s), want %q", file.Problem, file.Error, want)
			}
			if want != "" && content != nil {
				t.Errorf("got %d bytes of it all the same", len(content))
			}
			if took := time.Since(began); took > patience {
				t.Errorf("it took %s", took)
			}
		})
	}
	t.Run("secret", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read every file")
		}
		if file, _ := readFile(path("secret"), 16); file.Problem != checks.FileForbidden {
			t.Errorf("got the problem %q, want %q", file.Problem, checks.FileForbidden)
		}
	})
	if file, content := readFile(path("link"), 16); file.Link != "good" || string(content) != "content" {
		t.Errorf("got the link %q and %q, want good and its content", file.Link, content)
	}
}

func TestTextOfOthersIsCutAndTamed(t *testing.T) {
	for _, test := range []struct {
		text string
		want string
	}{
		{"plain", "plain"},
		{"a\x1b[31mb\nc\u009b", "a [31mb c "},
		{"\xff\xfe", "\uFFFD"},
		{"0123456789é", "0123456789\uFFFD…"},
	} {
		if got := clip(test.text, 11); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}
