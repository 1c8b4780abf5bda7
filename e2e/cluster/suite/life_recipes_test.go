//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// application is the name of the container that Lifeline is beside, or not.
const application = "application"

// wellSaid is the last line of a healthy pod's report.
const wellSaid = "\nOK: This pod reaches the API; all 6 checks pass.\n"

// recipes pastes the commands of the README by which people look at a pod, as they
// stand there but for the words in capitals, into a shell on a terminal.
func recipes(ctx context.Context, t *testing.T, s suite) {
	const namespace = "recipes"
	s.makeNamespace(ctx, t, namespace)
	recipes := s.recipes(t)
	want := []string{"debug", "exec", "port-forward", "run", "wget"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(recipes))); diff != "" {
		t.Fatalf("the README's recipes (-want +got):\n%s", diff)
	}
	beside := s.besidePod(t, namespace, "beside")
	var busybox corev1.Container
	if s.Own() {
		busybox = s.busybox(ctx, t)
		beside.Spec.Containers = []corev1.Container{busybox}
	}
	beside.Spec.TerminationGracePeriodSeconds = new(int64(0))
	p := s.startBeside(ctx, t, beside)

	t.Run("kubectl exec", func(t *testing.T) {
		shown := s.paste(ctx, t, recipes["exec"], p)
		shown.isReport(t, p)
		shown.isColoured(t)
		// As a script has it.
		plain := s.pipe(ctx, t, strings.Replace(recipes["exec"], " -it ", " ", 1), p)
		plain.isReport(t, p)
		if strings.ContainsRune(plain.text, '\x1b') {
			t.Errorf("there is no terminal, and yet it prints escapes: %q", plain.text)
		}
	})
	t.Run("kubectl run", func(t *testing.T) {
		shown := s.paste(ctx, t, recipes["run"], p)
		shown.isReport(t, cluster.Pod{Namespace: namespace, Name: "lifeline-check", ServiceAccount: "default"})
		shown.isColoured(t)
		eventually(ctx, t, 30*time.Second, func() error { return s.gone(ctx, namespace, "lifeline-check") })
	})
	t.Run("kubectl port-forward", func(t *testing.T) { s.forwarded(ctx, t, recipes["port-forward"], p) })
	t.Run("wget of a busybox", func(t *testing.T) {
		s.needsOwn(t, "have a busybox beside Lifeline")
		s.paste(ctx, t, recipes["wget"], p).isReport(t, p)
	})
	t.Run("kubectl debug", func(t *testing.T) {
		s.needsOwn(t, "have a busybox for an application")
		s.debugged(ctx, t, recipes["debug"], namespace, busybox)
	})
	t.Run("what they say of a fault", func(t *testing.T) { s.brokenRecipes(ctx, t, recipes, p) })
}

// recipes are the blocks of the README's section on looks from a shell, by the
// program in the container or else by what kubectl does.
func (s suite) recipes(t *testing.T) map[string]string {
	t.Helper()
	_, section, found := strings.Cut(s.readme(t), "\n## From a shell\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("the README has no section on looks from a shell")
	}
	verb := regexp.MustCompile(`kubectl -n NAMESPACE (debug|exec|port-forward|run) `)
	recipes := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		found := verb.FindStringSubmatch(block[1])
		if found == nil {
			t.Fatalf("a recipe of the README does nothing that is known:\n%s", block[1])
		}
		name := found[1]
		if strings.Contains(block[1], " -- wget ") {
			name = "wget"
		}
		if recipes[name] != "" {
			t.Errorf("the README has two recipes for %s", name)
		}
		recipes[name] = block[1]
	}
	return recipes
}

// fill puts names in the place of the words in capitals.
func (s suite) fill(recipe string, p cluster.Pod) string {
	return strings.NewReplacer(
		"NAMESPACE", p.Namespace, "POD", p.Name, "APPLICATION", application,
		"REGISTRY/lifeline:0.1.0", s.repository+":"+s.tag,
	).Replace(recipe)
}

// shown is what a recipe printed, and the exit code.
type shown struct {
	text string
	code int
}

// recipeLimit is enough for a report of a pod that has no way to the API, on a busy
// machine.
const recipeLimit = 90 * time.Second

// paste runs a recipe on a terminal.
func (s suite) paste(ctx context.Context, t *testing.T, recipe string, p cluster.Pod) shown {
	t.Helper()
	return s.runRecipe(ctx, t, s.Terminal, recipe, p)
}

