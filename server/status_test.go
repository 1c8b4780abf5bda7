package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
	htmlType = "text/html; charset=utf-8"
)

func TestStatusIsGivenInTheFormatThatTheClientPrefers(t *testing.T) {
	s := New(Options{})
	s.Publish(failing())
	for accept, want := range map[string]string{
		"":                 jsonType,
		"*/*":              jsonType,
		"application/json": jsonType,
		"image/png":        jsonType,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8": htmlType,
		"text/html, */*":                        htmlType,
		"*/*, text/html":                        htmlType,
		"TEXT/HTML":                             htmlType,
		"text/plain":                            textType,
		"text/*":                                textType,
		"text/*;q=0.5, text/html;q=0.6":         htmlType,
		"text/*, text/plain;q=0":                htmlType,
		"text/html;q=0.8, application/json":     jsonType,
		"text/html; level=1; Q=0.3, text/plain": textType,
		"text/html;q=0, */*;q=0.1":              jsonType,
		"application/json;q=0, */*":             textType,
		"text/html;q=NaN":                       jsonType,
		"text/html;q=2, text/plain;q=0.001":     textType,
		";;;,,,q=1,/":                           jsonType,
	} {
		got := get(t, s, "/status", "Accept", accept)
		if got.Code != 200 || got.Header().Get("Content-Type") != want {
			t.Errorf("Accept %q: got %d %s, want 200 %s", accept, got.Code, got.Header().Get("Content-Type"), want)
		}
	}
	if got := get(t, s, "/status", "Accept", "text/html;q=0.1", "Accept", "text/plain").Header().Get("Content-Type"); got != textType {
		t.Errorf("two Accept headers: got %s, want %s", got, textType)
	}
}

func TestTheFormatCanBeAskedForInTheQuery(t *testing.T) {
	s := New(Options{})
	for target, want := range map[string]string{
		"/status?format=json": jsonType,
		"/status?format=text": textType,
		"/status?format=html": htmlType,
		"/status?verbose":     htmlType,
	} {
		got := get(t, s, target, "Accept", "text/html")
		if got.Code != 200 || got.Header().Get("Content-Type") != want {
			t.Errorf("%s: got %d %s, want 200 %s", target, got.Code, got.Header().Get("Content-Type"), want)
		}
	}
	for _, target := range []string{"/status?format=yaml%1b", "/status?format="} {
		got := get(t, s, target)
		if got.Code != 400 || !strings.Contains(got.Body.String(), "json, html and text") || strings.Contains(got.Body.String(), "\x1b") {
			t.Errorf("%s: got %d %q, want 400 and the formats that there are", target, got.Code, got.Body)
		}
	}
}

func TestStatusIsNotCachedSniffedOrMixedUp(t *testing.T) {
	s := New(Options{})
	s.Publish(healthy())
	for _, target := range []string{"/status?format=json", "/status?format=text", "/status?format=html"} {
		header := get(t, s, target).Header()
		got := []string{header.Get("Cache-Control"), header.Get("Vary"), header.Get("X-Content-Type-Options")}
		if diff := cmp.Diff([]string{"no-store", "Accept", "nosniff"}, got); diff != "" {
			t.Errorf("%s: headers differ (-want +got):\n%s", target, diff)
		}
	}
}

func TestStatusReadsAsInTheGoldenFiles(t *testing.T) {
	for name, report := range map[string]*checks.Report{"healthy": healthy(), "failing": failing(), "unknown": nil} {
		s := New(Options{Now: newClock().Now})
		if report != nil {
			s.Publish(report)
		}
		for _, format := range formats() {
			body := get(t, s, "/status?format="+format.name).Body.String()
			compareWithGolden(t, name+"."+format.name, strings.Replace(body, pageStyle, "", 1))
		}
	}
}

func TestTheTextIsThatOfTheTerminal(t *testing.T) {
	s := New(Options{})
	s.Publish(failing())
	var want bytes.Buffer
	if err := text.Write(&want, failing(), text.Style{Unicode: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), get(t, s, "/status?format=text").Body.String()); diff != "" {
		t.Errorf("text differs (-want +got):\n%s", diff)
	}
}

