//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// AddNode starts another node and returns when it is ready and has the images of
// the first. It returns what ends it and takes it and its pods out of the cluster,
// which Close does not need.
func (c *Cluster) AddNode(ctx context.Context) (added *Node, remove func(context.Context) error, err error) {
	nodes := c.Nodes()
	if len(nodes) == 0 {
		return nil, nil, errors.New("add a node: the cluster is somebody else's")
	}
	// A component that ends while the node starts ends the start.
	starting, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	starting, cancel := context.WithTimeoutCause(starting, startLimit, fmt.Errorf("it was not up within %s", startLimit))
	defer cancel()
	added = c.newNode(nodes[len(nodes)-1].number+1, failed)
	remove = func(ctx context.Context) error {
		if err := c.removeNode(ctx, added); err != nil {
			return fmt.Errorf("remove %s: %w", added.Name, err)
		}
		return nil
	}
	if err := c.addNode(starting, added, nodes); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("add %s: %w", added.Name, withCause(starting, err)), remove(context.WithoutCancel(ctx)))
	}
	c.listing.Lock()
	defer c.listing.Unlock()
	c.nodes = append(c.nodes, added)
	return added, remove, nil
}

func (c *Cluster) addNode(ctx context.Context, added *Node, others []*Node) error {
	if err := added.prepare(); err != nil {
		return err
	}
	if err := added.startNetwork(ctx); err != nil {
		return err
	}
	for _, other := range others {
		if err := added.join(ctx, other); err != nil {
			return err
		}
	}
	if err := added.startComponents(ctx); err != nil {
		return err
	}
	return added.copyImages(ctx, others[0])
}

// removeNode ends the node, however far it came, and has the API server and the
// other nodes forget it, which would else wait for it to come back.
func (c *Cluster) removeNode(ctx context.Context, n *Node) error {
	c.listing.Lock()
	c.nodes = slices.DeleteFunc(c.nodes, func(one *Node) bool { return one == n })
	c.listing.Unlock()
	n.end()
	_, gone := c.Kubectl(ctx, "delete", "node", n.Name, "--ignore-not-found")
	_, without := c.Kubectl(ctx, "delete", "pods", "--all-namespaces", "--field-selector=spec.nodeName="+n.Name, "--force", "--grace-period=0", "--timeout=30s")
	return errors.Join(gone, without, removeCgroups(n.cgroup), os.RemoveAll(n.folder))
}
