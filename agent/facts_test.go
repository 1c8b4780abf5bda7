package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
	"github.com/kube-lifeline/lifeline/server"
)

// elsewhere is the program on another machine, with a configuration that
// cannot be used, since judging facts needs none.
func elsewhere(in io.Reader) (p program, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	return program{pod: checks.Pod{Environment: map[string]string{"LIFELINE_INTERVAL": "never"}}, in: in, out: out, err: err}, out, err
}

func TestFactsJudgedElsewhereGiveTheReportOfThePlace(t *testing.T) {
	for _, fault := range append([]world.Fault{{Name: "none"}}, world.Faults()...) {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			var faults []string
			if fault.Name != "none" {
				faults = []string{fault.Name}
			}
			p, _, _, _ := inWorld(t, faults...)
			// Whatever is seen within little time is judged alike.
			p.pod.Environment["LIFELINE_INTERVAL"] = "1s"
			facts, _ := p.facts(t.Context(), "")
			report := judge.Judge(facts, nil)

			saved := filepath.Join(t.TempDir(), "facts.json")
			var written bytes.Buffer
			if err := checks.WriteFacts(&written, facts); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(saved, written.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			other, out, errors := elsewhere(nil)
			if code := run(t.Context(), []string{"check", "--facts", saved, "-o", "json"}, other); code != exitCode(report) {
				t.Errorf("got exit code %d, want %d: %s", code, exitCode(report), errors)
			}
			if diff := cmp.Diff(string(server.JSON(report)), out.String()); diff != "" {
				t.Errorf("the report differs (-there +elsewhere):\n%s", diff)
			}
		})
	}
}

func TestFactsGoThroughAPipeFromOneCommandToTheNext(t *testing.T) {
	p, _, out, _ := inWorld(t, "tcp-refused", "token-trailing-newline")
	if code := run(t.Context(), []string{"check", "-o", "facts"}, p); code != exitFailing {
		t.Errorf("got exit code %d, want %d as of the report", code, exitFailing)
	}
	for format, want := range map[string]string{"text": "FAIL: This pod does not reach the API.", "short": "api fail tcp-refused", "json": `"reason": "tcp-refused"`} {
		other, said, errors := elsewhere(strings.NewReader(out.String()))
		if code := run(t.Context(), []string{"check", "-facts", "-", "-o", format}, other); code != exitFailing {
			t.Errorf("-o %s: got exit code %d, want %d: %s", format, code, exitFailing, errors)
		}
		if !strings.Contains(said.String(), want) {
			t.Errorf("-o %s: got\n%s\nwant %q in it", format, said, want)
		}
	}
}

