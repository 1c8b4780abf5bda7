//go:build linux

package suite_test

import (
	"context"
	"errors"
	"testing"
	"time"
)

// ends deletes a pod. A finalizer keeps what is left of it to be looked at.
func ends(ctx context.Context, t *testing.T, s suite, namespace string) {
	const name = "ending"
	manifest := s.lifelinePod(namespace, name)
	manifest.Finalizers = []string{"lifeline.test/look-at-the-end"}
	grace := 30 * time.Second
	manifest.Spec.TerminationGracePeriodSeconds = new(int64(grace.Seconds()))
	s.startPod(ctx, t, manifest)
	defer func() {
		if _, err := s.Kubectl(ctx, "patch", "--namespace="+namespace, "pod", name, "--type=merge", `--patch={"metadata": {"finalizers": null}}`); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Kubectl(ctx, "delete", "--namespace="+namespace, "pod", name, "--wait=false"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(ctx, t, grace/3, func() error {
		pod, err := s.object(ctx, namespace, name)
		if err != nil {
			return err
		}
		if pod.DeletionTimestamp == nil || pod.Status.ContainerStatuses[0].State.Terminated == nil {
			return errors.New("the agent has not ended")
		}
		completed(t, pod.Status.ContainerStatuses[0])
		return nil
	})
	t.Logf("ended %s after its pod was deleted", tenths(time.Since(began)))
}
