package text

import "github.com/kube-lifeline/lifeline/checks"

// lead is what the line of a check or of a way to the API begins with.
func (p *printer) lead(status checks.Status) string {
	mark := asciiMark(status)
	if p.style.Unicode {
		mark = unicodeMark(status)
	}
	return "  " + p.style.paint(lookOf(status), mark) + " "
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

// look is how a text looks where there are colours: the parameters of ECMA-48
// SGR, or nothing.
type look string

const (
	plain  look = ""
	bold   look = "1"
	faint  look = "2"
	red    look = "31"
	green  look = "32"
	yellow look = "33"
	cyan   look = "36"
)

const escape = "\x1b["

// paint gives s a look where there are colours.
func (s Style) paint(look look, text string) string {
	if !s.Colour || look == plain || text == "" {
		return text
	}
	return escape + string(look) + "m" + text + escape + "0m"
}

func lookOf(status checks.Status) look {
	switch status {
	case checks.OK:
		return green
	case checks.Warn:
		return yellow
	case checks.Fail:
		return red
	default:
		return faint
	}
}