func TestWhatCannotBeJudgedIsAWrongCall(t *testing.T) {
	directory := t.TempDir()
	for name, content := range map[string]string{
		"newer.json":  `{"version": "lifeline.facts/v2"}`,
		"cut.json":    `{"version": "lifeline.facts/v1", "time"`,
		"report.json": `{"apiVersion": "lifeline/v1"}`,
		"steer.json":  `{"version": "` + `\u001b[31m` + `"}`,
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ arguments, want string }{
		{"-facts newer.json", `the facts are of the version "lifeline.facts/v2", and this program knows "lifeline.facts/v1"`},
		{"-facts cut.json", "their JSON ends in the middle"},
		{"-facts report.json", "this is a report and no facts"},
		{"-facts steer.json", `the version "\x1b[31m"`},
		{"-facts absent.json", "no such file or directory"},
		{"-facts .", "is a directory"},
		{"-facts /dev/zero", "more than the 8 MiB"},
		{"-facts -", "the input is empty"},
		{"-facts newer.json -o facts", "-o facts writes what this pod sees"},
	} {
		t.Run(test.arguments, func(t *testing.T) {
			t.Chdir(directory)
			p, out, errors := elsewhere(strings.NewReader(""))
			if code := run(t.Context(), append([]string{"check"}, strings.Fields(test.arguments)...), p); code != exitUsage {
				t.Errorf("got exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(errors.String(), test.want) || strings.Contains(errors.String(), "\x1b") || out.Len() > 0 {
				t.Errorf("got output %q and errors %q, want none and %q", out, errors, test.want)
			}
		})
	}
}

func TestAWaitForFactsThatDoNotComeCanBeInterrupted(t *testing.T) {
	in, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	p, _, errors := elsewhere(in)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if code := run(ctx, []string{"check", "-facts", "-"}, p); code != exitFailing || !strings.Contains(errors.String(), "interrupted") {
		t.Errorf("got exit code %d and errors %q, want %d and an interruption", code, errors, exitFailing)
	}
}

func TestFactsHoldNoSecret(t *testing.T) {
	const password = "correct-horse-battery"
	for _, faults := range [][]string{
		nil,
		{"env-http-proxy-intercepts-api"},
		{"token-malformed"},
		{"token-trailing-newline"},
		{"token-expired"},
		{"token-legacy-secret-no-exp"},
		{"token-signing-key-unknown"},
		{"token-malformed", "http-401-unattributed"},
		{"http-200-not-kubernetes"},
		{"http-401-unattributed"},
		{"http-403-anonymous"},
		{"http-redirect"},
		{"http-warning-headers"},
		{"kproxy-upstream-error"},
		{"tls-plaintext-or-wrong-port"},
		{"dns-refused-no-zone", "ca-mitm-or-wrong-endpoint"},
	} {
		t.Run(strings.Join(faults, "+"), func(t *testing.T) {
			t.Parallel()
			p, pretend, out, errors := inWorld(t, faults...)
			p.pod.Environment["HTTPS_PROXY"] = "http://user:" + password + "@127.0.0.1:9/?key=" + password
			p.pod.Environment["http_proxy"] = "user:" + password + "@127.0.0.1:9"
			p.pod.Environment["ALL_PROXY"] = "socks5://" + password + "@127.0.0.1:9"
			run(t.Context(), []string{"check", "-o", "facts"}, p)
			if _, err := checks.ReadFacts(strings.NewReader(out.String())); err != nil {
				t.Fatalf("no facts came out: %s: %s", err, errors)
			}
			told := out.String() + errors.String()
			if strings.Contains(told, password) {
				t.Error("a proxy's password is told")
			}
			content, err := os.ReadFile(filepath.Join(pretend.Environment()["LIFELINE_SERVICE_ACCOUNT_DIR"], "token"))
			if err != nil {
				t.Fatal(err)
			}
			tellsNoPartOf(t, told, string(content))
		})
	}
}

// tellsNoPartOf looks for the token and for any twelve characters in a row of
// its signature. The other parts are its claims, which are no secret.
func tellsNoPartOf(t *testing.T, told, token string) {
	t.Helper()
	header, rest, _ := strings.Cut(strings.TrimSpace(token), ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if strings.Contains(told, header) || strings.Contains(told, payload) {
		t.Error("the token is told")
	}
	for at := 0; at+12 <= len(signature); at++ {
		if strings.Contains(told, signature[at:at+12]) {
			t.Fatalf("the token's signature is told from byte %d on", at)
		}
	}
}

// TestAServerThatRepeatsTheTokenDoesNotGetItIntoTheFacts has a server that the
// pod trusts say the token back, as the error pages of gateways do.
func TestAServerThatRepeatsTheTokenDoesNotGetItIntoTheFacts(t *testing.T) {
	status := func(w http.ResponseWriter, message string) {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]string{"kind": "Status", "message": message, "reason": message})
	}
	for name, answer := range map[string]func(w http.ResponseWriter, token string){
		"in a Status":  status,
		"in a page":    func(w http.ResponseWriter, token string) { fmt.Fprintf(w, "<p>Bearer %s</p>", token) },
		"in a warning": func(w http.ResponseWriter, token string) { w.Header().Add("Warning", `299 - "`+token+`"`) },
		"in a redirect": func(w http.ResponseWriter, token string) {
			w.Header().Set("Location", "/login?token="+token)
			w.WriteHeader(http.StatusFound)
		},
		"in headers": func(w http.ResponseWriter, token string) {
			for _, name := range []string{"Server", "Via", "Audit-Id", "Content-Type", "X-Kubernetes-Pf-Flowschema-Uid"} {
				w.Header().Set(name, token)
			}
		},
		"its signature alone":       func(w http.ResponseWriter, token string) { status(w, token[strings.LastIndex(token, ".")+1:]) },
		"at the end of a long page": func(w http.ResponseWriter, token string) { fmt.Fprint(w, strings.Repeat("x", 200)+token) },
	} {
		t.Run(name, func(t *testing.T) {
			p, _, out, _ := inWorld(t)
			directory := p.pod.Environment["LIFELINE_SERVICE_ACCOUNT_DIR"]
			content, err := os.ReadFile(filepath.Join(directory, "token"))
			if err != nil {
				t.Fatal(err)
			}
			hostile := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				if len(token) < len(content)/2 {
					// A request of the deep probes with no token, or with none that is one.
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				answer(w, token)
			}))
			defer hostile.Close()
			own := t.TempDir()
			bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hostile.Certificate().Raw})
			for file, content := range map[string][]byte{"token": content, "ca.crt": bundle, "namespace": []byte("shop")} {
				if err := os.WriteFile(filepath.Join(own, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, port, _ := strings.Cut(strings.TrimPrefix(hostile.URL, "https://"), ":")
			p.pod.Environment["LIFELINE_SERVICE_ACCOUNT_DIR"] = own
			p.pod.Environment["KUBERNETES_SERVICE_HOST"], p.pod.Environment["KUBERNETES_SERVICE_PORT"] = "127.0.0.1", port
			run(t.Context(), []string{"check", "-o", "facts"}, p)
			if !strings.Contains(out.String(), `"status": `) {
				t.Fatalf("the server was not heard: %s", out)
			}
			tellsNoPartOf(t, out.String(), string(content))
		})
	}
}
