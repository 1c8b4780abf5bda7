//go:build linux

package buildah

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const version = "0.1.0-e2e"

// TestTheImageThatShips builds both architectures at the same time, so that
// two builds share the cache.
func TestTheImageThatShips(t *testing.T) {
	available(t)
	source, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	archives := t.TempDir()
	leavesNothing(t)
	for _, architecture := range []string{"amd64", "arm64"} {
		t.Run(architecture, func(t *testing.T) {
			t.Parallel()
			archive := filepath.Join(archives, architecture+".tar")
			err := Build(t.Context(), Options{
				Source: source, Name: name, Version: version, Architecture: architecture, Archive: archive,
			})
			if err != nil {
				t.Fatal(err)
			}
			image, err := Inspect(archive)
			if err != nil {
				t.Fatal(err)
			}
			t.Run("holds the agent alone", func(t *testing.T) { holdsTheAgentAlone(t, image, architecture) })
			t.Run("holds what go build makes", func(t *testing.T) { holdsWhatGoBuildMakes(t, image, source) })
			t.Run("starts", func(t *testing.T) { starts(t, image) })
		})
	}
}

func holdsTheAgentAlone(t *testing.T, got Image, architecture string) {
	want := Image{
		Names:        []string{name},
		Architecture: architecture,
		OS:           "linux",
		Config: Config{
			User:         "65532:65532",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
			Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Entrypoint:   []string{"/lifeline"},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "lifeline",
				"org.opencontainers.image.description": "Watches a pod's way to the Kubernetes API and says which link broke, why, and what to do",
				"org.opencontainers.image.source":      "https://github.com/kube-lifeline/lifeline",
				"org.opencontainers.image.version":     version,
			},
		},
		Files: []File{{Name: "lifeline", Mode: 0o755}},
	}
	builder := cmpopts.IgnoreMapEntries(func(label, _ string) bool { return label == "io.buildah.version" })
	if diff := cmp.Diff(want, got, builder, cmpopts.IgnoreFields(File{}, "Content")); diff != "" {
		t.Errorf("the image is another (-want +got):\n%s", diff)
	}
}

// holdsWhatGoBuildMakes compares bit for bit: the base that is a stand-in and
// the cache that is kept between builds have changed nothing.
func holdsWhatGoBuildMakes(t *testing.T, image Image, source string) {
	binary := filepath.Join(t.TempDir(), "lifeline")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", "nethttpomithttp2",
		"-ldflags", "-s -w -X main.version="+version, "-o", binary, "./agent")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+image.OS, "GOARCH="+image.Architecture)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v: %s", err, out)
	}
	want, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if got := image.Files[0].Content; !bytes.Equal(got, want) {
		t.Errorf("the image's binary has %d bytes and is another than that of go build, which has %d", len(got), len(want))
	}
}

// starts starts the image's entry point as the image's user, in a root that
// holds the image and what kubelet puts into a pod.
func starts(t *testing.T, image Image) {
	root := t.TempDir()
	files := append(image.Files,
		File{Name: "etc/resolv.conf", Mode: 0o644, Content: []byte("nameserver 127.0.0.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")},
		File{Name: "etc/hosts", Mode: 0o644, Content: []byte("127.0.0.1 localhost\n")},
		File{Name: "var/run/secrets/kubernetes.io/serviceaccount/namespace", Mode: 0o644, Content: []byte("default")})
	command := image.Config.Entrypoint
	if interpreter := emulator(t, image.Architecture); interpreter != "" {
		content, err := os.ReadFile(interpreter)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: "emulator", Mode: 0o755, Content: content})
		command = append([]string{"/emulator"}, command...)
	}
	extract(t, root, files)

	got := startInPod(t, root, image.Config.User, command)
	want := told{
		Interfaces: []string{"lo"},
		Version:    "lifeline " + version + " (" + runtime.Version() + ")",
		Live:       200,
		Status:     "fail",
		Checks: map[string]string{
			"environment": "ok",
			"dns":         "fail",
			"token":       "fail",
			"ca":          "fail",
			"tls":         "skip",
			"api":         "fail tcp-refused",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the agent says otherwise (-want +got):\n%s", diff)
	}
}

func extract(t *testing.T, root string, files []File) {
	t.Helper()
	for _, file := range files {
		path := filepath.Join(root, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), fs.ModePerm); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Content, file.Mode.Perm()); err != nil {
			t.Fatal(err)
		}
	}
}
