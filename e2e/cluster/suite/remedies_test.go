//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// ailment is a fault of a Deployment, which the commands of its report must mend.
type ailment struct {
	name string
	// alter makes the pod template one that has the fault, objects are what it
	// needs in its namespace, and inject makes the fault where the pod has none by
	// itself.
	alter   func(*corev1.Pod)
	objects func(ctx context.Context, t *testing.T, s suite, namespace string) []any
	inject  func(ctx context.Context, t *testing.T, s suite, p cluster.Pod)
	// policy are the egress rules of a NetworkPolicy of the name web, which is
	// applied as a network plug-in would; nil where there is none.
	policy []networkingv1.NetworkPolicyEgressRule
	// causes are what the diagnosis begins with, each once the one before it is
	// mended.
	causes []string
	// fill are the words in capitals that somebody would have looked up. A command
	// with another one is left alone.
	fill map[string]string
	// refused is how many of the commands the cluster must turn away, since they
	// are for what the sentence before them says and this is not.
	refused int
	// destructive tells to run those too that are called disruptive or
	// destructive.
	destructive bool
	// rare leaves it to -every.
	rare bool
}

// ailments are those of a Deployment while its neighbours are well.
func ailments() []ailment {
	volume, container := map[string]string{"VOLUME": "account"}, map[string]string{"CONTAINER": "lifeline"}
	emptied := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	search := []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	return []ailment{
		{name: "KUBERNETES_SERVICE_HOST is empty", rare: true, alter: environment("KUBERNETES_SERVICE_HOST", ""), causes: []string{"env-service-vars-missing"}},
		{name: "KUBERNETES_SERVICE_HOST is another service's", alter: environment("KUBERNETES_SERVICE_HOST", cluster.DNSAddress), causes: []string{"env-service-host-overridden"}},
		{name: "KUBERNETES_SERVICE_HOST is a name that there is not", rare: true, alter: environment("KUBERNETES_SERVICE_HOST", "api.example.invalid"), causes: []string{"env-service-host-unresolvable"}},
		{name: "KUBERNETES_SERVICE_PORT is one where nothing listens", rare: true, alter: environment("KUBERNETES_SERVICE_PORT", "444"), causes: []string{"env-service-port-overridden"}},
		{name: "HTTPS_PROXY is dead", rare: true, alter: environment("HTTPS_PROXY", "http://127.0.0.1:3128"), causes: []string{"env-http-proxy-intercepts-api"}, fill: map[string]string{"NAME": mendable, "PRESENT-LIST": "localhost"}},
		{name: "the volume has no namespace", rare: true, alter: mount(projected(token(""), authority())), causes: []string{"env-namespace-file-missing"}, fill: volume},

		{name: "automountServiceAccountToken is false", alter: func(p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = new(false) }, causes: []string{"token-not-mounted-automount-false"}},
		{name: "an empty volume lies over the files", alter: mount(emptied), causes: []string{"token-mount-shadowed"}, fill: volume},
		{name: "an empty volume lies over the files and automount is false", rare: true, alter: func(p *corev1.Pod) {
			mount(emptied)(p)
			p.Spec.AutomountServiceAccountToken = new(false)
		}, causes: []string{"token-mount-shadowed"}, fill: container},
		{name: "the volume has no token", rare: true, alter: mount(projected(authority(), namespaceFile())), causes: []string{"token-file-missing-in-mounted-dir"}, fill: container},
		{name: "the token is for another audience", alter: mount(projected(token("vault"), authority(), namespaceFile())), causes: []string{"token-audience-mismatch"}, fill: volume},
		{name: "the token is mounted by subPath", rare: true, alter: mountBySubPath, causes: []string{"token-subpath-frozen"}, fill: container},
		{name: "the token file is empty", rare: true, objects: secretFiles(func(string) string { return "" }), alter: mount(files()), causes: []string{"token-empty"}, fill: volume},
		{
			name: "the service account is deleted", rare: true, objects: serviceAccount("short-lived"), alter: func(p *corev1.Pod) { p.Spec.ServiceAccountName = "short-lived" },
			inject: func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
				t.Helper()
				withoutServiceAccount(ctx, t, s, p)
			},
			causes: []string{"http-401-unattributed"}, destructive: true,
		},

		{name: "the volume has no ca.crt", alter: mount(projected(token(""), namespaceFile())), causes: []string{"ca-file-missing"}, fill: container},
		{name: "ca.crt is of another cluster", rare: true, objects: otherAuthority, alter: mount(projected(token(""), bundleFile(), namespaceFile())), causes: []string{"ca-rotated-same-name"}, fill: volume},

		{name: "dnsPolicy is Default", alter: func(p *corev1.Pod) { p.Spec.DNSPolicy = corev1.DNSDefault }, causes: []string{"dns-dnspolicy-default"}},
		{name: "the first of two nameservers is dead", alter: resolver("127.0.0.1", append([]string{cluster.DNSAddress}, search...)...), causes: []string{"dns-nameserver-failing"}},
		{name: "the nameserver is not the cluster's", rare: true, objects: foreignDNS("10.96.0.70"), alter: resolver("10.96.0.70", search...), causes: []string{"dns-nxdomain-foreign-resolver"}},
		{name: "dnsPolicy is None and without a search list", rare: true, alter: resolver(cluster.DNSAddress), causes: []string{"dns-policy-none-incomplete"}},
		{
			name: "the hosts file has another address", causes: []string{"dns-hosts-file-override"}, fill: map[string]string{"ADDRESS": "127.0.0.1"},
			alter: func(p *corev1.Pod) {
				p.Spec.HostAliases = []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"kubernetes.default.svc"}}}
			},
		},
		{
			name: "the pod is on the host's network", rare: true, objects: privileged, alter: func(p *corev1.Pod) { p.Spec.HostNetwork = true },
			causes: []string{"dns-hostnetwork-without-clusterfirstwithhostnet"},
		},

		{
			name: "a policy lets nothing out", policy: []networkingv1.NetworkPolicyEgressRule{},
			causes: []string{"tcp-timeout-networkpolicy", "dns-egress-policy-blocks-53"}, fill: map[string]string{"NAME": mendable, "ENDPOINT": cluster.NodeAddress},
			// Of the API's that which adds to a list and that for Cilium, of the DNS's that
			// which begins one.
			refused: 3,
		},

		{
			name: "kubectl proxy has a prefix", alter: proxyWith("proxy", "--port=8001", "--api-prefix=/cluster"),
			causes: []string{"kproxy-api-prefix"}, fill: map[string]string{"PROXY": "kubectl-proxy"},
		},
		{
			name: "kubectl proxy is at another port", rare: true, alter: proxyWith("proxy", "--port=8002"),
			causes: []string{"kproxy-down"}, fill: map[string]string{"PROXY": "kubectl-proxy"},
		},
		{
			name: "kubectl proxy has another KUBERNETES_SERVICE_PORT", rare: true, causes: []string{"kproxy-upstream-error"}, fill: map[string]string{"PROXY": "kubectl-proxy"},
			alter: func(p *corev1.Pod) {
				proxy := &p.Spec.Containers[len(p.Spec.Containers)-1]
				proxy.Env = append(proxy.Env, corev1.EnvVar{Name: "KUBERNETES_SERVICE_PORT", Value: "444"})
			},
		},
	}
}

