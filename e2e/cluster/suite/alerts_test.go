//go:build linux

package suite_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// incident is something that breaks, and the alert that must come of it.
type incident struct {
	name string
	// agent is the one that it happens to, or else one of those.
	agent  string
	inject injection
	want   alert
	// because is the reason that the alert must name, and that the agent's report
	// begins with; empty where the agent tells of nothing.
	because string
}

// alert is what tells one alert from another.
type alert struct{ Name, Scope, Node, Pod string }

func alertOf[L ~map[model.LabelName]model.LabelValue](labels L) alert {
	return alert{
		Name:  string(labels[model.AlertNameLabel]),
		Scope: string(labels["scope"]),
		Node:  string(labels["node"]),
		Pod:   string(labels["pod"]),
	}
}

// of is for whom the alert is.
func (a alert) of() string { return strings.TrimSpace(a.Node + " " + a.Pod) }

// observatory is a Prometheus and the agents that it looks at, by their names in
// the incidents.
type observatory struct {
	suite
	prometheus promv1.API
	agents     map[string]cluster.Pod
	began      time.Time
	// firing are moments in which there were all alerts that were to be.
	firing []time.Time
}

// alerts has a real Prometheus look at real agents, as the README has it, by the
// rules that are shipped, while things break: there must be the alert for the
// scope of what broke, and no other.
func alerts(ctx context.Context, t *testing.T, s suite) {
	s.needsOwn(t, "break it while a Prometheus looks at it")
	second := s.addNode(ctx, t)
	o := s.observe(ctx, t)
	var timeline []entry
	for _, together := range []struct {
		name      string
		incidents []incident
	}{
		{
			name: "a pod, the agent of another, and a node",
			incidents: []incident{
				{
					name: "what one pod sends to the API server is dropped", agent: "broken",
					inject:  filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" drop"),
					want:    alert{Name: "LifelinePodFailing", Scope: "pod", Node: o.agents["broken"].Node, Pod: "broken"},
					because: "tcp-timeout",
				},
				{
					name: "what is sent to the port of an agent is dropped", agent: "silent",
					inject: filterTo(cluster.After, fmt.Sprintf("tcp dport %d drop", port)),
					want:   alert{Name: "LifelineAgentDown", Node: o.agents["silent"].Node, Pod: "silent"},
				},
				{
					name: "kube-proxy's rules are gone on one node", agent: second.Name,
					inject:  withoutRulesOfNode,
					want:    alert{Name: "LifelineNodeFailing", Scope: "node", Node: second.Name},
					because: "tcp-timeout-kube-proxy-not-programmed",
				},
			},
		},
		{
			name: "the cluster",
			incidents: []incident{{
				name: "the API server is frozen", agent: second.Name,
				inject:  frozen,
				want:    alert{Name: "LifelineClusterFailing", Scope: "cluster"},
				because: "tls-timeout-server-overloaded",
			}},
		},
	} {
		t.Run(together.name, func(t *testing.T) { timeline = append(timeline, o.happen(ctx, t, together.incidents)...) })
	}
	t.Run("every rule works and every recording rule has data", func(t *testing.T) { o.rulesWork(ctx, t) })
	t.Run("every query of the dashboard has data", func(t *testing.T) { o.dashboardWorks(ctx, t) })
	t.Log(table(timeline))
}

