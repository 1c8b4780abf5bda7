//go:build linux

package suite_test

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// ordinary is the default of LIFELINE_INTERVAL.
const ordinary = 15 * time.Second

// watched is an agent whose verdicts are kept.
type watched struct {
	name     string
	interval time.Duration
	// always are causes that are true of its pod whatever happens.
	always   []string
	pod      cluster.Pod
	rounds   *recording
	verdicts []verdict
}

// watchCluster watches a healthy cluster to which one thing after another happens,
// and wants the agents to say nothing but what is so, and only while it is so.
func watchCluster(ctx context.Context, t *testing.T, s suite) {
	if *watch == 0 {
		t.Skip("skipped: a healthy cluster is watched for the time of -watch, as in -watch 30m")
	}
	s.needsOwn(t, "disturb it")
	const namespace = "watch"
	s.makeNamespace(ctx, t, namespace)
	if _, err := s.Kubectl(ctx, "scale", "deployment/coredns", "--namespace=kube-system", "--replicas=2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.Kubectl(context.WithoutCancel(ctx), "scale", "deployment/coredns", "--namespace=kube-system", "--replicas=1"); err != nil {
			t.Error(err)
		}
	})
	s.settleDNS(ctx, t)
	agents := s.watchedAgents(ctx, t, namespace)

	rotated := agents[slices.IndexFunc(agents, func(a *watched) bool { return a.name == "rotated" })].pod
	token := s.written(ctx, t, rotated)

	began := time.Now()
	var events []event
	for i := 0; time.Since(began) < *watch; i++ {
		rest(ctx, t)
		d := disturbances()[i%len(disturbances())]
		one := event{disturbance: d, began: time.Now()}
		d.happen(ctx, t, s)
		one.ended = time.Now()
		t.Logf("%s after %s, for %s", d.name, one.began.Sub(began).Round(time.Second), tenths(one.ended.Sub(one.began)))
		events = append(events, one)
	}
	rest(ctx, t)
	for _, a := range agents {
		a.rounds.end()
		var err error
		if _, a.verdicts, err = s.verdicts(ctx, a.pod, a.rounds.seen()); err != nil {
			t.Error(err)
		}
		t.Logf("%s: %d rounds; %d looks at them failed, at last %v", a.name, len(a.verdicts), len(a.rounds.failures), last(a.rounds.failures))
	}
	t.Logf("a token was rotated: %t", s.written(ctx, t, rotated) != token)
	remarks := judgeWatch(events, agents)
	t.Log(watchTable(events, agents, remarks))
	for _, a := range agents {
		for _, r := range a.untrue(events) {
			t.Logf("%s said in round %d, at %s: %s", a.name, r.Round, r.Time.Format(time.TimeOnly), r.summary())
		}
	}
	if untrue := countFalse(remarks); untrue > 0 {
		t.Errorf("watched for %s: %d things were said that were not so", time.Since(began).Round(time.Second), untrue)
	}
}

// rest is how long it takes until nothing of what happened may be told any more,
// by the slowest of the agents too.
func rest(ctx context.Context, t *testing.T) {
	t.Helper()
	pause(ctx, t, graceIntervals*ordinary+interval)
}

func last(failures []error) error {
	if len(failures) == 0 {
		return nil
	}
	return failures[len(failures)-1]
}

// watchedAgents are one with the settings of the other tests, one with none, one
// with a token that is rotated every eight minutes, and one that is throttled.
func (s suite) watchedAgents(ctx context.Context, t *testing.T, namespace string) []*watched {
	t.Helper()
	standard := s.lifelinePod(namespace, "standard")
	standard.Spec.Containers[0].Env = nil
	throttled := s.lifelinePod(namespace, "throttled")
	container := &throttled.Spec.Containers[0]
	container.Resources = corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}}
	// Kubelet would restart one that does not answer it in time.
	container.StartupProbe, container.LivenessProbe, container.ReadinessProbe = nil, nil, nil
	manifests := []*corev1.Pod{s.lifelinePod(namespace, "quick"), standard, s.shortTokenPod(namespace, "rotated", interval), throttled}
	agents := []*watched{
		{name: "quick", interval: interval},
		{name: "standard", interval: ordinary},
		{name: "rotated", interval: interval},
		{name: "throttled", interval: interval, always: []string{"agent-starved"}},
	}
	for i, a := range agents {
		a.pod = s.startPod(ctx, t, manifests[i])
		// To be asked often is work too, which the throttled one has no time for.
		a.rounds = recordEvery(ctx, t, a.pod, 500*time.Millisecond)
	}
	return agents
}
