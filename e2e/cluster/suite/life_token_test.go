//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// tokenDetails are what the tests want to know of the token check's details.
type tokenDetails struct {
	RotationDueAt, RotationStalledAt time.Time
	Claims                           struct {
		ID                             string
		IssuedAt, ExpiresAt, WarnAfter time.Time
	}
}

func tokenOf(ctx context.Context, p cluster.Pod) (tokenDetails, error) {
	_, body, err := p.Get(ctx, port, "/status")
	if err != nil {
		return tokenDetails{}, err
	}
	var r struct {
		Checks []struct {
			Name    string
			Details json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return tokenDetails{}, fmt.Errorf("read /status: %w: %s", err, body)
	}
	var details tokenDetails
	for _, check := range r.Checks {
		if check.Name == "token" {
			err = json.Unmarshal(check.Details, &details)
		}
	}
	if err == nil && details.Claims.ID == "" {
		err = fmt.Errorf("/status tells nothing of the token: %s", body)
	}
	return details, err
}

// defaultToken looks at the token that every pod gets: kubelet asks for 3607
// seconds, which is how the API server knows that it may make a year of them
// (pkg/serviceaccount/claims.go).
func defaultToken(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	s.needsOwn(t, "know how long its tokens live")
	got, err := tokenOf(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	const asked = 3607 * time.Second
	issued := got.Claims.IssuedAt
	lifetimes := func(exp, warn, due time.Duration) map[string]time.Duration {
		return map[string]time.Duration{"expires": exp, "should be gone": warn, "rotation is due": due}
	}
	want := lifetimes(365*24*time.Hour, asked, asked/10*8)
	since := lifetimes(got.Claims.ExpiresAt.Sub(issued), got.Claims.WarnAfter.Sub(issued), got.RotationDueAt.Sub(issued))
	if diff := cmp.Diff(want, since); diff != "" {
		t.Errorf("the default token's times since it was issued (-want +got):\n%s", diff)
	}
	if r, _ := within(ctx, t, 2*interval, p, isHealthy); r.verdicts()["token"] != "ok" {
		t.Error(r.summary())
	}
}

const (
	// lifetime is the shortest that a projected token may have
	// (pkg/apis/core/validation).
	lifetime = 10 * time.Minute
	// earliest is the age at which kubelet may already replace such a token: at
	// four fifths of its life, less ten seconds of jitter
	// (pkg/kubelet/token/token_manager.go).
	earliest = lifetime/5*4 - 10*time.Second
	// resync is how late kubelet may look at a pod again: a minute and half of
	// that (syncFrequency, pkg/kubelet/pod_workers.go).
	resync = 90 * time.Second
)

// rotation watches kubelet replace one pod's token and then, in the time in
// which that of a second pod is due, stops kubelet.
func rotation(ctx context.Context, t *testing.T, s suite, namespace string) {
	if !*long {
		t.Skip("skipped: kubelet does not rotate a token before it is 8 minutes old; -long waits for that")
	}
	s.needsOwn(t, "stop kubelet")
	// An interval is far longer than noticing a new file may take.
	first := s.startPod(ctx, t, s.shortTokenPod(namespace, "rotated", 30*time.Second))
	// However late kubelet looks at the first pod, the token of the second is not
	// due then.
	rounds := record(ctx, t, first)
	pause(ctx, t, resync+40*time.Second)
	second := s.startPod(ctx, t, s.shortTokenPod(namespace, "stalled", interval))

	t.Run("is replaced by kubelet, which the agent notices at once", func(t *testing.T) {
		rotated(ctx, t, s, first)
		for _, r := range rounds.stop(t) {
			if !isHealthy(r) {
				t.Errorf("with a token that is rotated: %s", r.summary())
			}
		}
	})
	t.Run("is not replaced by a kubelet that is stopped, which the agent says before anything breaks", func(t *testing.T) {
		stalled(ctx, t, s, second)
	})
}

func rotated(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	old, err := tokenOf(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := old.Claims.ExpiresAt.Sub(old.Claims.IssuedAt); got != lifetime {
		t.Fatalf("the token lives for %s, want %s", got, lifetime)
	}
	written := s.written(ctx, t, p)
	pause(ctx, t, time.Until(old.Claims.IssuedAt.Add(earliest-5*time.Second)))
	eventually(ctx, t, time.Until(old.Claims.ExpiresAt), s.isReplaced(ctx, t, p, written))
	replaced := time.Now()
	var young tokenDetails
	eventually(ctx, t, 2*probeTimeout, func() (err error) {
		if young, err = tokenOf(ctx, p); err == nil && young.Claims.ID == old.Claims.ID {
			err = errors.New("the report still tells of the old token")
		}
		return err
	})
	t.Logf("kubelet replaced the token at the age of %s; the report told of the new one %s later",
		replaced.Sub(old.Claims.IssuedAt).Round(100*time.Millisecond), time.Since(replaced).Round(10*time.Millisecond))
	if !young.Claims.IssuedAt.After(old.Claims.IssuedAt) || !young.Claims.ExpiresAt.After(old.Claims.ExpiresAt) {
		t.Errorf("the new token is not younger: %+v after %+v", young.Claims, old.Claims)
	}
	if young.Claims.IssuedAt.After(old.RotationStalledAt) {
		t.Errorf("kubelet replaced the token at %s, when the agent would have called it stalled since %s", young.Claims.IssuedAt, old.RotationStalledAt)
	}
}

func stalled(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
	old, err := tokenOf(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	written := s.written(ctx, t, p)
	rounds := record(ctx, t, p)
	pause(ctx, t, time.Until(old.Claims.IssuedAt.Add(earliest-10*time.Second)))
	// The controller manager would soon take the pods of a node that no longer
	// reports out of their Services, and CoreDNS has no other node to be on.
	node := s.nodeOf(t, p)
	defer thaw(t, s, "kube-controller-manager")
	defer thaw(t, node, "kubelet")
	if err := errors.Join(s.Freeze("kube-controller-manager"), node.Freeze("kubelet")); err != nil {
		t.Fatal(err)
	}
	pause(ctx, t, time.Until(old.RotationStalledAt))
	told, took := within(ctx, t, turn, p, func(r report) bool { return r.Status != "ok" })
	left := time.Until(old.Claims.ExpiresAt)
	t.Logf("told %s after it was sure, %s before the token expires: %s", took.Round(10*time.Millisecond), left.Round(time.Second), told.summary())
	if diff := cmp.Diff(well("token", "warn: token-rotation-stalled"), told.verdicts()); diff != "" || told.first() != "token-rotation-stalled" {
		t.Errorf("the diagnosis begins with %q; checks (-want +got):\n%s", told.first(), diff)
	}
	if diff := cmp.Diff(map[string]int{"/livez": 200, "/readyz": 200, "/healthz": 200}, probes(ctx, t, p)); diff != "" {
		t.Errorf("while the rotation is stalled, the probes answer (-want +got):\n%s", diff)
	}
	if left <= 0 {
		t.Errorf("the token expired %s before the warning", -left)
	}

	thaw(t, node, "kubelet")
	thawed := time.Now()
	eventually(ctx, t, resync, s.isReplaced(ctx, t, p, written))
	replaced := time.Now()
	_, took = within(ctx, t, turn, p, isHealthy)
	t.Logf("kubelet replaced the token %s after it was let go on; the warning was gone %s later",
		replaced.Sub(thawed).Round(10*time.Millisecond), took.Round(10*time.Millisecond))
	for _, r := range rounds.stop(t) {
		if r.Status == "fail" && r.Time.Before(old.Claims.ExpiresAt) {
			t.Errorf("before the token expired: %s", r.summary())
		}
	}

	// It may hold the node for lost until it hears from it, which the tests that
	// follow are not to see.
	thaw(t, s, "kube-controller-manager")
	pause(ctx, t, 15*time.Second)
	for _, settled := range [][]string{
		{"wait", "--for=condition=Ready", "--timeout=1m", "node/" + node.Name},
		{"rollout", "status", "--namespace=kube-system", "--timeout=1m", "deployment/coredns"},
	} {
		if _, err := s.Kubectl(ctx, settled...); err != nil {
			t.Error(err)
		}
	}
}

// thaw lets a component of the cluster or of a node go on, which may go on already.
func thaw(t *testing.T, of interface{ Thaw(component string) error }, component string) {
	t.Helper()
	if err := of.Thaw(component); err != nil {
		t.Error(err)
	}
}

// shortTokenPod is a pod whose service-account volume is as every pod's but for
// the token's lifetime. It stays on a node that is not ready.
func (s suite) shortTokenPod(namespace, name string, interval time.Duration) *corev1.Pod {
	pod := s.lifelinePod(namespace, name)
	pod.Spec.AutomountServiceAccountToken = new(false)
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}}
	pod.Spec.Volumes = []corev1.Volume{{Name: volume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(lifetime.Seconds()))}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}},
			}}},
		},
	}}}}
	container := &pod.Spec.Containers[0]
	container.VolumeMounts = []corev1.VolumeMount{{Name: volume, MountPath: cluster.ServiceAccountFolder, ReadOnly: true}}
	container.Env[0].Value = interval.String()
	return pod
}

const volume = "service-account"

// written tells by which folder kubelet last wrote the pod's service-account
// volume, without asking the agent.
func (s suite) written(ctx context.Context, t *testing.T, p cluster.Pod) string {
	t.Helper()
	folder, err := s.nodeOf(t, p).Run(ctx, "readlink", "/var/lib/kubelet/pods/"+p.UID+"/volumes/kubernetes.io~projected/"+volume+"/..data")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func (s suite) isReplaced(ctx context.Context, t *testing.T, p cluster.Pod, written string) func() error {
	return func() error {
		if s.written(ctx, t, p) == written {
			return errors.New("kubelet has not replaced the token")
		}
		return nil
	}
}
