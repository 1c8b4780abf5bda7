package server

import (
	"strconv"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

func (d *document) causes(report *checks.Report) {
	if len(report.Diagnosis) == 0 {
		return
	}
	d.write("<section id=\"causes\" aria-labelledby=\"causes-title\">\n<h2 id=\"causes-title\">What is wrong and what to do</h2>\n")
	for i, finding := range report.Diagnosis {
		d.write("<article class=\"%\" data-reason=\"%\">\n<h3>%</h3>\n<p><code>%</code>, %",
			string(finding.Severity), string(finding.Reason), finding.Title, string(finding.Reason), string(finding.Certainty))
		if len(finding.Consequences) > 0 {
			d.write("; because of it also: %", text.Names(finding.Consequences))
		}
		if held := text.Held(report, finding); held != "" {
			d.write("; %", held)
		}
		d.write("</p>\n")
		d.evidence(finding.Evidence)
		d.confirm(i, finding)
		d.remedy(finding.Remedy)
		d.references(finding.References)
		d.write("</article>\n")
	}
	d.write("</section>\n")
}

func (d *document) evidence(sentences []string) {
	if len(sentences) == 0 {
		return
	}
	d.write("<h4>Evidence</h4>\n<ul>\n")
	for _, sentence := range sentences {
		d.write("<li>%</li>\n", sentence)
	}
	d.write("</ul>\n")
}

// steps are sentences and commands; the script puts a button beside each of the
// latter, which copies it.
func (d *document) steps(steps []string) {
	for _, step := range steps {
		if checks.IsCommand(step) {
			d.write("<pre><code>%</code></pre>\n", step)
		} else {
			d.write("<p>%</p>\n", step)
		}
	}
}

func (d *document) remedy(steps []string) {
	if len(steps) == 0 {
		return
	}
	d.write("<h4>What to do</h4>\n")
	d.steps(steps)
}

// confirm is folded, for it is longer than what there is to do, and stands before
// it, for what is only likely may call for something else.
func (d *document) confirm(index int, finding checks.Finding) {
	if len(finding.Confirm) == 0 {
		return
	}
	summary := "How to make sure"
	if finding.Certainty != checks.Certain {
		summary = "Make sure first, since it is likely and not certain"
	}
	d.write("<details id=\"confirm-%\">\n<summary>%</summary>\n", strconv.Itoa(index), summary)
	d.steps(finding.Confirm)
	d.write("</details>\n")
}

func (d *document) references(pages []string) {
	if len(pages) == 0 {
		return
	}
	d.write("<h4>Read</h4>\n<ul>\n")
	for _, page := range pages {
		d.write("<li><a href=\"%\">%</a></li>\n", page, page)
	}
	d.write("</ul>\n")
}

func (d *document) access(paths []checks.Access) {
	if len(paths) == 0 {
		return
	}
	d.write("<section id=\"access\" aria-labelledby=\"access-title\">\n<h2 id=\"access-title\">Ways in which an application reaches the API</h2>\n<ul class=\"ways\">\n")
	for _, path := range paths {
		status, works := checks.OK, "works"
		if !path.Works {
			status, works = checks.Fail, "does not work"
		}
		d.write("<li class=\"%\"><span class=\"mark\" aria-hidden=\"true\">%</span> <strong>%</strong> <span class=\"status\">%</span> <span>%</span></li>\n",
			string(status), mark(status), path.Path, works, path.Why)
	}
	d.write("</ul>\n</section>\n")
}