// ailmentsOfTheCluster are those of every pod.
func ailmentsOfTheCluster() []ailment {
	return []ailment{
		// CoreDNS has its role already.
		{name: "CoreDNS is scaled to none", causes: []string{"dns-service-no-endpoints"}, inject: restored(withoutDNS), refused: 1},
		{name: "CoreDNS has lost its role", rare: true, causes: []string{"dns-service-no-endpoints"}, inject: restored(withoutDNSRole)},
		{name: "the Service of DNS selects no pods", rare: true, causes: []string{"dns-service-no-endpoints"}, inject: edited(dnsSelector), refused: 1},
		{
			name: "the Service of DNS is gone", rare: true, causes: []string{"dns-egress-policy-blocks-53"}, inject: restored(withoutDNSService),
			fill: map[string]string{"NAMESERVER": cluster.DNSAddress},
			// There is nothing yet of which the traffic policy could be changed.
			refused: 1,
		},
		{name: "system:discovery is taken away", causes: []string{"http-403-discovery-rbac-removed"}, inject: restored(withoutBinding("system:discovery"))},
		{name: "the Service of the API has another port", rare: true, causes: []string{"tcp-refused"}, inject: edited(apiPort)},
		{name: "the Service of the API keeps to the pod's node", rare: true, causes: []string{"tcp-timeout-networkpolicy"}, inject: edited(apiPolicy)},
		{name: "the endpoints of the API have another port", rare: true, causes: []string{"tcp-refused"}, inject: edited(apiTarget), destructive: true},
	}
}

