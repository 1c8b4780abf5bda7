package browser_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// interval is the shortest that a page follows.
const interval = 2 * time.Second

// soon is when a page must have what happened to the pod: a round later, after one
// that takes its time, and a poll later, on a machine that is busy with browsers.
const soon = 15 * interval

func quick() []string {
	return []string{"LIFELINE_INTERVAL=" + interval.String(), "LIFELINE_TIMEOUT=" + (interval / 2).String()}
}

// live is how the page says that it is up to date.
var live = regexp.MustCompile(`(?i)\blive\b`)

// lost is how the page says that it is not, with the time.
var lost = regexp.MustCompile(`(?i)lost.*\d{1,2}:\d\d`)

// says waits until the page says of itself what it is to.
func (p tab) says(what *regexp.Regexp) {
	p.t.Helper()
	p.within(soon, "what the page says of itself", func() string {
		if got := p.read().Live; !what.MatchString(got) {
			return fmt.Sprintf("it says %q, want %s", got, what)
		}
		return ""
	})
}

// cause is how an article of a cause is found.
func causeOf(reason checks.Reason) string {
	return fmt.Sprintf("document.querySelector('#causes article[data-reason=%s]')", reason)
}

// mark puts a mark on the document, which a reload would take away.
func (p tab) mark() {
	p.t.Helper()
	eval[bool](p, "window.marked = true")
}

func (p tab) isMarked() {
	p.t.Helper()
	if !eval[bool](p, "window.marked === true") {
		p.t.Error("the page was loaded anew")
	}
}

func (s suite) aFaultAppearsAndGoesAway(t *testing.T) {
	t.Parallel()
	pretend := agent.World(t, world.Options{KubectlProxy: true})
	process := agent.Start(t, pretend, s.binary, quick()...)
	hasReport(t, process)
	page := s.open(t, process.URL+"/status", window(1280, 900, 1))
	page.mark()
	page.says(live)

	// The reader has opened what there is of one check, and stays at its headline.
	const summary = "document.querySelector('#checks [data-check=environment] summary, #checks details[data-check=environment] > summary')"
	if eval[bool](page, summary+".closest('details').open") {
		t.Error("the details of a check that passes are open before anybody asked for them")
	}
	page.focusAndEnter(summary)
	keeps := func() {
		t.Helper()
		if !eval[bool](page, summary+".closest('details').open") {
			t.Error("what the reader opened is closed")
		}
		if !eval[bool](page, "document.activeElement === "+summary) {
			t.Errorf("the focus went to %s", eval[string](page, "document.activeElement.outerHTML.slice(0, 100)"))
		}
	}
	keeps()

	inject(t, pretend, "cert-serving-expired")
	page.until(soon, "the fault", causeOf(checks.CertServingExpired))
	page.until(soon, "the mark of the broken link", "document.querySelector('#chain > li.broken')?.dataset.check === 'tls'")
	copies(t, page.read())
	keeps()

	restore(t, pretend, "cert-serving-expired")
	page.until(soon, "the end of the fault", "!"+causeOf(checks.CertServingExpired))
	page.until(soon, "the good verdict", "document.querySelector('header h1 .status').textContent.trim().toLowerCase() === 'ok'")
	keeps()
	if got := page.read(); !strings.Contains(got.Words["#history"], string(checks.CertServingExpired)) {
		t.Errorf("the history says %q, want the episode of %s in it", got.Words["#history"], checks.CertServingExpired)
	}
	page.isMarked()
}

func (s suite) aPageOpenedBeforeTheFirstRound(t *testing.T) {
	t.Parallel()
	pretend := agent.World(t, world.Options{})
	// The first round lasts as long as its probe waits for an answer.
	inject(t, pretend, "http-response-timeout")
	process := agent.Start(t, pretend, s.binary, "LIFELINE_INTERVAL=30s", "LIFELINE_TIMEOUT=15s")
	serves := func() bool { return len(process.Get("/livez")) > 0 }
	for began := time.Now(); !serves(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("the agent does not serve within %s", patience)
		}
	}
	page := s.open(t, process.URL+"/status")
	page.mark()
	if got := page.read(); got.Status != checks.Unknown {
		t.Fatalf("the page says %q before the first round, want unknown", got.Status)
	}
	page.until(patience+soon, "the first report", causeOf(checks.HTTPResponseTimeout))
	page.isMarked()
}

