// Package terminal runs the real binary in a terminal, and looks at what a person
// sees of it.
package terminal

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a terminal of today gives a program.
const (
	xterm  = "TERM=xterm-256color"
	inUTF8 = "LANG=C.UTF-8"
)

var (
	colour   = regexp.MustCompile("\x1b\\[[0-9]+m")
	steering = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
)

func TestAPersonAtATerminal(t *testing.T) {
	binary := agent.Build(t)
	for name, test := range map[string]func(t *testing.T, binary string){
		"has a report that fills it and no more":                    reportFills,
		"has the report that was ready before it was attached":      attachedLate,
		"has the colours and symbols that it can show":              coloursAndSymbols,
		"sees progress until the report is there":                   progressIsWiped,
		"sees the report redrawn in its place until an interrupt":   watchingRedraws,
		"sees what a wait waits for in a line that is gone at last": waitIsTold,
	} {
		t.Run(name, func(t *testing.T) { test(t, binary) })
	}
}

// pod is a pretend pod with a fault.
func pod(t *testing.T, faults ...string) *world.World {
	t.Helper()
	pretend := agent.World(t, world.Options{})
	for _, fault := range faults {
		if err := pretend.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
	return pretend
}

// attachedLate: a container's terminal has no size until kubectl debug attaches to
// it, and what was written until then is shown to nobody.
func attachedLate(t *testing.T, binary string) {
	terminal := open(t, 60, 30)
	terminal.tellSize(0, 0)
	check := terminal.start(pod(t), exec.Command(binary, "check"), xterm, inUTF8)
	terminal.until("the end of the look", func() bool {
		_, after, found := strings.Cut(terminal.written(), "Trying what")
		return found && strings.HasSuffix(after, "\r\x1b[K")
	})
	before := len(terminal.written())
	terminal.tellSize(60, 30)
	if code := terminal.code(check); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	report := steering.ReplaceAllString(terminal.written()[before:], "")
	if !strings.Contains(report, "OK: This pod reaches the API") || !strings.Contains(report, "From pod") {
		t.Errorf("the report is not whole:\n%s", report)
	}
	for line := range strings.Lines(report) {
		if line := strings.TrimRight(line, "\r\n"); len([]rune(line)) > 60 {
			t.Errorf("a line is wider than the terminal that was attached: %q", line)
		}
	}
}

func reportFills(t *testing.T, binary string) {
	for _, columns := range []int{40, 80, 120} {
		terminal := open(t, columns, 30)
		check := terminal.start(pod(t, "tcp-refused"), exec.Command(binary, "check"), xterm, inUTF8)
		if code := terminal.code(check); code != 1 {
			t.Errorf("in %d columns: got exit code %d, want 1", columns, code)
		}
		var widest int
		for line := range strings.Lines(steering.ReplaceAllString(terminal.written(), "")) {
			line = strings.Trim(line, "\r\n")
			isCommand := strings.HasPrefix(line, "      ") && !strings.HasPrefix(line, "      tcp-refused")
			if words := len(strings.Fields(line)); words > 1 && !isCommand && !strings.Contains(line, "Looking at") && !strings.Contains(line, "Trying what") {
				widest = max(widest, len([]rune(line)))
			}
		}
		if widest > columns || widest < columns*3/4 {
			t.Errorf("in %d columns the widest line that can be broken takes %d:\n%s", columns, widest, terminal.whole())
		}
		shown := terminal.shown()
		verdict := slices.IndexFunc(shown, func(line string) bool { return strings.HasPrefix(line, "FAIL: This pod does not reach the API.") })
		if verdict < len(shown)-5 || strings.Contains(terminal.whole(), "FAIL ") || !strings.Contains(terminal.whole(), "× api: ") {
			t.Errorf("in %d columns there are no symbols, or the verdict is not what stays in view:\n%s", columns, terminal.whole())
		}
	}
}

func coloursAndSymbols(t *testing.T, binary string) {
	pretend := pod(t, "tcp-refused")
	for name, test := range map[string]struct {
		environment                []string
		coloured, steered, symbols bool
	}{
		"a terminal of today":        {[]string{xterm, inUTF8}, true, true, true},
		"NO_COLOR":                   {[]string{xterm, inUTF8, "NO_COLOR=1"}, false, true, true},
		"an empty NO_COLOR":          {[]string{xterm, inUTF8, "NO_COLOR="}, true, true, true},
		"a terminal without Unicode": {[]string{xterm, "LANG=C"}, true, true, false},
		"a dumb terminal":            {[]string{"TERM=dumb", inUTF8}, false, false, true},
		"nothing said":               {nil, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			terminal := open(t, 80, 24)
			terminal.code(terminal.start(pretend, exec.Command(binary, "check"), test.environment...))
			written := strings.TrimSuffix(terminal.written(), "\x1b[39m")
			if got := strings.Contains(written, "\x1b[31m"); got != test.coloured {
				t.Errorf("coloured: got %v, want %v: %q", got, test.coloured, written)
			}
			if got := steering.MatchString(colour.ReplaceAllString(written, "")); got != test.steered {
				t.Errorf("steered: got %v, want %v: %q", got, test.steered, written)
			}
			inSymbols := strings.ContainsFunc(written, func(r rune) bool { return r > unicode.MaxASCII })
			if inSymbols != test.symbols || strings.Contains(terminal.whole(), "  FAIL api: ") == test.symbols {
				t.Errorf("symbols: got %v, want %v:\n%s", inSymbols, test.symbols, terminal.whole())
			}
		})
	}
}

