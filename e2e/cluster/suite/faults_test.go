//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
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
	// own is what a fault of the pod alone needs an own cluster for.
	own string
	// differs tells of a client that is known to fare otherwise than the report
	// says, and why.
	differs map[string]string
}

type injection func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) (cure func(context.Context) error)

// faults tries every fault. Those of one pod are tried on pods of their own, a
// few at a time, those of the whole cluster one after the other on the same pod.
func faults(ctx context.Context, t *testing.T, s suite) {
	results := &results{}
	t.Cleanup(func() { t.Log(results.table()) })
	t.Run("of a pod", func(t *testing.T) {
		turns := make(chan struct{}, 4)
		for _, f := range podFaults() {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				namespace := "fault-" + slug(f.name)
				s.makeNamespace(ctx, t, namespace)
				results.add(try(ctx, t, s, namespace, f))
			})
		}
	})
	t.Run("of the cluster", func(t *testing.T) {
		s.needsOwn(t, "break it")
		const namespace = "fault-of-the-cluster"
		s.makeNamespace(ctx, t, namespace)
		p := s.startPod(ctx, t, s.faultPod(t, namespace))
		for _, f := range clusterFaults() {
			t.Run(f.name, func(t *testing.T) { results.add(f.turn(ctx, t, s, p)) })
		}
	})
}

// faultPod has kubectl proxy too, where the clients can be asked.
func (s suite) faultPod(t *testing.T, namespace string) *corev1.Pod {
	t.Helper()
	manifest := s.lifelinePod(namespace, "lifeline")
	if s.Own() {
		return besideProxy(t, manifest)
	}
	return manifest
}

// try starts a pod of its own for a fault.
func try(ctx context.Context, t *testing.T, s suite, namespace string, f fault) result {
	t.Helper()
	if f.own != "" {
		s.needsOwn(t, f.own)
	}
	if f.inject != nil {
		s.needsOwn(t, "break it")
	}
	manifest := s.faultPod(t, namespace)
	if f.alter != nil {
		f.alter(manifest)
	}
	if f.objects != nil {
		s.apply(ctx, t, f.objects(ctx, t, s, namespace)...)
	}
	p := s.startPod(ctx, t, manifest)
	if f.inject != nil {
		return f.turn(ctx, t, s, p)
	}
	turned, took := within(ctx, t, 3*interval, p, f.isTold)
	return f.look(ctx, t, s, p, turned, result{fault: f.name, turned: took})
}

// turn makes the fault on a pod that has none, and ends it again.
func (f fault) turn(ctx context.Context, t *testing.T, s suite, p cluster.Pod) result {
	t.Helper()
	within(ctx, t, 30*time.Second, p, isHealthy)
	cure := f.inject(ctx, t, s, p)
	cured := cure == nil
	defer func() {
		if !cured {
			_ = cure(ctx)
		}
	}()
	// The agent makes its deep probes three times in twenty intervals at the most,
	// and here one fault follows another.
	turned, took := within(ctx, t, 50*time.Second, p, f.isTold)
	r := f.look(ctx, t, s, p, turned, result{fault: f.name, turned: took})
	if cured {
		return r
	}
	cured = true
	if err := cure(ctx); err != nil {
		t.Fatal(err)
	}
	_, r.cleared = within(ctx, t, 30*time.Second, p, isHealthy)
	return r
}

func (f fault) isTold(r report) bool { return r.first() == f.first }

// look compares what the pod says of itself, and what probes are told, with what
// is to be expected under the fault.
func (f fault) look(ctx context.Context, t *testing.T, s suite, p cluster.Pod, told report, r result) result {
	t.Helper()
	code := func(unavailable bool) int {
		if unavailable {
			return 503
		}
		return 200
	}
	want := map[string]int{"/livez": 200, "/readyz": code(f.unready), "/healthz": code(f.unhealthy)}
	got := probes(ctx, t, p)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("probes (-want +got):\n%s\n%s", diff, told.summary())
	}
	r.first, r.status, r.probes = told.first(), told.Status, got
	if s.Own() {
		r.cells = s.compare(ctx, t, p, f.differs)
	}
	if len(told.Diagnosis) > 0 {
		r.certainty = told.Diagnosis[0].Certainty
	}
	return r
}

// result is a row of the table.
type result struct {
	fault, first, status, certainty string
	probes                          map[string]int
	cells                           []cell
	turned, cleared                 time.Duration
}

// results are gathered by tests that run at the same time.
type results struct {
	mutex sync.Mutex
	all   []result
}

func (r *results) add(one result) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, one)
}

func (r *results) table() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "fault\tfirst\tcertainty\tstatus\tlivez\treadyz\thealthz\tturned\tcleared\n")
	for _, one := range r.all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", one.fault, one.first, one.certainty, one.status,
			one.probes["/livez"], one.probes["/readyz"], one.probes["/healthz"], seconds(one.turned), seconds(one.cleared))
	}
	fmt.Fprintf(table, "\nfault\tgo-client\tpython-client\trest\tkubectl-proxy\n")
	for _, one := range r.all {
		fmt.Fprint(table, one.fault)
		for _, cell := range one.cells {
			fmt.Fprintf(table, "\t%s", cell)
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush()
	return fmt.Sprintf("%d faults\n%s", len(r.all), out.String())
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// slug is a name as Kubernetes allows it.
func slug(name string) string {
	name = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(name[:min(len(name), 50)], "-")
}