// observe starts the agents, those of the chart and two in pods like those of
// applications, and a Prometheus, and waits until it has looked at all of them.
func (s suite) observe(ctx context.Context, t *testing.T) *observatory {
	t.Helper()
	const namespace = "alerts"
	s.makeNamespace(ctx, t, namespace)
	o := &observatory{suite: s, agents: map[string]cluster.Pod{}}
	first := s.Nodes()[0]
	var manifests []*corev1.Pod
	for _, name := range []string{"broken", "silent"} {
		manifest := onNode(s.lifelinePod(namespace, name), first)
		container := &manifest.Spec.Containers[0]
		container.Ports = []corev1.ContainerPort{{Name: "lifeline", ContainerPort: port}}
		if *long {
			container.Env = slices.DeleteFunc(container.Env, func(v corev1.EnvVar) bool { return strings.HasPrefix(v.Name, "LIFELINE_") })
		}
		// Kubelet is held off as Prometheus is, and would restart it.
		container.StartupProbe, container.LivenessProbe, container.ReadinessProbe = nil, nil, nil
		s.apply(ctx, t, manifest)
		manifests = append(manifests, manifest)
	}
	r := release{suite: s, namespace: namespace, name: "lifeline"}
	values := map[string]any{"image.repository": s.repository, "image.tag": s.tag}
	if !*long {
		values["config.interval"], values["config.timeout"] = interval.String(), probeTimeout.String()
	}
	r.deploy(ctx, t, "install", values)
	for _, manifest := range manifests {
		o.agents[manifest.Name] = s.reporting(ctx, t, namespace, manifest.Name)
	}
	daemons, err := s.Pods(ctx, namespace, "app.kubernetes.io/instance="+r.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range daemons {
		o.agents[pod.Node] = pod
	}
	o.prometheus, err = s.StartPrometheus(ctx, cluster.PrometheusOptions{Scrape: s.scrapeConfiguration(t), Every: pace(), Rules: s.rulesFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.StopPrometheus(); err != nil {
			t.Error(err)
		}
	})
	want := map[string]string{}
	for _, pod := range o.agents {
		want[pod.Node+" "+pod.Namespace+"/"+pod.Name] = "up"
	}
	if len(want) != len(manifests)+len(s.Nodes()) {
		t.Fatalf("the agents are %v, want two in pods of their own and one on each node", want)
	}
	eventually(ctx, t, 30*time.Second, func() error {
		got, err := o.targets(ctx)
		if err != nil {
			return err
		}
		return differs(want, got)
	})
	o.began = time.Now()
	// Nothing may be amiss to begin with, and rules that look back want some rounds.
	pause(ctx, t, 2*pace())
	o.quiet(ctx, t)
	return o
}

// scrapeConfiguration is the README's, to the letter.
func (s suite) scrapeConfiguration(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(s.readme(t), "```yaml\nscrape_configs:\n")
	configuration, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("the README has no scrape_configs")
	}
	return "scrape_configs:\n" + configuration
}

// pace is the agents' interval, with -long that which they have by default, and
// Prometheus's. To ask them more often would be to give up on a busy one sooner, and an
// alert waits anew after a scrape that was missed.
func pace() time.Duration {
	if *long {
		return ordinary
	}
	return interval
}

// hurried is a minute of what an alert waits for. Without -long it is shorter, as the
// agents' intervals are.
const hurried = 4 * time.Second

