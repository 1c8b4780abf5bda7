//go:build linux

package suite_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// chart installs, changes and removes the shipped chart with helm. Its last two
// parts run at the same time, since both wait for kubelet more than they work.
func chart(ctx context.Context, t *testing.T, s suite) {
	s.monitoring = s.hasMonitoring(ctx, t)
	t.Run("nonsense is refused by name", func(t *testing.T) { chartRefusals(ctx, t, s) })
	t.Run("the network policy lets the agent have what it needs", func(t *testing.T) { chartPolicy(ctx, t, s) })
	t.Run("a release comes, changes and goes", func(t *testing.T) {
		t.Parallel()
		chartLife(ctx, t, s)
	})
	t.Run("every value has its effect", func(t *testing.T) {
		t.Parallel()
		chartValues(ctx, t, s)
	})
}

// settled is what the pods of a release, its Service and its workload agree on.
type settled struct {
	Kind, Listen, Interval, Memory string
	Port                           int32
	Pods                           int
	// Owners are the kinds of what the pods belong to.
	Owners string
}

func settle(o objects) settled {
	pod := o.pods[0]
	return settled{
		Kind:     o.kinds(),
		Listen:   variable(pod, "LIFELINE_LISTEN"),
		Interval: variable(pod, "LIFELINE_INTERVAL"),
		Memory:   granted(pod).Limits.Memory().String(),
		Port:     o.service.Spec.Ports[0].Port,
		Pods:     len(o.pods),
		Owners:   owners(o.pods),
	}
}

func owners(pods []corev1.Pod) string {
	var kinds []string
	for _, pod := range pods {
		for _, owner := range pod.OwnerReferences {
			kinds = append(kinds, owner.Kind)
		}
	}
	return strings.Join(kinds, " ")
}

