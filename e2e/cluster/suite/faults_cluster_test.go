//go:build linux

package suite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// clusterFaults are those that every pod has.
func clusterFaults() []fault {
	return []fault{
		// DNS.
		{name: "CoreDNS is scaled to none", inject: withoutDNS, first: "dns-service-no-endpoints", unhealthy: true},
		{name: "the Corefile has no block for the zone", rare: true, inject: corefile("corp.example:53 {\nwhoami\n}"), first: "dns-refused-no-zone", unhealthy: true},
		{name: "the Corefile leaves the namespace default out", inject: corefile("cluster.local:53 {\nkubernetes cluster.local {\nnamespaces kube-system\n}\n}", upstream), first: "dns-nxdomain-service-hidden", unhealthy: true},
		{name: "the Corefile leaves the namespace default out and reaches nobody beyond the zone", rare: true, inject: corefile("cluster.local:53 {\nkubernetes cluster.local {\nnamespaces kube-system\n}\n}", servfail), first: "dns-nxdomain-service-hidden", unhealthy: true},
		{name: "the Corefile fails on the API server's name", rare: true, inject: corefile(zoneBehind(template("ANY ANY", "match ^kubernetes[.]default[.]svc[.]", "rcode SERVFAIL")), upstream), first: "dns-server-misbehaving", unhealthy: true},
		{name: "the Corefile denies the zone", rare: true, inject: corefile(zoneBehind(template("ANY ANY", "rcode NXDOMAIN")), upstream), first: "dns-nxdomain-service-hidden", unhealthy: true},
		{name: "the Corefile denies the addresses of the zone", rare: true, inject: corefile(zoneBehind(template("IN A", "rcode NXDOMAIN"), template("IN AAAA", "rcode NXDOMAIN")), upstream), first: "dns-nxdomain-service-hidden", unhealthy: true},
		{name: "the Corefile is for another cluster domain", rare: true, inject: corefile("other.example:53 in-addr.arpa:53 {\nkubernetes other.example in-addr.arpa\n}", upstream), first: "dns-nxdomain-wrong-cluster-domain", unhealthy: true},
		{name: "the Corefile is for another cluster domain and reaches nobody beyond it", rare: true, inject: corefile("other.example:53 in-addr.arpa:53 {\nkubernetes other.example in-addr.arpa\n}", servfail), first: "dns-nxdomain-wrong-cluster-domain", unhealthy: true},
		{name: "DNS has no zone of a cluster", rare: true, inject: corefile(upstream), first: "dns-nxdomain-foreign-resolver", unhealthy: true},
		{name: "DNS answers with another address", inject: corefile("kubernetes.default.svc.cluster.local:53 {\ntemplate IN A . {\nanswer \"{{ .Name }} 5 IN A "+cluster.DNSAddress+"\"\n}\n}", upstream), first: "dns-answer-disagrees-with-env"},
		{name: "DNS fails on every name", rare: true, inject: corefile(".:53 {\ntemplate ANY ANY . {\nrcode SERVFAIL\n}\n}"), first: "dns-server-misbehaving", unhealthy: true},

		{name: "the Service of DNS selects no pods", rare: true, inject: patched(dnsSelector), first: "dns-service-no-endpoints", unhealthy: true},

		// The serving certificate.
		{name: "the serving certificate has expired", inject: serving(cluster.ServingCertificate{NotBefore: ago(48), NotAfter: ago(1)}), first: "cert-serving-expired", unready: true, unhealthy: true},
		{name: "the serving certificate is not valid yet", rare: true, inject: serving(cluster.ServingCertificate{NotBefore: ago(-1), NotAfter: ago(-48)}), first: "cert-serving-not-yet-valid", unready: true, unhealthy: true},
		{name: "the serving certificate expires in an hour", inject: serving(cluster.ServingCertificate{NotBefore: ago(24 * 365), NotAfter: ago(-1)}), first: "cert-expiring-soon"},
		{name: "the serving certificate lacks the service's address", inject: serving(cluster.ServingCertificate{Names: []string{"kubernetes", "kubernetes.default.svc", cluster.NodeAddress}}), first: "cert-san-missing-service-host", unready: true, unhealthy: true},
		{name: "the serving certificate lacks the service's names", rare: true, inject: serving(cluster.ServingCertificate{Names: []string{cluster.ServerAddress, cluster.NodeAddress}}), first: "cert-san-missing-dns-name"},
		{name: "the serving certificate has names alone", rare: true, inject: serving(cluster.ServingCertificate{Names: []string{"kubernetes", "kubernetes.default.svc"}}), first: "cert-no-ip-san-or-cn-only", unready: true, unhealthy: true},
		{name: "the serving certificate is for clients", rare: true, inject: serving(cluster.ServingCertificate{ForClients: true}), first: "cert-wrong-eku", unready: true, unhealthy: true},
		{name: "the cluster's CA was made anew", inject: serving(cluster.ServingCertificate{Issuer: "kubernetes"}), first: "ca-rotated-same-name", unready: true, unhealthy: true},
		{name: "somebody else's CA signs", rare: true, inject: serving(cluster.ServingCertificate{Issuer: "Corporate TLS inspection"}), first: "ca-mitm-or-wrong-endpoint", unready: true, unhealthy: true},

		{name: "somebody else's CA signs what has expired", rare: true, inject: serving(cluster.ServingCertificate{Issuer: "Corporate TLS inspection", NotBefore: ago(48), NotAfter: ago(1)}), first: "ca-mitm-or-wrong-endpoint", unready: true, unhealthy: true},
		{name: "the authority between the cluster's and the serving certificate is not sent", rare: true, inject: serving(cluster.ServingCertificate{Intermediate: "kubernetes issuing 2"}), first: "ca-missing-intermediate", unready: true, unhealthy: true},

		// The API server.
		{name: "the API server is frozen", inject: frozen, first: "tls-timeout-server-overloaded", unready: true, unhealthy: true},
		{name: "the API server is frozen and its queue is full", rare: true, inject: frozenWithFullQueue, first: "tls-timeout-server-overloaded", unready: true, unhealthy: true},
		{name: "the API server is gone", inject: gone, first: "tcp-refused", unready: true, unhealthy: true},
		{name: "the API server is gone and CoreDNS was restarted", rare: true, inject: goneWithCoreDNS, first: "tcp-refused", unready: true, unhealthy: true},
		{name: "the API server does not know the tokens' key", inject: otherTokenKey, first: "http-401-unattributed", unready: true, unhealthy: true},
		{name: "the API server has another issuer", rare: true, inject: restarted("--service-account-issuer=https://other.example", "--api-audiences=https://kubernetes.default.svc.cluster.local"), first: "http-401-unattributed", unready: true, unhealthy: true},
		{name: "the API server stands still for most of the time", rare: true, alter: everyFourSeconds, inject: slow, first: "http-latency-high", wavers: true},
		{name: "the API server takes one request at a time", rare: true, inject: crowded, first: "http-429-max-inflight", wavers: true},
		{name: "the API server knows no anonymous users", rare: true, inject: restarted("--anonymous-auth=false")},
		{name: "system:discovery is taken away", inject: withoutBinding("system:discovery"), first: "http-403-discovery-rbac-removed"},

		{name: "the API server denies everything", rare: true, inject: restarted("--authorization-mode=AlwaysDeny"), first: "http-403-discovery-rbac-removed"},
		{name: "the API server asks an authorizer that says nothing", rare: true, inject: silentAuthorizer, first: "http-response-timeout", unready: true, unhealthy: true},
		{name: "the API server has no room for its audit log", rare: true, inject: fullAuditLog, first: "http-500-internal", unready: true, unhealthy: true},
		{name: "the API server has HTTP 2 switched off", rare: true, inject: restarted("--disable-http2-serving")},
		{name: "etcd is frozen", rare: true, inject: unnoticed(frozenEtcd)},
		{name: "the API server is for another audience", rare: true, inject: restarted("--api-audiences=https://other.example"), first: "http-401-unattributed", unready: true, unhealthy: true},

		// The Service of the API. kube-proxy refuses a port that there is not by ICMP, of
		// which the kernel sends one a second to an address, so other tries are silent.
		{name: "the Service of the API has another port", rare: true, inject: patched(apiPort), first: "tcp-refused", wavers: true},
		{name: "the Service of the API keeps to the pod's node", rare: true, inject: patched(apiPolicy), first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},

		// One API server of two.
		{name: "a second API server is well", rare: true, inject: unnoticed(another(cluster.APIServer{Flags: []string{"--tls-min-version=VersionTLS13"}}))},
		{name: "one API server of two is gone", rare: true, inject: another(cluster.APIServer{Dead: true}), first: "tcp-intermittent-one-endpoint", wavers: true},
		{name: "one API server of two is frozen", rare: true, inject: another(cluster.APIServer{Frozen: true}), first: "tcp-intermittent-one-endpoint", wavers: true},
		{name: "what one API server of two sends is dropped", rare: true, inject: both(another(cluster.APIServer{}), filterTo(cluster.After, "ip saddr "+cluster.SecondAddress+" drop")), first: "tcp-intermittent-one-endpoint", wavers: true},
		{name: "the certificate of one API server of two has expired", rare: true, inject: another(cluster.APIServer{Certificate: cluster.ServingCertificate{NotBefore: ago(48), NotAfter: ago(1)}}), first: "cert-differs-by-replica", wavers: true},
		{name: "the certificate of one API server of two lacks the service's address", rare: true, inject: another(cluster.APIServer{Certificate: cluster.ServingCertificate{Names: []string{"kubernetes", "kubernetes.default.svc", cluster.SecondAddress}}}), first: "cert-differs-by-replica", wavers: true},
		{name: "the Service leads to kubelet beside the API server", rare: true, inject: besideAPIServer(cluster.NodeAddress, 10250), first: "ca-mitm-or-wrong-endpoint", wavers: true},
		{name: "one API server of two goes by another policy", rare: true, inject: anotherWithPolicy, first: "http-403-discovery-rbac-removed", wavers: true},
		{name: "one API server of two does not know the tokens' key", rare: true, inject: anotherWithTokenKey, first: "token-intermittent-by-apiserver", wavers: true},

		// Two at once.
		{name: "the serving certificate has expired and CoreDNS is scaled to none", rare: true, inject: both(withoutDNS, serving(cluster.ServingCertificate{NotBefore: ago(48), NotAfter: ago(1)})), first: "cert-serving-expired", unready: true, unhealthy: true},

		{
			name: "CoreDNS is scaled to none and packets to the API are dropped", rare: true, first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true,
			inject: both(withoutDNS, filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" drop")),
		},

		// The agent itself.
		{name: "others take all processors of the node", rare: true, alter: withoutRequests, inject: busy, first: "agent-starved", wavers: true},

		// The network.
		{name: "kube-proxy's rules are gone", inject: withoutServiceRules, first: "tcp-timeout-kube-proxy-not-programmed", unready: true, unhealthy: true},
	}
}

