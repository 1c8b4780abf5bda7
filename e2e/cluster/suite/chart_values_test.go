//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// priorityClass is made for the test, since those that are there already may be
// reserved.
const priorityClass = "lifeline-e2e-chart"

// chartValues sets every value of values.yaml to something other than its
// default, in two releases, and looks at what came of it in the cluster.
func chartValues(ctx context.Context, t *testing.T, s suite) {
	inPods := release{suite: s, namespace: "lifeline-e2e-values", name: "watcher"}
	annotated := release{suite: s, namespace: inPods.namespace, name: "annotated"}
	onNode := release{suite: s, namespace: "lifeline-e2e-values-node", name: "node-watcher"}
	for _, r := range []release{inPods, onNode} {
		s.makeNamespace(ctx, t, r.namespace)
	}
	if _, err := s.Kubectl(ctx, "label", "--overwrite", "namespace", onNode.namespace, "pod-security.kubernetes.io/enforce=privileged"); err != nil {
		t.Fatal(err)
	}
	s.apply(ctx, t, map[string]any{
		"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": map[string]any{"name": priorityClass},
		"value": 1000, "description": "Of a test of Lifeline.",
	})
	t.Cleanup(func() {
		if _, err := s.Kubectl(context.WithoutCancel(ctx), "delete", "priorityclass", priorityClass); err != nil {
			t.Error(err)
		}
	})
	s.giveDigest(ctx, t)

	settings := s.possible(deploymentSettings(t, s))
	found := inPods.exercise(ctx, t, settings, map[string]any{"kind": "Deployment"})
	t.Run("a variable that the chart sets is refused in extraEnv", func(t *testing.T) { inPods.refuseTaken(ctx, t, found.pod) })
	digest := found.digest(s.repository)
	hostSettings := s.possible(nodeSettings(s, digest))
	onNode.exercise(ctx, t, hostSettings)
	annotatedSettings := annotationSettings(s)
	annotated.exercise(ctx, t, annotatedSettings)

	t.Run("no value is left out", func(t *testing.T) {
		exercised := slices.Concat(paths(settings), paths(hostSettings), paths(annotatedSettings))
		if !s.Own() {
			t.Log("image.pullPolicy was not tried: the cluster may have no registry with the image")
			exercised = append(exercised, "image.pullPolicy")
		}
		if !s.Own() && digest == "" {
			t.Log("image.digest was not tried: the cluster knows the image by none")
			exercised = append(exercised, "image.digest")
		}
		for path, value := range defaults(t, s) {
			if !s.monitoring && needMonitoring.MatchString(path) {
				t.Log(path + " was not tried: the cluster has no prometheus-operator")
			} else if !slices.Contains(exercised, path) {
				t.Errorf("no test sets %s to anything but its default, %v", path, value)
			}
		}
	})
}

// exercise installs the chart as it is, upgrades the release to the settings,
// looks at what came of each, and rolls it back. No setting may leave a trace
// then: what Kubernetes adds to an object is nobody's to take away.
func (r release) exercise(ctx context.Context, t *testing.T, settings []setting, base ...map[string]any) live {
	t.Helper()
	r.deploy(ctx, t, "install", append(base, map[string]any{"image.repository": r.repository, "image.tag": r.tag})...)
	before := r.objects(ctx, t)
	r.deploy(ctx, t, "upgrade", valuesOf(settings))
	found := r.look(ctx, t)
	compare(t, settings, found)
	r.helm(ctx, t, "rollback", "1", "--wait", "--timeout=2m")
	after := r.objects(ctx, t)
	if diff := cmp.Diff(before.workloads, after.workloads); diff != "" {
		t.Errorf("the workload of %s (-before +after the values were set and taken back):\n%s", r.name, diff)
	}
	if diff := cmp.Diff(before.others, after.others); diff != "" {
		t.Errorf("what else there is of %s (-before +after the values were set and taken back):\n%s", r.name, diff)
	}
	if diff := cmp.Diff(before.service.Spec, after.service.Spec); diff != "" {
		t.Errorf("the Service of %s (-before +after the values were set and taken back):\n%s", r.name, diff)
	}
	return found
}

// setting is a value of the chart, and what must come of it.
type setting struct {
	// path is where the value is in values.yaml, as in image.tag.
	path  string
	value any
	got   func(live) any
	// want is what got must return, the value itself where it is nil.
	want any
}

func paths(settings []setting) []string {
	var paths []string
	for _, one := range settings {
		paths = append(paths, one.path)
	}
	return paths
}

func valuesOf(settings []setting) map[string]any {
	values := map[string]any{}
	for _, one := range settings {
		values[one.path] = one.value
	}
	return values
}

// compare has a test for each setting, by its path.
func compare(t *testing.T, settings []setting, found live) {
	standard := defaults(t, found.suite)
	for _, one := range settings {
		t.Run(one.path, func(t *testing.T) {
			value, known := standard[one.path]
			if !known {
				t.Error("values.yaml does not have it")
			}
			if cmp.Equal(plain(t, value), plain(t, one.value)) {
				t.Errorf("%v is the default", one.value)
			}
			want := one.want
			if want == nil {
				want = one.value
			}
			if diff := cmp.Diff(plain(t, want), plain(t, one.got(found))); diff != "" {
				t.Errorf("set to %v (-want +got):\n%s", one.value, diff)
			}
		})
	}
}

