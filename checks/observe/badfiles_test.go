package observe_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestAFileInAnyStateGetsAReason spoils each file of the pod in each way and
// wants the reason that names it, in time, with the others judged as before.
func TestAFileInAnyStateGetsAReason(t *testing.T) {
	binary := []byte(strings.Repeat("\x00\xff\x1b[31m", 64))
	spoil := map[string]func(path string) error{
		"missing":   func(string) error { return nil },
		"empty":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"fifo":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"binary":    func(path string) error { return os.WriteFile(path, binary, 0o600) },
		"gigabyte": func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 1<<30)
		},
	}
	files := map[string]struct {
		check checks.Name
		want  map[string]checks.Reason
	}{
		"token": {checks.Token, map[string]checks.Reason{
			"missing": checks.TokenFileMissingInMountedDir, "empty": checks.TokenEmpty, "directory": checks.TokenNotAFile,
			"fifo": checks.TokenNotAFile, "binary": checks.TokenMalformed, "gigabyte": checks.TokenTooLarge,
		}},
		"ca.crt": {checks.CA, map[string]checks.Reason{
			"missing": checks.CAFileMissing, "empty": checks.CAFileEmptyOrNotPEM, "directory": checks.CAFileUnreadable,
			"fifo": checks.CAFileUnreadable, "binary": checks.CAFileEmptyOrNotPEM, "gigabyte": checks.CAFileTooLarge,
		}},
		"namespace": {checks.Environment, map[string]checks.Reason{
			"missing": checks.EnvNamespaceFileMissing, "empty": checks.EnvNamespaceFileNotANamespace, "directory": checks.EnvNamespaceFileUnreadable,
			"fifo": checks.EnvNamespaceFileUnreadable, "binary": checks.EnvNamespaceFileNotANamespace, "gigabyte": checks.EnvNamespaceFileUnreadable,
		}},
		"resolv.conf": {checks.DNS, map[string]checks.Reason{
			"missing": checks.DNSResolvConfMissingOrEmpty, "empty": checks.DNSResolvConfMissingOrEmpty, "directory": checks.DNSResolvConfUnreadable,
			"fifo": checks.DNSResolvConfUnreadable, "binary": checks.DNSResolvConfMissingOrEmpty, "gigabyte": checks.DNSResolvConfUnreadable,
		}},
	}
	for file, expected := range files {
		for state, reason := range expected.want {
			t.Run(file+" "+state, func(t *testing.T) {
				t.Parallel()
				_, observer := start(t)
				pod := observer.Pod
				directory := t.TempDir()
				for _, name := range []string{"token", "ca.crt", "namespace"} {
					content, err := os.ReadFile(filepath.Join(pod.ServiceAccountDir, name))
					if err != nil {
						t.Fatal(err)
					}
					if name != file {
						if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := spoil[state](filepath.Join(directory, file)); err != nil {
					t.Fatal(err)
				}
				observer.Pod.ServiceAccountDir = directory
				if file == "resolv.conf" {
					observer.Pod.ResolvConf = filepath.Join(directory, file)
				}
				began := time.Now()
				report := judged(observer.Observe(t.Context()))
				if took, limit := time.Since(began), 2*observer.Timeout+slack; took > limit {
					t.Errorf("the round took %s, more than %s", took, limit)
				}
				if result, _ := report.Result(expected.check); result.Reason != reason {
					t.Errorf("got %s %s (%s), want %s", result.Status, result.Reason, result.Message, reason)
				}
			})
		}
	}
}
