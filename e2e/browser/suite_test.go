// Package browser_test looks at the status page as people do: the real agent
// serves it out of a pretend pod, and Chromium shows it. All tests share one
// Chromium.
package browser_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/kube-lifeline/lifeline/e2e/agent"
)

var screenshots = flag.String("screenshots", "", "`folder` for pictures of the page, healthy and failing")

// axeFile is where npm puts axe-core.
const axeFile = "node_modules/axe-core/axe.min.js"

// suite is what the tests share.
type suite struct {
	chromium context.Context //nolint:containedctx // chromedp keeps a browser in a context
	// axe is the source of axe-core.
	axe string
	// binary is the agent.
	binary string
}

func TestTheStatusPage(t *testing.T) {
	s := start(t)
	for _, test := range []struct {
		sentence string
		run      func(*testing.T)
	}{
		{"what a page does wrong is noticed", s.whatIsWrongIsNoticed},
		{"a healthy pod's page is complete", s.aHealthyPodsPageIsComplete},
		{"each link that breaks is marked with its cause", s.eachLinkThatBreaksIsMarked},
		{"without JavaScript the page is complete", s.withoutJavaScriptThePageIsComplete},
		{"the page suits each window and each eye", s.thePageSuitsEachWindow},
		{"the keyboard reaches every control", s.theKeyboardReachesEveryControl},
		{"a button copies its command", s.aButtonCopiesItsCommand},
		{"a fault appears and goes away without a reload", s.aFaultAppearsAndGoesAway},
		{"a page opened before the first round fills by itself", s.aPageOpenedBeforeTheFirstRound},
		{"rounds that pass disturb no reader", s.roundsThatPassDisturbNoReader},
		{"a lost connection is told and recovers", s.aLostConnectionIsToldAndRecovers},
		{"an agent that falls silent is told as a lost connection", s.anAgentThatFallsSilent},
		{"pictures", s.pictures},
	} {
		t.Run(test.sentence, test.run)
	}
}

// start starts a Chromium that ends with the test. Where the machine lacks what
// that takes, the test is skipped.
func start(t *testing.T) suite {
	t.Helper()
	var missing []string
	program, err := exec.LookPath("chromium")
	if err != nil {
		missing = append(missing, "chromium")
	}
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		missing = append(missing, "axe-core")
	}
	if len(missing) > 0 {
		t.Skipf("skipped: this needs %s; .ci/browser install brings it", strings.Join(missing, " and "))
	}
	return suite{chromium: startChromium(t, program), axe: string(axe), binary: agent.Build(t)}
}

// insecureName leads to this machine, and its origin is none that a browser holds
// for secure.
const insecureName = "lifeline.test"

func startChromium(t *testing.T, program string) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program),
		chromedp.Headless,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-gpu", true),
		// Tabs of tests that run side by side are all to be in front.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		// Chromium itself is to ask nobody for anything, and could not.
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP "+insecureName+" 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	}
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(release)
	browser, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting %s: %s", program, err)
	}
	t.Cleanup(func() {
		limited, cancel := context.WithTimeout(browser, 10*time.Second)
		defer cancel()
		if err := chromedp.Cancel(limited); err != nil {
			t.Errorf("ending Chromium: %s", err)
		}
	})
	return browser
}
