//go:build linux

package suite_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// importImage gives the image of Lifeline to the cluster.
func (s suite) importImage(ctx context.Context, t *testing.T) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lifeline")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -X main.version=e2e", "-o", program, "./agent")
	build.Dir = s.root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	if err := s.Import(ctx, cluster.Image{Name: s.repository + ":" + s.tag, Program: program, User: "65532:65532"}); err != nil {
		t.Fatal(err)
	}
}
