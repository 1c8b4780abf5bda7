package server

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// page is what the page shows. It is the same for every viewer.
type page struct {
	report  *checks.Report
	history History
	// now is when the report was published.
	now time.Time
	// period is the time from one look of the open page for a later round to the
	// next.
	period time.Duration
	// notice is empty where the report is of the present round.
	notice string
	// tag names what is shown, for a viewer that asks whether it still holds; it
	// is empty where that is not to be told.
	tag string
}

func (p page) answer() *prepared {
	var d document
	d.head(p)
	d.heading(p)
	d.write("<main>\n")
	d.chain(p.report)
	d.causes(p.report)
	d.access(p.report.Access)
	d.history(p.history)
	d.checks(p.report, p.now)
	d.write("</main>\n")
	d.write(`<footer><p>The same as <a href="?format=json">JSON</a> and <a href="?format=text">text</a>. Times are UTC.</p></footer>
</body>
</html>
`)
	answer := status("text/html; charset=utf-8", []byte(d.content.String()))
	answer.header = withPolicy(answer.header)
	if p.tag != "" {
		answer.header.Set("ETag", p.tag)
	}
	return answer
}

// withPolicy forbids the page everything but its own style, its own script and to
// look for a later round, W3C Content Security Policy Level 3: what a server put
// into the report cannot run, load or send anything, however it gets there.
func withPolicy(header http.Header) http.Header {
	hash := sha256.Sum256([]byte(pageStyle))
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(hash[:])+"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	return header
}

func (d *document) head(p page) {
	d.write(`<!DOCTYPE html>
<html lang="en" data-period="%">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>% · % · Lifeline</title>
<link rel="icon" href="data:,">
<script src="status.js" defer></script>
<style>`, number(p.period.Seconds()), string(p.report.Status), text.Subject(p.report.Pod))
	d.write(markup(pageStyle))
	d.write("</style>\n</head>\n<body>\n")
}

func (d *document) heading(p page) {
	status := string(p.report.Status)
	d.write(`<header id="top" class="%">
<h1><span class="status">%</span> %</h1>
<p>From % to the Kubernetes API.`, status, status, text.Verdict(p.report), text.Subject(p.report.Pod))
	if p.report.Status != checks.Unknown {
		d.write(" Round %, ", strconv.FormatUint(p.report.Round, 10))
		d.time(p.report.Time)
		d.write(", took %.", text.Duration(p.report.DurationSeconds))
	}
	d.write("</p>\n")
	if p.notice != "" {
		d.write("<p class=\"notice\" role=\"alert\">%</p>\n", p.notice)
	}
	d.write("</header>\n<p id=\"live\" role=\"status\">Reload the page for the present round.</p>\n")
}

// time is a point in time, to the second.
func (d *document) time(at time.Time) { d.write("<time>%</time>", text.Time(at)) }

// row is a term and what there is to say of it, or nothing where that is empty.
func (d *document) row(term, description string) {
	if description != "" {
		d.write("<div><dt>%</dt><dd>%</dd></div>\n", term, description)
	}
}

func number(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// span is how a length of time is shown: in its two largest units.
func span(length time.Duration) string {
	length = length.Round(time.Second)
	days, hours, minutes, seconds := int(length/(24*time.Hour)), int(length.Hours())%24, int(length.Minutes())%60, int(length.Seconds())%60
	pair := func(large int, largeUnit string, small int, smallUnit string) string {
		if small == 0 {
			return strconv.Itoa(large) + largeUnit
		}
		return strconv.Itoa(large) + largeUnit + " " + strconv.Itoa(small) + smallUnit
	}
	switch {
	case days > 0:
		return pair(days, "d", hours, "h")
	case hours > 0:
		return pair(hours, "h", minutes, "min")
	case minutes > 0:
		return pair(minutes, "min", seconds, "s")
	default:
		return strconv.Itoa(seconds) + "s"
	}
}
