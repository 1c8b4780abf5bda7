package text

import "github.com/kube-lifeline/lifeline/checks"

// mark is what a check's line begins with.
func (p *printer) mark(status checks.Status) string {
	if p.style.Unicode {
		return p.paint(status, unicodeMark(status))
	}
	return p.paint(status, asciiMark(status))
}

func (p *printer) markWidth() int {
	if p.style.Unicode {
		return 1
	}
	return len(asciiMark(checks.OK))
}

func unicodeMark(status checks.Status) string {
	switch status {
	case checks.OK:
		return "√"
	case checks.Warn:
		return "‼"
	case checks.Fail:
		return "×"
	default:
		return "·"
	}
}

// asciiMark is a word of four letters, the bad ones in capitals so that they
// are found without colours.
func asciiMark(status checks.Status) string {
	switch status {
	case checks.OK:
		return "ok  "
	case checks.Warn:
		return "WARN"
	case checks.Fail:
		return "FAIL"
	default:
		return "skip"
	}
}

// paint puts s in the colour of a status: green, yellow, red, or faint.
func (p *printer) paint(status checks.Status, s string) string {
	if !p.style.Colour {
		return s
	}
	code := "2"
	switch status {
	case checks.OK:
		code = "32"
	case checks.Warn:
		code = "33"
	case checks.Fail:
		code = "31"
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
