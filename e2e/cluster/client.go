//go:build linux

package cluster

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// Kubectl runs kubectl as the cluster's administrator and returns its output.
func (c *Cluster) Kubectl(ctx context.Context, arguments ...string) (string, error) {
	return c.run(ctx, "", c.programs.path("kubernetes", "kubectl"), arguments...)
}

// Helm runs helm as the cluster's administrator and returns its output.
func (c *Cluster) Helm(ctx context.Context, arguments ...string) (string, error) {
	return c.run(ctx, "", c.programs.path("helm", "helm"), arguments...)
}

// Apply applies a manifest in YAML or JSON.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	_, err := c.run(ctx, manifest, c.programs.path("kubernetes", "kubectl"), "apply", "--server-side", "--filename=-")
	return err
}

// Exec runs a command in the first container of a pod and returns its output.
func (c *Cluster) Exec(ctx context.Context, namespace, pod string, command ...string) (string, error) {
	return c.Kubectl(ctx, append([]string{"exec", "--namespace=" + namespace, pod, "--"}, command...)...)
}

// PodAddress is the IP address of a pod.
func (c *Cluster) PodAddress(ctx context.Context, namespace, pod string) (string, error) {
	return c.Kubectl(ctx, "get", "pod", "--namespace="+namespace, pod, "--output=jsonpath={.status.podIP}")
}

// Client asks from the node, within the namespaces. It connects anew for every
// request and gives up after five seconds.
func (c *Cluster) Client() *http.Client {
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DialContext: c.namespaces.dial, DisableKeepAlives: true},
	}
}

func (c *Cluster) run(ctx context.Context, in, program string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = c.environment()
	command.Stdin = strings.NewReader(in)
	out, err := c.namespaces.run(command)
	return string(out), err
}
