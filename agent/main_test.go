package main

import (
	"bytes"
	"io"
	"log"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatLibrariesPrintOfTheirOwnAccordReachesNobody(t *testing.T) {
	var printed bytes.Buffer
	log.SetOutput(&printed)
	defer log.SetOutput(os.Stderr)
	p := program{pod: checks.Pod{Environment: map[string]string{}}, out: io.Discard, err: io.Discard}
	if code := run(t.Context(), []string{"version"}, p); code != exitHealthy {
		t.Fatalf("got the exit code %d", code)
	}
	log.Print("Unsolicited response received, starting with a token")
	if printed.Len() > 0 {
		t.Errorf("got %q, want nothing", printed.String())
	}
}
