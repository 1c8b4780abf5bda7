//go:build linux

package suite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

func another(server cluster.APIServer) injection {
	return func(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		remove, err := s.AddAPIServer(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		return remove
	}
}

// besideAPIServer gives Service kubernetes a slice of somebody's own. The API servers
// look after the one that has the name of the Service, and leave others as they are.
func besideAPIServer(address string, port int32) injection {
	return func(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		const name = "kubernetes-by-hand"
		s.apply(ctx, t, discoveryv1.EndpointSlice{
			TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
			ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
			Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: new(port), Protocol: new(corev1.ProtocolTCP)}},
		})
		return func(ctx context.Context) error {
			_, err := s.Kubectl(ctx, "delete", "endpointslice/"+name, "--namespace=default")
			return err
		}
	}
}

func anotherWithTokenKey(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	private, public, err := s.IssueTokenKey("other-key")
	if err != nil {
		t.Fatal(err)
	}
	return another(cluster.APIServer{Flags: []string{"--service-account-signing-key-file=" + private, "--service-account-key-file=" + public}})(ctx, t, s, p)
}

// anotherWithPolicy lets everybody ask whether it is ready, and the pods nothing.
func anotherWithPolicy(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.jsonl")
	const content = `{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": {"group": "system:unauthenticated", "nonResourcePath": "/readyz", "readonly": true}}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return another(cluster.APIServer{Flags: []string{"--authorization-mode=ABAC", "--authorization-policy-file=" + file}})(ctx, t, s, p)
}
