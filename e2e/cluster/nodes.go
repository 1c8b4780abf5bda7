//go:build linux

package cluster

import (
	"fmt"
	"slices"
)

// Nodes are those of an own cluster, of which the first has the control plane.
func (c *Cluster) Nodes() []*Node {
	c.listing.Lock()
	defer c.listing.Unlock()
	return slices.Clone(c.nodes)
}

// NodeOf is the node of an own cluster that the pod is on.
func (c *Cluster) NodeOf(p Pod) (*Node, error) {
	for _, node := range c.Nodes() {
		if node.Name == p.Node {
			return node, nil
		}
	}
	return nil, fmt.Errorf("the pod %s in %s is on the node %q, which is none of this program's", p.Name, p.Namespace, p.Node)
}
