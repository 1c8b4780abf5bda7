//go:build !linux

package cluster_test

import "testing"

func TestLifelineTellsTheTruthInARealPod(t *testing.T) {
	t.Skip("skipped: a cluster needs Linux")
}