// pipe runs a recipe where there is no terminal.
func (s suite) pipe(ctx context.Context, t *testing.T, recipe string, p cluster.Pod) shown {
	t.Helper()
	return s.runRecipe(ctx, t, s.Shell, recipe, p)
}

func (s suite) runRecipe(
	ctx context.Context, t *testing.T, run func(_ context.Context, folder, script string) (cluster.Output, error), recipe string, p cluster.Pod,
) shown {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, recipeLimit, fmt.Errorf("it did not end within %s", recipeLimit))
	defer cancel()
	began := time.Now()
	output, err := run(ctx, t.TempDir(), s.fill(recipe, p))
	got := shown{text: strings.ReplaceAll(string(output.Out), "\r\n", "\n"), code: output.Code}
	t.Logf("%safter %s, with exit code %d:\n%s%s", s.fill(recipe, p), tenths(time.Since(began)), got.code, got.text, output.Complaint)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// isReport demands the whole report of a healthy pod, by its first and its last
// line, and the exit code of one.
func (s shown) isReport(t *testing.T, p cluster.Pod) {
	t.Helper()
	s.isAbout(t, p)
	if !strings.Contains(s.plain(), wellSaid) {
		t.Errorf("it does not say %q", wellSaid)
	}
	if s.code != 0 {
		t.Errorf("the exit code is %d, want 0", s.code)
	}
}

func (s shown) isAbout(t *testing.T, p cluster.Pod) {
	t.Helper()
	heading := fmt.Sprintf("pod %s/%s on node ", p.Namespace, p.Name)
	account := "as service account " + p.ServiceAccount
	if text := s.plain(); !strings.Contains(text, heading) || !strings.Contains(text, account) {
		t.Errorf("it is not about %q %q", heading, account)
	}
}

func (s shown) isColoured(t *testing.T) {
	t.Helper()
	if !sgr.MatchString(s.text) {
		t.Errorf("on a terminal it has no colour")
	}
}

// sgr are the escapes of ECMA-48 that colour, control all that a terminal does.
var (
	sgr     = regexp.MustCompile(`\x1b\[[0-9;]+m`)
	control = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\r`)
)

func (s shown) plain() string { return control.ReplaceAllString(s.text, "") }

// busybox is an application that has a shell.
func (s suite) busybox(ctx context.Context, t *testing.T) corev1.Container {
	t.Helper()
	const image = "lifeline.test/busybox:recipes"
	if err := s.Import(ctx, cluster.Image{Name: image, Program: "/bin/busybox", Commands: []string{"sh", "wget"}, User: "65532:65532"}); err != nil {
		t.Fatal(err)
	}
	return corev1.Container{Name: application, Image: image, Args: []string{"sleep", "3600"}, SecurityContext: restricted()}
}

// startBeside starts the README's pod and waits until its sidecar has reported.
func (s suite) startBeside(ctx context.Context, t *testing.T, pod *corev1.Pod) cluster.Pod {
	t.Helper()
	s.apply(ctx, t, pod)
	s.hasPhase(ctx, t, pod, corev1.PodRunning)
	p, err := s.Pod(ctx, pod.Namespace, pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, time.Minute, func() error {
		_, body, err := p.Get(ctx, sidecarPort, "/status")
		var r report
		if err == nil {
			err = json.Unmarshal(body, &r)
		}
		if err == nil && r.Round == 0 {
			err = errors.New("there is no report yet")
		}
		return err
	})
	return p
}

func (s suite) gone(ctx context.Context, namespace, name string) error {
	out, err := s.Kubectl(ctx, "get", "pod", name, "--namespace="+namespace, "--ignore-not-found", "--output=name")
	if err == nil && out != "" {
		err = errors.New(name + " is still there")
	}
	return err
}

// forwarded opens the page as a browser does, at the address that the README gives.
func (s suite) forwarded(ctx context.Context, t *testing.T, recipe string, p cluster.Pod) {
	t.Helper()
	const page = "http://127.0.0.1:9880/status"
	if !strings.Contains(s.readme(t), "<"+page+">") {
		t.Fatalf("the README does not lead to %s", page)
	}
	forwarding, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := s.Terminal(forwarding, t.TempDir(), s.fill(recipe, p))
		ended <- err
	}()
	defer func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the forwarding ended by itself, error %v", err)
		}
	}()
	var html []byte
	eventually(ctx, t, 15*time.Second, func() (err error) {
		html, err = s.browse(ctx, page, "text/html,application/xhtml+xml,*/*;q=0.8", "text/html")
		return err
	})
	for _, want := range []string{"<!doctype html>", p.Namespace + "/" + p.Name, "This pod reaches the API"} {
		if !strings.Contains(strings.ToLower(string(html)), strings.ToLower(want)) {
			t.Errorf("the page has no %q:\n%s", want, html)
		}
	}
	found := regexp.MustCompile(`<script src="([^"]+)"`).FindSubmatch(html)
	if found == nil {
		t.Fatalf("the page has no script:\n%s", html)
	}
	script, err := s.browse(ctx, "http://127.0.0.1:9880/"+string(found[1]), "*/*", "text/javascript")
	if err != nil || len(script) == 0 {
		t.Errorf("the page's script has %d bytes, error %v", len(script), err)
	}
	data, err := s.browse(ctx, page, "*/*", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(well(), got.verdicts()); diff != "" || got.Pod.UID != p.UID {
		t.Errorf("the JSON is about the pod %q, want %q; checks (-want +got):\n%s", got.Pod.UID, p.UID, diff)
	}
}

