//go:build linux

package suite_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// deploymentSettings are the values that go together in a Deployment within the
// restricted Pod Security Standard.
func deploymentSettings(t *testing.T, s suite) []setting {
	t.Helper()
	settings := []setting{
		{"kind", "Deployment", func(l live) any { return l.kinds() }, nil},
		{"replicas", 3, func(l live) any { return len(l.pods) }, nil},
		{"updateStrategy.type", "Recreate", func(l live) any { return l.workloads[0].Spec["strategy"] }, map[string]string{"type": "Recreate"}},
		{"image.repository", s.repository, func(l live) any { return l.container().Image }, s.repository + ":" + s.tag},
		{"image.tag", s.tag, func(l live) any { return l.container().Image }, s.repository + ":" + s.tag},
		{"imagePullSecrets", []any{named("registry")}, func(l live) any { return l.pod.Spec.ImagePullSecrets }, nil},
		{
			"serviceAccount.name", "observer",
			func(l live) any {
				return []string{l.accounts[0].Name, l.pod.Spec.ServiceAccountName, l.report.Pod.ServiceAccount}
			},
			[]string{"observer", "observer", "observer"},
		},
		{
			"serviceAccount.annotations",
			map[string]string{"example.org/owner": "platform"},
			func(l live) any { return chosen(l.accounts[0].Annotations, "example.org/") }, nil,
		},
		{
			"port", 18081,
			func(l live) any {
				return []any{l.service.Spec.Ports[0].Port, l.container().Ports[0].ContainerPort, variable(l.pod, "LIFELINE_LISTEN")}
			},
			[]any{18081, 18081, ":18081"},
		},
		{
			"podAnnotations",
			map[string]string{"example.org/note": "kept"},
			func(l live) any { return chosen(l.pod.Annotations, "example.org/") }, nil,
		},
		{
			// The chart's own labels stay, or the Service would lose the pod.
			"podLabels",
			map[string]string{"example.org/team": "platform", "app.kubernetes.io/component": "other"},
			func(l live) any {
				return []string{l.pod.Labels["example.org/team"], l.pod.Labels["app.kubernetes.io/component"]}
			},
			[]string{"platform", "agent"},
		},
		{"terminationGracePeriodSeconds", 7, func(l live) any { return l.pod.Spec.TerminationGracePeriodSeconds }, nil},
		{
			"priorityClassName", priorityClass,
			func(l live) any { return []any{l.pod.Spec.PriorityClassName, l.pod.Spec.Priority} },
			[]any{priorityClass, 1000},
		},
		{
			"nodeSelector",
			map[string]string{"kubernetes.io/os": "linux"},
			func(l live) any { return l.pod.Spec.NodeSelector }, nil,
		},
		{
			// The first, for Kubernetes adds some.
			"tolerations",
			[]any{map[string]any{"key": "example.org/reserved", "operator": "Exists", "effect": "NoSchedule"}},
			func(l live) any { return l.pod.Spec.Tolerations[:1] }, nil,
		},
		{"affinity", apart(), func(l live) any { return l.pod.Spec.Affinity }, nil},
		{
			// A constraint that names no pods gets the release's own.
			"topologySpreadConstraints",
			[]any{spread()},
			func(l live) any { return l.pod.Spec.TopologySpreadConstraints },
			[]any{map[string]any{
				"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
				"labelSelector": map[string]any{"matchLabels": agents("watcher")},
			}},
		},
		{
			"podDisruptionBudget.enabled", true,
			func(l live) any {
				return []any{l.at("PodDisruptionBudget", "status", "expectedPods"), l.at("PodDisruptionBudget", "spec", "unhealthyPodEvictionPolicy")}
			},
			[]any{3, "AlwaysAllow"},
		},
		{"podDisruptionBudget.maxUnavailable", 2, func(l live) any { return l.at("PodDisruptionBudget", "status", "disruptionsAllowed") }, nil},
	}
	// Where nodes have the image and no registry has it, another policy would not
	// only fail: kubelet then no longer takes the image for one that was there before.
	if s.Own() {
		settings = append(settings, setting{"image.pullPolicy", corev1.PullNever, func(l live) any { return l.container().ImagePullPolicy }, nil})
	}
	settings = append(settings, configSettings()...)
	settings = append(settings, probeSettings()...)
	settings = append(settings, resourceSettings()...)
	settings = append(settings, monitorSettings("podMonitor", "PodMonitor", "podMetricsEndpoints")...)
	settings = append(settings, shippedSettings(t, s)...)
	return append(settings, policySettings()...)
}