func ago(hours int) time.Time { return time.Now().Add(-time.Duration(hours) * time.Hour) }

func withoutDNS(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	if _, err := s.Kubectl(ctx, "scale", "deployment/coredns", "--namespace=kube-system", "--replicas=0"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Kubectl(ctx, "wait", "pod", "--selector=k8s-app=kube-dns", "--namespace=kube-system", "--for=delete", "--timeout=30s"); err != nil {
		t.Fatal(err)
	}
	return s.dnsAsItWas
}

func (s suite) dnsAsItWas(ctx context.Context) error {
	if _, err := s.Kubectl(ctx, "scale", "deployment/coredns", "--namespace=kube-system", "--replicas=1"); err != nil {
		return err
	}
	return s.dnsServes(ctx)
}

func (s suite) dnsServes(ctx context.Context) error {
	_, err := s.Kubectl(ctx, "rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=1m")
	return err
}

// upstream is a server block that answers for all that no cluster knows, as the
// resolver of the node's network would.
const upstream = `.:53 {
	template ANY ANY . {
		rcode NXDOMAIN
		authority ". 60 IN SOA a.root-servers.net. nstld.verisign-grs.com. (1 1800 900 604800 60)"
	}
}`

// zoneBehind is the server block of the cluster's zone with templates before its data.
func zoneBehind(templates ...string) string {
	return "cluster.local:53 in-addr.arpa:53 {\n" + strings.Join(templates, "\n") + "\nkubernetes cluster.local in-addr.arpa\n}"
}

func template(kind string, lines ...string) string {
	return "template " + kind + " cluster.local {\n" + strings.Join(append(lines, "fallthrough"), "\n") + "\n}"
}

// corefile rolls out CoreDNS with the server blocks, and one that keeps it
// ready.
func corefile(blocks ...string) injection {
	return func(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		content := strings.Join(append(blocks, "ready.invalid:53 {\nready\n}"), "\n")
		name := fmt.Sprintf("coredns-%.4x", sha256.Sum256([]byte(content)))
		s.apply(ctx, t, corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name},
			Data:       map[string]string{"Corefile": content},
		})
		patch := fmt.Sprintf(`{"spec": {"template": {"spec": {"volumes": [{"name": "config", "configMap": {"name": %q}}]}}}}`, name)
		if _, err := s.Kubectl(ctx, "patch", "deployment/coredns", "--namespace=kube-system", "--patch="+patch); err != nil {
			t.Fatal(err)
		}
		if err := s.dnsServes(ctx); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error {
			if _, err := s.Kubectl(ctx, "rollout", "undo", "deployment/coredns", "--namespace=kube-system"); err != nil {
				return err
			}
			return s.dnsServes(ctx)
		}
	}
}

