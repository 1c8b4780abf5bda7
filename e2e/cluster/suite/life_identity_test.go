//go:build linux

package suite_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// identities compare the pod that a report is about with the one that kubelet
// runs, whether it is told by the downward API or not.
func identities(ctx context.Context, t *testing.T, s suite, namespace string) {
	cases := []struct {
		name    string
		prepare func(*corev1.Pod)
	}{
		{"plain", func(*corev1.Pod) {}},
		{"told-by-downward-api", downwardAPI},
		{"with-other-hostname", func(pod *corev1.Pod) { pod.Spec.Hostname, pod.Spec.Subdomain = "web-0", "web" }},
		{"told-with-other-hostname", func(pod *corev1.Pod) {
			downwardAPI(pod)
			pod.Spec.Hostname, pod.Spec.Subdomain = "web-0", "web"
		}},
		{"told-without-token", func(pod *corev1.Pod) {
			downwardAPI(pod)
			pod.Spec.AutomountServiceAccountToken = new(false)
		}},
		{"without-token", func(pod *corev1.Pod) { pod.Spec.AutomountServiceAccountToken = new(false) }},
	}
	manifests := make([]*corev1.Pod, len(cases))
	for i, test := range cases {
		manifests[i] = s.lifelinePod(namespace, test.name)
		test.prepare(manifests[i])
		// All start at once.
		s.apply(ctx, t, manifests[i])
	}
	for i, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			p := s.startPod(ctx, t, manifests[i])
			pod, err := s.object(ctx, namespace, test.name)
			if err != nil {
				t.Fatal(err)
			}
			want := identity{
				Name: test.name, Namespace: namespace, Node: pod.Spec.NodeName,
				ServiceAccount: pod.Spec.ServiceAccountName, UID: string(pod.UID),
			}
			if test.name == "without-token" {
				// Nothing else in the pod tells them.
				want.Namespace, want.Node, want.ServiceAccount = "", "", ""
			}
			got, err := status(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Pod); diff != "" {
				t.Errorf("the pod in /status (-want +got):\n%s", diff)
			}
		})
	}
}

// downwardAPI tells the agent whose pod it is in.
func downwardAPI(pod *corev1.Pod) {
	container := &pod.Spec.Containers[0]
	for name, path := range map[string]string{
		"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_UID": "metadata.uid",
		"POD_SERVICE_ACCOUNT": "spec.serviceAccountName", "NODE_NAME": "spec.nodeName",
	} {
		container.Env = append(container.Env, corev1.EnvVar{
			Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}},
		})
	}
}
