package server

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

//go:embed page.css
var pageStyle string

// htmlStatus is the report as a page, with a notice if there is one.
func htmlStatus(report *checks.Report, notice string) *prepared {
	var page document
	page.head(report)
	page.heading(report, notice)
	page.write("<main>\n")
	page.diagnosis(report.Diagnosis)
	page.checks(report.Checks)
	page.access(report.Access)
	page.write("</main>\n")
	page.write(`<footer><p>The same as <a href="?format=json">JSON</a> and <a href="?format=text">text</a>. Reload the page for the present round.</p></footer>
</body>
</html>
`)
	p := status("text/html; charset=utf-8", []byte(page.content.String()))
	p.header = withPolicy(p.header)
	return p
}

// withPolicy forbids the page everything but its own style, W3C Content
// Security Policy Level 3: what a server put into the report cannot run, load
// or send anything, however it gets there.
func withPolicy(header http.Header) http.Header {
	hash := sha256.Sum256([]byte(pageStyle))
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	return header
}

func (d *document) head(report *checks.Report) {
	d.write(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>% · % · Lifeline</title>
<link rel="icon" href="data:,">
<style>`, string(report.Status), text.Subject(report.Pod))
	d.write(markup(pageStyle))
	d.write(`</style>
</head>
<body>
`)
}

func (d *document) heading(report *checks.Report, notice string) {
	d.write(`<header>
<p class="product">Lifeline</p>
<h1 class="%"><span class="status">%</span> %</h1>
<p>From % to the Kubernetes API.`, string(report.Status), string(report.Status), text.Verdict(report), text.Subject(report.Pod))
	if report.Status != checks.Unknown {
		d.write(" Round %, begun <time>%</time>, took %.",
			strconv.FormatUint(report.Round, 10), text.Time(report.Time), text.Duration(report.DurationSeconds))
	}
	d.write("</p>\n")
	if notice != "" {
		d.write("<p class=\"notice\" role=\"alert\">%</p>\n", notice)
	}
	d.write("</header>\n")
}

func (d *document) diagnosis(findings []checks.Finding) {
	if len(findings) == 0 {
		return
	}
	d.write("<section aria-labelledby=\"diagnosis\">\n<h2 id=\"diagnosis\">Diagnosis</h2>\n")
	for _, finding := range findings {
		d.write("<article class=\"%\">\n<h3>%</h3>\n<p><code>%</code>, %",
			string(finding.Severity), finding.Title, string(finding.Reason), string(finding.Certainty))
		if len(finding.Consequences) > 0 {
			d.write("; because of it also: %", text.Names(finding.Consequences))
		}
		d.write("</p>\n")
		d.evidence(finding.Evidence)
		d.steps("Confirm", finding.Confirm)
		d.steps("Remedy", finding.Remedy)
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

func (d *document) steps(heading string, steps []string) {
	if len(steps) == 0 {
		return
	}
	d.write("<h4>%</h4>\n", heading)
	for _, step := range steps {
		if checks.IsCommand(step) {
			d.write("<pre>%</pre>\n", step)
		} else {
			d.write("<p>%</p>\n", step)
		}
	}
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

func (d *document) checks(results []checks.Result) {
	if len(results) == 0 {
		return
	}
	d.write(`<section aria-labelledby="checks">
<h2 id="checks">Checks</h2>
<table role="table">
<thead role="rowgroup">
<tr role="row"><th role="columnheader" scope="col">Check</th><th role="columnheader" scope="col">Status</th><th role="columnheader" scope="col">Result</th><th role="columnheader" scope="col">Since</th></tr>
</thead>
<tbody role="rowgroup">
`)
	for _, result := range results {
		d.result(result)
	}
	d.write("</tbody>\n</table>\n</section>\n")
}

func (d *document) result(result checks.Result) {
	status := string(result.Status)
	d.write(`<tr role="row" class="%">
<th role="rowheader" scope="row">%</th>
<td role="cell"><span class="status">%</span></td>
<td role="cell">%`, status, string(result.Name), status, result.Message)
	if result.Status != checks.OK {
		d.circumstances(result)
	}
	d.write("</td>\n<td role=\"cell\">")
	if !result.Since.IsZero() {
		d.write("<time>%</time>", text.Time(result.Since))
	}
	if result.Consecutive > 1 {
		d.write(` <span class="rounds">% rounds</span>`, strconv.FormatUint(result.Consecutive, 10))
	}
	d.write("</td>\n</tr>\n")
}

// circumstances tell more of a check that does not pass.
func (d *document) circumstances(result checks.Result) {
	const row markup = "<div><dt>%</dt><dd>%</dd></div>"
	d.write("\n<dl>")
	switch {
	case result.WaitsFor != "":
		d.write(row, "waits for", string(result.WaitsFor))
	case result.Reason != "":
		d.write("<div><dt>reason</dt><dd><code>%</code></dd></div>", string(result.Reason))
	}
	if result.Expected != "" {
		d.write(row, "expected", result.Expected)
	}
	if result.Found != "" {
		d.write(row, "found", result.Found)
	}
	for _, other := range result.Others {
		d.write("<div><dt>also</dt><dd><code>%</code> %</dd></div>", string(other.Reason), other.Message)
	}
	d.write("</dl>")
}

func (d *document) access(paths []checks.Access) {
	if len(paths) == 0 {
		return
	}
	d.write("<section aria-labelledby=\"access\">\n<h2 id=\"access\">Ways in which an application reaches the API</h2>\n<ul>\n")
	for _, path := range paths {
		status, works := checks.OK, "works"
		if !path.Works {
			status, works = checks.Fail, "does not work"
		}
		d.write("<li class=\"%\"><strong>%</strong> <span class=\"status\">%</span>: %</li>\n", string(status), path.Path, works, path.Why)
	}
	d.write("</ul>\n</section>\n")
}
