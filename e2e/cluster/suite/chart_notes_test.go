//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// follow runs the commands that the notes of the chart print, which stand four
// spaces in.
func (r release) follow(ctx context.Context, t *testing.T, notes string) {
	t.Helper()
	pod := r.objects(ctx, t).pods[0].Name
	// By their verb, what of the answer shows that the command did its work.
	want := map[string]string{
		"get":          pod,
		"exec":         "OK: This pod reaches the API",
		"port-forward": `"status": "ok"`,
		"logs":         "[pod/" + pod + "/lifeline] ",
		"test":         "OK: This pod reaches the API",
	}
	got := map[string]string{}
	for line := range strings.Lines(notes) {
		command, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !indented || command == "" {
			continue
		}
		words := strings.Fields(command)
		run := map[string]func(context.Context, ...string) (string, error){"helm": r.Helm, "kubectl": r.Kubectl}[words[0]]
		if run == nil {
			t.Errorf("the notes print a command of neither helm nor kubectl: %s", command)
			continue
		}
		// That of kubectl comes after the namespace.
		verb := words[1]
		if verb == "-n" {
			verb = words[3]
		}
		var out string
		var err error
		if verb == "port-forward" {
			out, err = r.throughForward(ctx, t, words[1:])
		} else {
			out, err = run(ctx, words[1:]...)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		got[verb] = out
		if text, known := want[verb]; known && strings.Contains(out, text) {
			got[verb] = text
		}
		t.Log(command)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the answers to the commands of the notes (-want +got):\n%s\n%s", diff, notes)
	}
}

// throughForward asks for the report at this end of a forwarded port, which is
// the last argument.
func (s suite) throughForward(ctx context.Context, t *testing.T, arguments []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var forwarding error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, forwarding = s.Kubectl(ctx, arguments...)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	var err error
	for range 100 {
		select {
		case <-ended:
			return "", fmt.Errorf("the forwarding has ended: %w", forwarding)
		case <-time.After(100 * time.Millisecond):
		}
		var response *http.Response
		if response, err = s.Client().Get("http://127.0.0.1:" + arguments[len(arguments)-1] + "/status"); err == nil {
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			return string(body), err
		}
	}
	return "", err
}
