//go:build linux

package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

const (
	namespace = "lifeline"
	interval  = 5 * time.Second
)

// TestLifelineTellsTheTruthInARealPod installs the shipped chart with helm, in
// a namespace that enforces the restricted Pod Security Standard.
func TestLifelineTellsTheTruthInARealPod(t *testing.T) {
	ctx, c := start(t)
	install(ctx, t, c)
	before := onlyPod(ctx, t, c)

	t.Run("a healthy pod is well by every check", func(t *testing.T) {
		got := statusByAPI(ctx, t, c, before)
		if diff := cmp.Diff(map[string]string{"environment": "ok", "dns": "ok", "token": "ok", "ca": "ok", "tls": "ok", "api": "ok"}, got.verdicts()); diff != "" || got.Status != "ok" {
			t.Errorf("status is %q, want ok; checks (-want +got):\n%s\n%s", got.Status, diff, got.raw)
		}
	})

	t.Run("the report names the pod that it is about", func(t *testing.T) {
		want := identity{
			Name: before.Metadata.Name, Namespace: namespace, Node: cluster.NodeName,
			ServiceAccount: before.Spec.ServiceAccountName, UID: before.Metadata.UID,
		}
		if diff := cmp.Diff(want, statusByAPI(ctx, t, c, before).Pod); diff != "" {
			t.Errorf("the pod in /status (-want +got):\n%s", diff)
		}
	})

	t.Run("check passes within the pod", func(t *testing.T) {
		out, err := c.Exec(ctx, namespace, before.Metadata.Name, "/lifeline", "check")
		if err != nil {
			t.Errorf("lifeline check: %v\n%s", err, out)
		}
		t.Logf("lifeline check:\n%s", out)
	})

	t.Run("a frozen API server turns the verdict and restarts nothing", func(t *testing.T) {
		if err := c.Freeze("kube-apiserver"); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Thaw("kube-apiserver"); err != nil {
				t.Error(err)
			}
		}()
		turned := within(ctx, t, 2*interval, c, before, func(s status) bool { return s.Status == "fail" })
		t.Logf("frozen: %s", turned.summary())
		frozen := map[string]string{"environment": "ok", "dns": "ok", "token": "ok", "ca": "ok", "tls": "fail: tls-handshake-timeout", "api": "skip: waits-for"}
		if diff := cmp.Diff(frozen, turned.verdicts()); diff != "" {
			t.Errorf("checks while the API server is frozen (-want +got):\n%s", diff)
		}
		// Three times as long as kubelet lets a container fail its liveness probe.
		pause(ctx, t, 4*interval)
		for path, want := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/healthz": http.StatusServiceUnavailable} {
			if code, body := get(ctx, t, c, before, path); code != want {
				t.Errorf("%s answers %d while the API server is frozen, want %d:\n%s", path, code, want, body)
			}
		}
		_, text := get(ctx, t, c, before, "/status?format=text")
		t.Logf("/status while frozen:\n%s", text)
	})

	t.Run("the verdict clears when the API server goes on", func(t *testing.T) {
		cleared := within(ctx, t, 2*interval, c, before, func(s status) bool { return s.Status == "ok" })
		t.Logf("thawed: %s", cleared.summary())
		if _, err := c.Kubectl(ctx, "rollout", "status", "--namespace="+namespace, "--timeout=1m", "daemonset/lifeline"); err != nil {
			t.Error(err)
		}
		after := onlyPod(ctx, t, c)
		if diff := cmp.Diff(before.container(), after.container()); diff != "" || after.container().RestartCount != 0 {
			t.Errorf("the container is another (-before +after), or was restarted %d times:\n%s", after.container().RestartCount, diff)
		}
	})
}

// start starts a cluster that ends with the test. The context ends on an
// interrupt, so that the test then fails and clears away.
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
	before := traces(t)
	t.Cleanup(func() {
		for kind, found := range traces(t) {
			for _, trace := range found {
				if !slices.Contains(before[kind], trace) {
					t.Errorf("the cluster left %s behind, one of the %s", trace, kind)
				}
			}
		}
	})
	logs, err := os.MkdirTemp("", "lifeline-logs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the components' logs are in %s", logs)
		} else if err := os.RemoveAll(logs); err != nil {
			t.Error(err)
		}
	})
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stderr, Logs: logs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	// An interface that was moved into the cluster's namespace would be missing
	// here, and the outer end of a pair would be new.
	if diff := cmp.Diff(before["interfaces"], traces(t)["interfaces"]); diff != "" {
		t.Errorf("the cluster's network is connected to this machine's (-before +now):\n%s", diff)
	}
	return ctx, c
}

