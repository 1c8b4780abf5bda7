package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// pictures are taken of a pod that has lived through something.
func (s suite) pictures(t *testing.T) {
	if *screenshots == "" {
		t.Skip("skipped: -screenshots names no folder")
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	pretend := agent.World(t, world.Options{KubectlProxy: true})
	process := agent.Start(t, pretend, s.binary, append(quick(), "POD_NAME=web-7d9c5b6f48-x2x8p", "POD_NAMESPACE=shop", "NODE_NAME=worker-2")...)
	hasReport(t, process)
	page := s.open(t, process.URL+"/status")
	for _, reason := range []checks.Reason{checks.TCPRefused, checks.TokenExpired} {
		inject(t, pretend, string(reason))
		page.until(soon, string(reason), causeOf(reason))
		restore(t, pretend, string(reason))
		page.until(soon, "the end of "+string(reason), "!"+causeOf(reason))
	}
	s.shoot(t, process, "healthy")
	inject(t, pretend, "token-rotation-stalled", "cert-serving-expired")
	page.until(soon, "the fault", causeOf(checks.CertServingExpired))
	s.shoot(t, process, "failing")
}

func (s suite) shoot(t *testing.T, process agent.Process, state string) {
	t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 360} {
			page := s.open(t, process.URL+"/status", window(width, 900, 1), prefers("prefers-color-scheme", scheme))
			page.says(live)
			name := filepath.Join(*screenshots, fmt.Sprintf("%s-%s-%d.png", state, scheme, width))
			if err := os.WriteFile(name, page.picture(chromedp.FullScreenshot(100)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