func (s suite) roundsThatPassDisturbNoReader(t *testing.T) {
	t.Parallel()
	pretend := agent.World(t, world.Options{KubectlProxy: true})
	inject(t, pretend, "token-rotation-stalled", "cert-serving-expired")
	process := agent.Start(t, pretend, s.binary, quick()...)
	hasReport(t, process)
	page := s.open(t, process.URL+"/status", window(640, 450, 1))
	page.says(live)

	const button = "document.querySelector('#causes article[data-reason=cert-serving-expired] > pre > button.copy')"
	page.until(patience, "a button", button)
	eval[bool](page, button+".focus(), true")
	eval[bool](page, `(() => {
		window.top_ = `+button+`.getBoundingClientRect().top
		window.spoken = []
		const live = document.querySelector('#live')
		new MutationObserver(() => spoken.push(live.textContent)).observe(live, {childList: true, characterData: true, subtree: true})
		return true
	})()`)
	selected := eval[string](page, `(() => {
		const code = document.querySelector('#causes article > pre > code')
		getSelection().selectAllChildren(code)
		return getSelection().toString()
	})()`)

	asked := len(page.watch.fetched())
	began := time.Now()
	for range 3 {
		was := eval[string](page, "document.querySelector('header').textContent")
		page.until(soon, "the next round", "document.querySelector('header').textContent !== "+quote(was))
	}
	took := time.Since(began)
	fetched := page.watch.fetched()[asked:]
	if got, most := len(fetched), int(took/interval)+2; got > most {
		t.Errorf("the page asked %d times in %s, want at most %d", got, took, most)
	}
	for _, asked := range fetched {
		if !asked.conditional {
			t.Errorf("the page asks for %s without If-None-Match", asked.path)
		}
	}

	if !eval[bool](page, "document.activeElement === "+button) {
		t.Errorf("the focus went to %s", eval[string](page, "document.activeElement.outerHTML.slice(0, 100)"))
	}
	if moved := eval[float64](page, button+".getBoundingClientRect().top - window.top_"); moved > 100 || moved < -100 {
		t.Errorf("what the reader looks at moved by %.0f pixels", moved)
	}
	if got := eval[string](page, "getSelection().toString()"); got != selected {
		t.Errorf("the reader had selected %q, and now %q is", selected, got)
	}
	if spoken := eval[[]string](page, "window.spoken"); len(spoken) > 0 {
		t.Errorf("a screen reader is told %q while nothing happens", spoken)
	}
}

func (s suite) aLostConnectionIsToldAndRecovers(t *testing.T) {
	t.Parallel()
	pretend := agent.World(t, world.Options{KubectlProxy: true})
	first := agent.Start(t, pretend, s.binary, quick()...)
	hasReport(t, first)
	page := s.open(t, first.URL+"/status")
	page.watch.forgive("net::ERR_")
	page.mark()
	page.says(live)

	first.Stop()
	page.says(lost)
	if got := page.read(); live.MatchString(got.Live) || len(got.Chain) == 0 {
		t.Errorf("the page says %q and has %d links, want that it is not live, and what was known", got.Live, len(got.Chain))
	}

	inject(t, pretend, "token-expired")
	listen := strings.TrimPrefix(first.URL, "http://")
	agent.RunAt(t, listen, pretend, exec.Command(s.binary), quick()...)
	page.says(live)
	page.until(soon, "what the new agent has found", causeOf(checks.TokenExpired))
	page.isMarked()
}

func (s suite) anAgentThatFallsSilent(t *testing.T) {
	t.Parallel()
	process := agent.Start(t, agent.World(t, world.Options{KubectlProxy: true}), s.binary, quick()...)
	hasReport(t, process)
	page := s.open(t, process.URL+"/status")
	page.watch.forgive("net::ERR_")
	page.says(live)

	signal(t, process, syscall.SIGSTOP)
	// A process that is stopped does not end when it is asked to.
	t.Cleanup(func() { signal(t, process, syscall.SIGCONT) })
	page.says(lost)
	signal(t, process, syscall.SIGCONT)
	page.says(live)
}

func signal(t *testing.T, process agent.Process, which syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(process.PID, which); err != nil {
		t.Error(err)
	}
}
