//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// outages take the API server away, each time for longer than kubelet lets a
// container fail its liveness probe.
func outages(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	const component = "kube-apiserver"
	s.needsOwn(t, "stop the API server")
	for _, outage := range []struct {
		name       string
		begin, end func() error
		want       map[string]string
	}{
		{
			name:  "the API server is frozen and goes on",
			begin: func() error { return s.Freeze(component) },
			end:   func() error { return s.Thaw(component) },
			want:  well("tls", "fail: tls-handshake-timeout", "api", "skip: waits-for"),
		},
		{
			name:  "the API server is gone and comes back",
			begin: func() error { return s.Kill(component) },
			end:   func() error { return s.Restart(ctx, component) },
			want:  well("tls", "skip: waits-for", "api", "fail: tcp-refused"),
		},
	} {
		t.Run(outage.name, func(t *testing.T) {
			end := sync.OnceValue(outage.end)
			// Also where the test fails early, for those that follow.
			defer func() {
				if err := end(); err != nil {
					t.Error(err)
				}
			}()
			within(ctx, t, turn, p, isHealthy)
			rounds := record(ctx, t, p)
			if err := outage.begin(); err != nil {
				t.Fatal(err)
			}
			during, told := turns(ctx, t, p, outage.want)
			pause(ctx, t, 5*time.Second)
			want := map[string]int{"/livez": 200, "/readyz": 503, "/healthz": 503}
			if diff := cmp.Diff(want, probes(ctx, t, p)); diff != "" {
				t.Errorf("during the outage, the probes answer (-want +got):\n%s", diff)
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			_, cleared := within(ctx, t, turn, p, isHealthy)
			t.Logf("told %s after it began and no longer told %s after it was over: %s", tenths(told), tenths(cleared), during.summary())
			seen := rounds.stop(t)
			t.Logf("rounds: %s", history(seen))
			for _, r := range seen {
				if !isHealthy(r) && !maps.Equal(outage.want, r.verdicts()) {
					t.Logf("on the way: %s", r.summary())
				}
			}
			s.isReady(ctx, t, p, true)
			if got := s.restarts(ctx, t, p); got != 0 {
				t.Errorf("the pod's containers were restarted %d times", got)
			}
		})
	}
}

// waitsForEtcd looks once, with the default time limit, while etcd is frozen: for less
// time than the control plane's leases last.
func waitsForEtcd(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	s.needsOwn(t, "freeze etcd")
	binary := s.buildAgent(ctx, t)
	container, err := s.Container(ctx, p.Namespace, p.Name, "lifeline")
	if err != nil {
		t.Fatal(err)
	}
	thaw := frozenEtcd(ctx, t, s, p)
	out, err := container.Run(ctx, "env", "LIFELINE_TIMEOUT=5s", "LIFELINE_INTERVAL=15s", binary, "check", "-o", "json")
	if err := errors.Join(err, thaw(context.WithoutCancel(ctx))); err != nil {
		t.Fatal(err)
	}
	var told report
	if err := json.Unmarshal(out.Out, &told); err != nil {
		t.Fatalf("read the report: %s\n%s%s", err, out.Out, out.Complaint)
	}
	if told.first() != "api-server-not-ready" || told.Status != "warn" || !strings.Contains(told.summary(), "etcd") {
		t.Errorf("the report is %s: %s, want a warning that names etcd", told.Status, told.summary())
	}
	within(ctx, t, turn, p, isHealthy)
}

// turns waits for a report that fails, which it times, and then for one with the
// verdicts that are wanted: a round may have been under way when the cause came.
func turns(ctx context.Context, t *testing.T, p cluster.Pod, want map[string]string) (report, time.Duration) {
	t.Helper()
	_, took := within(ctx, t, turn, p, func(r report) bool { return r.Status == "fail" })
	told, _ := within(ctx, t, turn, p, func(r report) bool { return maps.Equal(want, r.verdicts()) })
	return told, took
}

// brokenWay drops what one pod sends to the API server. Unlike in an outage,
// kubelet can then tell what it does.
func brokenWay(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	s.needsOwn(t, "drop packets")
	within(ctx, t, turn, p, isHealthy)
	s.isReady(ctx, t, p, true)
	restore := s.drop(ctx, t, "ip saddr "+p.Address)
	told, took := turns(ctx, t, p, well("tls", "skip: waits-for", "api", "fail: tcp-timeout"))
	t.Logf("told after %s: %s", tenths(took), told.summary())
	t.Logf("out of service %s later", tenths(s.isReady(ctx, t, p, false)))
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	_, took = within(ctx, t, turn, p, isHealthy)
	t.Logf("no longer told after %s, in service %s later", tenths(took), tenths(s.isReady(ctx, t, p, true)))

	eventually(ctx, t, 10*time.Second, func() error {
		events, err := s.Kubectl(ctx, "get", "events", "--namespace="+p.Namespace, "--field-selector=reason=Unhealthy,involvedObject.name="+p.Name,
			`--output=jsonpath={range .items[*]}{.message}{"\n"}{end}`)
		switch {
		case err != nil:
			return err
		case strings.Contains(events, "Liveness"):
			t.Fatalf("kubelet finds the agent dead:\n%s", events)
		case !strings.Contains(events, "Readiness probe failed: HTTP probe failed with statuscode: 503"):
			return fmt.Errorf("kubelet does not tell of a readiness probe that failed, but of %q", events)
		}
		return nil
	})
	if got := s.restarts(ctx, t, p); got != 0 {
		t.Errorf("the pod's containers were restarted %d times", got)
	}
}

// drop drops packets to the API server's service that match.
func (s suite) drop(ctx context.Context, t *testing.T, match string) (restore func() error) {
	t.Helper()
	remove, err := s.Filter(ctx, cluster.Before, match+" ip daddr "+cluster.ServerAddress+" drop")
	if err != nil {
		t.Fatal(err)
	}
	restore = sync.OnceValue(func() error { return remove(context.WithoutCancel(ctx)) })
	t.Cleanup(func() {
		if err := restore(); err != nil {
			t.Error(err)
		}
	})
	return restore
}

// isReady waits until kubelet says that the pod is ready, or is not, and returns
// how long that took. The pods' readiness probe is to fail three seconds in a row.
func (s suite) isReady(ctx context.Context, t *testing.T, p cluster.Pod, want bool) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(ctx, t, 15*time.Second, func() error {
		now, err := s.Pod(ctx, p.Namespace, p.Name)
		if err == nil && now.Ready != want {
			err = fmt.Errorf("the pod's condition Ready is %t", now.Ready)
		}
		return err
	})
	return time.Since(began)
}