func TestAnOldReportSaysSoToPeople(t *testing.T) {
	const notice = "This report is old: the last round ended 47s ago, more than three intervals of 15s."
	for _, target := range []string{"/status?format=text", "/status?format=html"} {
		clock := newClock()
		s := New(Options{Now: clock.Now})
		clock.advance(time.Hour)
		none := get(t, s, target).Body.String()
		s.Publish(healthy())
		fresh := get(t, s, target).Body.String()
		clock.advance(47 * time.Second)
		old := get(t, s, target)
		if !strings.Contains(old.Body.String(), notice) || old.Code != 200 {
			t.Errorf("%s: an old report has no notice:\n%s", target, old.Body)
		}
		if strings.Contains(none, "is old") || strings.Contains(fresh, "is old") {
			t.Errorf("%s: a report that is not old has the notice", target)
		}
	}
}

func TestThePageRunsNothingButItsScript(t *testing.T) {
	s := New(Options{})
	report := failing()
	const attack = `</title></style><script>alert(1)</script><img src=x onerror="alert(1)">` + "\u202e\x1b"
	report.Checks[5].Message, report.Pod.Name, report.Diagnosis[0].Title = attack, attack, attack
	report.Diagnosis[0].Remedy = []string{attack}
	report.Checks[5].Reason = checks.Reason(attack)
	s.Publish(report)
	got := get(t, s, "/status", "Accept", "text/html")
	body := got.Body.String()
	escaped := regexp.MustCompile(`&lt;[^<]*&gt;`)
	tags := regexp.MustCompile(`(?i)<(script|img)[^>]*>|</style>.*</style>|\son[a-z]+=|\sstyle=`).FindAllString(escaped.ReplaceAllString(body, ""), -1)
	if diff := cmp.Diff([]string{`<script src="status.js" defer>`}, tags); diff != "" {
		t.Errorf("what the page runs or loads differs (-want +got):\n%s", diff)
	}
	for _, r := range body {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("the page has %U", r)
		}
	}
	_, style, _ := strings.Cut(body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	want := "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if policy := got.Header().Get("Content-Security-Policy"); policy != want {
		t.Errorf("got the policy %q, want %q", policy, want)
	}
}

func TestAPageThatStillHoldsIsNotSentAgain(t *testing.T) {
	clock := newClock()
	s := New(Options{Now: clock.Now})
	s.Publish(healthy())
	first := get(t, s, "/status?format=html")
	tag := first.Header().Get("ETag")
	if tag == "" {
		t.Fatal("the page has no ETag")
	}
	again := get(t, s, "/status?format=html", "If-None-Match", tag)
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 || again.Header().Get("ETag") != tag {
		t.Errorf("got %d with %d bytes and the tag %q, want 304 with none and the same tag", again.Code, again.Body.Len(), again.Header().Get("ETag"))
	}
	clock.advance(time.Minute)
	if old := get(t, s, "/status?format=html", "If-None-Match", tag); old.Code != http.StatusOK || old.Header().Get("ETag") != "" {
		t.Errorf("a report that is old: got %d with the tag %q, want 200 with none", old.Code, old.Header().Get("ETag"))
	}
	s.Publish(healthy())
	if next := get(t, s, "/status?format=html", "If-None-Match", tag); next.Code != http.StatusOK || next.Header().Get("ETag") == tag {
		t.Errorf("a later round: got %d with the tag %q, want 200 with another", next.Code, next.Header().Get("ETag"))
	}
	if restarted := get(t, New(Options{}), "/status?format=html", "If-None-Match", tag); restarted.Code != http.StatusOK {
		t.Errorf("an agent that was started anew: got %d, want 200", restarted.Code)
	}
}

