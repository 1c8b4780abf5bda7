//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Hook is where a filter meets packets.
type Hook string

// The hooks of nftables. On the node that a pod is on, its packet for a service
// still has the service's address in Before, and that of an endpoint in After,
// which has packets for other pods and nodes, and for and from the node itself.
const (
	Before Hook = "before"
	After  Hook = "after"
)

// Filter adds rules of nftables to every node, for example "ip saddr 10.244.0.5 udp
// dport 53 drop", which stand for a network policy, and returns what takes them
// away again.
func (c *Cluster) Filter(ctx context.Context, hook Hook, rules ...string) (remove func(context.Context) error, err error) {
	var removes []func(context.Context) error
	remove = func(ctx context.Context) error {
		var failures []error
		for _, one := range removes {
			failures = append(failures, one(ctx))
		}
		return errors.Join(failures...)
	}
	for _, node := range c.Nodes() {
		one, err := node.Filter(ctx, hook, rules...)
		if err != nil {
			return nil, errors.Join(err, remove(context.WithoutCancel(ctx)))
		}
		removes = append(removes, one)
	}
	return remove, nil
}

// Filter is that of a cluster for one node alone, whose datapath is broken.
func (n *Node) Filter(ctx context.Context, hook Hook, rules ...string) (remove func(context.Context) error, err error) {
	table := fmt.Sprintf("inet fault-%d", n.filters.Add(1))
	chains := map[Hook][]string{
		Before: {"type filter hook prerouting priority raw"},
		After:  {"type filter hook forward priority filter", "type filter hook input priority filter", "type filter hook output priority filter"},
	}[hook]
	var script strings.Builder
	for i, chain := range chains {
		fmt.Fprintf(&script, "table %s {\n chain chain-%d {\n %s;\n %s\n }\n}\n", table, i, chain, strings.Join(rules, "\n "))
	}
	if err := n.nft(ctx, script.String()); err != nil {
		return nil, fmt.Errorf("filter packets on %s: %w", n.Name, err)
	}
	return func(ctx context.Context) error {
		if err := n.nft(ctx, "delete table "+table); err != nil {
			return fmt.Errorf("filter packets on %s no longer: %w", n.Name, err)
		}
		return nil
	}, nil
}

func (n *Node) nft(ctx context.Context, script string) error {
	_, err := n.run(ctx, script, "nft", "--file", "-")
	return err
}

// PodDevice is the name of the node's end of the cable of a pod that is on it.
func (n *Node) PodDevice(ctx context.Context, address string) (string, error) {
	out, err := n.Run(ctx, "ip", "-oneline", "route", "get", address)
	if err != nil {
		return "", fmt.Errorf("find the device of the pod %s: %w", address, err)
	}
	words := strings.Fields(out)
	for i, word := range words[:max(0, len(words)-1)] {
		if word == "dev" {
			return words[i+1], nil
		}
	}
	return "", fmt.Errorf("find the device of the pod %s: there is none in %q", address, out)
}
