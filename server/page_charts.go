package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// part is a share of a bar, from 0 to 1.
type part struct {
	class markup
	share float64
}

// bar draws parts side by side below the sentence that says the same, and a line
// at a share of the bar unless that is negative. Attributes of SVG give the
// lengths: the page's policy forbids styles of single elements.
func (d *document) bar(sentence string, parts []part, line float64) {
	d.write("<p class=\"bar\">%</p>\n<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"1000\" height=\"10\"/>", sentence)
	var from float64
	for _, part := range parts {
		width := 1000 * max(0, min(1-from, part.share))
		d.write("<rect class=\"")
		d.write(part.class)
		d.write("\" x=\"%\" width=\"%\" height=\"10\"/>", tenths(1000*from), tenths(width))
		from += width / 1000
	}
	if line >= 0 {
		d.write("<rect class=\"due\" x=\"%\" width=\"4\" height=\"10\"/>", tenths(996*min(1, line)))
	}
	d.write("</svg>\n")
}

func tenths(value float64) string { return strconv.FormatFloat(value, 'f', 1, 64) }

// maxEpisodesShown is how many episodes the page shows; the JSON has all.
const maxEpisodesShown = 10

func (d *document) history(past History) {
	if len(past.Hour.Points) == 0 {
		return
	}
	d.write("<section id=\"history\" aria-labelledby=\"history-title\">\n<h2 id=\"history-title\">Lately</h2>\n<div class=\"charts\">\n")
	d.chart("Last hour", past.Hour, time.Hour)
	d.chart("Last day", past.Day, samplesFor)
	d.write("</div>\n")
	d.episodes(past.Episodes)
	d.write("</section>\n")
}

// chart draws a span: above, how long the API server took to answer; below, how
// well the rounds were.
func (d *document) chart(title string, told Span, length time.Duration) {
	points := max(len(told.Points), int(length/seconds(told.StepSeconds)))
	summary := summaryOf(told)
	d.write("<figure>\n<figcaption><strong>%</strong> %</figcaption>\n", title, summary)
	d.write("<svg role=\"img\" viewBox=\"0 0 % 40\" preserveAspectRatio=\"none\"><title>%: %</title>", strconv.Itoa(4*points), title, summary)
	slowest := 0.0
	for _, point := range told.Points {
		slowest = max(slowest, point.RoundTripSeconds)
	}
	// A path for each kind takes up a fraction of an element for each point.
	paths := map[checks.Status]*strings.Builder{checks.OK: {}, checks.Warn: {}, checks.Fail: {}}
	var answers strings.Builder
	for i, point := range told.Points {
		x := 4 * (points - len(told.Points) + i)
		if point.Rounds == 0 {
			continue
		}
		fmt.Fprintf(paths[point.worst()], "M%d 32h3v8h-3z", x)
		if point.RoundTripSeconds > 0 {
			height := max(1, 28*point.RoundTripSeconds/slowest)
			fmt.Fprintf(&answers, "M%d 29v-%.1fh3v%.1fz", x, height, height)
		}
	}
	d.write("<path class=\"answers\" d=\"%\"/>", answers.String())
	for _, status := range []checks.Status{checks.OK, checks.Warn, checks.Fail} {
		d.write("<path class=\"%\" d=\"%\"/>", string(status), paths[status].String())
	}
	d.write("</svg>\n<p class=\"axis faint\"><span>% ago</span><span>now</span></p>\n</figure>\n", span(time.Duration(points)*seconds(told.StepSeconds)))
}

func (p Point) worst() checks.Status {
	switch {
	case p.Failed > 0:
		return checks.Fail
	case p.Warned > 0:
		return checks.Warn
	default:
		return checks.OK
	}
}

func summaryOf(told Span) string {
	if told.Rounds == 0 {
		return "No round."
	}
	well := 100 * float64(told.Rounds-told.Failed) / float64(told.Rounds)
	// Rounded up, one bad round of many would read as none.
	digits := strconv.FormatFloat(float64(int(100*well))/100, 'f', -1, 64)
	summary := fmt.Sprintf("All well in %s %% of the time: a check failed in %d of %d rounds.", digits, told.Failed, told.Rounds)
	if answers := told.RoundTrip; answers != nil {
		summary += fmt.Sprintf(" Round trip to the API: median %s, 99 %% within %s, slowest %s.",
			text.Duration(answers.MedianSeconds), text.Duration(answers.P99Seconds), text.Duration(answers.MaxSeconds))
	}
	return summary
}

func (d *document) episodes(episodes []Episode) {
	if len(episodes) == 0 {
		d.write("<p>Nothing was wrong since this agent started.</p>\n")
		return
	}
	d.write("<table>\n<caption>What was wrong, the latest first</caption>\n<thead><tr><th scope=\"col\">Cause</th><th scope=\"col\">Began</th><th scope=\"col\">Lasted</th></tr></thead>\n<tbody>\n")
	for _, episode := range episodes[:min(len(episodes), maxEpisodesShown)] {
		d.episode(episode)
	}
	d.write("</tbody>\n</table>\n")
	if count := len(episodes); count > maxEpisodesShown {
		d.write("<p class=\"faint\">% earlier ones are in the JSON.</p>\n", strconv.Itoa(count-maxEpisodesShown))
	}
}

func (d *document) episode(episode Episode) {
	d.write("<tr class=\"%\"><td><span class=\"status\">%</span> ", string(episode.Status), string(episode.Status))
	for i, cause := range episode.Causes {
		if i == 0 {
			d.write("% <code>%</code>", cause.Title, string(cause.Reason))
		} else {
			d.write("<span class=\"faint\">, also <code>%</code></span>", string(cause.Reason))
		}
	}
	d.write("</td><td>")
	d.time(episode.Began)
	d.write("</td><td>%", span(seconds(episode.Seconds)))
	if episode.Times > 1 {
		d.write(", came % times", strconv.FormatUint(episode.Times, 10))
	}
	if episode.Ended.IsZero() {
		d.write(", goes on")
	}
	d.write("</td></tr>\n")
}
