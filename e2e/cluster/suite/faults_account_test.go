//go:build linux

package suite_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

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
