package server

import (
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// chain draws the links from the pod to the API: what is broken stands out, and
// what is only its consequence steps back.
func (d *document) chain(report *checks.Report) {
	if len(report.Checks) == 0 {
		return
	}
	broken := brokenLinks(report)
	d.write(`<section id="way" aria-labelledby="way-title">
<h2 id="way-title" class="unseen">The way from the pod to the API</h2>
<ol id="chain">
<li class="end">%</li>
`, text.Subject(checks.Identity{Name: report.Pod.Name}))
	for _, result := range report.Checks {
		class, current := string(result.Status), markup("")
		switch {
		case slices.Contains(broken, result.Name):
			class, current = class+" broken", ` aria-current="true"`
		case result.Status == checks.Skip || result.Status == checks.Fail:
			class += " consequence"
		}
		d.write(`<li class="%" data-check="%" data-status="%"`, class, string(result.Name), string(result.Status))
		d.write(current)
		d.write(`><a href="#check-%"><span class="mark" aria-hidden="true">%</span> % <span class="state">%</span></a></li>
`, string(result.Name), mark(result.Status), string(result.Name), stateOf(result, class))
	}
	d.write("<li class=\"end\">Kubernetes API</li>\n</ol>\n</section>\n")
}

// brokenLinks are the checks that fail by themselves. Where all that fail are
// consequences of what no check is for, it is the first of them.
func brokenLinks(report *checks.Report) []checks.Name {
	var consequences, failing, broken []checks.Name
	for _, finding := range report.Diagnosis {
		consequences = append(consequences, finding.Consequences...)
	}
	for _, result := range report.Checks {
		if result.Status != checks.Fail {
			continue
		}
		failing = append(failing, result.Name)
		if !slices.Contains(consequences, result.Name) {
			broken = append(broken, result.Name)
		}
	}
	if len(broken) == 0 && len(failing) > 0 {
		return failing[:1]
	}
	return broken
}

func mark(status checks.Status) string {
	switch status {
	case checks.OK:
		return "✓"
	case checks.Warn:
		return "!"
	case checks.Fail:
		return "✕"
	default:
		return "–"
	}
}

func stateOf(result checks.Result, class string) string {
	switch {
	case result.WaitsFor != "":
		return "waits for " + string(result.WaitsFor)
	case class == string(checks.Fail)+" consequence":
		return "fails because of it"
	default:
		return string(result.Status)
	}
}
