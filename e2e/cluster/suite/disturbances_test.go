//go:build linux

package suite_test

import (
	"context"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// disturbance is something that happens to a cluster in the course of a day. Most
// of what it does to a pod is over before anybody could mend it.
type disturbance struct {
	name string
	// happen makes it and returns when it is over.
	happen func(ctx context.Context, t *testing.T, s suite)
	// causes are the first causes that somebody who knows what happens would call
	// true while it does.
	causes []string
	// symptoms are what such a person would let pass as likely, since a round can
	// see no more than that, but not as certain.
	symptoms []string
}

// disturbances are in the order in which they happen.
func disturbances() []disturbance {
	// A pod of CoreDNS that ends answers until the rules no longer lead to it, and
	// a query that was on its way to it then is answered late, or not within the
	// limit by the one nameserver that there is. There is always an endpoint,
	// nothing filters, and no Corefile changes, so nothing else is true.
	rolling, missed := []string{"dns-slow"}, []string{"dns-timeout"}
	// What a client of a server meets that dies and comes back: nobody listens,
	// connections end in the middle, and then the server says itself that it is
	// starting, or forbids what its rules will allow once it has read them. Its
	// first answers are slow. Neither the token nor the network has a part in it.
	starting := []string{
		"tcp-refused", "tcp-reset", "tls-eof-or-reset", "http-response-cut", "http-503-starting",
		"http-403-during-startup", "http-500-internal", "http-latency-high", "http-passed-on-retry",
	}
	// A lost packet costs a lookup its time limit and a connection at least a
	// fifth of a second, or a second where it is the first one. So a lookup or a
	// request is slow, passes when it is tried again, or runs into the limit; the
	// latter is a symptom, of which nothing but the loss is the cause.
	losing := []string{"network-packet-loss", "dns-slow", "http-latency-high", "http-passed-on-retry"}
	lost := []string{"dns-timeout", "tcp-timeout", "tls-handshake-timeout", "http-response-timeout"}
	// All on the node wait for a processor: the agent, and the servers that it
	// asks. Which of the two waits longer is a matter of weights.
	starving := []string{"agent-starved", "dns-slow", "http-latency-high", "tls-timeout-server-overloaded"}
	return []disturbance{
		{name: "CoreDNS is rolled out", happen: rollOutDNS, causes: rolling, symptoms: missed},
		{name: "the API server is killed and restarted", happen: killServer, causes: starting, symptoms: []string{"tls-handshake-timeout", "http-response-timeout"}},
		{name: "a hundredth of the packets is lost", happen: losePackets, causes: losing, symptoms: lost},
		{name: "the node's processors are busy", happen: keepBusy, causes: starving, symptoms: lost},
		{name: "CoreDNS is scaled down and up", happen: scaleDNS, causes: rolling, symptoms: missed},
		// What serves the pods' traffic goes on without these two.
		{name: "kubelet is restarted", happen: restart("kubelet")},
		{name: "kube-proxy is restarted", happen: restart("kube-proxy")},
	}
}

func rollOutDNS(ctx context.Context, t *testing.T, s suite) {
	t.Helper()
	if _, err := s.Kubectl(ctx, "rollout", "restart", "deployment/coredns", "--namespace=kube-system"); err != nil {
		t.Fatal(err)
	}
	s.settleDNS(ctx, t)
}

func scaleDNS(ctx context.Context, t *testing.T, s suite) {
	t.Helper()
	for _, replicas := range []string{"1", "2"} {
		if _, err := s.Kubectl(ctx, "scale", "deployment/coredns", "--namespace=kube-system", "--replicas="+replicas); err != nil {
			t.Fatal(err)
		}
		s.settleDNS(ctx, t)
	}
}

// settleDNS waits until all pods of CoreDNS serve and those that were to end have
// ended.
func (s suite) settleDNS(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := s.dnsServes(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, time.Minute, func() error {
		_, err := s.Kubectl(ctx, "wait", "deployment/coredns", "--namespace=kube-system", "--for=jsonpath={.status.terminatingReplicas}=0", "--timeout=1m")
		return err
	})
}

func killServer(ctx context.Context, t *testing.T, s suite) {
	t.Helper()
	if err := s.Kill("kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	pause(ctx, t, 2*interval)
	if err := s.Restart(ctx, "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
}

// restart restarts a component of every node.
func restart(component string) func(context.Context, *testing.T, suite) {
	return func(_ context.Context, t *testing.T, s suite) {
		t.Helper()
		for _, node := range s.Nodes() {
			if err := node.Restart(component); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// losePackets loses one of a hundred packets from and to pods.
func losePackets(ctx context.Context, t *testing.T, s suite) {
	t.Helper()
	const pods, lose = cluster.PodRange, " numgen random mod 100 < 1 drop"
	remove, err := s.Filter(ctx, cluster.After, "ip saddr "+pods+lose, "ip daddr "+pods+lose)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := remove(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	pause(ctx, t, time.Minute)
}

// keepBusy has four processes for each processor of the machine run for half a
// minute: one alone leaves a pod the half of it.
func keepBusy(ctx context.Context, t *testing.T, _ suite) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var running sync.WaitGroup
	for range 4 * runtime.NumCPU() {
		running.Go(func() { _ = exec.CommandContext(limited, "sh", "-c", "while :; do :; done").Run() })
	}
	running.Wait()
	if ctx.Err() != nil {
		t.Fatal(context.Cause(ctx))
	}
}
