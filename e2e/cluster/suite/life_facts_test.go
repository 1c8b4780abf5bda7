//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// supportBundle writes the facts in a pod with a token of a real API server, and
// judges them where there is no cluster.
func supportBundle(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	bundle, err := s.Exec(ctx, p.Namespace, p.Name, "/lifeline", "check", "-o", "facts")
	if err != nil {
		t.Fatal(err)
	}
	s.holdsNoToken(ctx, t, p, bundle)

	binary, file := s.buildAgent(ctx, t), filepath.Join(t.TempDir(), "facts.json")
	if err := os.WriteFile(file, []byte(bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, binary, "check", "-facts", file, "-o", "json").Output()
	if err != nil {
		t.Fatalf("judge the facts elsewhere: %s\n%s", err, out)
	}
	var elsewhere report
	if err := json.Unmarshal(out, &elsewhere); err != nil {
		t.Fatal(err)
	}
	here, err := status(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(here.verdicts(), elsewhere.verdicts()); diff != "" || here.Pod != elsewhere.Pod {
		t.Errorf("checks in the pod and elsewhere, of %+v and %+v (-here +elsewhere):\n%s", here.Pod, elsewhere.Pod, diff)
	}
}

// buildAgent builds it for this machine.
func (s suite) buildAgent(ctx context.Context, t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "lifeline")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./agent")
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %s\n%s", err, out)
	}
	return binary
}

// holdsNoToken looks for the pod's token, and for each of its parts.
func (s suite) holdsNoToken(ctx context.Context, t *testing.T, p cluster.Pod, text string) {
	t.Helper()
	container, err := s.Container(ctx, p.Namespace, p.Name, "lifeline")
	if err != nil {
		t.Fatal(err)
	}
	token, err := container.Run(ctx, "cat", cluster.ServiceAccountFolder+"/token")
	if err != nil || token.Code != 0 {
		t.Fatalf("read the pod's token: %v, exit code %d: %s", err, token.Code, token.Complaint)
	}
	parts := strings.Split(string(token.Out), ".")
	if len(parts) != 3 {
		t.Fatalf("the pod's token has %d parts, want 3", len(parts))
	}
	for i, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("part %d of the token stands in it", i+1)
		}
	}
}
