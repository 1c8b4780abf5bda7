package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// clipboard is the one of the browser, which its tabs share. A page may read it
// with leave alone.
type clipboard struct{ tab }

func (s suite) clipboard(t *testing.T, address string) clipboard {
	t.Helper()
	p := s.open(t, address)
	_, err := chromedp.CallBrowser(p.context, browser.SetPermission, browser.SetPermissionParams{
		Permission:       &browser.PermissionDescriptor{Name: "clipboard-read"},
		Setting:          browser.PermissionSettingGranted,
		Origin:           p.watch.origin,
		BrowserContextID: chromedp.FromContext(p.context).BrowserContextID,
	})
	if err != nil {
		t.Fatalf("letting the page read the clipboard: %s", err)
	}
	return clipboard{p}
}

func (c clipboard) read() string {
	c.t.Helper()
	return eval[string](c.tab, "navigator.clipboard.readText()", chromedp.EvalAwaitPromise)
}

// aButtonCopiesItsCommand runs beside no other test of the clipboard.
func (s suite) aButtonCopiesItsCommand(t *testing.T) {
	process := s.pod(t, "token-rotation-stalled", "cert-serving-expired")
	address := process.URL + "/status"
	clipboard := s.clipboard(t, address)
	for _, test := range []struct {
		name, address string
		secure        bool
	}{
		{"where the clipboard is open to pages", address, true},
		{"where the clipboard is closed to pages, for they came by plain HTTP", strings.Replace(address, "127.0.0.1", insecureName, 1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := s.open(t, test.address, window(1280, 900, 1))
			if secure := eval[bool](page, "isSecureContext"); secure != test.secure {
				t.Fatalf("isSecureContext is %t, want %t", secure, test.secure)
			}
			page.unfold()
			commands := eval[[]string](page, "[...document.querySelectorAll('pre > code')].map(code => code.textContent.trim())")
			if len(commands) < 2 {
				t.Fatalf("the page has the commands %q, want several", commands)
			}
			for i, command := range commands {
				by := page.click
				if i%2 == 1 {
					by = page.focusAndEnter
				}
				by(fmt.Sprintf("document.querySelectorAll('pre')[%d].querySelector('button.copy')", i))
				page.within(patience, "copying", func() string {
					if got := clipboard.read(); got != command {
						return fmt.Sprintf("the clipboard has %q, want %q", got, command)
					}
					return ""
				})
				page.until(patience, "saying so", fmt.Sprintf(
					`/copied/i.test(document.querySelectorAll('pre')[%d].textContent) ||
					[...document.querySelectorAll('[role=status], [aria-live]')].some(element => /copied/i.test(element.textContent))`, i))
			}
		})
	}
}

// click presses the mouse on an element, as only a person or the protocol can.
func (p tab) click(element string) {
	p.t.Helper()
	p.until(patience, "an element to click on", element)
	at := eval[struct{ X, Y float64 }](p, fmt.Sprintf(`(() => {
		const element = %s
		element.scrollIntoView({block: 'center', behavior: 'instant'})
		const box = element.getBoundingClientRect()
		return {X: box.x + box.width / 2, Y: box.y + box.height / 2}
	})()`, element))
	p.do(chromedp.MouseClickXY(at.X, at.Y))
}

func (p tab) focusAndEnter(element string) {
	p.t.Helper()
	p.until(patience, "an element to press Enter on", element)
	eval[bool](p, element+".focus(), true")
	p.do(press(kb.Enter))
}
