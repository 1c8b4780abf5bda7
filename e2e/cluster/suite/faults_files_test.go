//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// mount gives every container of the pod the volume for its service-account
// files, which keeps kubelet's own away.
func mount(source corev1.VolumeSource) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "account", VolumeSource: source})
		for i := range p.Spec.Containers {
			p.Spec.Containers[i].VolumeMounts = append(p.Spec.Containers[i].VolumeMounts,
				corev1.VolumeMount{Name: "account", MountPath: serviceAccountFolder, ReadOnly: true})
		}
	}
}

func mountBySubPath(p *corev1.Pod) {
	p.Spec.AutomountServiceAccountToken = new(false)
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "account", VolumeSource: projected(token(""), authority(), namespaceFile())})
	for i := range p.Spec.Containers {
		for _, file := range []string{"token", "ca.crt", "namespace"} {
			p.Spec.Containers[i].VolumeMounts = append(p.Spec.Containers[i].VolumeMounts,
				corev1.VolumeMount{Name: "account", MountPath: serviceAccountFolder + "/" + file, SubPath: file, ReadOnly: true})
		}
	}
}

// mountDirectoryBySubPath has the files in a directory of a volume, and mounts that alone.
func mountDirectoryBySubPath(p *corev1.Pod) {
	below := func(source corev1.VolumeProjection) corev1.VolumeProjection {
		switch {
		case source.ServiceAccountToken != nil:
			source.ServiceAccountToken.Path = "account/" + source.ServiceAccountToken.Path
		case source.ConfigMap != nil:
			source.ConfigMap.Items[0].Path = "account/" + source.ConfigMap.Items[0].Path
		default:
			source.DownwardAPI.Items[0].Path = "account/" + source.DownwardAPI.Items[0].Path
		}
		return source
	}
	mount(projected(below(token("")), below(authority()), below(namespaceFile())))(p)
	for i := range p.Spec.Containers {
		mounts := p.Spec.Containers[i].VolumeMounts
		mounts[len(mounts)-1].SubPath = "account"
	}
}

func projected(sources ...corev1.VolumeProjection) corev1.VolumeSource {
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources, DefaultMode: new(int32(0o644))}}
}

func token(audience string) corev1.VolumeProjection {
	return corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
		Audience: audience, ExpirationSeconds: new(int64(3607)), Path: "token",
	}}
}

func authority() corev1.VolumeProjection { return configMapFile("kube-root-ca.crt", "ca.crt") }

func bundleFile() corev1.VolumeProjection { return configMapFile("bundle", "ca.crt") }

func configMapFile(name, file string) corev1.VolumeProjection {
	return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: name},
		Items:                []corev1.KeyToPath{{Key: file, Path: file}},
	}}
}

func namespaceFile() corev1.VolumeProjection {
	return corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
		Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
	}}}}
}

// files is the volume of the objects that secretFiles makes.
func files() corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "files"}}
}

// objectsOf are the objects that a fault needs in its namespace.
type objectsOf func(ctx context.Context, t *testing.T, s suite, namespace string) []any

// secretFiles copies the service-account files into a Secret, with the token
// changed.
func secretFiles(change func(token string) string) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		return []any{s.filesWith(ctx, t, namespace, change(s.createToken(ctx, t, namespace)))}
	}
}

func (s suite) filesWith(ctx context.Context, t *testing.T, namespace, token string) corev1.Secret {
	t.Helper()
	return corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "files"},
		Data:       map[string][]byte{"token": []byte(token), "ca.crt": rootAuthority(ctx, t, s, namespace), "namespace": []byte(namespace)},
	}
}

// privileged lets pods of the host's network into the namespace.
func privileged(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	if _, err := s.Kubectl(ctx, "label", "namespace/"+namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite"); err != nil {
		t.Fatal(err)
	}
	return nil
}

func rootAuthority(ctx context.Context, t *testing.T, s suite, namespace string) []byte {
	t.Helper()
	out, err := s.Kubectl(ctx, "get", "configmap", "kube-root-ca.crt", "--namespace="+namespace, `--output=jsonpath={.data.ca\.crt}`)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

func bundle(content string) objectsOf { return configMap("bundle", "ca.crt", content) }

func configMap(name, file, content string) objectsOf {
	return func(_ context.Context, _ *testing.T, _ suite, namespace string) []any {
		return []any{corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Data:       map[string]string{file: content},
		}}
	}
}

func damagedBundle(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	damaged := "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"
	return bundle(string(rootAuthority(ctx, t, s, namespace))+damaged)(ctx, t, s, namespace)
}

// otherAuthority is a bundle with a CA of the name that kubeadm gives to every
// cluster's.
func otherAuthority(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	return bundle(newAuthority(t, "kubernetes"))(ctx, t, s, namespace)
}

func frontProxyAuthority(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	return bundle(newAuthority(t, "front-proxy-ca"))(ctx, t, s, namespace)
}

func newAuthority(t *testing.T, name string) string {
	t.Helper()
	content, err := cluster.NewAuthority(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// goodOneDamaged is a bundle in which the cluster's authority lacks a line.
func goodOneDamaged(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	lines := strings.Split(string(rootAuthority(ctx, t, s, namespace)), "\n")
	return bundle(strings.Join(append(lines[:2:2], lines[3:]...), "\n")+newAuthority(t, "front-proxy-ca"))(ctx, t, s, namespace)
}

func expiredBesideAnothers(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	content, err := s.ReissueAuthority(ago(24*365), ago(3))
	if err != nil {
		t.Fatal(err)
	}
	return bundle(string(content)+newAuthority(t, "front-proxy-ca"))(ctx, t, s, namespace)
}

// sharedBundle is the cluster's own, in a ConfigMap that can be changed.
func sharedBundle(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	return bundle(string(rootAuthority(ctx, t, s, namespace)))(ctx, t, s, namespace)
}

// replacedBundle puts another cluster's in its place, and into the pod's volume at once,
// where kubelet would bring it within a minute or two.
func replacedBundle(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	replace := func(ctx context.Context, content string) error {
		object, err := json.Marshal(bundle(content)(ctx, t, s, p.Namespace)[0])
		if err != nil {
			return err
		}
		if err := s.Apply(ctx, string(object)); err != nil {
			return err
		}
		const write = `printf %s "$1" >/var/lib/kubelet/pods/"$2"/volumes/kubernetes.io~projected/account/..data/ca.crt`
		_, err = s.nodeOf(t, p).Run(ctx, "sh", "-c", write, "sh", content, p.UID)
		return err
	}
	own := string(rootAuthority(ctx, t, s, p.Namespace))
	if err := replace(ctx, newAuthority(t, "kubernetes")); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error { return replace(ctx, own) }
}
