//go:build linux

package clients_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/clients"
)

const namespace = "clients"

func TestTheOfficialClientsTellWhetherAPodReachesTheAPI(t *testing.T) {
	ctx, c := start(t)
	goClient, err := clients.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.ImportProxy(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(ctx, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+namespace+`",
		"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`); err != nil {
		t.Fatal(err)
	}
	waitForServiceAccount(ctx, t, c)

	t.Run("with a token and a way to the API", func(t *testing.T) { withToken(ctx, t, c, goClient) })
	t.Run("without service-account files", func(t *testing.T) { withoutToken(ctx, t, c, goClient) })
}

// withToken breaks and mends the DNS of a pod.
func withToken(ctx context.Context, t *testing.T, c *cluster.Cluster, goClient string) {
	container := runPod(ctx, t, c, "with-token", true)
	all := map[string]bool{"go-client": true, "python-client": true, "rest": true, "kubectl-proxy": true}
	wait(ctx, t, container, goClient, all)

	pod, err := c.Pod(ctx, namespace, "with-token")
	if err != nil {
		t.Fatal(err)
	}
	mend, err := c.Filter(ctx, cluster.After,
		"ip saddr "+pod.Address+" udp dport 53 drop", "ip saddr "+pod.Address+" tcp dport 53 drop")
	if err != nil {
		t.Fatal(err)
	}
	answers := ask(ctx, t, container, goClient, "the pod's DNS queries dropped")
	want := map[string]bool{"go-client": true, "python-client": true, "rest": false, "kubectl-proxy": true}
	if diff := cmp.Diff(want, works(answers)); diff != "" {
		t.Errorf("what works without DNS (-want +got):\n%s", diff)
	}
	if said := answers[2].Said; !strings.HasPrefix(said, "curl: (28) Resolving timed out") {
		t.Errorf("without DNS rest says %q, want curl's words for a name that is not resolved in time", said)
	}
	if err := mend(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, works(ask(ctx, t, container, goClient, "the DNS queries let through again"))); diff != "" {
		t.Errorf("what works with DNS again (-want +got):\n%s", diff)
	}
}

// withoutToken is about a pod that has no service-account files.
func withoutToken(ctx context.Context, t *testing.T, c *cluster.Cluster, goClient string) {
	container := runPod(ctx, t, c, "without-token", false)
	answers := wait(ctx, t, container, goClient, map[string]bool{"go-client": false, "python-client": false, "rest": false, "kubectl-proxy": false},
		// Until kubectl proxy listens, its port is refused.
		"500 ")
	for i, words := range []string{
		"open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory",
		"ConfigException: Service token file does not exist.",
		"curl: (77) error setting certificate file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
		"connection refused",
	} {
		if !strings.Contains(answers[i].Said, words) {
			t.Errorf("without service-account files %s says %q, want %q in it", answers[i].Path, answers[i].Said, words)
		}
	}
}

// start starts a cluster that ends with the test, also when it is interrupted.
func start(t *testing.T) (context.Context, *cluster.Cluster) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: a cluster needs root")
	}
	if testing.Short() {
		t.Skip("skipped: a cluster takes longer than a short test")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, c
}

// waitForServiceAccount waits for the account that a controller gives every
// namespace; no pod can be made before it.
func waitForServiceAccount(ctx context.Context, t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if out, err := c.Kubectl(ctx, "wait", "--for=create", "--timeout=30s", "--namespace="+namespace, "serviceaccount/default"); err != nil {
		t.Fatal(err, out)
	}
}

// runPod runs a pod that does nothing, with kubectl proxy beside it, and returns
// the container that does nothing.
func runPod(ctx context.Context, t *testing.T, c *cluster.Cluster, name string, token bool) *cluster.Container {
	t.Helper()
	if err := c.Apply(ctx, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": %q, "namespace": %q}, "spec": {
		"automountServiceAccountToken": %t, "terminationGracePeriodSeconds": 1,
		"containers": [{"name": "main", "image": "lifeline.test/pause:1", "imagePullPolicy": "Never",
			"securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "allowPrivilegeEscalation": false,
				"capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}}, %s]}}`,
		name, namespace, token, clients.ProxyContainer)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=30s", "--namespace="+namespace, "pod/"+name); err != nil {
		describe, _ := c.Kubectl(ctx, "describe", "pod", "--namespace="+namespace, name)
		t.Fatalf("%v\n%s", err, describe)
	}
	container, err := c.Container(ctx, namespace, name, "main")
	if err != nil {
		t.Fatal(err)
	}
	return container
}

// wait asks until the answers are as wanted and kubectl proxy, which has nothing
// to tell that it is ready, says what it is to begin with.
func wait(ctx context.Context, t *testing.T, container *cluster.Container, goClient string, want map[string]bool, proxySays ...string) []clients.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("the answers are not as wanted within 30s"))
	defer cancel()
	for {
		answers := ask(ctx, t, container, goClient, "as the pod is made")
		diff := cmp.Diff(want, works(answers))
		if diff == "" && strings.HasPrefix(answers[3].Said, strings.Join(proxySays, "")) {
			return answers
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%v (-want +got):\n%s", context.Cause(ctx), diff)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ask prints the table of answers.
func ask(ctx context.Context, t *testing.T, container *cluster.Container, goClient, when string) []clients.Answer {
	t.Helper()
	began := time.Now()
	answers, err := clients.Ask(ctx, container, goClient, 0)
	if err != nil {
		t.Fatal(err)
	}
	table := fmt.Sprintf("%s, %s (%.1fs):", container, when, time.Since(began).Seconds())
	for _, answer := range answers {
		table += fmt.Sprintf("\n%-13s %-5t %s", answer.Path, answer.Works, answer.Said)
	}
	t.Log(table)
	return answers
}

func works(answers []clients.Answer) map[string]bool {
	works := map[string]bool{}
	for _, answer := range answers {
		works[answer.Path] = answer.Works
	}
	return works
}
