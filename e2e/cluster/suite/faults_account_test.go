//go:build linux

package suite_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// asRoot is why a client differs that is asked as root.
const asRoot = "it is asked as root here, who may read the files"

func filesForRoot() corev1.VolumeSource {
	source := files()
	source.Secret.DefaultMode = new(int32(0o400))
	return source
}

// signedToken has a token of the namespace's default account among the files, as an
// init container copies one, with claims that are changed before it is signed.
func signedToken(change func(claims map[string]any)) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		uid, err := s.Kubectl(ctx, "get", "serviceaccount/default", "--namespace="+namespace, "--output=jsonpath={.metadata.uid}")
		if err != nil {
			t.Fatal(err)
		}
		const issuer = "https://kubernetes.default.svc.cluster.local"
		claims := map[string]any{
			"iss": issuer, "aud": []string{issuer}, "sub": "system:serviceaccount:" + namespace + ":default",
			"iat": ago(2).Unix(), "nbf": ago(2).Unix(), "exp": ago(-1).Unix(),
			"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]string{"name": "default", "uid": uid}},
		}
		change(claims)
		signed, err := s.SignToken(claims)
		if err != nil {
			t.Fatal(err)
		}
		return []any{s.filesWith(ctx, t, namespace, signed)}
	}
}

// manyAuthorities is a bundle as an operating system has it, with the cluster's own
// authority appended.
func manyAuthorities(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	var content strings.Builder
	for i := range 39 {
		authority, err := cluster.NewAuthority(t.TempDir(), fmt.Sprintf("Public Authority %d", i))
		if err != nil {
			t.Fatal(err)
		}
		content.Write(authority)
	}
	content.Write(rootAuthority(ctx, t, s, namespace))
	return bundle(content.String())(ctx, t, s, namespace)
}

func withKeyAndLineEnds(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})) + string(rootAuthority(ctx, t, s, namespace))
	return bundle(strings.ReplaceAll(content, "\n", "\r\n"))(ctx, t, s, namespace)
}

// expiredAuthority is a bundle with the certificate that the cluster's authority had
// before the one that it has now.
func expiredAuthority(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	content, err := s.ReissueAuthority(ago(24*365), ago(3))
	if err != nil {
		t.Fatal(err)
	}
	return bundle(string(content))(ctx, t, s, namespace)
}

// createToken is a token of the namespace's default account.
func (s suite) createToken(ctx context.Context, t *testing.T, namespace string, flags ...string) string {
	t.Helper()
	out, err := s.Kubectl(ctx, append([]string{"create", "token", "default", "--namespace=" + namespace, "--duration=1h"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(out, "\n")
}

// tokenOfAnotherPod copies the token of a pod that nobody starts, and may be gone
// by then.
func tokenOfAnotherPod(gone bool) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		s.apply(ctx, t, corev1.Pod{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "another"},
			Spec: corev1.PodSpec{
				SchedulerName: "nobody",
				Containers:    []corev1.Container{{Name: "another", Image: cluster.CoreDNSImage, SecurityContext: restricted()}},
			},
		})
		copied := s.createToken(ctx, t, namespace, "--bound-object-kind=Pod", "--bound-object-name=another")
		if gone {
			if _, err := s.Kubectl(ctx, "delete", "pod/another", "--namespace="+namespace); err != nil {
				t.Fatal(err)
			}
		}
		return []any{s.filesWith(ctx, t, namespace, copied)}
	}
}

func legacyToken(_ context.Context, _ *testing.T, _ suite, namespace string) []any {
	return []any{corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "legacy",
			Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"},
		},
		Type: corev1.SecretTypeServiceAccountToken,
	}}
}

// legacyTokenOf applies the Secret and waits for the token that the controller
// manager puts into it.
func legacyTokenOf(ctx context.Context, t *testing.T, s suite, namespace string) (token string) {
	t.Helper()
	s.apply(ctx, t, legacyToken(ctx, t, s, namespace)...)
	eventually(ctx, t, 10*time.Second, func() error {
		out, err := s.Kubectl(ctx, "get", "secret/legacy", "--namespace="+namespace, "--output=go-template={{.data.token | base64decode}}")
		if token = out; err == nil && !strings.HasPrefix(token, "ey") {
			err = errors.New("the Secret has no token yet")
		}
		return err
	})
	return token
}

// invalidLegacyToken is marked as the cleaner of unused ones does it
// (pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go).
func invalidLegacyToken(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	legacyTokenOf(ctx, t, s, namespace)
	if _, err := s.Kubectl(ctx, "label", "secret/legacy", "--namespace="+namespace, "kubernetes.io/legacy-token-invalid-since="+ago(24).Format(time.DateOnly)); err != nil {
		t.Fatal(err)
	}
	return nil
}

func goneLegacyToken(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	copied := s.filesWith(ctx, t, namespace, legacyTokenOf(ctx, t, s, namespace))
	if _, err := s.Kubectl(ctx, "delete", "secret/legacy", "--namespace="+namespace); err != nil {
		t.Fatal(err)
	}
	return []any{copied}
}

func tokenOfNode(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	s.apply(ctx, t, corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "short-lived"}})
	copied := s.createToken(ctx, t, namespace, "--bound-object-kind=Node", "--bound-object-name=short-lived")
	if _, err := s.Kubectl(ctx, "delete", "node/short-lived"); err != nil {
		t.Fatal(err)
	}
	return []any{s.filesWith(ctx, t, namespace, copied)}
}

func serviceAccount(name string) objectsOf {
	return func(_ context.Context, _ *testing.T, _ suite, namespace string) []any {
		return []any{corev1.ServiceAccount{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		}}
	}
}

func withoutServiceAccount(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	return deleted("serviceaccount/"+p.ServiceAccount)(ctx, t, s, p)
}

// deleted deletes an object of the pod's namespace.
func deleted(object string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		if _, err := s.Kubectl(ctx, "delete", object, "--namespace="+p.Namespace); err != nil {
			t.Fatal(err)
		}
		return nil
	}
}

// recreateServiceAccount gives the account of the pod another UID than its token
// has, which nothing but another token cures.
func recreateServiceAccount(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	withoutServiceAccount(ctx, t, s, p)
	s.apply(ctx, t, serviceAccount(p.ServiceAccount)(ctx, t, s, p.Namespace)...)
	// The API server takes a token for ten seconds more that it has just taken
	// (TokenSuccessCacheTTL, pkg/kubeapiserver/options/authentication.go).
	pause(ctx, t, 10*time.Second)
	return nil
}
