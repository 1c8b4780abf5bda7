//go:build linux

package cluster

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// startNode starts what makes the machine a node, and waits until it is ready.
func (c *Cluster) startNode(ctx context.Context) error {
	fill := strings.NewReplacer(
		"@pause@", pauseImage,
		"@runc@", c.programs.path("runc", "runc"),
		"@plugins@", c.programs["cni"],
		"@networks@", filepath.Join(c.folder, "cni"),
		"@ca@", c.authority.path("ca.crt"),
		"@cgroup@", "/"+c.Name(),
		"@dns@", DNSAddress,
		"@node@", NodeName,
		"@address@", NodeAddress,
		"@pods@", podRange,
		"@kubeconfig@", c.authority.path("proxy.kubeconfig"),
	)
	for name, content := range map[string]string{
		"containerd.toml":      containerdConfiguration,
		"kubelet.yaml":         kubeletConfiguration,
		"kube-proxy.yaml":      proxyConfiguration,
		"cni/network.conflist": networkConfiguration,
	} {
		if err := os.WriteFile(filepath.Join(c.folder, name), []byte(fill.Replace(content)), 0o600); err != nil {
			return err
		}
	}
	if err := c.launch("containerd", "containerd", "--config="+filepath.Join(c.folder, "containerd.toml")); err != nil {
		return err
	}
	if err := poll(ctx, func() error {
		_, err := c.namespaces.run(exec.CommandContext(ctx, c.programs.path("containerd", "ctr"), "version"))
		return err
	}); err != nil {
		return err
	}
	if err := c.Import(ctx, Image{Name: pauseImage, Program: c.programs.path("pause", "pause")}); err != nil {
		return err
	}
	if err := c.launch("kubernetes", "kube-proxy", "--config="+filepath.Join(c.folder, "kube-proxy.yaml")); err != nil {
		return err
	}
	err := c.launch("kubernetes", "kubelet",
		"--config="+filepath.Join(c.folder, "kubelet.yaml"),
		"--kubeconfig="+c.authority.path("kubelet.kubeconfig"),
		"--hostname-override="+NodeName,
		"--node-ip="+NodeAddress,
	)
	if err != nil {
		return err
	}
	return poll(ctx, func() error {
		_, err := c.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=1m", "node/"+NodeName)
		return err
	})
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
