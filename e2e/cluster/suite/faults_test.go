//go:build linux

package suite_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// fault is one way in which a pod's path to the API breaks, by a real cause.
type fault struct {
	name string
	// alter makes the pod one that has the fault. Its cure is another pod.
	alter func(*corev1.Pod)
	// objects are what the pod needs in its namespace.
	objects func(ctx context.Context, t *testing.T, s suite, namespace string) []any
	// inject makes the fault where the pod has none by itself, and returns what
	// ends it; nil where only another pod does.
	inject injection
	// first is the reason that the diagnosis must begin with; empty where
	// nothing is wrong.
	first string
	// unready and unhealthy tell that /readyz and /healthz answer 503.
	unready, unhealthy bool
	// wavers tells that the fault shows at times alone, so that probes and clients
	// may fare otherwise than the report that names it, which may take longer.
	wavers bool
	// rare leaves the fault to -every: all of them take thirty-five minutes.
	rare bool
	// own is what a fault of the pod alone needs an own cluster for.
	own string
	// differs tells of a client that is known to fare otherwise than the report
	// says, and why.
	differs map[string]string
}

type injection func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) (cure func(context.Context) error)

// faults tries every fault on a pod of its own that was well until then, so that
// the agent has its deep probes to spare: those of one pod a few at a time, those
// of the whole cluster one after the other.
func faults(ctx context.Context, t *testing.T, s suite) {
	results := &results{}
	t.Run("of a pod", func(t *testing.T) {
		turns := make(chan struct{}, atOnce())
		for _, f := range wanted(podFaults()) {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				namespace := "fault-" + slug(f.name)
				s.makeNamespace(ctx, t, namespace)
				results.add(f.try(ctx, t, s, s.faultPod(t, namespace, "lifeline"), func() {}))
			})
		}
	})
	t.Run("of the cluster", func(t *testing.T) {
		s.needsOwn(t, "break it")
		const namespace = "fault-of-the-cluster"
		s.makeNamespace(ctx, t, namespace)
		s.inTurn(ctx, t, wanted(clusterFaults()), func(name string) *corev1.Pod { return s.faultPod(t, namespace, slug(name)) }, results)
	})
	if len(results.all) == 0 {
		return
	}
	line, good, amiss := results.score(*every)
	t.Log(results.table())
	for _, one := range amiss {
		t.Log(one)
	}
	if !good {
		t.Errorf("%s; wanted are %d %%, within %d intervals each, and 0", line, wantedRight, inTime/interval)
		return
	}
	t.Log(line)
}

// atOnce is how many pods are tried at a time. Where the score counts, the pods and the
// clients beside them are not to take the processor from one another's agents.
func atOnce() int {
	if *every {
		return 2
	}
	return 3
}

// inTurn tries faults one after the other, each on the pod that manifest makes for
// its name.
func (s suite) inTurn(ctx context.Context, t *testing.T, all []fault, manifest func(name string) *corev1.Pod, results *results) {
	t.Helper()
	for i, f := range all {
		t.Run(f.name, func(t *testing.T) {
			// The next pod starts while this one is waited for to be well again.
			next := func() {
				if i+1 < len(all) {
					all[i+1].start(ctx, t, s, manifest(all[i+1].name))
				}
			}
			results.add(f.try(ctx, t, s, manifest(f.name), next))
		})
	}
}

// wanted are the faults that are to be tried.
func wanted(all []fault) []fault {
	return slices.DeleteFunc(all, func(f fault) bool { return f.rare && !*every })
}

// faultPod has kubectl proxy too, where the clients can be asked.
func (s suite) faultPod(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	manifest := s.lifelinePod(namespace, name)
	if s.Own() {
		return besideProxy(t, manifest)
	}
	return manifest
}

// start starts the pod that a fault is tried on. One that has been started stays
// as it is.
func (f fault) start(ctx context.Context, t *testing.T, s suite, manifest *corev1.Pod) {
	t.Helper()
	if _, err := s.Pod(ctx, manifest.Namespace, manifest.Name); err == nil {
		return
	}
	if f.alter != nil {
		f.alter(manifest)
	}
	if f.objects != nil {
		s.apply(ctx, t, f.objects(ctx, t, s, manifest.Namespace)...)
	}
	s.apply(ctx, t, manifest)
}

