package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

func press(key string) action { return chromedp.KeyEvent(key) }

// focused is what has the focus.
type focused struct {
	// Control is its place among the controls, -1 for anything else.
	Control int    `json:"control"`
	Spelt   string `json:"spelt"`
	// Outlined and Shown tell whether a reader sees where the focus is.
	Outlined bool `json:"outlined"`
	Shown    bool `json:"shown"`
}

const focusedScript = `(() => {
	const controls = [...document.querySelectorAll('a[href], button, summary, input, select, textarea, [tabindex]')]
		.filter(control => control.tabIndex >= 0 && !control.disabled && control.checkVisibility())
	const focused = document.activeElement, style = getComputedStyle(focused), box = focused.getBoundingClientRect()
	return {
		control: controls.indexOf(focused),
		spelt: focused.localName + ' ' + focused.textContent.replace(/\s+/g, ' ').trim().slice(0, 40),
		outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1,
		shown: box.width > 0 && box.top < innerHeight && box.bottom > 0,
	}
})()`

func (s suite) theKeyboardReachesEveryControl(t *testing.T) {
	t.Parallel()
	process := s.pod(t, "token-rotation-stalled", "cert-serving-expired")
	page := s.open(t, process.URL+"/status", window(1280, 900, 1))
	page.unfold()
	controls := page.read().Controls
	if len(controls) < 3 {
		t.Fatalf("the page has the controls %q, want links, buttons and more", controls)
	}
	var want, got []int
	for i := range controls {
		want = append(want, i)
	}
	// A browser stops at what can be scrolled as well.
	for range 2*len(controls) + 10 {
		page.do(press(kb.Tab))
		at := eval[focused](page, focusedScript)
		if at.Spelt == "body" {
			break
		}
		if !at.Outlined {
			t.Errorf("%s has the focus and no outline that shows it", at.Spelt)
		}
		if !at.Shown {
			t.Errorf("%s has the focus and is not to be seen", at.Spelt)
		}
		if at.Control >= 0 {
			got = append(got, at.Control)
		}
		if len(got) == len(want) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the controls are %q, and Tab goes by them so (-want +got):\n%s", controls, diff)
	}
}
