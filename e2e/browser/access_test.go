package browser_test

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// isAccessible tells whether axe-core finds nothing, in what is folded up either.
func (s suite) isAccessible(p tab) {
	p.t.Helper()
	p.unfold()
	for _, violation := range s.violations(p) {
		p.t.Errorf("axe-core finds %s", violation)
	}
}

// violations are what axe-core has to say of the page.
func (s suite) violations(p tab) (violations []string) {
	p.t.Helper()
	// By the protocol it is let in where the page's policy lets no script in.
	eval[bool](p, s.axe+"\n;true")
	type found struct {
		ID    string
		Help  string
		Nodes []struct {
			Target  []any
			Summary string
		}
	}
	// Without preloading, it does not ask for the style again.
	all := eval[[]found](p, `axe.run(document, {preload: false, resultTypes: ['violations']}).then(results =>
		results.violations.map(({id, help, nodes}) => ({id, help,
			nodes: nodes.map(({target, failureSummary}) => ({target, summary: failureSummary}))})))`,
		chromedp.EvalAwaitPromise)
	for _, one := range all {
		violation := one.ID + ": " + one.Help
		for _, node := range one.Nodes {
			violation += fmt.Sprintf("\n%v: %s", node.Target, node.Summary)
		}
		violations = append(violations, violation)
	}
	return violations
}

// unfold opens all that is folded up.
func (p tab) unfold() {
	p.t.Helper()
	eval[bool](p, "document.querySelectorAll('details').forEach(details => { details.open = true }), true")
}