// restored makes a fault, of which nothing is left after the test even where the
// remedy has not ended it.
func restored(inject injection) func(context.Context, *testing.T, suite, cluster.Pod) {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
		t.Helper()
		restoreAfter(ctx, t, inject(ctx, t, s, p))
	}
}

// edited changes an object, and wants it as it was after the test: a pod may be well
// because it was made anew.
func edited(e edit) func(context.Context, *testing.T, suite, cluster.Pod) {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) {
		t.Helper()
		look := func(ctx context.Context) string {
			out, err := s.Kubectl(ctx, "get", e.object, "--namespace="+e.namespace, "--output=jsonpath={.spec}{.subsets}")
			if err != nil {
				t.Error(err)
			}
			return out
		}
		want := look(ctx)
		// What is said to do about DNS scales it, too.
		restoreAfter(ctx, t, s.dnsAsItWas)
		restore := patched(e)(ctx, t, s, p)
		t.Cleanup(func() {
			ctx := context.WithoutCancel(ctx)
			if diff := cmp.Diff(want, look(ctx)); diff != "" {
				t.Errorf("the remedy left %s as it is (-was +is):\n%s", e.object, diff)
				if err := restore(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func withoutDNSService(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	saved, err := s.Kubectl(ctx, "get", "service/kube-dns", "--namespace=kube-system", "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	leave := func(ctx context.Context) error {
		_, err := s.Kubectl(ctx, "delete", "service/kube-dns", "--namespace=kube-system", "--ignore-not-found")
		return err
	}
	if err := leave(ctx); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error {
		return errors.Join(leave(ctx), s.Apply(ctx, withoutServerFields(saved)))
	}
}

// withoutDNSRole has CoreDNS start anew without the right to read Services, so that
// it is never ready.
func withoutDNSRole(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	give := withoutBinding("system:coredns")(ctx, t, s, p)
	if _, err := s.Kubectl(ctx, "delete", "pod", "--namespace=kube-system", "--selector=k8s-app=kube-dns", "--now"); err != nil {
		t.Error(err)
	}
	return func(ctx context.Context) error { return errors.Join(give(ctx), s.dnsAsItWas(ctx)) }
}

func restoreAfter(ctx context.Context, t *testing.T, restore func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		if err := restore(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
}

// proxyWith has kubectl proxy beside the agent with these arguments.
func proxyWith(arguments ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		last := len(p.Spec.Containers) - 1
		p.Spec.Containers[last].Args = arguments
	}
}

// mendable is the name of every Deployment here, and of its policy.
const mendable = "web"

// remedies looks at whether what a report says to do mends what is wrong, and
// whether the API server takes each command of the catalogue.
func remedies(ctx context.Context, t *testing.T, s suite) {
	s.needsOwn(t, "break it")
	t.Run("every command is one that the API server takes", func(t *testing.T) { commands(ctx, t, s) })
	t.Run("of a workload", func(t *testing.T) {
		turns := make(chan struct{}, 3)
		for _, a := range ailments() {
			if a.rare && !*every {
				continue
			}
			t.Run(a.name, func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				a.try(ctx, t, s)
			})
		}
	})
	t.Run("of the cluster", func(t *testing.T) {
		for _, a := range ailmentsOfTheCluster() {
			if a.rare && !*every {
				continue
			}
			t.Run(a.name, func(t *testing.T) { a.try(ctx, t, s) })
		}
	})
}

// try makes a Deployment with the fault, runs what its report says, and wants the
// report of its pod, which mostly is another one by then, to be well.
func (a ailment) try(ctx context.Context, t *testing.T, s suite) {
	t.Helper()
	namespace := "remedy-" + slug(a.name)
	s.makeNamespace(ctx, t, namespace)
	if a.objects != nil {
		s.apply(ctx, t, a.objects(ctx, t, s, namespace)...)
	}
	manifest := s.lifelinePod(namespace, mendable)
	// As the README has it, for a pod without a token.
	manifest.Spec.Containers[0].Env = append(manifest.Spec.Containers[0].Env, told("POD_NAME", "metadata.name"), told("POD_NAMESPACE", "metadata.namespace"))
	if strings.HasPrefix(a.causes[0], "kproxy-") {
		manifest = besideProxy(t, manifest)
	}
	if a.alter != nil {
		a.alter(manifest)
	}
	s.apply(ctx, t, deploymentOf(manifest))
	if a.inject != nil {
		p, _ := s.podOf(ctx, t, namespace, isHealthy)
		a.inject(ctx, t, s, p)
	}
	if a.policy != nil {
		s.apply(ctx, t, a.networkPolicy(namespace))
	}
	refused := 0
	for _, cause := range a.causes {
		lift := func() {}
		begins := func(r report) bool { return r.Round > 0 && r.first() == cause }
		if a.policy != nil {
			p, _ := s.podOf(ctx, t, namespace, func(r report) bool { return r.Round > 0 })
			lift = s.plugIn(ctx, t, p)
		}
		p, _ := s.podOf(ctx, t, namespace, begins)
		refused += a.follow(ctx, t, s, p, cause)
		lift()
	}
	if refused != a.refused {
		t.Errorf("the cluster turned %d of the commands away, want %d", refused, a.refused)
	}
	if a.policy != nil {
		p, _ := s.podOf(ctx, t, namespace, func(r report) bool { return r.Round > 0 })
		defer s.plugIn(ctx, t, p)()
	}
	mended := time.Now()
	p, took := s.podOf(ctx, t, namespace, func(r report) bool { return isHealthy(r) && r.Time.After(mended) })
	t.Logf("%s is well after %s", p.Name, tenths(took))
}

// told is a variable that the downward API fills in.
func told(name, field string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: field}}}
}

// deploymentOf makes a Deployment of the pod, whose pods never run beside each other.
func deploymentOf(p *corev1.Pod) appsv1.Deployment {
	labels := map[string]string{"app": p.Name}
	return appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: p.Spec},
		},
	}
}

