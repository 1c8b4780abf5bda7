package observe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestOnlyAProxyOnLoopbackIsTaken(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:8001":            "",
		"http://127.200.0.1:8001":          "",
		"http://localhost:8001/k8s/":       "",
		"http://LOCALHOST":                 "",
		"http://[::1]:8001":                "",
		"http://[::ffff:127.0.0.1]:8001":   "",
		"":                                 "is no URL",
		"localhost:8001":                   "is no URL",
		"http://":                          "is no URL",
		"http://127.0.0.1:eighty":          "is no URL",
		"https://127.0.0.1:8001":           "does not begin with http://",
		"unix://127.0.0.1/run/proxy":       "does not begin with http://",
		"http://0.0.0.0:8001":              "is not on loopback",
		"http://169.254.169.254":           "is not on loopback",
		"http://localhost.example.com":     "is not on loopback",
		"http://127.0.0.1.example.com":     "is not on loopback",
		"http://2130706433":                "is not on loopback",
		"http://[::1%25eth0]:8001":         "is not on loopback",
		"http://user:word@127.0.0.1:8001":  "has a user",
		"http://127.0.0.1:8001/?watch=1":   "has a user, a query",
		"http://127.0.0.1:8001/#top":       "or a fragment",
		"http://127.0.0.1:8001?":           "a query",
		"http://127.0.0.1:8001/#":          "or a fragment",
		"http://127.0.0.1:0":               "has no port",
		"http://127.0.0.1:65536":           "has no port",
		"http://127.0.0.1@10.96.0.1:8001/": "is not on loopback",
	} {
		_, err := ParseKubectlProxyURL(text)
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// ask has a server answer the GET of a round and returns what came of it.
func ask(t *testing.T, path string, answer http.HandlerFunc) *checks.KubectlProxyFacts {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	r := &round{
		dial:    new(net.Dialer).DialContext,
		timeout: patience, agent: "lifeline", proxy: server.URL + path, token: "a-token-that-is-secret",
		pod: checks.Pod{}.WithDefaults(), facts: &checks.Facts{},
	}
	return r.kubectlProxy(context.Background())
}

func TestTheProxyIsAskedOnceWithoutTheToken(t *testing.T) {
	var asked []string
	facts := ask(t, "/k8s/", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+r.Header.Get("Authorization"))
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	if got, want := strings.Join(asked, ", "), "GET /k8s/api"; got != want {
		t.Errorf("got the requests %q, want %q", got, want)
	}
	last := facts.Attempt.Last()
	if last.Stage != checks.StageDone || last.Response.Status != 302 || last.TLS != nil || len(facts.Attempt.Exchanges) != 1 {
		t.Errorf("got %+v, want the redirect itself", last)
	}
	if !strings.HasSuffix(facts.Attempt.URL, "/k8s/api") || facts.Attempt.Authenticated {
		t.Errorf("got the attempt %+v", facts.Attempt)
	}
}

func TestTheURLToldIsTheOneThatIsAskedFor(t *testing.T) {
	for path, want := range map[string]string{
		"": "/api", "/": "/api", "/k8s": "/k8s/api", "/k8s/": "/k8s/api", "/a/../b": "/b/api", "//": "/api", "/a//b/.": "/a/b/api", "/%61": "/%61/api",
	} {
		var asked string
		facts := ask(t, path, func(_ http.ResponseWriter, r *http.Request) { asked = r.RequestURI })
		parsed, err := url.Parse(facts.Attempt.URL)
		if err != nil {
			t.Fatal(err)
		}
		if asked != want || parsed.EscapedPath() != want {
			t.Errorf("%q: asked for %s and told %s, want %s", path, asked, parsed.EscapedPath(), want)
		}
	}
}

func TestAPasswordInTheSettingIsNotTold(t *testing.T) {
	r := &round{timeout: time.Second, dial: new(net.Dialer).DialContext, proxy: "http://user:s3cret@127.0.0.1:8001/x?word=s3cret"}
	facts := r.kubectlProxy(context.Background())
	if told := fmt.Sprintf("%+v %+v", facts, facts.Attempt.Last().Failure); strings.Contains(told, "s3cret") || !strings.Contains(told, "127.0.0.1:8001") {
		t.Errorf("got %s", told)
	}
}

func TestATokenThatIsAWordDoesNotHideTheKind(t *testing.T) {
	for _, token := range []string{"APIVersions", "x.APIVersions.y"} {
		r := &round{token: token}
		response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
		if got, want := describe(response, []byte(`{"kind":"APIVersions"}`), time.Now(), r.scrub).Kind, "APIVersions"; got != want {
			t.Errorf("got the kind %q, want %q", got, want)
		}
	}
}

func TestAnAnswerWithoutEndIsNotReadToIt(t *testing.T) {
	facts := ask(t, "", func(w http.ResponseWriter, _ *http.Request) {
		for range 4096 {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	})
	if last := facts.Attempt.Last(); last.Failure == nil || last.Failure.Kind != checks.TooLarge {
		t.Errorf("got %+v, want that it is too large", last)
	}
}

func TestASettingThatIsNoProxyOfThePodIsNotAsked(t *testing.T) {
	r := &round{timeout: time.Second, dial: new(net.Dialer).DialContext, proxy: "http://10.96.0.1:8001"}
	last := r.kubectlProxy(context.Background()).Attempt.Last()
	if last.Stage != checks.StageResolve || last.Failure == nil {
		t.Errorf("got %+v, want a failing before anything was sent", last)
	}
}
