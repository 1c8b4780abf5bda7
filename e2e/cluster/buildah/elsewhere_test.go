//go:build !linux

package buildah

import "testing"

func TestTheImageThatShips(t *testing.T) {
	t.Skip("skipped: building an image needs Linux")
}