func serving(certificate cluster.ServingCertificate) injection {
	return func(_ context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		if err := s.Serve(certificate); err != nil {
			t.Fatal(err)
		}
		return func(context.Context) error { return s.Serve(cluster.ServingCertificate{}) }
	}
}

func frozenEtcd(_ context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	if err := s.Freeze("etcd"); err != nil {
		t.Fatal(err)
	}
	return func(context.Context) error { return s.Thaw("etcd") }
}

// silentAuthorizer has the API server ask a webhook, to which packets vanish, before
// it looks at its own roles. Administrators are let in without.
func silentAuthorizer(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "authorizer.kubeconfig")
	const content = `apiVersion: v1
kind: Config
clusters: [{name: authorizer, cluster: {server: "https://192.0.2.1", insecure-skip-tls-verify: true}}]
users: [{name: user, user: {}}]
contexts: [{name: context, context: {cluster: authorizer, user: user}}]
current-context: context
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return restarted("--authorization-mode=Webhook,Node,RBAC", "--authorization-webhook-config-file="+file, "--authorization-webhook-version=v1")(ctx, t, s, p)
}

// fullAuditLog has the API server refuse each request for /api that it cannot tell of, and
// tell of these alone on a disk that is full.
func fullAuditLog(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "audit.yaml")
	const content = `apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata, nonResourceURLs: ["/api"]}, {level: None}]
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return restarted("--audit-policy-file="+file, "--audit-log-path=/dev/full", "--audit-log-mode=blocking-strict")(ctx, t, s, p)
}