// rulesFile has the rules that are shipped, to the letter with -long.
func (s suite) rulesFile(t *testing.T) string {
	t.Helper()
	shipped := filepath.Join(s.chart(), "files", "rules.yaml")
	if *long {
		return shipped
	}
	content, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?m)^ +(?:keep_firing_)?for: \d+m$`).ReplaceAllStringFunc(string(content), func(line string) string {
		key, value, _ := strings.Cut(line, ": ")
		waits, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s: %.0fs", key, hurried.Seconds()*waits.Minutes())
	})
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// targets are the pods that Prometheus looks at, and whether it sees them.
func (o *observatory) targets(ctx context.Context) (map[string]string, error) {
	targets, err := o.prometheus.Targets(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, target := range targets.Active {
		for _, label := range []model.LabelName{"namespace", "pod", "node"} {
			if target.Labels[label] == "" {
				return nil, fmt.Errorf("the target %v has no label %s", target.Labels, label)
			}
		}
		found[fmt.Sprintf("%s %s/%s", target.Labels["node"], target.Labels["namespace"], target.Labels["pod"])] = string(target.Health)
	}
	return found, nil
}

// happen has some things break at the same time, waits for their alerts, mends
// everything and waits until there are none.
func (o *observatory) happen(ctx context.Context, t *testing.T, together []incident) []entry {
	t.Helper()
	var entries []entry
	var cures []func(context.Context) error
	cure := sync.OnceValue(func() error {
		var failures []error
		for _, one := range slices.Backward(cures) {
			failures = append(failures, one(context.WithoutCancel(ctx)))
		}
		return errors.Join(failures...)
	})
	// Also where the test fails early, for those that follow.
	defer func() { _ = cure() }()
	recordings := map[string]*recording{}
	want := map[alert]bool{}
	for _, one := range together {
		agent := o.agents[one.agent]
		if one.because != "" {
			// A look that a busy agent lets wait is no matter here.
			recordings[one.agent] = recordEvery(ctx, t, agent, 500*time.Millisecond)
		}
		entries = append(entries, entry{incident: one, injected: time.Now()})
		cures = append(cures, one.inject(ctx, t, o.suite, agent))
		want[one.want] = true
	}

	lasts := o.longestWait(ctx, t) + 2*pace() + 5*time.Second
	eventually(ctx, t, lasts+30*time.Second, func() error {
		firing, err := o.active(ctx, promv1.AlertStateFiring)
		if err != nil {
			return err
		}
		for _, one := range together {
			found, ok := firing[one.want]
			if !ok {
				return fmt.Errorf("%+v does not fire; there are %+v", one.want, slices.Collect(maps.Keys(firing)))
			}
			// Which may change: where a server is frozen for minutes, the kernel no longer
			// takes connections for it.
			if text := string(found.Annotations["description"]); !strings.Contains(text, one.because) {
				return fmt.Errorf("the description of %+v does not name %s: %s", one.want, one.because, text)
			}
		}
		return nil
	})
	// Of a narrower scope there must be none, however long one would wait.
	pause(ctx, t, time.Until(entries[0].injected.Add(lasts)))
	firing, err := o.active(ctx, promv1.AlertStateFiring)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range together {
		isReadable(t, firing[one.want])
	}
	mended := time.Now()
	o.firing = append(o.firing, mended)
	if err := cure(); err != nil {
		t.Fatal(err)
	}
	o.quiet(ctx, t)
	told := o.told(ctx, t, entries[0].injected, time.Now())
	fired := map[alert]bool{}
	for one, period := range told {
		if !period.firing.IsZero() {
			fired[one] = true
		}
	}
	if err := differs(want, fired); err != nil {
		t.Errorf("what fired %v", err)
	}
	for i := range entries {
		entries[i].mended, entries[i].period = mended, told[entries[i].want]
		if rounds := recordings[entries[i].agent]; rounds != nil {
			rounds.end()
			entries[i].hears(rounds.seen())
		}
	}
	return entries
}

// longestWait is what the most patient of all alerts waits for.
func (o *observatory) longestWait(ctx context.Context, t *testing.T) time.Duration {
	t.Helper()
	var longest time.Duration
	for _, rule := range o.rules(ctx, t) {
		if alerting, ok := rule.(promv1.AlertingRule); ok {
			longest = max(longest, time.Duration(alerting.Duration*float64(time.Second)))
		}
	}
	return longest
}

// active are the alerts of a state, or all with none.
func (o *observatory) active(ctx context.Context, state promv1.AlertState) (map[alert]promv1.Alert, error) {
	result, err := o.prometheus.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	found := map[alert]promv1.Alert{}
	for _, one := range result.Alerts {
		if state == "" || one.State == state {
			found[alertOf(one.Labels)] = one
		}
	}
	return found, nil
}

// quiet waits until there is no alert, not even one that does not fire yet.
func (o *observatory) quiet(ctx context.Context, t *testing.T) {
	t.Helper()
	// An alert may outlast its cause, and for less than the longest wait.
	eventually(ctx, t, o.longestWait(ctx, t)+time.Minute, func() error {
		active, err := o.active(ctx, "")
		if err == nil && len(active) > 0 {
			err = fmt.Errorf("there are still %+v", slices.Collect(maps.Keys(active)))
		}
		return err
	})
}

// isReadable looks at what a person who is woken reads.
func isReadable(t *testing.T, one promv1.Alert) {
	t.Helper()
	for _, annotation := range []model.LabelName{"summary", "description", "runbook_url"} {
		text := string(one.Annotations[annotation])
		if text == "" || strings.Contains(text, "<error") || strings.Contains(text, "<no value>") {
			t.Errorf("the annotation %s of %s is %q", annotation, one.Labels, text)
		}
		t.Logf("%s: %s: %s", one.Labels[model.AlertNameLabel], annotation, text)
	}
}

// rules are all that Prometheus has.
func (o *observatory) rules(ctx context.Context, t *testing.T) promv1.Rules {
	t.Helper()
	result, err := o.prometheus.Rules(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rules promv1.Rules
	for _, group := range result.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	return rules
}

func (o *observatory) rulesWork(ctx context.Context, t *testing.T) {
	for _, rule := range o.rules(ctx, t) {
		switch rule := rule.(type) {
		case promv1.AlertingRule:
			if rule.Health != promv1.RuleHealthGood {
				t.Errorf("the alert %s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
			o.knows(ctx, t, rule.Query)
		case promv1.RecordingRule:
			if rule.Health != promv1.RuleHealthGood {
				t.Errorf("the rule %s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
			o.knows(ctx, t, rule.Name)
		}
	}
}

// matrix is what a query gave in every second of a time.
func (o *observatory) matrix(ctx context.Context, t *testing.T, query string, from, to time.Time) model.Matrix {
	t.Helper()
	value, warnings, _, err := o.prometheus.QueryRange(ctx, query, promv1.Range{Start: from, End: to, Step: time.Second})
	if err != nil || len(warnings) > 0 {
		t.Errorf("ask for %s: %v %v", query, err, warnings)
		return nil
	}
	return value.(model.Matrix)
}
