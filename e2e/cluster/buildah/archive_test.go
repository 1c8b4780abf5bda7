package buildah

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tarball is an archive of files, each with its content after it.
func tarball(t *testing.T, files ...string) string {
	t.Helper()
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for ; len(files) > 0; files = files[2:] {
		if err := archive.WriteHeader(&tar.Header{Name: files[0], Mode: 0o640, Uid: 7, Gid: 8, Size: int64(len(files[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(files[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// digests are those of layers, as a list in JSON.
func digests(layers ...string) string {
	var all []string
	for _, layer := range layers {
		all = append(all, fmt.Sprintf("%q", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(layer)))))
	}
	return strings.Join(all, ",")
}

func TestAnArchiveTellsItsConfigurationAndEveryFileOfEveryLayer(t *testing.T) {
	lower, upper := tarball(t, "etc/", "", "etc/motd", "hello"), tarball(t, "etc/.wh.motd", "")
	archive := filepath.Join(t.TempDir(), "archive.tar")
	content := tarball(t, "a.tar", lower, "b.tar", upper,
		"config.json", `{"architecture":"arm64","os":"linux","config":{"User":"7:8","Entrypoint":["/motd"],"Labels":{"a":"b"}},"rootfs":{"diff_ids":[`+digests(lower, upper)+`]}}`,
		"manifest.json", `[{"Config":"config.json","RepoTags":["lifeline.test/a:1"],"Layers":["a.tar","b.tar"]}]`)
	if err := os.WriteFile(archive, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Inspect(archive)
	if err != nil {
		t.Fatal(err)
	}
	want := Image{
		Names:        []string{"lifeline.test/a:1"},
		Architecture: "arm64",
		OS:           "linux",
		Config:       Config{User: "7:8", Entrypoint: []string{"/motd"}, Labels: map[string]string{"a": "b"}},
		Files: []File{
			{Name: "etc/", Mode: os.ModeDir | 0o640, UID: 7, GID: 8, Content: []byte{}},
			{Name: "etc/motd", Mode: 0o640, UID: 7, GID: 8, Content: []byte("hello")},
			{Name: "etc/.wh.motd", Mode: 0o640, UID: 7, GID: 8, Content: []byte{}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the archive holds something else (-want +got):\n%s", diff)
	}
}

func TestAnArchiveThatIsNotWholeIsAnError(t *testing.T) {
	layer := tarball(t, "motd", "hello")
	manifest := `[{"Config":"config.json","Layers":["a.tar"]}]`
	for name, test := range map[string]struct{ content, problem string }{
		"nothing":              {"", "read manifest.json"},
		"no archive":           {"this is no archive", "unexpected EOF"},
		"cut short":            {tarball(t, "manifest.json", manifest)[:520], "unexpected EOF"},
		"no image":             {tarball(t, "manifest.json", `[]`), "it holds 0 images"},
		"two images":           {tarball(t, "manifest.json", `[{},{}]`), "it holds 2 images"},
		"no configuration":     {tarball(t, "manifest.json", manifest), `read the configuration "config.json"`},
		"a layer too few":      {tarball(t, "manifest.json", `[{"Config":"config.json"}]`, "config.json", `{"rootfs":{"diff_ids":[`+digests(layer)+`]}}`), "its layers are []"},
		"another layer":        {tarball(t, "manifest.json", manifest, "config.json", `{"rootfs":{"diff_ids":["sha256:00"]}}`, "a.tar", layer), "its configuration has [sha256:00]"},
		"a layer that is torn": {tarball(t, "manifest.json", manifest, "config.json", `{"rootfs":{"diff_ids":[`+digests(layer[:514])+`]}}`, "a.tar", layer[:514]), "read layer 0"},
	} {
		t.Run(name, func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), "archive.tar")
			if err := os.WriteFile(archive, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Inspect(archive); err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("it gives %v, want an error with %q", err, test.problem)
			}
		})
	}
}

func TestAnArchiveThatIsNotThereIsAnError(t *testing.T) {
	if _, err := Inspect(filepath.Join(t.TempDir(), "archive.tar")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it gives %v, want that there is none", err)
	}
}
