package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// whatIsWrongIsNoticed shows that the silence of the other tests means something.
func (s suite) whatIsWrongIsNoticed(t *testing.T) {
	t.Parallel()
	const policy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'"
	const script = `<script src="script.js"></script>`
	for _, test := range []struct {
		name, policy, page, script string
		want                       string
	}{
		{"an error in the console", policy, script, `console.error("oh")`, `the page writes to the console: error: "oh"`},
		{"an exception", policy, script, `throw new Error("oh")`, "an exception is not caught: Uncaught Error: oh"},
		{"a promise that fails", policy, script, `Promise.reject(new Error("oh"))`, "an exception is not caught: Uncaught (in promise) Error: oh"},
		{"a script that is not there", policy, `<script src="none.js"></script>`, "", "the console has error: Failed to load resource"},
		{"an inline script", policy, `<script>1</script>`, "", "the browser has an issue: ContentSecurityPolicyIssue"},
		{"an inline style", "default-src 'none'", `<p style="color: red">`, "", "the browser has an issue: ContentSecurityPolicyIssue"},
		{"a picture from elsewhere that the policy stops", policy, `<img src="http://elsewhere.test/">`, "", "the browser has an issue: ContentSecurityPolicyIssue"},
		{"a picture from elsewhere", "img-src *", `<img src="http://elsewhere.test/">`, "", "the page asks another host: http://elsewhere.test/"},
		{"what a screen reader cannot tell", policy, `<button></button>`, "", "button-name"},
		{"what few can read", policy, `<p style="color: #bbb">pale`, "", "color-contrast"},
		{"what is wider than the window", policy, `<p id="wide" style="width: 9999px">wide`, "", `p#wide "wide"`},
		{"a word that is torn apart", policy, `<p id="torn" style="overflow-wrap: anywhere; width: 1em">sentence`, "", `sentence in p#torn`},
		{"what is cut off", policy, `<p id="cut" style="overflow: hidden; white-space: nowrap; width: 3em">rather a long sentence`, "", `p#cut "rather a long sentence"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := s.open(t, serve(t, test.policy, "<!DOCTYPE html><title>t</title>"+test.page, test.script))
			page.watch.forgive("")
			page.within(patience, test.name, func() string {
				got := page.read()
				noticed := fmt.Sprintf("%s\n%s\n%s\n%s\n%s", page.watch.heard(), s.violations(page), got.Overflowing, got.Cut, got.Torn)
				if strings.Contains(noticed, test.want) {
					return ""
				}
				return fmt.Sprintf("%s is noticed, want %s", noticed, test.want)
			})
		})
	}
}

// serve serves a page and a script, and says where.
func serve(t *testing.T, policy, page, script string) string {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path, kind, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write([]byte(body))
		})
	}
	answer("/{$}", "text/html", page)
	answer("/script.js", "text/javascript", script)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/"
}
