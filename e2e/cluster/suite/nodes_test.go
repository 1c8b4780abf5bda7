//go:build linux

package suite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// nodes adds a node and breaks that one alone: its pods name the cause as they would
// if there were no other node, and a pod of the other stays well. That the node is
// what they have in common no pod can know; the alerts tell it.
func nodes(ctx context.Context, t *testing.T, s suite) {
	s.needsOwn(t, "add a node to it")
	const namespace = "nodes"
	first := s.Nodes()[0]
	second := s.addNode(ctx, t)
	s.makeNamespace(ctx, t, namespace)
	manifests := []*corev1.Pod{onNode(s.lifelinePod(namespace, "near"), first), onNode(s.lifelinePod(namespace, "far"), second)}
	for _, manifest := range manifests {
		s.apply(ctx, t, manifest) // All start at once.
	}
	near, far := s.startPod(ctx, t, manifests[0]), s.startPod(ctx, t, manifests[1])

	t.Run("pods of both are well and reach each other", func(t *testing.T) {
		s.reaches(ctx, t, near, far)
		s.reaches(ctx, t, far, near)
	})
	t.Run("kubectl reaches the pod of the second, which says where it is", func(t *testing.T) { s.kubectlReaches(ctx, t, far) })
	t.Run("neither leads out of the cluster", func(t *testing.T) {
		leadsNowhere(ctx, t, first)
		leadsNowhere(ctx, t, second)
	})
	t.Run("what breaks on the second is told there and not on the first", func(t *testing.T) {
		s.oneBroken(ctx, t, near, func(name string) *corev1.Pod {
			return onNode(s.faultPod(t, namespace, slug(name)), second)
		})
	})
}

// addNode adds a node that goes with the test and then leaves no trace.
func (s suite) addNode(ctx context.Context, t *testing.T) *cluster.Node {
	t.Helper()
	began := time.Now()
	added, remove, err := s.AddNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s was added in %s", added.Name, tenths(time.Since(began)))
	if traces(t, s.Cluster, added.Name) == nil {
		t.Error("nothing is to be seen of a node that runs, so nothing would be seen of what it leaves")
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		began := time.Now()
		if err := remove(ctx); err != nil {
			t.Error(err)
		}
		t.Logf("%s was removed in %s", added.Name, tenths(time.Since(began)))
		if left := traces(t, s.Cluster, added.Name); len(left) > 0 {
			t.Errorf("%s left behind:\n%s", added.Name, strings.Join(left, "\n"))
		}
		eventually(ctx, t, 10*time.Second, func() error { return s.isForgotten(ctx, added) })
	})
	return added
}

// isForgotten looks for the node at the API server and in the networks of the others.
// The kernel takes a cable away a moment after its other end.
func (s suite) isForgotten(ctx context.Context, gone *cluster.Node) error {
	for _, left := range s.Nodes() {
		for _, command := range [][]string{{"route", "show"}, {"link", "show"}} {
			out, err := left.Run(ctx, "ip", command...)
			if err != nil {
				return err
			}
			if strings.Contains(out, gone.PodRange) || strings.Contains(out, gone.Name+"@") {
				return fmt.Errorf("%s still knows %s: %s", left.Name, gone.Name, out)
			}
		}
	}
	known, err := s.Kubectl(ctx, "get", "nodes", "--output=name")
	if err == nil && strings.Contains(known, gone.Name) {
		err = fmt.Errorf("the API server still knows %s", gone.Name)
	}
	return err
}

// onNode puts the pod on the node and tells the agent where it is.
func onNode(manifest *corev1.Pod, node *cluster.Node) *corev1.Pod {
	manifest.Spec.NodeSelector = map[string]string{corev1.LabelHostname: node.Name}
	downwardAPI(manifest)
	return manifest
}

// reaches asks one pod from another, which must itself be well, and so reach the API
// server and the DNS by the addresses of their Services.
func (s suite) reaches(ctx context.Context, t *testing.T, from, to cluster.Pod) {
	t.Helper()
	r, _ := within(ctx, t, turn, from, isHealthy)
	if r.Pod.Node != from.Node {
		t.Errorf("the report of the pod on %s says that it is on %q", from.Node, r.Pod.Node)
	}
	container, err := s.Container(ctx, from.Namespace, from.Name, "lifeline")
	if err != nil {
		t.Fatal(err)
	}
	got, err := container.Run(ctx, "curl", "--silent", "--show-error", "--max-time", "5", fmt.Sprintf("http://%s:%d/livez", to.Address, port))
	if err != nil || got.Code != 0 {
		t.Errorf("from %s to %s: exit %d, error %v: %s", from.Node, to.Node, got.Code, err, got.Complaint)
	}
}