// browse gets what is at an address on the cluster's node.
func (s suite) browse(ctx context.Context, address, accept, want string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := s.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, want) {
		return nil, fmt.Errorf("%s answers %s with %s, want %s", address, response.Status, kind, want)
	}
	return io.ReadAll(response.Body)
}

// debugged looks from ephemeral containers at what applications without Lifeline
// meet, as each of them is.
func (s suite) debugged(ctx context.Context, t *testing.T, recipe string, namespace string, application corev1.Container) {
	for _, test := range []struct {
		name    string
		prepare func(*corev1.Pod)
		want    []string
	}{
		{"of-the-image-s-user", func(*corev1.Pod) {}, []string{wellSaid}},
		{
			// kubelet lets nobody else read the token then.
			"of-another-user",
			func(pod *corev1.Pod) { pod.Spec.Containers[0].SecurityContext.RunAsUser = new(int64(1000)) },
			[]string{wellSaid},
		},
		{
			"with-another-environment",
			func(pod *corev1.Pod) {
				pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "KUBERNETES_SERVICE_PORT", Value: "444"}}
			},
			[]string{"env-service-port-overridden, likely", "\nFAIL: This pod reaches the API by rest, but not by go-client and python-client."},
		},
		{
			"without-token",
			func(pod *corev1.Pod) { pod.Spec.AutomountServiceAccountToken = new(false) },
			[]string{"token-not-mounted-automount-false, certain", "\nFAIL: This pod does not reach the API."},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := s.lifelinePod(namespace, test.name)
			pod.Spec.Containers = []corev1.Container{*application.DeepCopy()}
			test.prepare(pod)
			s.apply(ctx, t, pod)
			s.hasPhase(ctx, t, pod, corev1.PodRunning)
			p, err := s.Pod(ctx, namespace, test.name)
			if err != nil {
				t.Fatal(err)
			}
			got := s.paste(ctx, t, recipe, p)
			// Without a token nothing tells the namespace.
			if pod.Spec.AutomountServiceAccountToken == nil {
				got.isAbout(t, p)
			}
			for _, want := range test.want {
				if !strings.Contains(got.plain(), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			got.isColoured(t)
		})
	}
}

// brokenRecipes pastes them while no pod but CoreDNS has a way to the API.
func (s suite) brokenRecipes(ctx context.Context, t *testing.T, recipes map[string]string, p cluster.Pod) {
	s.needsOwn(t, "drop packets")
	dns, err := s.coreDNS(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.drop(ctx, t, "ip saddr != "+dns[0].Address)
	// kubectl debug does not tell what the container ended with.
	for name, code := range map[string]int{"exec": 1, "run": 1, "debug": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.paste(ctx, t, recipes[name], p)
			// A busy machine may keep it from telling which of the causes it is.
			for _, want := range []string{"\nFAIL: This pod does not reach the API. ", "(tcp-timeout"} {
				if !strings.Contains(got.plain(), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if got.code != code {
				t.Errorf("the exit code is %d, want %d", got.code, code)
			}
		})
	}
}
