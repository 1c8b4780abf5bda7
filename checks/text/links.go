package text

import (
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

// links tells of each check, under the heading of its link.
func (p *printer) links() {
	var heading string
	for _, result := range p.report.Checks {
		if link := linkOf(result.Name); link != heading {
			p.block(link, 0, bold)
			heading = link
		}
		p.result(result)
	}
	if heading != "" {
		p.blank()
	}
}

// result is a statement of what holds, or of what should and below it what was
// seen instead. A check that only waits for another takes one line, since the
// other one has the story.
func (p *printer) result(result checks.Result) {
	lead := p.lead(result.Status)
	text := width(lead)
	switch {
	case result.Status == checks.OK:
		p.paragraph(lead, result.Message, text, plain)
		return
	case result.WaitsFor != "":
		p.paragraph(lead, string(result.Name)+": waits for "+string(result.WaitsFor), text, faint)
		return
	}
	p.paragraph(lead, string(result.Name)+": "+promise(result.Name), text, plain)
	p.seen(result.Message, text+2)
	code := string(result.Reason)
	if since := since(p.report, result); since != "" {
		code += ", " + since
	}
	if result.Consecutive > 1 {
		code += fmt.Sprintf(", %d rounds in a row", result.Consecutive)
	}
	p.block(code, text+2, faint)
	for _, other := range result.Others {
		p.seen(other.Message, text+2)
		p.block(string(other.Reason), text+2, faint)
	}
}

func (p *printer) seen(sentence string, indent int) {
	p.told[sentence] = true
	p.block(sentence, indent, plain)
}

// linkOf is the part of the way that a check looks at, as people call it.
func linkOf(name checks.Name) string {
	switch name {
	case checks.Environment:
		return "Environment"
	case checks.DNS:
		return "Name resolution"
	case checks.Token, checks.CA:
		return "Identity"
	case checks.TLS, checks.API:
		return "Connection"
	case checks.KubectlProxy:
		return "kubectl proxy"
	default:
		return "Other"
	}
}

// promise is what should hold where a check passes.
func promise(name checks.Name) string {
	switch name {
	case checks.Environment:
		return "the environment should lead clients to the API server"
	case checks.DNS:
		return "kubernetes.default.svc should resolve to the API server"
	case checks.Token:
		return "the token should be there, valid, and rotated in time"
	case checks.CA:
		return "ca.crt should be whole, and its authorities valid"
	case checks.TLS:
		return "the API server should prove itself by ca.crt"
	case checks.API:
		return "the API server should answer GET /api to this pod"
	case checks.KubectlProxy:
		return "the kubectl proxy should bring the API server's answer"
	default:
		return "the check should pass"
	}
}
