package browser_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/kube-lifeline/lifeline/e2e/agent"
)

func window(width, height int64, scale float64) action {
	return chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale))
}

func prefers(feature, value string) action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
}

func withoutScripts() action {
	return command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// largeText is the setting of who has text alone twice as large, in all pages.
func largeText() action {
	return command(page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: 32, Fixed: 26}})
}

func (s suite) thePageSuitsEachWindow(t *testing.T) {
	t.Parallel()
	pods := []struct {
		name    string
		process agent.Process
	}{
		{"healthy", s.pod(t)},
		{"failing", s.pod(t, "token-rotation-stalled", "cert-serving-expired")},
	}
	for _, test := range []struct {
		name   string
		before []action
		suits  func(tab)
	}{
		{name: "light", before: []action{window(1280, 900, 1), prefers("prefers-color-scheme", "light")}, suits: tab.isBright},
		{name: "dark", before: []action{window(1280, 900, 1), prefers("prefers-color-scheme", "dark")}, suits: tab.isDark},
		{name: "the system's colours", before: []action{window(1280, 900, 1), prefers("forced-colors", "active")}},
		{name: "a telephone", before: []action{window(360, 740, 1)}},
		{name: "a telephone in the dark", before: []action{window(360, 740, 1), prefers("prefers-color-scheme", "dark")}, suits: tab.isDark},
		{name: "enlarged to 200 %", before: []action{window(640, 450, 2)}},
		{name: "text of 200 %", before: []action{window(1280, 900, 1), largeText()}, suits: tab.hasLargeText},
		{name: "a screen on the wall", before: []action{window(3840, 2160, 1)}},
	} {
		for _, pod := range pods {
			t.Run(test.name+", "+pod.name, func(t *testing.T) {
				t.Parallel()
				p := s.open(t, pod.process.URL+"/status", test.before...)
				if test.suits != nil {
					test.suits(p)
				}
				s.isAccessible(p)
				got := p.read()
				if len(got.Overflowing) > 0 {
					t.Errorf("the page has to be moved sideways: %q", got.Overflowing)
				}
				if len(got.Cut) > 0 {
					t.Errorf("something is cut off: %q", got.Cut)
				}
				if len(got.Torn) > 0 {
					t.Errorf("words are torn apart: %q", got.Torn)
				}
			})
		}
	}
}

func (p tab) hasLargeText() {
	p.t.Helper()
	if got := eval[float64](p, "parseFloat(getComputedStyle(document.body).fontSize)"); got < 30 {
		p.t.Errorf("the text is of %.0f pixels for who wants 32", got)
	}
}

func (p tab) isBright() {
	p.t.Helper()
	if got := p.brightness(); got < 0.7 {
		p.t.Errorf("the page has a brightness of %.2f, want at least 0.7", got)
	}
}

func (p tab) isDark() {
	p.t.Helper()
	if got := p.brightness(); got > 0.3 {
		p.t.Errorf("the page has a brightness of %.2f, want at most 0.3", got)
	}
}

// brightness is that of what is seen, from 0 for black to 1 for white.
func (p tab) brightness() float64 {
	p.t.Helper()
	picture := p.picture(chromedp.CaptureScreenshot())
	seen, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		p.t.Fatal(err)
	}
	var sum float64
	bounds := seen.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			sum += grey(seen, x, y)
		}
	}
	return sum / float64(bounds.Dx()*bounds.Dy())
}

func grey(picture image.Image, x, y int) float64 {
	red, green, blue, _ := picture.At(x, y).RGBA()
	return float64(red+green+blue) / (3 * 0xffff)
}

func (p tab) picture(shoot chromedp.Action[[]byte]) []byte {
	p.t.Helper()
	limited, cancel := context.WithTimeout(p.context, patience)
	defer cancel()
	picture, err := chromedp.Run(limited, shoot)
	if err != nil {
		p.t.Fatalf("taking a picture: %s", err)
	}
	return picture
}
