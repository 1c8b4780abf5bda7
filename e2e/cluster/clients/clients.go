//go:build linux

// Package clients asks the Kubernetes API in the four ways that its documentation
// gives to a program in a pod, with the real clients and from within a real pod:
// the Go client, the Python client, curl, and a kubectl proxy beside the program.
//
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
package clients

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// Answer is how one client fared.
type Answer struct {
	// Path is go-client, python-client, rest or kubectl-proxy.
	Path string
	// Works is whether the API server answered GET /api with APIVersions, or
	// with a 403 for a service account of the pod's namespace: a client that may
	// not see a path has all the same reached the API as who it is.
	Works bool
	// Said is one line of the client's own words, or of the server's by it. There
	// is nothing of the token in it.
	Said string
}

const (
	// limit is how long a client waits by default.
	limit = 5 * time.Second
	// slack is what a client has beyond its limit to start, on a busy machine, and
	// to say why it gave up.
	slack = 5 * time.Second

	goPackage    = "github.com/kube-lifeline/lifeline/e2e/cluster/clients/gocall"
	carryPackage = "github.com/kube-lifeline/lifeline/e2e/cluster/clients/carry"
	// Not the first python3 in PATH, which need not be Debian's.
	python = "/usr/bin/python3"
	// A proxy that the pod's environment names is not for the loopback address.
	kubectlProxy = `curl --silent --show-error --max-time "$1" --noproxy '*' --write-out '\n%{http_code}' http://127.0.0.1:8001/api`
	rest         = `curl --silent --show-error --max-time "$1" --write-out '\n%{http_code}' --cacert "$2/ca.crt" \
		--header "Authorization: Bearer $(cat "$2/token")" https://kubernetes.default.svc/api`
)

//go:embed incluster.py
var inCluster string

// Build builds the program of the Go client in the folder and returns its file.
// It fails where this machine lacks one of the other clients, and says which.
func Build(ctx context.Context, folder string) (goClient string, err error) {
	for _, needs := range []struct {
		pkg     string
		command []string
	}{
		{"curl", []string{"curl", "--version"}},
		{"python3-kubernetes", []string{python, "-I", "-c", "import kubernetes"}},
	} {
		if out, err := exec.CommandContext(ctx, needs.command[0], needs.command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("look for Debian's package %s, which the clients need: %w: %s", needs.pkg, err, bytes.TrimSpace(out))
		}
	}
	return build(ctx, folder, goPackage)
}

// build builds a program that runs in any container and returns its file.
func build(ctx context.Context, folder, of string) (file string, err error) {
	file = filepath.Join(folder, path.Base(of))
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, of)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", path.Base(of), err, out)
	}
	return file, nil
}

// Ask has every client ask the API once, all of them at the same time and each
// started anew, so that nothing is left of an earlier connection, token or
// authority. It returns their answers in the order of Answer.Path. Only kubectl
// proxy is what runs in the pod: while its connection to the API server stands, it
// works whatever a new one would meet.
//
// Each client waits for wait, in whole seconds and 5 s where it is 0; one that does
// not heed this is ended. They run as root, which reads service-account files that
// the container's own user may not. The error is for a client that could not be
// run, which says nothing about the API.
func Ask(ctx context.Context, container *cluster.Container, goClient string, wait time.Duration) ([]Answer, error) {
	wait = time.Duration(math.Ceil(cmp.Or(wait, limit).Seconds())) * time.Second
	token, err := container.Run(ctx, "cat", cluster.ServiceAccountFolder+"/token")
	if err != nil {
		return nil, err
	}
	seconds := strconv.Itoa(int(wait.Seconds()))
	commands := []struct {
		path    string
		command []string
	}{
		{"go-client", []string{goClient, wait.String()}},
		{"python-client", []string{python, "-I", "-c", inCluster, seconds}},
		{"rest", []string{"sh", "-c", rest, "sh", seconds, cluster.ServiceAccountFolder}},
		{"kubectl-proxy", []string{"sh", "-c", kubectlProxy, "sh", seconds}},
	}
	answers, failures := make([]Answer, len(commands)), make([]error, len(commands))
	var asking sync.WaitGroup
	for i, client := range commands {
		asking.Go(func() {
			works, said, err := ask(ctx, container, wait, client.command)
			answers[i] = Answer{Path: client.path, Works: works, Said: oneLine(redact(said, string(token.Out)))}
			failures[i] = err
		})
	}
	asking.Wait()
	return answers, errors.Join(failures...)
}

func ask(ctx context.Context, container *cluster.Container, wait time.Duration, command []string) (works bool, said string, err error) {
	limited, cancel := context.WithTimeout(ctx, wait+slack)
	defer cancel()
	output, err := container.Run(limited, command[0], command[1:]...)
	if limited.Err() != nil && ctx.Err() == nil {
		return false, fmt.Sprintf("no answer in %s", wait), nil
	}
	if err != nil {
		return false, "", err
	}
	works, said = judge(output, "system:serviceaccount:"+container.Namespace+":")
	return works, said, nil
}

// judge reads what a client wrote: a body, and the status in a line of its own.
func judge(output cluster.Output, account string) (works bool, said string) {
	out := bytes.TrimSpace(output.Out)
	end := bytes.LastIndexByte(out, '\n') + 1
	body := out[:end]
	status, err := strconv.Atoi(string(out[end:]))
	if output.Code != 0 || err != nil {
		return false, cmp.Or(string(output.Complaint), fmt.Sprintf("exit %d", output.Code))
	}
	var answer struct{ Kind, Message string }
	if err := json.Unmarshal(body, &answer); err != nil {
		return false, fmt.Sprintf("%d %s", status, body)
	}
	switch {
	case status == http.StatusForbidden:
		works = strings.Contains(answer.Message, `"`+account)
	case status/100 == 2:
		works = answer.Kind == "APIVersions"
	}
	return works, fmt.Sprintf("%d %s", status, cmp.Or(answer.Message, answer.Kind))
}

var (
	tokenPattern = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+(\.[\w-]*)?`)
	tokenPart    = regexp.MustCompile(`[\w-]{8,}`)
)

// redact takes every part of the token out of a text, quoted or cut into lines as
// it may be there, and whatever looks like a token that has since been rotated.
func redact(text, token string) string {
	parts := tokenPart.FindAllString(token, -1)
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	text = tokenPattern.ReplaceAllString(text, "[token]")
	for _, part := range parts {
		text = strings.ReplaceAll(text, part, "[token]")
	}
	return text
}

// oneLine joins lines and keeps their first 400 characters.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	characters := []rune(strings.Join(lines, "; "))
	return string(characters[:min(len(characters), 400)])
}
