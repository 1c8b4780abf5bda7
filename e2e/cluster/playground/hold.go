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
	"syscall"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/buildah"
)

const (
	namespace  = "lifeline"
	repository = "lifeline.test/lifeline"
	tag        = "playground"
	interval   = "5s"
)

// hold starts the cluster with Lifeline in it and keeps it until the context
// ends. Its end leaves the place, which "up" took for it.
func hold(ctx context.Context, p place) (err error) {
	if err := p.inherit(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.folder)) }()
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stdout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := install(ctx, c); err != nil {
		return err
	}
	// The forwarding must end before anyone waits for its end.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	api, waitForAPI, err := c.Forward(ctx, 0, cluster.NodeAddress+":6443")
	if err != nil {
		return err
	}
	defer func() { stop(); waitForAPI() }()
	address, err := c.Kubectl(ctx, "get", "service/lifeline", "--namespace="+namespace, "--output=jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	page, waitForPage, err := c.Forward(ctx, 0, net.JoinHostPort(address, "8080"))
	if err != nil {
		return err
	}
	defer func() { stop(); waitForPage() }()
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

// inherit sees to it that the lock on the place, the first file that a process
// inherits besides the standard ones, ends with this process. A component of the
// cluster would inherit it in turn.
func (p place) inherit() error {
	const lock = 3
	inherited, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d", lock))
	if err != nil {
		return errors.New("this is for playground up to call")
	}
	named, err := os.Stat(p.file(holder))
	if err != nil || !os.SameFile(inherited, named) {
		return errors.New("this is for playground up to call")
	}
	syscall.CloseOnExec(lock)
	return nil
}

// announce writes, as a whole, how to look at the cluster.
func (p place) announce(page int, tools []string) error {
	words := fmt.Sprintf(`Lifeline watches the way to the API from a pod of this cluster:
  http://127.0.0.1:%d/status

kubectl and helm for it:
  export KUBECONFIG=%s KUBECACHEDIR=%s PATH=%s:$PATH
  kubectl get pods --all-namespaces
  kubectl exec --namespace=%s daemonset/lifeline -- /lifeline check

Break it, look again after the next round, which comes within %s, and mend it:
  kubectl scale --namespace=kube-system deployment/coredns --replicas=0
  kubectl scale --namespace=kube-system deployment/coredns --replicas=1

  kubectl delete clusterrolebinding system:discovery
  kubectl create clusterrolebinding system:discovery --clusterrole=system:discovery --group=system:authenticated

End it:
  make cluster-down
`, page, p.file(kubeconfig), p.file("kubectl"), strings.Join(tools, ":"), namespace, interval)
	partial := p.file(ready + ".partial")
	if err := os.WriteFile(partial, []byte(words), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, p.file(ready))
}

// install builds the image and installs the chart with it.
func install(ctx context.Context, c *cluster.Cluster) error {
	root, err := cluster.Root(ctx)
	if err != nil {
		return err
	}
	archive := filepath.Join(c.Folder(), "lifeline.tar")
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
		"--set=image.repository="+repository+",image.tag="+tag+",image.pullPolicy=Never,config.interval="+interval)
	return err
}