// podOf waits for a pod of the Deployment whose report is as wanted, and returns how
// long that took.
func (s suite) podOf(ctx context.Context, t *testing.T, namespace string, wanted func(report) bool) (cluster.Pod, time.Duration) {
	t.Helper()
	began := time.Now()
	var found cluster.Pod
	eventually(ctx, t, time.Minute, func() error {
		pods, err := s.Pods(ctx, namespace, "app="+mendable)
		if err != nil {
			return err
		}
		missed := errors.New("there is none with an address")
		for _, p := range pods {
			if p.Address == "" {
				continue
			}
			r, err := status(ctx, p)
			if err == nil && wanted(r) {
				found = p
				return nil
			}
			missed = fmt.Errorf("%s: %w", p.Name, err)
			if err == nil {
				missed = fmt.Errorf("%s: %s", p.Name, r.summary())
			}
		}
		// Asking takes a process.
		pause(ctx, t, 500*time.Millisecond)
		return fmt.Errorf("no pod of %s is as wanted: %w", namespace, missed)
	})
	return found, time.Since(began)
}

// follow runs the commands of kubectl that the report of the pod has for the cause,
// in their order, as somebody would paste them, and returns how many were refused.
func (a ailment) follow(ctx context.Context, t *testing.T, s suite, p cluster.Pod, cause string) (refused int) {
	t.Helper()
	ran, warned := 0, false
	for _, step := range remedyOf(ctx, t, p, cause) {
		if sentence := strings.HasSuffix(step, ".") || strings.HasSuffix(step, ":"); sentence {
			warned = strings.HasPrefix(step, "Disruptive: ") || strings.HasPrefix(step, "Destructive: ")
			continue
		}
		command, whole := fillIn(step, a.fill)
		if !strings.HasPrefix(command, "kubectl ") || strings.Contains(command, " edit ") || !whole || warned && !a.destructive {
			continue
		}
		output, err := s.Shell(ctx, t.TempDir(), command)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s\n%s%s", command, output.Out, output.Complaint)
		ran++
		if output.Code != 0 {
			refused++
		}
	}
	if ran == 0 {
		t.Fatalf("there is no command of kubectl in what to do about %s", cause)
	}
	return refused
}

