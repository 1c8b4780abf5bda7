//go:build linux

package cluster

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// Kubectl runs kubectl as the cluster's administrator and returns its output.
func (c *Cluster) Kubectl(ctx context.Context, arguments ...string) (string, error) {
	return c.runAsAdministrator(ctx, "", c.programs.path("kubernetes", "kubectl"), arguments)
}

// Helm runs helm as the cluster's administrator and returns its output.
func (c *Cluster) Helm(ctx context.Context, arguments ...string) (string, error) {
	return c.runAsAdministrator(ctx, "", c.programs.path("helm", "helm"), arguments)
}

// Apply applies a manifest in YAML or JSON.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	_, err := c.runAsAdministrator(ctx, manifest, c.programs.path("kubernetes", "kubectl"), []string{"apply", "--server-side", "--filename=-"})
	return err
}

// Exec runs a command in the first container of a pod and returns its output.
func (c *Cluster) Exec(ctx context.Context, namespace, pod string, command ...string) (string, error) {
	return c.Kubectl(ctx, append([]string{"exec", "--namespace=" + namespace, pod, "--"}, command...)...)
}

// Tools are the folders that kubectl and helm are in.
func (c *Cluster) Tools() []string { return []string{c.programs["kubernetes"], c.programs["helm"]} }

// runAsAdministrator has the kubeconfig in a flag, since KUBECONFIG is a list
// that a colon in the file's path would divide.
func (c *Cluster) runAsAdministrator(ctx context.Context, in, program string, arguments []string) (string, error) {
	return c.run(ctx, in, program, append([]string{"--kubeconfig=" + c.kubeconfig}, arguments...)...)
}

func (h *host) run(ctx context.Context, in, program string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = h.environment()
	command.Stdin = strings.NewReader(in)
	run := runHere
	if h.namespaces != nil {
		run = h.namespaces.run
	}
	out, err := run(command)
	return string(out), err
}

// Client asks from the node, from the first one where it is the cluster's own, and
// from this machine for somebody's cluster. It connects anew for every request and
// gives up after five seconds.
func (h *host) Client() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: h.Dial}}
}

// Dial connects to an address from where Client asks.
func (h *host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.namespaces == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return h.namespaces.dial(ctx, network, address)
}

// Listen listens for connections at an address of the node, given by number.
func (n *Node) Listen(ctx context.Context, address string) (listener net.Listener, err error) {
	err = n.namespaces.within(1, func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address)
		return err
	})
	return listener, err
}

// ListenPacket is Listen for datagrams.
func (n *Node) ListenPacket(ctx context.Context, address string) (connection net.PacketConn, err error) {
	err = n.namespaces.within(1, func() (err error) {
		connection, err = new(net.ListenConfig).ListenPacket(ctx, "udp", address)
		return err
	})
	return connection, err
}
