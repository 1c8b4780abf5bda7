package checks_test

import (
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAPanicIsToldWithItsPlace(t *testing.T) {
	recovered := func(fails func()) (told checks.Panic) {
		defer func() { told = checks.Recovered(recover()) }()
		fails()
		return checks.Panic{}
	}
	var none []int
	var nowhere *checks.Facts
	for name, test := range map[string]struct {
		fails func()
		want  string
	}{
		"by the runtime":   {func() { _ = none[len(none)] }, "index out of range"},
		"by a nil pointer": {func() { _ = nowhere.Version }, "nil pointer"},
		"by itself":        {func() { panic("no way on") }, "no way on"},
		"handed on":        {func() { panic(recovered(func() { panic("no way on") })) }, "no way on"},
	} {
		t.Run(name, func(t *testing.T) {
			got := recovered(test.fails)
			if !strings.Contains(got.Value, test.want) || !strings.HasPrefix(got.Place, "checks/panic_test.go:") {
				t.Errorf("got %q at %q, want %q in this file", got.Value, got.Place, test.want)
			}
			if text := got.String(); strings.Count(text, ".go:") != 1 {
				t.Errorf("got the text %q, want one place in it", text)
			}
		})
	}
}
