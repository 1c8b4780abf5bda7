//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// turn is within what time a report tells of a change: a round begins in every
// interval, and ends within two time limits of a probe.
const turn = interval + 2*probeTimeout

func life(ctx context.Context, t *testing.T, s suite) {
	const namespace = "life"
	s.makeNamespace(ctx, t, namespace)
	p := s.startPod(ctx, t, s.lifelinePod(namespace, "lifeline"))

	t.Run("a healthy pod is well by every check", func(t *testing.T) {
		got, _ := within(ctx, t, 2*interval, p, isHealthy)
		if diff := cmp.Diff(well(), got.verdicts()); diff != "" {
			t.Errorf("checks (-want +got):\n%s\n%s", diff, got.summary())
		}
	})
	t.Run("the service account's own token lives for a year and is rotated every hour", func(t *testing.T) {
		defaultToken(ctx, t, s, p)
	})
	t.Run("the report names the pod that it is about", func(t *testing.T) { identities(ctx, t, s, namespace) })
	t.Run("facts hold no secret and are judged elsewhere alike", func(t *testing.T) {
		s.needsOwn(t, "read the pod's token")
		supportBundle(ctx, t, s, p)
	})
	t.Run("from a shell as the README has it", func(t *testing.T) { recipes(ctx, t, s) })
	t.Run("the agent ends when its pod does", func(t *testing.T) { ends(ctx, t, s, namespace) })
	t.Run("a rolling update of CoreDNS leaves the API in reach", func(t *testing.T) { rolledDNS(ctx, t, s, p) })
	t.Run("kubelet takes a pod out of service whose own way is broken", func(t *testing.T) { brokenWay(ctx, t, s, p) })
	t.Run("an API server that answers and waits for etcd is told", func(t *testing.T) { waitsForEtcd(ctx, t, s, p) })
	// After it the components take their time to come back to the API server.
	t.Run("an outage turns the verdict and restarts nothing", func(t *testing.T) { outages(ctx, t, s, p) })
	t.Run("a token of ten minutes", func(t *testing.T) { rotation(ctx, t, s, namespace) })
}

// well are the verdicts of a pod that nothing is wrong with, but for those given.
func well(but ...string) map[string]string {
	verdicts := map[string]string{"environment": "ok", "dns": "ok", "token": "ok", "ca": "ok", "tls": "ok", "api": "ok"}
	for i := 0; i+1 < len(but); i += 2 {
		verdicts[but[i]] = but[i+1]
	}
	return verdicts
}

// object is the pod as the API server has it.
func (s suite) object(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	out, err := s.Kubectl(ctx, "get", "pod", "--namespace="+namespace, name, "--output=json")
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	return pod, json.Unmarshal([]byte(out), pod)
}