// traces are what a cluster could leave on this machine.
func traces(t *testing.T) map[string][]string {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{"interfaces": {}}
	for _, device := range interfaces {
		found["interfaces"] = append(found["interfaces"], device.Name)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	found["mounts"] = strings.Split(string(mounts), "\n")
	for _, file := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"} {
		value, err := os.ReadFile(filepath.Join("/proc/sys", file))
		if err != nil {
			t.Fatal(err)
		}
		found["kernel settings"] = append(found["kernel settings"], file+" = "+string(value))
	}
	for _, pattern := range []string{
		"/sys/fs/cgroup/lifeline-*", "/sys/fs/cgroup/*/lifeline-*", filepath.Join(os.TempDir(), "lifeline-cluster-*"),
		"/etc/cni", "/opt/cni", "/opt/containerd", "/usr/libexec/kubernetes", "/var/lib/kubelet", "/run/containerd",
	} {
		if found[pattern], err = filepath.Glob(pattern); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// install builds the agent, makes its image and installs the chart with it.
func install(ctx context.Context, t *testing.T, c *cluster.Cluster) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "lifeline")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -X main.version=e2e", "-o", program, "./agent")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	if err := c.Import(ctx, cluster.Image{Name: "lifeline.test/lifeline:e2e", Program: program, User: "65532:65532"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(ctx, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+namespace+`",
		"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, err := c.Helm(ctx, "install", "lifeline", filepath.Join(root, "charts", "lifeline"), "--namespace="+namespace,
		"--set=image.repository=lifeline.test/lifeline,image.tag=e2e,image.pullPolicy=Never",
		"--set=config.interval="+interval.String()+",probes.liveness.periodSeconds=1", "--wait", "--timeout=1m"); err != nil {
		describe, _ := c.Kubectl(ctx, "describe", "pods", "--namespace="+namespace)
		logs, _ := c.Kubectl(ctx, "logs", "--namespace="+namespace, "daemonset/lifeline")
		t.Fatalf("helm install: %v\n%s\n%s\n%s", err, out, describe, logs)
	}
	t.Logf("ready %s after helm install", time.Since(began).Round(10*time.Millisecond))
}

// pod is what the test wants to know of a pod.
type pod struct {
	Metadata struct{ Name, UID string }
	Spec     struct{ ServiceAccountName string }
	Status   struct {
		PodIP             string
		ContainerStatuses []container
	}
}

type container struct {
	ContainerID  string
	RestartCount int
}

func (p pod) container() container { return p.Status.ContainerStatuses[0] }

func onlyPod(ctx context.Context, t *testing.T, c *cluster.Cluster) pod {
	t.Helper()
	out, err := c.Kubectl(ctx, "get", "pods", "--namespace="+namespace, "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []pod }
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 1 || len(list.Items[0].Status.ContainerStatuses) != 1 {
		t.Fatalf("want one pod with one container (error %v):\n%s", err, out)
	}
	return list.Items[0]
}

type identity struct{ Name, Namespace, Node, ServiceAccount, UID string }

// status is what the test wants to know of /status.
type status struct {
	Status          string
	Round           int
	DurationSeconds float64
	Pod             identity
	Checks          []struct{ Name, Status, Reason, Message string }
	Diagnosis       []struct{ Reason, Certainty, Title string }
	raw             []byte
}

func parse(t *testing.T, raw []byte) status {
	t.Helper()
	s := status{raw: raw}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("parse /status: %v\n%s", err, raw)
	}
	return s
}

// verdicts are the checks' statuses, with the reason where there is one.
func (s status) verdicts() map[string]string {
	verdicts := map[string]string{}
	for _, check := range s.Checks {
		verdicts[check.Name] = check.Status
		if check.Reason != "" {
			verdicts[check.Name] += ": " + check.Reason
		}
	}
	return verdicts
}

func (s status) summary() string {
	lines := fmt.Sprintf("%s in round %d, which took %.3fs; diagnosis %v", s.Status, s.Round, s.DurationSeconds, s.Diagnosis)
	for _, check := range s.Checks {
		lines += fmt.Sprintf("\n%-12s %-5s %s: %s", check.Name, check.Status, check.Reason, check.Message)
	}
	return lines
}

// statusByAPI asks for /status through the API server's proxy to the pod.
func statusByAPI(ctx context.Context, t *testing.T, c *cluster.Cluster, p pod) status {
	t.Helper()
	out, err := c.Kubectl(ctx, "get", "--raw", "/api/v1/namespaces/"+namespace+"/pods/"+p.Metadata.Name+":8080/proxy/status")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, []byte(out))
}

// get asks the pod itself, which works while the API server does not.
func get(ctx context.Context, t *testing.T, c *cluster.Cluster, p pod, path string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Status.PodIP+":8080"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// within waits for a report that is as wanted, and fails the test at the limit.
func within(ctx context.Context, t *testing.T, limit time.Duration, c *cluster.Cluster, p pod, wanted func(status) bool) status {
	t.Helper()
	began := time.Now()
	for {
		_, body := get(ctx, t, c, p, "/status")
		s := parse(t, body)
		if wanted(s) {
			t.Logf("the verdict turned %s after %s", s.Status, time.Since(began).Round(10*time.Millisecond))
			return s
		}
		if time.Since(began) > limit {
			t.Fatalf("the verdict has not turned within %s: %s", limit, s.summary())
		}
		pause(ctx, t, 100*time.Millisecond)
	}
}

func pause(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal(context.Cause(ctx))
	case <-time.After(d):
	}
}
