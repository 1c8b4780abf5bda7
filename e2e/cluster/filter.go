//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Hook is where a filter meets packets.
type Hook string

// The hooks of nftables. A pod's packet for a service still has the service's
// address in Before, and that of an endpoint in After, which has packets for
// other pods, and for and from the node itself.
const (
	Before Hook = "before"
	After  Hook = "after"
)

// Filter adds rules of nftables, for example "ip saddr 10.244.0.5 udp dport 53
// drop", which stand for a network policy or a broken datapath, and returns
// what takes them away again.
func (c *Cluster) Filter(ctx context.Context, hook Hook, rules ...string) (remove func(context.Context) error, err error) {
	table := fmt.Sprintf("inet fault-%d", c.filters.Add(1))
	chains := map[Hook][]string{
		Before: {"type filter hook prerouting priority raw"},
		After:  {"type filter hook forward priority filter", "type filter hook input priority filter", "type filter hook output priority filter"},
	}[hook]
	var script strings.Builder
	for i, chain := range chains {
		fmt.Fprintf(&script, "table %s {\n chain chain-%d {\n %s;\n %s\n }\n}\n", table, i, chain, strings.Join(rules, "\n "))
	}
	if err := c.nft(ctx, script.String()); err != nil {
		return nil, fmt.Errorf("filter packets: %w", err)
	}
	return func(ctx context.Context) error {
		if err := c.nft(ctx, "delete table "+table); err != nil {
			return fmt.Errorf("filter packets no longer: %w", err)
		}
		return nil
	}, nil
}

func (c *Cluster) nft(ctx context.Context, script string) error {
	command := exec.CommandContext(ctx, "nft", "--file", "-")
	command.Stdin = strings.NewReader(script)
	_, err := c.namespaces.run(command)
	return err
}

// PodDevice is the name of the node's end of a pod's cable.
func (c *Cluster) PodDevice(ctx context.Context, address string) (string, error) {
	out, err := c.namespaces.run(exec.CommandContext(ctx, "ip", "-oneline", "route", "get", address))
	if err != nil {
		return "", fmt.Errorf("find the device of the pod %s: %w", address, err)
	}
	words := strings.Fields(string(out))
	for i, word := range words[:max(0, len(words)-1)] {
		if word == "dev" {
			return words[i+1], nil
		}
	}
	return "", fmt.Errorf("find the device of the pod %s: there is none in %q", address, out)
}
