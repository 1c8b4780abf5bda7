//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

func withoutBinding(name string) injection {
	return func(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		saved, err := s.Kubectl(ctx, "get", "clusterrolebinding", name, "--output=json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Kubectl(ctx, "delete", "clusterrolebinding", name); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error { return s.Apply(ctx, withoutServerFields(saved)) }
	}
}

func patched(e edit) injection {
	return func(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		patch := func(ctx context.Context, value string) error {
			_, err := s.Kubectl(ctx, "patch", e.object, "--namespace="+e.namespace, "--type=json", fmt.Sprintf(`--patch=[{"op": "replace", "path": %q, "value": %s}]`, e.path, value))
			return err
		}
		if err := patch(ctx, e.to); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error { return patch(ctx, e.from) }
	}
}

// withoutServerFields leaves of an object what may be applied again.
func withoutServerFields(object string) string {
	var fields map[string]any
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		return object
	}
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		for _, field := range []string{"resourceVersion", "uid", "creationTimestamp", "managedFields"} {
			delete(metadata, field)
		}
	}
	left, err := json.Marshal(fields)
	if err != nil {
		return object
	}
	return string(left)
}
