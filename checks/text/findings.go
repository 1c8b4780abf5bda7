package text

import (
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// findings tells of each cause in full. Where something fails, what merely could
// be better is told in short, so that it does not bury what is to be mended.
func (p *printer) findings() {
	failing := slices.ContainsFunc(p.report.Diagnosis, func(f checks.Finding) bool { return f.Severity == checks.Fail })
	for _, finding := range p.report.Diagnosis {
		p.finding(finding)
		if failing && finding.Severity != checks.Fail {
			p.evidence(finding.Evidence[:min(1, len(finding.Evidence))])
			p.command("lifeline explain " + string(finding.Reason))
		} else {
			p.evidence(finding.Evidence)
			p.steps("What to do", finding.Remedy)
			p.steps("How to make sure", finding.Confirm)
			p.pages(finding.References)
		}
		p.blank()
	}
}

func (p *printer) finding(finding checks.Finding) {
	label := "Cause"
	if finding.Severity == checks.Warn {
		label = "Warning"
	}
	p.paragraph(p.style.paint(lookOf(finding.Severity), label+":")+" ", finding.Title, 2, bold)
	code := string(finding.Reason) + ", " + string(finding.Certainty)
	if held := Held(p.report, finding); held != "" {
		code += ", " + held
	}
	p.paragraph("  ", code, 4, faint)
	if len(finding.Consequences) > 0 {
		p.paragraph("  ", "Because of it also: "+Names(finding.Consequences), 4, plain)
	}
}

// Held says since when a finding holds, and for how long; nothing where that is not
// known.
func Held(report *checks.Report, finding checks.Finding) string {
	since, length := held(report, finding)
	if since == "" {
		return ""
	}
	return since + ", for " + span(length)
}

// held says since when a finding holds and for how long that is: since when the
// first of the checks is as it is in which the finding shows. A cause that the
// rules name takes the evidence of the checks that it explains.
func held(report *checks.Report, finding checks.Finding) (words string, length time.Duration) {
	shown := checks.Result{Since: report.Time}
	for _, result := range report.Checks {
		shows := result.Reason == finding.Reason || slices.Contains(finding.Evidence, result.Message)
		if shows && result.Status.Severity() > 0 && !result.Since.After(shown.Since) {
			shown = result
		}
	}
	if shown.Name == "" {
		return "", 0
	}
	return since(report, shown), report.Time.Sub(shown.Since)
}

// evidence is left out where the checks above have said all of it.
func (p *printer) evidence(sentences []string) {
	if !slices.ContainsFunc(sentences, func(sentence string) bool { return !p.told[sentence] }) {
		return
	}
	for _, sentence := range sentences {
		p.paragraph("  - ", sentence, 4, plain)
	}
}

func (p *printer) steps(heading string, steps []string) {
	if len(steps) == 0 {
		return
	}
	p.block(heading+":", 2, bold)
	for _, step := range steps {
		if checks.IsCommand(step) {
			p.command(step)
		} else {
			p.block(step, 4, plain)
		}
	}
}

// command is a line of its own with nothing before it but space, and is never
// broken, so that it can be copied with its line.
func (p *printer) command(line string) {
	p.out.WriteString("      " + p.style.paint(cyan, p.style.Quote(line)) + "\n")
}

func (p *printer) pages(addresses []string) {
	if len(addresses) == 0 {
		return
	}
	p.block("Read:", 2, bold)
	for _, address := range addresses {
		p.block(address, 4, plain)
	}
}