func frozen(_ context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	if err := s.Freeze("kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	return func(context.Context) error { return s.Thaw("kube-apiserver") }
}

// frozenWithFullQueue is what a frozen server comes to in minutes on a busy cluster:
// the kernel takes no connection any more for a program that takes none.
func frozenWithFullQueue(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	const most = 10_000
	thaw := frozen(ctx, t, s, p)
	pause(ctx, t, 3*interval)
	var queue []net.Conn
	for len(queue) < most {
		limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		connection, err := s.Dial(limited, "tcp", cluster.ServerAddress+":443")
		cancel()
		if err != nil {
			break
		}
		queue = append(queue, connection)
	}
	t.Logf("the queue was full after %d connections", len(queue))
	return func(ctx context.Context) error {
		for _, connection := range queue {
			_ = connection.Close()
		}
		return thaw(ctx)
	}
}

func gone(_ context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	if err := s.Kill("kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	return s.serverAsItWas
}

// serverAsItWas ends a fault of the API server. Kubelet, which starts the pod of the
// next fault, would come back to it by itself, but not for up to a minute.
func (s suite) serverAsItWas(ctx context.Context) error {
	if err := s.Restart(ctx, "kube-apiserver"); err != nil {
		return err
	}
	var failures []error
	for _, node := range s.Nodes() {
		failures = append(failures, node.Restart("kubelet"))
	}
	return errors.Join(failures...)
}

// goneWithCoreDNS has kubelet start CoreDNS anew, which then has nobody to read
// Services from.
func goneWithCoreDNS(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	pods, err := s.coreDNS(ctx)
	if err != nil {
		t.Fatal(err)
	}
	back := gone(ctx, t, s, p)
	for _, pod := range pods {
		if _, err := s.nodeOf(t, pod).Run(ctx, "sh", "-c", "kill -9 $(pidof coredns)"); err != nil {
			t.Fatal(err)
		}
	}
	return back
}

func restarted(flags ...string) injection {
	return func(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
		t.Helper()
		if err := s.Restart(ctx, "kube-apiserver", flags...); err != nil {
			t.Fatal(err)
		}
		return s.serverAsItWas
	}
}

func otherTokenKey(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	private, public, err := s.IssueTokenKey("other-key")
	if err != nil {
		t.Fatal(err)
	}
	return restarted("--service-account-signing-key-file="+private, "--service-account-key-file="+public)(ctx, t, s, p)
}

// both makes one fault after the other, and ends the second first.
func both(first, second injection) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		endFirst := first(ctx, t, s, p)
		endSecond := second(ctx, t, s, p)
		return func(ctx context.Context) error { return errors.Join(endSecond(ctx), endFirst(ctx)) }
	}
}

