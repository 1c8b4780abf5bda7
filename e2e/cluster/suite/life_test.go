//go:build linux

package suite_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

func life(ctx context.Context, t *testing.T, s suite) {
	const namespace = "life"
	s.makeNamespace(ctx, t, namespace)
	p := s.startPod(ctx, t, s.lifelinePod(namespace, "lifeline"))

	t.Run("a healthy pod is well by every check", func(t *testing.T) {
		got, _ := within(ctx, t, 2*interval, p, isHealthy)
		want := map[string]string{"environment": "ok", "dns": "ok", "token": "ok", "ca": "ok", "tls": "ok", "api": "ok"}
		if diff := cmp.Diff(want, got.verdicts()); diff != "" {
			t.Errorf("checks (-want +got):\n%s\n%s", diff, got.summary())
		}
	})

	t.Run("the report names the pod that it is about", func(t *testing.T) {
		got, err := status(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		want := identity{Name: p.Name, Namespace: namespace, Node: cluster.NodeName, ServiceAccount: p.ServiceAccount, UID: p.UID}
		if diff := cmp.Diff(want, got.Pod); diff != "" {
			t.Errorf("the pod in /status (-want +got):\n%s", diff)
		}
	})
}
