package observe

import (
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAPanicOfOneCheckIsKeptAndTheOthersGoOn(t *testing.T) {
	r := &round{facts: &checks.Facts{Panics: map[checks.Name]string{}}}
	reached := false
	r.observe(checks.DNS, func() {
		together(func() { panic("index out of range") }, func() { reached = true })
	})
	if got, want := r.facts.Panics[checks.DNS], "index out of range (observe/observe_test.go:"; !strings.HasPrefix(got, want) {
		t.Errorf("got the panic %q of a goroutine, want it to begin with %q", got, want)
	}
	if !reached {
		t.Error("the function beside the one that panicked did not run")
	}
}