// configSettings are those that the agent reads.
func configSettings() []setting {
	started := func(what string) func(live) any {
		return func(l live) any { return logged(l.log, what) }
	}
	set := func(name string) func(live) any {
		return func(l live) any { return variable(l.pod, name) }
	}
	return []setting{
		{"config.interval", "2s", func(l live) any { return []string{started("interval")(l).(string), l.pace.Round(time.Second).String()} }, []string{"2s", "2s"}},
		{"config.timeout", "900ms", started("timeout"), nil},
		{"config.logLevel", "debug", func(l live) any { return strings.Contains(l.log, " DBG ") }, true},
		{"config.logFormat", "console", func(l live) any { return json.Valid([]byte(strings.Split(l.log, "\n")[0])) }, false},
		{"config.skip", []string{"dns"}, func(l live) any { return l.checkNames() }, []string{"api", "ca", "environment", "kubectl-proxy", "tls", "token"}},
		{"config.readyChecks", []string{"environment", "token"}, func(l live) any { return l.ready }, []string{"environment", "token", "rounds"}},
		{"config.readyFailures", 4, set("LIFELINE_READY_FAILURES"), "4"},
		{"config.readySuccesses", 3, set("LIFELINE_READY_SUCCESSES"), "3"},
		{
			// There is no sidecar that would answer.
			"config.kubectlProxyURL", "http://127.0.0.1:8001",
			func(l live) any { return l.report.verdicts()["kubectl-proxy"] }, "fail: kproxy-down",
		},
		{
			// The agent warns of a host that is another one than kubelet's.
			"extraEnv",
			[]any{
				map[string]string{"name": "KUBERNETES_SERVICE_HOST", "value": "kubernetes.default.svc"},
				map[string]any{"name": "NODE_ADDRESS", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "status.hostIP"}}},
			},
			func(l live) any {
				last := l.container().Env[len(l.container().Env)-1]
				return []string{last.Name, last.ValueFrom.FieldRef.FieldPath, l.report.verdicts()["environment"]}
			},
			[]string{"NODE_ADDRESS", "status.hostIP", "warn: env-service-host-overridden"},
		},
	}
}

func probeSettings() []setting {
	var settings []setting
	for name, probe := range map[string]func(live) *corev1.Probe{
		"startup":   func(l live) *corev1.Probe { return l.container().StartupProbe },
		"liveness":  func(l live) *corev1.Probe { return l.container().LivenessProbe },
		"readiness": func(l live) *corev1.Probe { return l.container().ReadinessProbe },
	} {
		settings = append(
			settings,
			setting{"probes." + name + ".periodSeconds", 2, func(l live) any { return probe(l).PeriodSeconds }, nil},
			setting{"probes." + name + ".timeoutSeconds", 4, func(l live) any { return probe(l).TimeoutSeconds }, nil},
			setting{"probes." + name + ".failureThreshold", 15, func(l live) any { return probe(l).FailureThreshold }, nil},
		)
	}
	return settings
}

func resourceSettings() []setting {
	return []setting{
		{"resources.requests.cpu", "20m", func(l live) any { return granted(l.pod).Requests.Cpu() }, nil},
		{"resources.requests.memory", "32Mi", func(l live) any { return granted(l.pod).Requests.Memory() }, nil},
		{"resources.limits.memory", "64Mi", func(l live) any { return granted(l.pod).Limits.Memory() }, nil},
		{"goMemoryLimit", "57MiB", func(l live) any { return variable(l.pod, "GOMEMLIMIT") }, nil},
	}
}

