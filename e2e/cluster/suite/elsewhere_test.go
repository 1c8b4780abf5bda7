//go:build !linux

package suite_test

import "testing"

func TestLifeline(t *testing.T) {
	t.Skip("skipped: a cluster needs Linux")
}