func chartLife(ctx context.Context, t *testing.T, s suite) {
	r := release{suite: s, namespace: "lifeline-e2e-release", name: "lifeline"}
	s.makeNamespace(ctx, t, r.namespace)
	nodes := s.daemonPods(ctx, t)
	image := map[string]any{"image.repository": s.repository, "image.tag": s.tag}

	r.deploy(ctx, t, "install", image)
	first := r.objects(ctx, t)
	asInstalled := settled{
		Kind: "DaemonSet", Listen: ":8080", Interval: "15s", Memory: "48Mi", Port: 8080,
		Pods: nodes, Owners: strings.TrimSpace(strings.Repeat("DaemonSet ", nodes)),
	}
	if diff := cmp.Diff(asInstalled, settle(first)); diff != "" {
		t.Errorf("installed (-want +got):\n%s", diff)
	}
	r.isHealthy(ctx, t)

	t.Run("its test fails where a pod does not reach the API, and says why", func(t *testing.T) {
		arguments := []string{r.chart(), "--timeout=2m"}
		r.helm(ctx, t, "upgrade", append(arguments, setValues(t, image, map[string]any{"extraEnv": []any{
			map[string]string{"name": "LIFELINE_SERVICE_ACCOUNT_DIR", "value": "/nowhere"},
		}})...)...)
		out, err := s.Helm(ctx, "test", r.name, "--namespace="+r.namespace, "--timeout=2m", "--logs")
		if err == nil || !strings.Contains(out, "/nowhere does not exist") {
			t.Errorf("helm test: error %v; want one, and the report, which says that /nowhere does not exist:\n%s", err, out)
		}
	})

	notes := r.deploy(ctx, t, "upgrade", image, map[string]any{
		"port": 18080, "config.interval": "5s", "resources.limits.memory": "64Mi", "goMemoryLimit": "57MiB",
	})
	upgraded := asInstalled
	upgraded.Listen, upgraded.Port, upgraded.Interval, upgraded.Memory = ":18080", 18080, "5s", "64Mi"
	if diff := cmp.Diff(upgraded, settle(r.objects(ctx, t))); diff != "" {
		t.Errorf("upgraded (-want +got):\n%s", diff)
	}
	r.isHealthy(ctx, t)
	t.Run("the commands of the notes work as printed", func(t *testing.T) { r.follow(ctx, t, notes) })

	r.helm(ctx, t, "rollback", "1", "--wait", "--timeout=2m")
	back := r.objects(ctx, t)
	if diff := cmp.Diff(asInstalled, settle(back)); diff != "" {
		t.Errorf("rolled back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first.pods[0].Spec.Containers[0].Env, back.pods[0].Spec.Containers[0].Env); diff != "" {
		t.Errorf("environment after the rollback (-first +now):\n%s", diff)
	}
	if first.pods[0].UID == back.pods[0].UID {
		t.Error("the pod is the one that was there before the upgrade")
	}
	r.isHealthy(ctx, t)

	r.deploy(ctx, t, "upgrade", image, map[string]any{"kind": "Deployment", "replicas": 2})
	asDeployment := asInstalled
	asDeployment.Kind, asDeployment.Pods, asDeployment.Owners = "Deployment", 2, "ReplicaSet ReplicaSet"
	eventually(ctx, t, time.Minute, func() error {
		return differs(asDeployment, settle(r.objects(ctx, t)))
	})
	r.isHealthy(ctx, t)

	t.Run("nothing of it is left in the end", func(t *testing.T) { r.remove(ctx, t) })
}

// daemonPods is how many pods a DaemonSet without tolerations has, in a cluster
// that may be of any size.
func (s suite) daemonPods(ctx context.Context, t *testing.T) int {
	t.Helper()
	out, err := s.Kubectl(ctx, "get", "nodes", `--output=jsonpath={range .items[*]}{.spec.taints[*].effect}{"\n"}{end}`)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for effects := range strings.Lines(out) {
		if !strings.Contains(effects, "NoSchedule") && !strings.Contains(effects, "NoExecute") {
			count++
		}
	}
	return count
}

// remove uninstalls the release and looks for what is left of it, of any kind in
// any namespace.
func (r release) remove(ctx context.Context, t *testing.T) {
	t.Helper()
	kinds, err := r.Kubectl(ctx, "api-resources", "--verbs=list,create,delete", "--output=name")
	if err != nil {
		t.Fatal(err)
	}
	everything := strings.Join(strings.Fields(kinds), ",")
	list := func() string {
		out, err := r.Kubectl(ctx, "get", everything, "--all-namespaces", "--selector=app.kubernetes.io/instance="+r.name,
			"--no-headers", "--ignore-not-found", "--output=custom-columns=NAMESPACE:.metadata.namespace,KIND:.kind,NAME:.metadata.name")
		if err != nil {
			t.Fatal(err)
		}
		if r.Own() {
			return out
		}
		// Somebody's cluster may have a release of that name in another namespace.
		var ours strings.Builder
		for object := range strings.Lines(out) {
			if namespace := strings.Fields(object)[0]; namespace == r.namespace || namespace == "<none>" {
				ours.WriteString(object)
			}
		}
		return ours.String()
	}
	installed := list()
	for object := range strings.Lines(installed) {
		if !strings.HasPrefix(object, r.namespace+" ") {
			t.Errorf("an object of the release is outside of its namespace: %s", object)
		}
	}
	for _, kind := range []string{"Deployment", "ReplicaSet", "Pod", "Service", "EndpointSlice", "ServiceAccount"} {
		if !strings.Contains(installed, " "+kind+" ") {
			t.Errorf("the search misses the %s of the release:\n%s", kind, installed)
		}
	}
	r.helm(ctx, t, "uninstall", "--wait", "--timeout=2m")
	eventually(ctx, t, 30*time.Second, func() error { return differs("", list()) })
	history, err := r.Kubectl(ctx, "get", "secrets", "--namespace="+r.namespace, "--selector=owner=helm", "--output=name")
	if err != nil || history != "" {
		t.Errorf("helm's own record is left (error %v): %s", err, history)
	}
}