func (s suite) kubectlReaches(ctx context.Context, t *testing.T, p cluster.Pod) {
	t.Helper()
	checked, err := s.Exec(ctx, p.Namespace, p.Name, "/lifeline", "check")
	if err != nil {
		t.Error(err)
	}
	shown{text: checked}.isReport(t, p)
	if want := " on node " + p.Node; !strings.Contains(checked, want) {
		t.Errorf("the report does not say %q", want)
	}
	logged, err := s.Kubectl(ctx, "logs", "--namespace="+p.Namespace, p.Name)
	if want := "lifeline started"; err != nil || !strings.Contains(logged, want) {
		t.Errorf("the log has no %q (error %v): %s", want, err, logged)
	}
	forwarded, err := s.throughForward(ctx, t, []string{"port-forward", "--namespace=" + p.Namespace, "pod/" + p.Name, fmt.Sprint(port)})
	if err != nil || !strings.Contains(forwarded, p.UID) {
		t.Errorf("through a forwarded port it does not tell of the pod %s (error %v): %s", p.UID, err, forwarded)
	}
}

// oneBroken breaks the node of the pods that manifest makes in one way after the
// other, and holds each to its cause, and the neighbour, which is on another node, to
// being well all the time.
func (s suite) oneBroken(ctx context.Context, t *testing.T, neighbour cluster.Pod, manifest func(name string) *corev1.Pod) {
	t.Helper()
	dns, err := s.coreDNS(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range dns {
		if pod.Node != neighbour.Node {
			t.Fatalf("CoreDNS is on %s, so what is broken there is broken for %s", pod.Node, neighbour.Node)
		}
	}
	rounds, results := record(ctx, t, neighbour), &results{}
	s.inTurn(ctx, t, nodeFaults(), manifest, results)
	t.Log(results.table())
	for _, one := range results.all {
		if !one.telling.isRight() {
			t.Error(one.amiss())
		}
	}
	seen := rounds.stop(t)
	t.Logf("meanwhile on %s: %s", neighbour.Node, history(seen))
	for _, r := range seen {
		if !isHealthy(r) {
			t.Errorf("on %s, of which nothing is broken: %s", neighbour.Node, r.summary())
		}
	}
}

// nodeFaults are those of one node. The last keeps kubelet from the API server too,
// so that a pod that is to be started after it would wait for that one.
func nodeFaults() []fault {
	return []fault{
		{name: "kube-proxy's rules are gone on one node", inject: withoutRulesOfNode, first: "tcp-timeout-kube-proxy-not-programmed", unready: true, unhealthy: true},
		{name: "what CoreDNS answers to one node is dropped", inject: dropDNSToNode, first: "dns-egress-policy-blocks-53", unhealthy: true},
		{name: "one node does not forward", inject: withoutForwarding, first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
		{name: "what one node sends to the API server is dropped", inject: dropFromNode, first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
	}
}

func withoutRulesOfNode(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	cure := takeServiceRules(ctx, t, s.nodeOf(t, p))
	return func(context.Context) error { return cure() }
}

func withoutForwarding(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	node := s.nodeOf(t, p)
	set := func(ctx context.Context, value string) error {
		_, err := node.Run(ctx, "sh", "-c", "echo "+value+" >/proc/sys/net/ipv4/ip_forward")
		return err
	}
	if err := set(ctx, "0"); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error { return set(ctx, "1") }
}

func dropDNSToNode(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	pods, err := s.coreDNS(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, pod := range pods {
		rules = append(rules, "ip saddr "+pod.Address+" meta l4proto { tcp, udp } th sport 53 drop")
	}
	remove, err := s.nodeOf(t, p).Filter(ctx, cluster.After, rules...)
	if err != nil {
		t.Fatal(err)
	}
	return remove
}

func dropFromNode(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	remove, err := s.nodeOf(t, p).Filter(ctx, cluster.After, "ip daddr "+cluster.NodeAddress+" tcp dport 6443 drop")
	if err != nil {
		t.Fatal(err)
	}
	return remove
}

// coreDNS are the pods of the cluster's DNS.
func (s suite) coreDNS(ctx context.Context) ([]cluster.Pod, error) {
	pods, err := s.Pods(ctx, "kube-system", "k8s-app=kube-dns")
	if err == nil && len(pods) == 0 {
		err = errors.New("there is no pod of CoreDNS")
	}
	return pods, err
}
