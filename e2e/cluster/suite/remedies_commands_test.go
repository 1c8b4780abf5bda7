//go:build linux

package suite_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// commands has the API server judge each command of the catalogue that changes
// something of a workload, a policy or a role, on objects that have what they are
// about, without doing it.
func commands(ctx context.Context, t *testing.T, s suite) {
	const namespace = "remedies"
	s.makeNamespace(ctx, t, namespace)
	manifest := besideProxy(t, s.lifelinePod(namespace, mendable))
	mount(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})(manifest)
	resolver("127.0.0.1", "corp.example")(manifest)
	manifest.Spec.HostAliases = []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"kubernetes.default.svc"}}}
	deployment := deploymentOf(manifest)
	deployment.Spec.Replicas = new(int32(0))
	anywhere := []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(80))}}}}
	sidecars := deploymentOf(asSidecars(manifest))
	sidecars.Spec.Replicas = new(int32(0))
	policy := policyOf(namespace, mendable, anywhere)
	policy.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{Ports: anywhere[0].Ports}}
	s.apply(ctx, t, append(legacyToken(ctx, t, s, namespace), deployment, sidecars, policy, policyOf(namespace, "bare", nil))...)
	words := map[string]string{
		"NAMESPACE": namespace, "NAME": mendable, "POD": mendable + "-0", "NODE": s.Nodes()[0].Name, "SERVICEACCOUNT": "default",
		"HOST": cluster.ServerAddress, "PORT": "443", "VOLUME": "account", "CONTAINER": "lifeline", "ENDPOINT": cluster.NodeAddress, "ADDRESS": "127.0.0.1",
		"PROXY": "kubectl-proxy", "PREFIX": "cluster", "IMAGE": s.repository + ":" + s.tag, "SECRET": "legacy", "REPLICAS": "2", "CHECK": "dns", "API-SERVER": "api.example", "PRESENT-LIST": "localhost",
		"DNS-POLICY": mendable, "NAMESERVER": "10.96.0.99",
	}
	changing := regexp.MustCompile(`^kubectl .*\b(patch|expose|set env|set resources|scale|label|annotate|create clusterrolebinding|create serviceaccount) `)
	judge := func(command string) {
		filled, whole := fillIn(command, words)
		if !whole {
			t.Errorf("nothing is known for a word in capitals of %s", command)
			return
		}
		output, err := s.Shell(ctx, t.TempDir(), filled+" --dry-run=server")
		if err != nil {
			t.Fatal(err)
		}
		// What Kubernetes makes by itself is there.
		if output.Code != 0 && !strings.Contains(string(output.Complaint), "already exists") {
			t.Errorf("%s\n%s%s", filled, output.Out, output.Complaint)
		}
	}
	judged, ofSidecars := 0, 0
	for _, command := range s.mending(t) {
		if !changing.MatchString(command) || strings.Contains(command, " ciliumnetworkpolicy ") {
			continue
		}
		judged++
		if strings.Contains(command, `"op":"test"`) {
			command = strings.NewReplacer(" NAME ", " bare ", " DNS-POLICY ", " bare ").Replace(command)
		}
		judge(strings.ReplaceAll(command, "kubectl -n kube-system patch networkpolicy ", "kubectl -n "+namespace+" patch networkpolicy "))
		if strings.Contains(command, `"containers":[{"name":`) {
			ofSidecars++
			judge(strings.NewReplacer(`"containers"`, `"initContainers"`, "/NAME ", "/sidecars ").Replace(command))
		}
	}
	if judged < 20 || ofSidecars < 2 {
		t.Errorf("there are %d commands to judge, %d of them about containers; want at least 20 and 2", judged, ofSidecars)
	}
	t.Logf("%d commands, and %d of them for sidecars too", judged, ofSidecars)
}

// asSidecars is the pod with all its containers beside another one, as native
// sidecars.
func asSidecars(p *corev1.Pod) *corev1.Pod {
	p = p.DeepCopy()
	p.Name = "sidecars"
	for i := range p.Spec.Containers {
		p.Spec.Containers[i].RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	}
	p.Spec.InitContainers = p.Spec.Containers
	p.Spec.Containers = []corev1.Container{{Name: application, Image: cluster.CoreDNSImage, SecurityContext: restricted()}}
	return p
}

// mending are the commands under Mend of docs/reasons.md, which is made of the
// catalogue, each once.
func (s suite) mending(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(s.root, "docs", "reasons.md"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	mends, fenced := false, false
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "**Mend:**"), strings.HasPrefix(line, "**Confirm:**"):
			mends = line == "**Mend:**"
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case mends && fenced && !slices.Contains(found, line):
			found = append(found, line)
		}
	}
	return found
}
