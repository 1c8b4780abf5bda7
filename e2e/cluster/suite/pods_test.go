//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/clients"
)

// Of the pods that faults are tried on: short, so that many can be, but long enough
// for a busy machine. A cause that deep probes find is told after an interval and
// four time limits at the latest.
const (
	interval     = 4 * time.Second
	probeTimeout = time.Second
)

// lifelinePod is a pod with the agent as its first container, as the README
// shows it beside an application.
func (s suite) lifelinePod(namespace, name string) *corev1.Pod {
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{
			PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 3,
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(port)}},
		}
	}
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			EnableServiceLinks:            new(false),
			TerminationGracePeriodSeconds: new(int64(0)),
			Containers: []corev1.Container{{
				Name:            "lifeline",
				Image:           s.repository + ":" + s.tag,
				SecurityContext: restricted(),
				Env: []corev1.EnvVar{
					{Name: "LIFELINE_INTERVAL", Value: interval.String()},
					{Name: "LIFELINE_TIMEOUT", Value: probeTimeout.String()},
					{Name: "LIFELINE_READY_FAILURES", Value: "1"},
					{Name: "LIFELINE_READY_SUCCESSES", Value: "1"},
				},
				// One that asks for nothing gets nothing beside kubectl, runc and what
				// else the tests run.
				Resources:      corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("150m")}},
				StartupProbe:   probe("/livez"),
				LivenessProbe:  probe("/livez"),
				ReadinessProbe: probe("/readyz"),
			}},
		},
	}
}

// besideProxy is the pod with kubectl proxy as its second container.
func besideProxy(t *testing.T, manifest *corev1.Pod) *corev1.Pod {
	t.Helper()
	var proxy corev1.Container
	if err := json.Unmarshal([]byte(clients.ProxyContainer), &proxy); err != nil {
		t.Fatal(err)
	}
	manifest.Spec.Containers = append(manifest.Spec.Containers, proxy)
	manifest.Spec.Containers[0].Env = append(manifest.Spec.Containers[0].Env, corev1.EnvVar{Name: "LIFELINE_KUBECTL_PROXY_URL", Value: "http://127.0.0.1:8001"})
	return manifest
}

// restricted is what the Pod Security Standard of that name demands.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsNonRoot:             new(true),
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// makeNamespace makes a namespace that enforces the restricted Pod Security
// Standard and goes with the test, and waits for what pods need in it.
func (s suite) makeNamespace(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	s.apply(ctx, t, &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}},
	})
	t.Cleanup(func() {
		if _, err := s.Kubectl(context.WithoutCancel(ctx), "delete", "namespace", name, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	eventually(ctx, t, 30*time.Second, func() error {
		_, err := s.Kubectl(ctx, "get", "--namespace="+name, "serviceaccount/default", "configmap/kube-root-ca.crt")
		return err
	})
}

func (s suite) apply(ctx context.Context, t *testing.T, objects ...any) {
	t.Helper()
	for _, object := range objects {
		manifest, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(ctx, string(manifest)); err != nil {
			t.Fatal(err)
		}
	}
}

// startPod starts a pod and waits until its agent has reported.
func (s suite) startPod(ctx context.Context, t *testing.T, manifest *corev1.Pod) cluster.Pod {
	t.Helper()
	s.apply(ctx, t, manifest)
	return s.reporting(ctx, t, manifest.Namespace, manifest.Name)
}

// reporting waits until the agent of a pod has reported.
func (s suite) reporting(ctx context.Context, t *testing.T, namespace, name string) cluster.Pod {
	t.Helper()
	var p cluster.Pod
	eventually(ctx, t, time.Minute, func() (err error) {
		if p, err = s.Pod(ctx, namespace, name); err != nil {
			return err
		}
		if p.Address == "" {
			events, _ := s.Kubectl(ctx, "events", "--namespace="+p.Namespace, "--for=pod/"+p.Name)
			return fmt.Errorf("the pod has no address yet; its events are\n%s", events)
		}
		r, err := status(ctx, p)
		if err == nil && r.Round == 0 {
			err = errors.New("there is no report yet")
		}
		return err
	})
	return p
}

// nodeOf is the node that the pod is on.
func (s suite) nodeOf(t *testing.T, p cluster.Pod) *cluster.Node {
	t.Helper()
	node, err := s.NodeOf(p)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// restarts tells how often the containers of the pod were started again.
func (s suite) restarts(ctx context.Context, t *testing.T, p cluster.Pod) int {
	t.Helper()
	now, err := s.Pod(ctx, p.Namespace, p.Name)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, container := range now.Containers {
		count += container.Restarts
	}
	return count
}

// eventually tries until there is no error, and fails the test at the limit with
// the last one.
func eventually(ctx context.Context, t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	ended := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(ended) {
			t.Fatal(fmt.Errorf("not within %s: %w", limit, err))
		}
		pause(ctx, t, 100*time.Millisecond)
	}
}