func progressIsWiped(t *testing.T, binary string) {
	terminal := open(t, 60, 24)
	var report bytes.Buffer
	command := exec.Command(binary, "check")
	command.Stdout = &report
	check := terminal.start(pod(t, "tls-handshake-timeout", "dns-timeout"), command, xterm, inUTF8, "LIFELINE_TIMEOUT=1500ms")
	told := func(line string) func() bool {
		return func() bool {
			return slices.ContainsFunc(strings.Split(terminal.written(), "\r\x1b[K"), regexp.MustCompile(line).MatchString)
		}
	}
	terminal.until("what it does first, and since when", told(`^Looking at every link of the way to the API, [1-9]s of 3s at th$`))
	terminal.until("what it does then", told(`^Trying what tells one cause from another`))
	if code := terminal.code(check); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	if shown := terminal.whole(); shown != "" {
		t.Errorf("this is left of the progress:\n%s", shown)
	}
	// The report went to a pipe, for which there are no symbols.
	if !strings.Contains(report.String(), "\nFAIL: This pod does not reach the API.") || strings.ContainsAny(report.String(), "\x1b\r×") {
		t.Errorf("got the report %q, want it plain", &report)
	}
}

func watchingRedraws(t *testing.T, binary string) {
	pretend := pod(t)
	// High enough for two healthy reports, and too low for a failing one.
	terminal := open(t, 80, 45)
	check := terminal.start(pretend, exec.Command(binary, "check", "--watch", "-every", "1s"), xterm, inUTF8)
	// All of a condition is about one screen: the next is drawn at any time.
	standsAlone := func(shown, verdict string) bool {
		return strings.Contains(shown, "\n"+verdict) && strings.Count(shown, "From pod ") == 1 &&
			strings.HasPrefix(shown, "Every 1s; Ctrl-C ends it.\nFrom pod ")
	}
	later := regexp.MustCompile(`, round [1-9]`)
	terminal.until("a later round in its place", func() bool {
		shown := terminal.String()
		return standsAlone(shown, "OK: This pod reaches the API") && later.MatchString(shown)
	})
	if err := pretend.Inject("tcp-refused"); err != nil {
		t.Fatal(err)
	}
	terminal.until("a failing report of the present round, cut to the screen", func() bool {
		shown := terminal.String()
		return standsAlone(shown, "FAIL: This pod does not reach the API") &&
			strings.Contains(shown, " lines more, which lifeline check shows.") && !strings.Contains(shown, "OK:")
	})

	terminal.setSize(40, 30)
	terminal.until("a report for the other size", func() bool {
		return !slices.ContainsFunc(terminal.shown(), func(line string) bool { return len([]rune(line)) > 40 })
	})

	terminal.press("\x03")
	if code := terminal.code(check); code != 1 {
		t.Errorf("got exit code %d, want 1, that of the last report", code)
	}
	whole := terminal.whole()
	if strings.Contains(whole, "Every 1s") || strings.Count(whole, "From pod ") != 1 || !strings.Contains(whole, "\nFAIL: This pod") || !strings.Contains(whole, "How to make sure:") {
		t.Errorf("got\n%s\nwant the last report, whole, and nothing else", whole)
	}
}

func waitIsTold(t *testing.T, binary string) {
	pretend := pod(t, "tcp-refused")
	terminal := open(t, 80, 24)
	wait := terminal.start(pretend, exec.Command(binary, "wait", "-every", "250ms", "-timeout", "1m"), xterm, inUTF8)
	told := regexp.MustCompile(`^Waiting for the API, [1-9][0-9]*s of 1m at the most: tcp-refused: 127\.0\.0\.1:[0-9]+ re[^\n]*$`)
	terminal.until("what it waits for, in one line", func() bool { return told.MatchString(terminal.String()) })
	if err := pretend.Restore("tcp-refused"); err != nil {
		t.Fatal(err)
	}
	if code := terminal.code(wait); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	if got := terminal.whole(); !regexp.MustCompile(`^The API can be reached, after [0-9.]+m?s\.$`).MatchString(got) {
		t.Errorf("got\n%s\nwant only that the API can be reached", got)
	}
}