// nodeSettings are the values of a DaemonSet on the network of its nodes, which
// no Pod Security Standard but privileged admits. Without a digest the image is
// named by its tag.
func nodeSettings(s suite, digest string) []setting {
	name := func(l live) any { return l.container().Image }
	settings := []setting{
		{"image.repository", s.repository, name, s.repository + "@" + digest},
		// With a digest, the tag is not used.
		{"image.tag", "no-such-tag", name, s.repository + "@" + digest},
		{"image.digest", digest, name, s.repository + "@" + digest},
	}
	if digest == "" {
		settings = []setting{
			{"image.repository", s.repository, name, s.repository + ":" + s.tag},
			{"image.tag", s.tag, name, s.repository + ":" + s.tag},
		}
	}
	settings = append(settings, monitorSettings("serviceMonitor", "ServiceMonitor", "endpoints")...)
	return append(
		settings,
		setting{"port", 18082, func(l live) any { return l.service.Spec.Ports[0].Port }, nil},
		setting{"config.interval", "2s", func(l live) any { return variable(l.pod, "LIFELINE_INTERVAL") }, nil},
		setting{
			"hostNetwork", true,
			func(l live) any {
				return []any{l.pod.Spec.HostNetwork, l.pod.Spec.DNSPolicy, l.pod.Status.PodIP == l.pod.Status.HostIP, l.report.verdicts()}
			},
			[]any{true, "ClusterFirstWithHostNet", true, well()},
		},
		setting{
			"serviceAccount.create", false,
			func(l live) any { return []any{len(l.accounts), l.report.Pod.ServiceAccount} },
			[]any{0, "default"},
		},
		setting{"probes.readiness.enabled", false, func(l live) any { return l.container().ReadinessProbe }, json.RawMessage("null")},
	)
}

// annotationSettings are without the monitors, which annotations exclude.
func annotationSettings(s suite) []setting {
	return []setting{
		{"image.repository", s.repository, func(l live) any { return l.container().Image }, s.repository + ":" + s.tag},
		{"image.tag", s.tag, func(l live) any { return l.container().Image }, s.repository + ":" + s.tag},
		{"config.interval", "2s", func(l live) any { return variable(l.pod, "LIFELINE_INTERVAL") }, nil},
		{
			"metrics.annotations", true, func(l live) any { return chosen(l.pod.Annotations, "prometheus.io/") },
			map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"},
		},
	}
}

func named(name string) map[string]any { return map[string]any{"name": name} }

// apart asks for nodes of their own, where there are as many.
func apart() map[string]any {
	lifeline := map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/name": "lifeline"}}
	return map[string]any{"podAntiAffinity": map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{
		"weight":          10,
		"podAffinityTerm": map[string]any{"labelSelector": lifeline, "topologyKey": "kubernetes.io/hostname"},
	}}}}
}

// spread asks for as many pods on each node.
func spread() map[string]any {
	return map[string]any{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
}

// agents are the labels by which the chart selects the pods of a release.
func agents(name string) map[string]any {
	return map[string]any{"app.kubernetes.io/name": "lifeline", "app.kubernetes.io/instance": name, "app.kubernetes.io/component": "agent"}
}

// chosen are the entries whose names begin so.
func chosen(all map[string]string, prefix string) map[string]string {
	some := map[string]string{}
	for name, value := range all {
		if strings.HasPrefix(name, prefix) {
			some[name] = value
		}
	}
	return some
}

// logged is what the first line of the agent's log has for a field.
func logged(log, field string) string {
	if found := regexp.MustCompile(`\b` + field + `=(\S+)`).FindStringSubmatch(log); found != nil {
		return found[1]
	}
	return ""
}
