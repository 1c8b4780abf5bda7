//go:build linux

package suite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/kube-lifeline/lifeline/e2e/cluster/buildah"
)

// importImage builds the Dockerfile and gives the image to the cluster.
func (s suite) importImage(ctx context.Context, t *testing.T) {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "lifeline.tar")
	if err := buildah.Build(ctx, buildah.Options{Source: s.root, Name: s.repository + ":" + s.tag, Version: s.tag, Archive: archive}); err != nil {
		t.Fatal(err)
	}
	if err := s.ImportArchive(ctx, archive); err != nil {
		t.Fatal(err)
	}
}
