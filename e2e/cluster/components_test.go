//go:build linux

package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheModulesPinTheVersionsThatTheCacheIsKeyedBy(t *testing.T) {
	modules := map[string]string{"etcd": "go.etcd.io/etcd/server/v3", "kubernetes": "k8s.io/kubernetes"}
	for _, component := range components() {
		if component.module == "" {
			continue
		}
		file := filepath.Join("components", component.module, "go.mod")
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := modules[component.module] + " " + component.version
		if !regexp.MustCompile(`(?m)^(require)?\s` + regexp.QuoteMeta(want) + `( //.*)?$`).Match(content) {
			t.Errorf("%s does not require %s", file, want)
		}
	}
}

func TestAnInterruptedBuildDoesNotLookWhole(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cache := t.TempDir()
	runc := components()[1]
	if _, err := runc.build(ctx, ".", cache, io.Discard); err == nil {
		t.Fatal("the build succeeded though its context had ended")
	}
	if whole, _ := filepath.Glob(filepath.Join(cache, runc.name+"-"+runc.version)); len(whole) > 0 {
		t.Errorf("the build left %v", whole)
	}
}

func TestAnImageHoldsItsProgramAlone(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	archive, err := Image{Name: "lifeline.test/program:1", Program: program, User: "65532:65532"}.archive()
	if err != nil {
		t.Fatal(err)
	}
	files := contents(t, archive)
	for file, want := range map[string]string{
		"manifest.json": `"RepoTags":["lifeline.test/program:1"]`,
		"config.json":   `"User":"65532:65532"`,
	} {
		if !strings.Contains(files[file], want) {
			t.Errorf("%s is %s, want %s in it", file, files[file], want)
		}
	}
	if layer := contents(t, []byte(files["layer.tar"])); len(layer) != 1 || layer["program"] != "a program" {
		t.Errorf("the layer holds %v, want the program alone", layer)
	}
}

func contents(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}