// everyFourSeconds leaves time for a round trip of more than a second.
func everyFourSeconds(p *corev1.Pod) {
	set(p, "LIFELINE_INTERVAL", "4s")
	set(p, "LIFELINE_TIMEOUT", "2s")
}

// slow stops the API server again and again, as one is that has hardly any CPU.
func slow(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	return repeating(ctx, 2200*time.Millisecond, 1800*time.Millisecond, func() (func() error, error) {
		return func() error { return s.Thaw("kube-apiserver") }, s.Freeze("kube-apiserver")
	})
}

// crowded gives the only place among the requests to an administrator who asks
// for megabytes and hardly reads them. To administrators none is refused. They are
// asked for from the pod, since the node would take in all of them at once.
func crowded(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	container, err := s.Container(ctx, p.Namespace, p.Name, "lifeline")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	// The API server ends a request after a minute.
	curl := []string{"--silent", "--insecure", "--http1.1", "--limit-rate", "1k", "--max-time", "50", "--output", "/dev/null"}
	for flag, field := range map[string]string{"--cert": "client-certificate-data", "--key": "client-key-data"} {
		content, err := s.Kubectl(ctx, "config", "view", "--raw", `--output=go-template={{index (index .users 0).user "`+field+`" | base64decode}}`)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, field)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		curl = append(curl, flag, file)
	}
	curl = append(curl, "https://"+cluster.ServerAddress+"/openapi/v2")
	end := restarted("--max-requests-inflight=1", "--enable-priority-and-fairness=false")(ctx, t, s, p)
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_, _ = container.Run(ctx, "curl", curl...)
			wait(ctx, 100*time.Millisecond)
		}
	}()
	return func(ctx context.Context) error {
		stop()
		<-ended
		return end(ctx)
	}
}

// edit is a change of one field that nobody takes back.
type edit struct{ namespace, object, path, from, to string }

var (
	apiPort     = edit{"default", "service/kubernetes", "/spec/ports/0/port", "443", "8443"}
	apiPolicy   = edit{"default", "service/kubernetes", "/spec/internalTrafficPolicy", `"Cluster"`, `"Local"`}
	apiTarget   = edit{"default", "endpoints/kubernetes", "/subsets/0/ports/0/port", "6443", "6444"}
	dnsSelector = edit{"kube-system", "service/kube-dns", "/spec/selector", `{"k8s-app": "kube-dns"}`, `{"k8s-app": "coredns"}`}
)

// busy has a pod beside the agent's that asked for nearly all of the node's
// processors and takes them, while the agent's asked for none.
func busy(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	const image = "lifeline.test/busybox:1"
	if err := s.Import(ctx, cluster.Image{Name: image, Program: "/bin/busybox", User: "65532:65532"}); err != nil {
		t.Fatal(err)
	}
	var containers []corev1.Container
	for i := range runtime.NumCPU() {
		containers = append(containers, corev1.Container{
			Name: fmt.Sprintf("busy-%d", i), Image: image, Args: []string{"sh", "-c", "while :; do :; done"}, SecurityContext: restricted(),
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("800m")}},
		})
	}
	s.apply(ctx, t, corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "busy"},
		Spec:       corev1.PodSpec{Containers: containers, ActiveDeadlineSeconds: new(int64(60)), TerminationGracePeriodSeconds: new(int64(0))},
	})
	if _, err := s.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=30s", "--namespace="+p.Namespace, "pod/busy"); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error {
		_, err := s.Kubectl(ctx, "delete", "pod/busy", "--namespace="+p.Namespace, "--now")
		return err
	}
}

func withoutServiceRules(ctx context.Context, t *testing.T, s suite, _ cluster.Pod) func(context.Context) error {
	t.Helper()
	var cures []func() error
	for _, node := range s.Nodes() {
		cures = append(cures, takeServiceRules(ctx, t, node))
	}
	return func(context.Context) error {
		var failures []error
		for _, cure := range cures {
			failures = append(failures, cure())
		}
		return errors.Join(failures...)
	}
}

// takeServiceRules ends a node's kube-proxy and takes its rules away, and returns what
// starts it again.
func takeServiceRules(ctx context.Context, t *testing.T, node *cluster.Node) (cure func() error) {
	t.Helper()
	if err := node.Kill("kube-proxy"); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Run(ctx, "nft", "delete", "table", "ip", "kube-proxy"); err != nil {
		t.Fatal(err)
	}
	return func() error { return node.Restart("kube-proxy") }
}
