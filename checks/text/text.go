// Package text writes a Report for people: what the terminal shows and what
// /status answers as text/plain. It is plain and complete, made for a tired
// engineer at night: what holds and what does not, in the order of the links;
// then each cause with what to do about it; and the verdict in the last line,
// which stays in view.
package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// Style says what the reader's screen can show. The zero Style is plain ASCII.
type Style struct {
	// Colour marks statuses with ANSI colours (ECMA-48 SGR).
	Colour bool
	// Unicode marks them with √ ‼ × in the place of words, and shows what is
	// quoted in any script.
	Unicode bool
	// Columns is how wide the screen is: sentences are broken at their spaces, and
	// commands never are, so that they can be copied. 0 breaks nothing.
	Columns int
	// Rows is how many rows there are for a report that is not to be scrolled:
	// what is too much is left out before the verdict. 0 leaves nothing out.
	Rows int
}

// Quote returns s for the screen: Clean, and without Unicode in ASCII alone.
func (s Style) Quote(text string) string {
	if s.Unicode {
		return Clean(text)
	}
	return cleanASCII(text)
}

// Write writes the report to w in one call of its Write. Nothing of what the
// report quotes can move the cursor, change a colour or begin a line.
func Write(w io.Writer, report *checks.Report, style Style) error {
	p := newPrinter(report, style)
	p.head()
	p.links()
	p.findings()
	p.access()
	last := newPrinter(report, style)
	last.verdict()
	return write(w, fit(p.out.String(), last.out.String(), style)+last.out.String())
}

// WriteShort writes a line for each check, of its name, its status and its
// reason where it has one, and the verdict.
func WriteShort(w io.Writer, report *checks.Report, style Style) error {
	p := newPrinter(report, style)
	for _, result := range report.Checks {
		line := string(result.Name) + " " + string(result.Status)
		if result.Reason != "" {
			line += " " + string(result.Reason)
		}
		p.paragraph("", line, 2, plain)
	}
	p.verdict()
	return write(w, p.out.String())
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("writing the report as text: %w", err)
	}
	return nil
}

// Subject names whose way to the API a report is about, by what of its
// identity is known.
func Subject(pod checks.Identity) string {
	var subject strings.Builder
	switch {
	case pod.Name != "" && pod.Namespace != "":
		subject.WriteString("pod " + pod.Namespace + "/" + pod.Name)
	case pod.Name != "":
		subject.WriteString("pod " + pod.Name)
	case pod.Namespace != "":
		subject.WriteString("a pod in namespace " + pod.Namespace)
	default:
		subject.WriteString("this pod")
	}
	if pod.Node != "" {
		subject.WriteString(" on node " + pod.Node)
	}
	if pod.ServiceAccount != "" {
		subject.WriteString(" as service account " + pod.ServiceAccount)
	}
	return Clean(subject.String())
}

// printer gathers the text. What it writes of a report's strings is quoted, so
// that the colours and line ends in it are its own.
type printer struct {
	out    strings.Builder
	style  Style
	report *checks.Report
	// told are the sentences that a reader has met already.
	told map[string]bool
}

func newPrinter(report *checks.Report, style Style) *printer {
	return &printer{style: style, report: report, told: make(map[string]bool)}
}

func (p *printer) head() {
	head := "From " + Subject(p.report.Pod) + " to the Kubernetes API"
	if p.report.Status != checks.Unknown {
		head += ", at " + moment(p.report.Time)
	}
	if p.report.Round > 1 {
		head += fmt.Sprintf(", round %d", p.report.Round)
	}
	p.paragraph("", head, 2, plain)
	p.blank()
}

// access tells of the ways to the API, of those together that fare alike.
func (p *printer) access() {
	ways := p.report.Access
	if len(ways) == 0 {
		return
	}
	p.block("Ways in which an application reaches the API", 0, bold)
	for len(ways) > 0 {
		alike := 1
		for alike < len(ways) && ways[alike].Works == ways[0].Works && ways[alike].Why == ways[0].Why {
			alike++
		}
		names := make([]string, 0, alike)
		for _, way := range ways[:alike] {
			names = append(names, way.Path)
		}
		status := checks.Fail
		if ways[0].Works {
			status = checks.OK
		}
		lead := p.lead(status)
		p.paragraph(lead, strings.Join(names, ", ")+": "+ways[0].Why, width(lead), plain)
		ways = ways[alike:]
	}
	p.blank()
}

// verdict is the last line, since that is what stays in view.
func (p *printer) verdict() {
	word := strings.ToUpper(string(p.report.Status)) + ":"
	p.paragraph(p.style.paint(lookOf(p.report.Status), p.style.Quote(word))+" ", Verdict(p.report), 2, bold)
}

// Names puts commas between names.
func Names(names []checks.Name) string {
	joined := make([]string, len(names))
	for i, name := range names {
		joined[i] = string(name)
	}
	return strings.Join(joined, ", ")
}
