package browser_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// watch has what a page asked for, and what it did that no page should.
type watch struct {
	// origin is where everything is to be asked for.
	origin string

	mu         sync.Mutex
	complaints []string
	forgiven   []string
	requests   []*request
}

// request is one that the page made.
type request struct {
	id   network.RequestID
	path string
	kind network.ResourceType
	// conditional tells that it asks for what is new alone.
	conditional bool
	// bytes are what came back, headers included; 0 until all of it has.
	bytes float64
}

// note is called for each event of the tab, in their order.
func (w *watch) note(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch event := event.(type) {
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError || event.Entry.Level == log.EntryLevelWarning {
			w.complain("the console has %s: %s (%s)", event.Entry.Level, event.Entry.Text, event.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, argument := range event.Args {
			words = append(words, string(argument.Value)+argument.Description)
		}
		w.complain("the page writes to the console: %s: %s", event.Type, strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		text := event.ExceptionDetails.Text
		if event.ExceptionDetails.Exception != nil {
			text += " " + event.ExceptionDetails.Exception.Description
		}
		w.complain("an exception is not caught: %s", text)
	case *audits.EventIssueAdded:
		// Among them the violations of the Content Security Policy.
		details, _ := json.Marshal(event.Issue.Details)
		w.complain("the browser has an issue: %s: %s", event.Issue.Code, details)
	case *network.EventRequestWillBeSent:
		w.sent(event)
	case *network.EventRequestWillBeSentExtraInfo:
		if asked := w.request(event.RequestID); asked != nil && has(event.Headers, "If-None-Match") {
			asked.conditional = true
		}
	case *network.EventLoadingFinished:
		if asked := w.request(event.RequestID); asked != nil {
			asked.bytes = event.EncodedDataLength
		}
	}
}

func (w *watch) sent(event *network.EventRequestWillBeSent) {
	address := event.Request.URL
	path, inside := strings.CutPrefix(address, w.origin)
	switch {
	case strings.HasPrefix(address, "data:"):
	case !inside || !strings.HasPrefix(path, "/"):
		w.complain("the page asks another host: %s", address)
	default:
		w.requests = append(w.requests, &request{
			id: event.RequestID, path: path, kind: event.Type,
			conditional: has(event.Request.Headers, "If-None-Match"),
		})
	}
}

func (w *watch) request(id network.RequestID) *request {
	for _, asked := range w.requests {
		if asked.id == id {
			return asked
		}
	}
	return nil
}

func has(headers network.Headers, name string) bool {
	for header := range headers {
		if strings.EqualFold(header, name) {
			return true
		}
	}
	return false
}

func (w *watch) complain(form string, values ...any) {
	w.complaints = append(w.complaints, fmt.Sprintf(form, values...))
}

// forgive lets complaints pass that have the text in them.
func (w *watch) forgive(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgiven = append(w.forgiven, text)
}

// heard are all complaints so far.
func (w *watch) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.complaints)
}

// wrongs are the complaints that are not forgiven.
func (w *watch) wrongs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.complaints), func(complaint string) bool {
		return slices.ContainsFunc(w.forgiven, func(text string) bool { return strings.Contains(complaint, text) })
	})
}

// fetched are the requests of the script so far, without those of the page itself.
func (w *watch) fetched() (fetched []request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, asked := range w.requests {
		if asked.kind == network.ResourceTypeFetch || asked.kind == network.ResourceTypeXHR {
			fetched = append(fetched, *asked)
		}
	}
	return fetched
}

// loaded are the requests of the page itself, false while one is under way.
func (w *watch) loaded() (loaded []request, complete bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, asked := range w.requests {
		if asked.kind == network.ResourceTypeFetch || asked.kind == network.ResourceTypeXHR {
			continue
		}
		if asked.bytes == 0 {
			return nil, false
		}
		loaded = append(loaded, *asked)
	}
	return loaded, len(loaded) > 0
}
