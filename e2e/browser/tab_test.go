package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long the browser may take for anything, and longer than it
// ever does.
const patience = time.Minute

// action is a step in a tab.
type action = chromedp.Action[chromedp.Void]

// tab is a page in a window and with a profile of its own.
type tab struct {
	t       *testing.T
	context context.Context //nolint:containedctx // chromedp keeps a tab in a context
	watch   *watch
}

// open opens a page, before which a few steps may be taken, and closes it at the
// end of the test, which fails if the page did anything wrong until then.
func (s suite) open(t *testing.T, address string, before ...action) tab {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	watch := &watch{origin: parsed.Scheme + "://" + parsed.Host}
	ctx, cancel := chromedp.NewContext(s.chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(watch.note))
	t.Cleanup(cancel)
	// The first call makes the tab, which would end with a time limit on it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %s", err)
	}
	p := tab{t: t, context: ctx, watch: watch}
	t.Cleanup(func() {
		for _, wrong := range watch.wrongs() {
			t.Error(wrong)
		}
	})
	p.do(
		command(audits.Enable, cdp.Empty{}),
		command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
	)
	p.do(before...)
	p.do(chromedp.Navigate(address))
	return p
}

// command makes an action of a command of the DevTools protocol.
func command[P, R any](command cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func (p tab) do(actions ...action) {
	p.t.Helper()
	limited, cancel := context.WithTimeout(p.context, patience)
	defer cancel()
	if err := chromedp.Do(limited, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval is the value of an expression in the page, a promise's result where it is
// awaited.
func eval[T any](p tab, expression string, options ...chromedp.EvaluateOption) (value T) {
	p.t.Helper()
	limited, cancel := context.WithTimeout(p.context, patience)
	defer cancel()
	raw, err := chromedp.Run(limited, chromedp.Evaluate[[]byte](expression, options...))
	if err != nil {
		p.t.Fatalf("evaluating %.200s: %s", expression, err)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		p.t.Fatalf("evaluating %.200s gives %s: %s", expression, raw, err)
	}
	return value
}

// quote makes a string of JavaScript.
func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

// within looks until nothing is missing.
func (p tab) within(limit time.Duration, what string, missing func() string) {
	p.t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		miss := missing()
		if miss == "" {
			return
		}
		if time.Since(began) > limit {
			p.t.Fatalf("%s: after %s %s", what, limit, miss)
		}
	}
}

// until looks until an expression is true.
func (p tab) until(limit time.Duration, what, expression string) {
	p.t.Helper()
	p.within(limit, what, func() string {
		if eval[bool](p, "Boolean("+expression+")") {
			return ""
		}
		return fmt.Sprintf("%s is not so; the page reads\n%s", expression, eval[string](p, "document.body.innerText"))
	})
}