// plain is the value as JSON has it, so that objects of Kubernetes and values
// of the chart compare.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var simple any
	parse(t, text, &simple)
	return simple
}

// defaults are the values of values.yaml by their paths. What is empty there is
// one value, and so is a list.
func defaults(t *testing.T, s suite) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.chart(), "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	var walk func(prefix string, values map[string]any)
	walk = func(prefix string, values map[string]any) {
		for name, value := range values {
			if below, ok := value.(map[string]any); ok && len(below) > 0 {
				walk(prefix+name+".", below)
				continue
			}
			found[prefix+name] = value
		}
	}
	walk("", values)
	return found
}

// live is what there is of a release while it runs.
type live struct {
	objects
	suite  suite
	pod    corev1.Pod
	report report
	log    string
	// ready are the checks that /readyz tells of.
	ready []string
	// pace is the time from one round to the next.
	pace time.Duration
	// scraped is what a Prometheus would read by the monitor of the release.
	scraped string
}

func (r release) look(ctx context.Context, t *testing.T) live {
	t.Helper()
	o := r.objects(ctx, t)
	l := live{objects: o, suite: r.suite, pod: o.pods[0]}
	for line := range strings.Lines(string(r.ask(ctx, t, l.pod, "/readyz?verbose"))) {
		if check, ok := strings.CutPrefix(line, "[+]"); ok {
			l.ready = append(l.ready, strings.Fields(check)[0])
		}
	}
	l.report, l.pace = r.pace(ctx, t, l.pod)
	var err error
	if l.log, err = r.Kubectl(ctx, "logs", "--namespace="+r.namespace, l.pod.Name); err != nil {
		t.Fatal(err)
	}
	l.scraped = r.scrape(ctx, t, o)
	// By now controllers have told of the state of what they saw come.
	l.objects = r.objects(ctx, t)
	return l
}

// pace is the time from one round to the next. The one to the second round is
// chosen at random, and a round out of turn comes after deep probes, so two times
// have to agree.
func (r release) pace(ctx context.Context, t *testing.T, pod corev1.Pod) (latest report, pace time.Duration) {
	t.Helper()
	latest = r.round(ctx, t, pod, 2)
	for range 6 {
		next := r.round(ctx, t, pod, latest.Round+1)
		before := pace
		pace = next.Time.Sub(latest.Time) / time.Duration(next.Round-latest.Round)
		latest = next
		if (pace - before).Abs() < pace/10 {
			break
		}
	}
	return latest, pace
}

// round waits for the report of a round, or of a later one.
func (r release) round(ctx context.Context, t *testing.T, pod corev1.Pod, number int) report {
	t.Helper()
	var found report
	eventually(ctx, t, time.Minute, func() error {
		parse(t, r.ask(ctx, t, pod, "/status"), &found)
		if found.Round < number {
			return fmt.Errorf("round %d is not done: %s", number, found.summary())
		}
		return nil
	})
	return found
}

// container is the agent's, as the API server has it.
func (l live) container() corev1.Container { return l.pod.Spec.Containers[0] }

// checkNames are those of the report.
func (l live) checkNames() []string { return slices.Sorted(maps.Keys(l.report.verdicts())) }

// digest is that of the image that the pod runs, empty where the cluster has
// none for it.
func (l live) digest(repository string) string {
	name, digest, _ := strings.Cut(l.pod.Status.ContainerStatuses[0].ImageID, "@")
	if !strings.HasSuffix(name, repository) {
		return ""
	}
	return digest
}

// giveDigest gives the image of an own cluster the name by digest that it would
// have, had it been pulled.
func (s suite) giveDigest(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, node := range s.Nodes() {
		s.giveDigestOn(ctx, t, node)
	}
}

func (s suite) giveDigestOn(ctx context.Context, t *testing.T, node *cluster.Node) {
	t.Helper()
	images := func(arguments ...string) string {
		out, err := node.Run(ctx, "env", append([]string{"ctr", "--namespace=k8s.io", "images"}, arguments...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	tagged := s.repository + ":" + s.tag
	for line := range strings.Lines(images("list", "name=="+tagged)) {
		if words := strings.Fields(line); words[0] == tagged {
			images("tag", "--force", tagged, s.repository+"@"+words[2])
			return
		}
	}
	t.Fatal("containerd does not know " + tagged)
}

// refuseTaken tries every variable of the running container, where every value
// is set, but those that extraEnv itself has given it.
func (r release) refuseTaken(ctx context.Context, t *testing.T, pod corev1.Pod) {
	t.Helper()
	var extra []map[string]string
	for _, one := range pod.Spec.Containers[0].Env {
		if !slices.Contains([]string{"KUBERNETES_SERVICE_HOST", "NODE_ADDRESS"}, one.Name) {
			extra = append(extra, map[string]string{"name": one.Name})
		}
	}
	message := r.refuse(ctx, t, map[string]any{"extraEnv": extra})
	for _, one := range extra {
		if !strings.Contains(message, "extraEnv has "+one["name"]+":") {
			t.Errorf("%s was not refused by name:\n%s", one["name"], message)
		}
	}
}