func TestThePageAndItsScriptAreSmall(t *testing.T) {
	clock := newClock()
	s := New(Options{Now: clock.Now})
	for range 6000 {
		s.Publish(failing())
		clock.advance(15 * time.Second)
		s.Publish(healthy())
		clock.advance(15 * time.Second)
	}
	s.Publish(failing())
	page, script := get(t, s, "/status?format=html").Body.Len(), get(t, s, "/status.js").Body.Len()
	if sum := page + script; sum > 60_000 {
		t.Errorf("got %d bytes, %d of the page and %d of its script, want 60000 at most", sum, page, script)
	}
	t.Logf("the page has %d bytes, its script %d", page, script)
}

func TestJSONHidesNoVerdictBehindAFactThatItCannotHold(t *testing.T) {
	report := healthy()
	details := *report.Checks[2].Details.(*checks.TokenDetails)
	details.Claims = &checks.TokenClaims{ExpiresAt: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}
	report.Checks[2].Details = &details

	var got checks.Report
	if err := json.Unmarshal(JSON(report), &got); err != nil {
		t.Fatal(err)
	}
	if got.Checks[2].Details != nil || got.Checks[2].Message != report.Checks[2].Message || got.Checks[3].Details == nil {
		t.Errorf("got %+v and %+v, want the token's details left out and nothing else", got.Checks[2], got.Checks[3])
	}
	if report.Checks[2].Details != &details {
		t.Error("the report that was published has changed")
	}

	report.Time = details.Claims.ExpiresAt
	if err := json.Unmarshal(JSON(report), &got); err != nil || got.Status != checks.OK {
		t.Errorf("with an impossible time of its own: got status %q and error %v", got.Status, err)
	}
}

func TestJSONSaysTheSameWithNothingThatATerminalObeys(t *testing.T) {
	report := failing()
	const message = "a <b> & \x1b[2J \u009b31m \u202e \U000e0001 \x7f \u2028 „ü“ 失"
	report.Checks[5].Message = message
	body := JSON(report)
	for _, r := range string(body) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("JSON has %U", r)
		}
	}
	for _, want := range []string{"a <b> & ", "„ü“ 失"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%q is not to be read in JSON", want)
		}
	}
	var got checks.Report
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Checks[5].Message != message {
		t.Errorf("got the message %q, want %q", got.Checks[5].Message, message)
	}
}

func FuzzEveryRequestIsAnsweredWithNothingRaw(f *testing.F) {
	f.Add("GET", "/healthz", "verbose&exclude=dns&exclude=\x1b", "*/*")
	f.Add("GET", "/healthz/\x1b[2J", "", "")
	f.Add("GET", "/status", "format=\u202e", "")
	f.Add("HEAD", "/status", "%zz&;", "text/html;q=0.1, text/*;q=;, */*;q=1e-9")
	f.Add("POST", "//", "", "")
	s := New(Options{Ready: ReadyPolicy{Checks: checks.Names()}})
	s.Publish(failing())
	f.Fuzz(func(t *testing.T, method, path, query, accept string) {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Method, request.URL.Path, request.URL.RawQuery = method, path, query
		request.Header.Set("Accept", accept)
		got := httptest.NewRecorder()
		s.Handler().ServeHTTP(got, request)
		switch got.Code {
		case 200, 302, 400, 404, 405, 503:
		default:
			t.Errorf("got status %d", got.Code)
		}
		for _, r := range got.Body.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("the answer has %U", r)
			}
		}
	})
}

func TestRequestsAndRoundsDoNotDisturbEachOther(t *testing.T) {
	s := New(Options{Ready: ReadyPolicy{Checks: []checks.Name{checks.API}}})
	var group sync.WaitGroup
	for _, target := range []string{"/healthz", "/healthz?verbose", "/readyz", "/livez", "/status", "/status?format=text", "/status?format=html", "/status.js", "/metrics"} {
		group.Go(func() {
			for range 20 {
				recorder := httptest.NewRecorder()
				s.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
				if recorder.Body.Len() == 0 {
					t.Errorf("%s answered nothing", target)
				}
			}
		})
	}
	for _, report := range []*checks.Report{healthy(), failing(), healthy(), failing()} {
		s.Publish(report)
	}
	group.Wait()
}
