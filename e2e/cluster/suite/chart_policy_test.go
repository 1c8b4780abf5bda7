//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// policySettings allow as much as the defaults do, since somebody's cluster may
// have a network plug-in that applies the policy.
func policySettings() []setting {
	anywhere := []any{map[string]any{"ipBlock": map[string]any{"cidr": "0.0.0.0/0"}}}
	policy := func(path ...any) func(live) any {
		return func(l live) any { return l.at("NetworkPolicy", append([]any{"spec"}, path...)...) }
	}
	type port struct {
		Port     int    `json:"port"`
		Protocol string `json:"protocol"`
	}
	return []setting{
		{
			"networkPolicy.enabled", true,
			func(l live) any { return []any{policy("policyTypes")(l), policy("ingress", 0, "ports")(l)} },
			[]any{[]string{"Ingress", "Egress"}, []port{{18081, "TCP"}}},
		},
		{"networkPolicy.from", anywhere, policy("ingress", 0, "from"), nil},
		{"networkPolicy.dns.to", anywhere, policy("egress", 0, "to"), nil},
		{
			"networkPolicy.dns.ports",
			[]int{53, 5353},
			policy("egress", 0, "ports"),
			[]port{{53, "UDP"}, {53, "TCP"}, {5353, "UDP"}, {5353, "TCP"}},
		},
		{"networkPolicy.apiServer.to", anywhere, policy("egress", 1, "to"), nil},
		{"networkPolicy.apiServer.ports", []int{443, 6443, 8443}, policy("egress", 1, "ports"), []port{{443, "TCP"}, {6443, "TCP"}, {8443, "TCP"}}},
	}
}

// chartPolicy has the chart's network policy stand in packet filters, for the
// cluster's network has no plug-in that would.
func chartPolicy(ctx context.Context, t *testing.T, s suite) {
	s.needsOwn(t, "filter packets by the policy")
	r := release{suite: s, namespace: "lifeline-e2e-policy", name: "lifeline"}
	s.makeNamespace(ctx, t, r.namespace)
	image := map[string]any{"image.repository": s.repository, "image.tag": s.tag, "config.interval": "2s", "config.timeout": "1s"}
	enabled := map[string]any{"networkPolicy.enabled": true}
	r.deploy(ctx, t, "install", image, enabled)
	pod := r.objects(ctx, t).pods[0]

	dns, err := s.Pods(ctx, "kube-system", "k8s-app=kube-dns")
	if err != nil || len(dns) == 0 {
		t.Fatalf("find CoreDNS: %v, %v", dns, err)
	}
	blocks := func(addresses ...string) []any {
		var peers []any
		for _, address := range addresses {
			peers = append(peers, map[string]any{"ipBlock": map[string]any{"cidr": address + "/32"}})
		}
		return peers
	}
	for _, test := range []struct {
		name   string
		values map[string]any
		want   func(report) bool
		// tested is whether "helm test" passes.
		tested bool
	}{
		{"as it is by default", nil, isHealthy, true},
		{
			"narrowed to the addresses of the nameserver and the API server",
			map[string]any{"networkPolicy.dns.to": blocks(dns[0].Address), "networkPolicy.apiServer.to": blocks(cluster.NodeAddress, cluster.ServerAddress)},
			isHealthy, true,
		},
		{
			// Why the ports of the API servers themselves are in it by default.
			"with the address and the port of the Service alone",
			map[string]any{"networkPolicy.apiServer.to": blocks(cluster.ServerAddress), "networkPolicy.apiServer.ports": []int{443}},
			func(found report) bool { return found.first() == "tcp-timeout-networkpolicy" }, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.deploy(ctx, t, "upgrade", image, enabled, test.values)
			r.enforce(ctx, t, dns[0])
			before := r.round(ctx, t, pod, 1).Round
			eventually(ctx, t, 30*time.Second, func() error {
				found := r.round(ctx, t, pod, before+2)
				if !test.want(found) {
					return fmt.Errorf("the policy lets through what it should not, or not what it should:\n%s", found.summary())
				}
				return nil
			})
			out, err := s.Helm(ctx, "test", r.name, "--namespace="+r.namespace, "--timeout=1m", "--logs")
			if (err == nil) != test.tested {
				t.Errorf("helm test: error %v\n%s", err, out)
			}
		})
	}
}

// enforce has all pods but CoreDNS send what the policy of the release allows, to
// where a packet goes in the end, and nothing else. What others begin is let
// through, as it is from the node at any rate.
func (r release) enforce(ctx context.Context, t *testing.T, dns cluster.Pod) {
	t.Helper()
	object, err := json.Marshal(r.objects(ctx, t).others["NetworkPolicy"])
	if err != nil {
		t.Fatal(err)
	}
	policy := decoded[networkingv1.NetworkPolicy](t, object)
	sent := `iifname "veth*" ip saddr != ` + dns.Address + " "
	rules := []string{"ct state established,related accept"}
	for _, rule := range policy.Spec.Egress {
		destinations := []string{""}
		for i, peer := range rule.To {
			destinations = append(destinations[:i], "ip daddr "+peer.IPBlock.CIDR+" ")
		}
		for _, destination := range destinations {
			for _, port := range rule.Ports {
				rules = append(rules, sent+destination+strings.ToLower(string(*port.Protocol))+" dport "+port.Port.String()+" accept")
			}
		}
	}
	remove, err := r.Filter(ctx, cluster.After, append(rules, sent+"drop")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
}
