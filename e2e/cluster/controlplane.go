//go:build linux

package cluster

import (
	"context"
	"crypto/x509/pkix"
	"path/filepath"
)

const (
	apiServer   = "kube-apiserver"
	etcdAddress = "127.0.0.1:2379"
)

// startControlPlane starts etcd and the components that need no node, and waits
// until the API server is ready.
func (c *Cluster) startControlPlane(ctx context.Context) (err error) {
	if c.authority, err = newAuthority(filepath.Join(c.folder, "credentials"), "kubernetes"); err != nil {
		return err
	}
	if err := c.issueCertificates(); err != nil {
		return err
	}
	c.kubeconfig = c.authority.path("admin.kubeconfig")
	if err := c.launch("etcd", "etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync"); err != nil {
		return err
	}
	if err := c.launch("kubernetes", apiServer, c.apiServerFlags()...); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	path := c.authority.path
	// Without leader election they outlive an API server that is frozen for
	// longer than their lease.
	err = c.launch("kubernetes", "kube-controller-manager",
		"--kubeconfig="+path("controller-manager.kubeconfig"),
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--root-ca-file="+path("ca.crt"),
		"--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins",
		"--service-account-private-key-file="+path("service-account.key"),
	)
	if err != nil {
		return err
	}
	return c.launch("kubernetes", "kube-scheduler", "--kubeconfig="+path("scheduler.kubeconfig"), "--leader-elect=false")
}

// apiServerFlags leave the node's other addresses to other API servers.
func (c *Cluster) apiServerFlags() []string {
	path := c.authority.path
	return []string{
		"--advertise-address=" + NodeAddress,
		"--bind-address=" + NodeAddress,
		"--etcd-servers=http://" + etcdAddress,
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + path("ca.crt"),
		"--tls-cert-file=" + path("kube-apiserver.crt"),
		"--tls-private-key-file=" + path("kube-apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + path("service-account.pub"),
		"--service-account-signing-key-file=" + path("service-account.key"),
		"--kubelet-client-certificate=" + path("kubelet-client.crt"),
		"--kubelet-client-key=" + path("kubelet-client.key"),
		// The node's name is not in any DNS.
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// ready waits until the API server says that it is.
func (c *Cluster) ready(ctx context.Context) error {
	return poll(ctx, func() error {
		_, err := c.Kubectl(ctx, "get", "--raw", "/readyz")
		return err
	})
}

func (c *Cluster) issueCertificates() error {
	if err := c.Serve(ServingCertificate{}); err != nil {
		return err
	}
	if err := c.authority.issueTokenKey("service-account"); err != nil {
		return err
	}
	administrators := []string{"system:masters"}
	if err := c.authority.issueClient("kubelet-client", pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: administrators}); err != nil {
		return err
	}
	for name, subject := range map[string]pkix.Name{
		"admin":              {CommonName: "admin", Organization: administrators},
		"controller-manager": {CommonName: "system:kube-controller-manager"},
		"scheduler":          {CommonName: "system:kube-scheduler"},
		"proxy":              {CommonName: "system:kube-proxy"},
	} {
		if err := c.authority.kubeconfig(name, server, subject); err != nil {
			return err
		}
	}
	return nil
}
