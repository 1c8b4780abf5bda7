//go:build linux

package cluster

import (
	"context"
	"crypto/x509/pkix"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

const (
	pauseImage = "lifeline.test/pause:1"
	// CoreDNSImage is that of the cluster's DNS.
	CoreDNSImage = "lifeline.test/coredns:1"
)

var (
	//go:embed node/containerd.toml
	containerdConfiguration string
	//go:embed node/kubelet.yaml
	kubeletConfiguration string
	//go:embed node/kube-proxy.yaml
	proxyConfiguration string
	//go:embed node/network.conflist
	networkConfiguration string
	//go:embed node/coredns.yaml
	coreDNSManifest string
)

// Node is one of an own cluster's: a kubelet, a containerd and a kube-proxy, with a
// folder, cgroups and namespaces that no other node has. The control plane is in
// those of the first.
type Node struct {
	// Name is node-1 and so on.
	Name, Address string
	// PodRange has the addresses of its pods.
	PodRange string

	host
	cluster *Cluster
	number  int
	cgroup  string
	filters atomic.Int64
}

// newNode is a node of which there is nothing yet.
func (c *Cluster) newNode(number int, failed context.CancelCauseFunc) *Node {
	name := fmt.Sprintf("node-%d", number)
	address := NodeAddress
	if number > 1 {
		address = fmt.Sprintf("172.30.0.%d", 10+number)
	}
	return &Node{
		Name: name, Address: address, PodRange: fmt.Sprintf("10.244.%d.0/24", number-1),
		host: host{
			programs: c.programs, folder: filepath.Join(c.folder, name), logs: filepath.Join(c.logs, name),
			failed: failed, byName: map[string]*process{},
		},
		cluster: c, number: number, cgroup: filepath.Join(c.Name(), name),
	}
}

// Run runs a program of this machine on the node, within its namespaces, and
// returns its standard output.
func (n *Node) Run(ctx context.Context, program string, arguments ...string) (string, error) {
	return n.run(ctx, "", program, arguments...)
}

// prepare makes the node's folder, cgroups and namespaces.
func (n *Node) prepare() (err error) {
	for _, folder := range []string{n.logs, filepath.Join(n.folder, "lib"), filepath.Join(n.folder, "cni")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := makeCgroups(n.cgroup); err != nil {
		return err
	}
	if n.namespaces, err = newNamespaces(n.programs.path("pause", "pause")); err != nil {
		return err
	}
	return n.namespaces.within(2, n.mount)
}

// end ends every process of the node.
func (n *Node) end() {
	if n.namespaces != nil {
		n.namespaces.close()
	}
	n.waiters.Wait()
}

// startComponents starts what makes it a node, and waits until it is ready.
func (n *Node) startComponents(ctx context.Context) error {
	authority := n.cluster.authority
	kubelet := "kubelet-" + n.Name
	if err := authority.kubeconfig(kubelet, server, pkix.Name{CommonName: "system:node:" + n.Name, Organization: []string{"system:nodes"}}); err != nil {
		return err
	}
	fill := strings.NewReplacer(
		"@pause@", pauseImage,
		"@runc@", n.programs.path("runc", "runc"),
		"@plugins@", n.programs["cni"],
		"@networks@", filepath.Join(n.folder, "cni"),
		"@ca@", authority.path("ca.crt"),
		"@cgroup@", "/"+n.cgroup,
		"@dns@", DNSAddress,
		"@node@", n.Name,
		"@pods@", n.PodRange,
		"@all-pods@", PodRange,
		"@kubeconfig@", authority.path("proxy.kubeconfig"),
	)
	for name, content := range map[string]string{
		"containerd.toml":      containerdConfiguration,
		"kubelet.yaml":         kubeletConfiguration,
		"kube-proxy.yaml":      proxyConfiguration,
		"cni/network.conflist": networkConfiguration,
	} {
		if err := os.WriteFile(filepath.Join(n.folder, name), []byte(fill.Replace(content)), 0o600); err != nil {
			return err
		}
	}
	if err := n.launch("containerd", "containerd", "--config="+filepath.Join(n.folder, "containerd.toml")); err != nil {
		return err
	}
	if err := n.launch("kubernetes", "kube-proxy", "--config="+filepath.Join(n.folder, "kube-proxy.yaml")); err != nil {
		return err
	}
	if err := poll(ctx, func() error {
		_, err := n.ctr(ctx, "version")
		return err
	}); err != nil {
		return err
	}
	err := n.launch("kubernetes", "kubelet",
		"--config="+filepath.Join(n.folder, "kubelet.yaml"),
		"--kubeconfig="+authority.path(kubelet+".kubeconfig"),
		"--hostname-override="+n.Name,
		"--node-ip="+n.Address,
	)
	if err != nil {
		return err
	}
	if err := n.importImage(ctx, Image{Name: pauseImage, Program: n.programs.path("pause", "pause")}); err != nil {
		return err
	}
	return poll(ctx, func() error {
		_, err := n.cluster.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=1m", "node/"+n.Name)
		return err
	})
}

// ctr asks the node's containerd.
func (n *Node) ctr(ctx context.Context, arguments ...string) (string, error) {
	return n.run(ctx, "", n.programs.path("containerd", "ctr"), append([]string{"--namespace=k8s.io"}, arguments...)...)
}

// startDNS starts CoreDNS and waits until it serves.
func (c *Cluster) startDNS(ctx context.Context) error {
	if err := c.Import(ctx, Image{Name: CoreDNSImage, Program: c.programs.path("coredns", "coredns")}); err != nil {
		return err
	}
	manifest := strings.NewReplacer("@image@", CoreDNSImage, "@address@", DNSAddress).Replace(coreDNSManifest)
	if err := c.Apply(ctx, manifest); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, "rollout", "status", "--namespace=kube-system", "--timeout=2m", "deployment/coredns")
	return err
}