// try makes the fault, looks at what is said of it and ends it again. It calls
// cured when that is done, before it waits for the pod to be well.
func (f fault) try(ctx context.Context, t *testing.T, s suite, manifest *corev1.Pod, cured func()) result {
	t.Helper()
	if f.own != "" {
		s.needsOwn(t, f.own)
	}
	if f.inject != nil {
		s.needsOwn(t, "break it")
	}
	f.start(ctx, t, s, manifest)
	t.Cleanup(func() {
		if _, err := s.Kubectl(context.WithoutCancel(ctx), "delete", "pod", "--namespace="+manifest.Namespace, manifest.Name, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	p := s.reporting(ctx, t, manifest.Namespace, manifest.Name)
	if f.inject == nil {
		rounds := record(ctx, t, p)
		r := f.look(ctx, t, s, p, rounds, time.Time{})
		return f.judge(ctx, t, s, p, rounds, time.Time{}, time.Now(), r)
	}
	within(ctx, t, 30*time.Second, p, isHealthy)
	rounds := record(ctx, t, p)
	cure := f.inject(ctx, t, s, p)
	// Also where the test fails early, for those that follow.
	end := sync.OnceValue(func() error {
		if cure == nil {
			return nil
		}
		return cure(context.WithoutCancel(ctx))
	})
	defer func() { _ = end() }()
	began := time.Now()
	r := f.look(ctx, t, s, p, rounds, began)
	ended := time.Now()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	cured()
	if cure != nil {
		_, r.cleared = within(ctx, t, 30*time.Second, p, isHealthy)
	}
	return f.judge(ctx, t, s, p, rounds, began, ended, r)
}

// isTold tells that the report begins with the cause, and that a check which gates
// readiness is at fault where the pod is to be unready: that may take the deep probes.
func (f fault) isTold(r report) bool {
	gated := !f.unready
	for _, check := range r.Checks {
		gates := slices.Contains([]string{"environment", "token", "ca", "tls", "api"}, check.Name)
		gated = gated || gates && (check.Status == "fail" || check.Status == "skip")
	}
	return r.Round > 0 && r.first() == f.first && gated
}

// look waits for the fault to be told and compares what probes are answered, and
// what clients meet, with what is to be expected under it.
func (f fault) look(ctx context.Context, t *testing.T, s suite, p cluster.Pod, rounds *recording, began time.Time) result {
	t.Helper()
	limit := 2 * inTime
	if f.wavers {
		limit *= 3
	}
	told, ok := rounds.until(ctx, t, limit, func(r report) bool { return r.Time.After(began) && f.isTold(r) })
	if !ok {
		t.Logf("want %q first: %s", f.first, told.summary())
	}
	r := result{fault: f.name, want: f.first, first: told.first(), status: told.Status, certainty: told.verdict().certainty, probes: probes(ctx, t, p)}
	if f.wavers {
		return r
	}
	code := func(unavailable bool) int {
		if unavailable {
			return 503
		}
		return 200
	}
	want := map[string]int{"/livez": 200, "/readyz": code(f.unready), "/healthz": code(f.unhealthy)}
	if diff := cmp.Diff(want, r.probes); diff != "" {
		t.Errorf("probes (-want +got):\n%s\n%s", diff, told.summary())
	}
	if s.Own() {
		r.cells = s.compare(ctx, t, p, f.differs)
	}
	return r
}

// judge completes the result with how the fault was told of until it ended. One
// that the pod was made with began when the pod was whole.
func (f fault) judge(ctx context.Context, t *testing.T, s suite, p cluster.Pod, rounds *recording, began, ended time.Time, r result) result {
	t.Helper()
	seen := rounds.stop(t)
	var started time.Time
	var verdicts []verdict
	// A kubelet that was restarted has no logs of a pod until it knows it again.
	eventually(ctx, t, 30*time.Second, func() (err error) {
		started, verdicts, err = s.verdicts(ctx, p, seen)
		return err
	})
	if began.IsZero() {
		began = f.whole(started, verdicts)
	}
	r.telling = f.tells(began, ended, verdicts)
	return r
}

// whole is when the agent started, or when the proxy beside it served where that was
// later: until then, that it does not is the truth.
func (f fault) whole(started time.Time, verdicts []verdict) time.Time {
	whole := started
	for i, v := range verdicts {
		if v.cause == "kproxy-down" && f.first != v.cause && i+1 < len(verdicts) && v.published.Before(started.Add(inTime)) {
			whole = verdicts[i+1].began
		}
	}
	return whole
}

// slug is a name as Kubernetes allows it.
func slug(name string) string {
	name = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(name[:min(len(name), 50)], "-")
}