func remedyOf(ctx context.Context, t *testing.T, p cluster.Pod, cause string) []string {
	t.Helper()
	_, body, err := p.Get(ctx, port, "/status")
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Diagnosis []struct {
			Reason string
			Remedy []string
		}
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Diagnosis) == 0 || r.Diagnosis[0].Reason != cause {
		t.Fatalf("the diagnosis no longer begins with %s: %+v", cause, r.Diagnosis)
	}
	return r.Diagnosis[0].Remedy
}

// capitals are the words that the catalogue leaves to its reader.
var capitals = regexp.MustCompile(`\b(NAMESPACE-OF-TOKEN|POD-OF-TOKEN|API-SERVER|PRESENT-LIST|DNS-POLICY|NAMESERVER|NAMESPACE|POD|NODE|SERVICEACCOUNT|HOST|PORT|NAME|` +
	`VOLUME|CONTAINER|ENDPOINT|ADDRESS|PROXY|PREFIX|IMAGE|SECRET|REPLICAS|CHECK)\b`)

// fillIn puts words in the place of those in capitals, and tells whether all were
// known.
func fillIn(command string, words map[string]string) (filled string, whole bool) {
	whole = true
	filled = capitals.ReplaceAllStringFunc(command, func(capital string) string {
		word, known := words[capital]
		whole = whole && known
		if !known {
			return capital
		}
		return word
	})
	return filled, whole
}

func (a ailment) networkPolicy(namespace string) networkingv1.NetworkPolicy {
	return policyOf(namespace, mendable, a.policy)
}

func policyOf(namespace, name string, egress []networkingv1.NetworkPolicyEgressRule) networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: egress},
	}
}

// plugIn has the policy that the namespace has now stand in packet filters for
// what the pod sends, by where a packet goes in the end, and returns what takes
// them away.
func (s suite) plugIn(ctx context.Context, t *testing.T, p cluster.Pod) (lift func()) {
	t.Helper()
	out, err := s.Kubectl(ctx, "get", "networkpolicy", mendable, "--namespace="+p.Namespace, "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	var policy networkingv1.NetworkPolicy
	if err := json.Unmarshal([]byte(out), &policy); err != nil {
		t.Fatal(err)
	}
	rules := []string{"ct state established,related accept"}
	for _, rule := range policy.Spec.Egress {
		for _, destination := range s.destinations(ctx, t, rule) {
			for _, port := range rule.Ports {
				rules = append(rules, fmt.Sprintf("ip daddr %s %s dport %s accept", destination, strings.ToLower(string(*port.Protocol)), port.Port))
			}
		}
	}
	remove, err := s.Filter(ctx, cluster.After, prefixed("ip saddr "+p.Address+" ", append(rules, "drop"))...)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := remove(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}
}

// destinations are the addresses of the peers of a rule.
func (s suite) destinations(ctx context.Context, t *testing.T, rule networkingv1.NetworkPolicyEgressRule) []string {
	t.Helper()
	var found []string
	for _, peer := range rule.To {
		if peer.IPBlock != nil {
			found = append(found, peer.IPBlock.CIDR)
			continue
		}
		pods, err := s.Pods(ctx, peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName], metav1.FormatLabelSelector(peer.PodSelector))
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods {
			found = append(found, pod.Address)
		}
	}
	return found
}
