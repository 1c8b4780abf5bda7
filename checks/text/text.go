// Package text writes a Report for people: what the terminal shows and what
// /status answers as text/plain. It is plain and complete, made for a tired
// engineer at night: every check in one line, then each cause with its evidence
// and its remedy, and the verdict in the last line, where the eye is.
package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// Style says what the reader's screen can show. The zero Style is plain ASCII.
type Style struct {
	// Colour marks statuses with ANSI colours (ECMA-48 SGR).
	Colour bool
	// Unicode marks them with √ ‼ × in the place of words, and shows what is
	// quoted in any script.
	Unicode bool
}

// Write writes the report to w in one call of its Write. Nothing of what the
// report quotes can move the cursor, change a colour or begin a line.
func Write(w io.Writer, report *checks.Report, style Style) error {
	p := printer{style: style}
	p.heading(report)
	p.results(report)
	for _, finding := range report.Diagnosis {
		p.finding(finding)
	}
	p.access(report.Access)
	p.verdict(report)
	if _, err := io.WriteString(w, p.out.String()); err != nil {
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

// Verdict is the report in one sentence.
func Verdict(report *checks.Report) string {
	if report.Status == checks.Unknown {
		return "No round has ended yet, so nothing is known."
	}
	byStatus := make(map[checks.Status][]string)
	for _, result := range report.Checks {
		byStatus[result.Status] = append(byStatus[result.Status], string(result.Name))
	}
	failing, warning, skipped := byStatus[checks.Fail], byStatus[checks.Warn], byStatus[checks.Skip]

	var sentence strings.Builder
	all := len(report.Checks)
	switch {
	case len(failing) == 1:
		fmt.Fprintf(&sentence, "1 of %d checks fails: %s.", all, failing[0])
	case len(failing) > 1:
		fmt.Fprintf(&sentence, "%d of %d checks fail: %s.", len(failing), all, strings.Join(failing, ", "))
	case len(skipped) > 0:
		fmt.Fprintf(&sentence, "%d of %d checks pass.", all-len(skipped), all)
	case all == 0:
		sentence.WriteString("No check was made.")
	case all == 1:
		sentence.WriteString("The one check passes.")
	default:
		fmt.Fprintf(&sentence, "All %d checks pass.", all)
	}
	if len(warning) > 0 {
		fmt.Fprintf(&sentence, " With a warning: %s.", strings.Join(warning, ", "))
	}
	if len(skipped) > 0 {
		fmt.Fprintf(&sentence, " Not judged: %s.", strings.Join(skipped, ", "))
	}
	return Clean(sentence.String())
}

// printer gathers the text. What it writes of a report's strings goes through
// quote, so that the colours and line ends in it are its own.
type printer struct {
	out   strings.Builder
	style Style
}

func (p *printer) quote(s string) string {
	if p.style.Unicode {
		return Clean(s)
	}
	return cleanASCII(s)
}

func (p *printer) heading(report *checks.Report) {
	fmt.Fprintf(&p.out, "From %s to the Kubernetes API\n", p.quote(Subject(report.Pod)))
	if report.Status != checks.Unknown {
		fmt.Fprintf(&p.out, "Round %d, begun %s, took %s\n", report.Round, Time(report.Time), Duration(report.DurationSeconds))
	}
	p.out.WriteByte('\n')
}

func (p *printer) results(report *checks.Report) {
	var width int
	for _, result := range report.Checks {
		width = max(width, len(p.quote(string(result.Name))))
	}
	// The mark, a space, the name and two spaces stand before a message.
	indent := strings.Repeat(" ", p.markWidth()+1+width+2)
	for _, result := range report.Checks {
		fmt.Fprintf(&p.out, "%s %-*s  %s\n", p.mark(result.Status), width, p.quote(string(result.Name)), p.quote(result.Message))
		if result.Status == checks.OK {
			continue
		}
		reason := result.Reason
		if reason == checks.WaitsFor {
			reason = ""
		}
		p.pairs(indent,
			"reason", string(reason),
			"waits for", string(result.WaitsFor),
			"expected", result.Expected,
			"found", result.Found,
			"since", since(result))
		for _, other := range result.Others {
			p.pairs(indent, "also", string(other.Reason)+": "+other.Message, "expected", other.Expected, "found", other.Found)
		}
	}
	if len(report.Checks) > 0 {
		p.out.WriteByte('\n')
	}
}

// pairs writes a line for each label whose value is not empty.
func (p *printer) pairs(indent string, labelled ...string) {
	for pair := range slices.Chunk(labelled, 2) {
		if pair[1] != "" {
			fmt.Fprintf(&p.out, "%s%-9s %s\n", indent, pair[0], p.quote(pair[1]))
		}
	}
}

func since(result checks.Result) string {
	switch {
	case result.Since.IsZero():
		return ""
	case result.Consecutive > 1:
		return fmt.Sprintf("%s, %d rounds in a row", Time(result.Since), result.Consecutive)
	default:
		return Time(result.Since)
	}
}

func (p *printer) finding(finding checks.Finding) {
	label := "Cause"
	if finding.Severity == checks.Warn {
		label = "Warning"
	}
	heading := fmt.Sprintf("%s (%s)", label, p.quote(string(finding.Certainty)))
	fmt.Fprintf(&p.out, "%s: %s [%s]\n", p.paint(finding.Severity, heading), p.quote(finding.Title), p.quote(string(finding.Reason)))
	if len(finding.Consequences) > 0 {
		fmt.Fprintf(&p.out, "  Because of it also: %s\n", p.quote(Names(finding.Consequences)))
	}
	p.list("Evidence", finding.Evidence)
	p.list("Confirm", finding.Confirm)
	p.list("Remedy", finding.Remedy)
	p.list("Read", finding.References)
	p.out.WriteByte('\n')
}

// list puts nothing before its lines but space, of which a command gets more,
// so that it is seen at once and can be copied with its line.
func (p *printer) list(heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(&p.out, "  %s:\n", heading)
	for _, line := range lines {
		indent := "    "
		if (heading == "Confirm" || heading == "Remedy") && checks.IsCommand(line) {
			indent += "  "
		}
		fmt.Fprintf(&p.out, "%s%s\n", indent, p.quote(line))
	}
}

func (p *printer) access(paths []checks.Access) {
	if len(paths) == 0 {
		return
	}
	var width int
	for _, path := range paths {
		width = max(width, len(p.quote(path.Path)))
	}
	p.out.WriteString("Ways in which an application reaches the API:\n")
	for _, path := range paths {
		status := checks.Fail
		if path.Works {
			status = checks.OK
		}
		fmt.Fprintf(&p.out, "%s %-*s  %s\n", p.mark(status), width, p.quote(path.Path), p.quote(path.Why))
	}
	p.out.WriteByte('\n')
}

func (p *printer) verdict(report *checks.Report) {
	word := strings.ToUpper(string(report.Status))
	fmt.Fprintf(&p.out, "%s: %s\n", p.paint(report.Status, p.quote(word)), p.quote(Verdict(report)))
}

// Names puts commas between names.
func Names(names []checks.Name) string {
	joined := make([]string, len(names))
	for i, name := range names {
		joined[i] = string(name)
	}
	return strings.Join(joined, ", ")
}

// Time is how a point in time is shown: UTC, to the second, RFC 3339.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Duration is how a number of seconds is shown, in three digits or so.
func Duration(seconds float64) string {
	if milliseconds := 1000 * seconds; milliseconds < 999.5 {
		return fmt.Sprintf("%.3gms", milliseconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Millisecond).String()
}