// rolledDNS has the only CoreDNS pod replaced by another. The old one serves until
// kube-proxy leads to the new one, so there is nothing to tell of.
func rolledDNS(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	const deployment, selector = "deployment/coredns", "k8s-app=kube-dns"
	s.needsOwn(t, "replace its CoreDNS")
	within(ctx, t, turn, p, isHealthy)
	before, err := s.Pods(ctx, "kube-system", selector)
	if err != nil {
		t.Fatal(err)
	}
	inService := s.readySince(ctx, t, p)
	rounds := record(ctx, t, p)
	began := time.Now()
	for _, step := range [][]string{
		{"rollout", "restart", "--namespace=kube-system", deployment},
		{"rollout", "status", "--namespace=kube-system", "--timeout=1m", deployment},
	} {
		if _, err := s.Kubectl(ctx, step...); err != nil {
			t.Fatal(err)
		}
	}
	eventually(ctx, t, time.Minute, func() error {
		after, err := s.Pods(ctx, "kube-system", selector)
		if err == nil && (len(after) != len(before) || after[0].UID == before[0].UID) {
			err = errors.New("the old pod is still there")
		}
		return err
	})
	replaced := time.Since(began)
	_, cleared := within(ctx, t, turn, p, isHealthy)
	pause(ctx, t, 2*interval)
	seen := rounds.stop(t)
	t.Logf("replaced in %s, healthy %s later; rounds: %s", tenths(replaced), tenths(cleared), history(seen))
	for _, r := range seen {
		if !isHealthy(r) {
			t.Errorf("while CoreDNS is replaced: %s", r.summary())
		}
	}
	if now := s.readySince(ctx, t, p); !now.Equal(inService) {
		t.Errorf("the pod is in service since %s and was since %s before", now, inService)
	}
	if got := s.restarts(ctx, t, p); got != 0 {
		t.Errorf("the pod's containers were restarted %d times", got)
	}
}

// readySince is when kubelet last changed its mind on whether the pod is ready.
func (s suite) readySince(ctx context.Context, t *testing.T, p cluster.Pod) time.Time {
	t.Helper()
	pod, err := s.object(ctx, p.Namespace, p.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	t.Fatalf("the pod is not ready: %+v", pod.Status.Conditions)
	return time.Time{}
}

// history tells what the rounds said, those that said the same together.
func history(rounds []report) string {
	var lines []string
	count := 0
	for i, r := range rounds {
		count++
		now := r.Status + " " + r.first()
		if i+1 < len(rounds) && rounds[i+1].Status+" "+rounds[i+1].first() == now {
			continue
		}
		lines, count = append(lines, fmt.Sprintf("%d× %s", count, strings.TrimSpace(now))), 0
	}
	return strings.Join(lines, ", ")
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
