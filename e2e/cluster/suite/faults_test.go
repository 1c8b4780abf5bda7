//go:build linux

package suite_test

import (
	"context"
	"testing"
)

type (
	cells struct{}
	rows  struct{}
)

func faults(ctx context.Context, t *testing.T, s suite) {}
