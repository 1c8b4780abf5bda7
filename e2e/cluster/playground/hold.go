//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/buildah"
)

const (
	namespace  = "lifeline"
	repository = "lifeline.test/lifeline"
	tag        = "playground"
)

// hold starts the cluster with Lifeline in it and keeps it until the context
// ends.
func hold(ctx context.Context, p place) (err error) {
	leave, err := p.hold()
	if err != nil {
		return err
	}
	defer leave()
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stdout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := p.install(ctx, c); err != nil {
		return err
	}
	api, waitForAPI, err := c.Forward(ctx, 0, cluster.NodeAddress+":6443")
	if err != nil {
		return err
	}
	defer waitForAPI()
	address, err := c.Kubectl(ctx, "get", "service/lifeline", "--namespace="+namespace, "--output=jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	page, waitForPage, err := c.Forward(ctx, 0, net.JoinHostPort(address, "8080"))
	if err != nil {
		return err
	}
	defer waitForPage()
	config, err := c.Kubeconfig(api)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.file(kubeconfig), config, 0o600); err != nil {
		return err
	}
	if err := p.announce(page, c.Tools()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// announce writes, as a whole, how to look at the cluster.
func (p place) announce(page int, tools []string) error {
	words := fmt.Sprintf(`Lifeline watches the way to the API from a pod of this cluster:
  http://127.0.0.1:%d/status

kubectl and helm for it:
  export KUBECONFIG=%s PATH=%s:$PATH
  kubectl get pods --all-namespaces
  kubectl exec --namespace=%s daemonset/lifeline -- /lifeline check

Break it, and look again:
  kubectl scale --namespace=kube-system deployment/coredns --replicas=0
`, page, p.file(kubeconfig), strings.Join(tools, ":"), namespace)
	partial := p.file(ready + ".partial")
	if err := os.WriteFile(partial, []byte(words), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, p.file(ready))
}

// install builds the image and installs the chart with it.
func (p place) install(ctx context.Context, c *cluster.Cluster) error {
	root, err := cluster.Root(ctx)
	if err != nil {
		return err
	}
	archive := filepath.Join(p.folder, "image.tar")
	fmt.Println("build the image …")
	if err := buildah.Build(ctx, buildah.Options{Source: root, Name: repository + ":" + tag, Version: "playground", Archive: archive}); err != nil {
		return err
	}
	if err := errors.Join(c.ImportArchive(ctx, archive), os.Remove(archive)); err != nil {
		return err
	}
	fmt.Println("install the chart …")
	_, err = c.Helm(ctx, "install", "lifeline", filepath.Join(root, "charts", "lifeline"),
		"--namespace="+namespace, "--create-namespace", "--wait", "--timeout=2m",
		"--set=image.repository="+repository+",image.tag="+tag+",image.pullPolicy=Never,config.interval=5s")
	return err
}
