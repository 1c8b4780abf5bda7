//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// chartRefusals has helm refuse whole sets of mistakes at once, since it names
// all of them. What templates refuse is named only where the schema is content.
func chartRefusals(ctx context.Context, t *testing.T, s suite) {
	r := release{suite: s, namespace: "lifeline-e2e-refusals", name: "lifeline"}
	standard := defaults(t, s)
	wrong, unknown := map[string]any{}, map[string]any{"unknown": 1}
	at := map[string]string{"unknown": "at '': additional properties 'unknown' not allowed"}
	for path, value := range standard {
		wrong[path] = ofAnotherType(value)
		if colon := strings.LastIndex(path, "."); colon > 0 {
			parent := path[:colon]
			unknown[parent+".unknown"] = 1
			at[parent+".unknown"] = fmt.Sprintf("at '%s': additional properties 'unknown' not allowed", pointer(parent))
		}
	}
	for _, test := range []struct {
		name string
		// given are values that are right by themselves.
		given  map[string]any
		values map[string]any
		// says is what the refusal must say of a value, that it is at its path
		// where there is nothing for it.
		says map[string]string
	}{
		{name: "every value, where it is of another type", values: wrong},
		{name: "a name that no value has, in every part", values: unknown, says: at},
		{name: "every value that has a range, out of it", values: outOfRange()},
		{
			name: "values that contradict each other",
			values: map[string]any{
				"config.timeout": "8s", "config.skip": []string{"tls"}, "config.readyChecks": []string{"tls"},
				"goMemoryLimit": "49MiB", "extraEnv": []any{named("GOMEMLIMIT")},
				"updateStrategy":      map[string]any{"type": "OnDelete", "rollingUpdate": map[string]any{"maxUnavailable": 2}},
				"metrics.annotations": true, "metrics.podMonitor.enabled": true, "metrics.serviceMonitor.enabled": true,
				"networkPolicy.enabled": true, "hostNetwork": true,
				"podDisruptionBudget.enabled": true, "topologySpreadConstraints": []any{spread()},
			},
			says: map[string]string{
				"config.timeout":     "config.timeout is 8s",
				"config.skip":        "config.skip leaves all of it out",
				"config.readyChecks": "config.readyChecks is tls",
				"goMemoryLimit":      "goMemoryLimit is 49MiB",
				"extraEnv":           "extraEnv has GOMEMLIMIT",
				"updateStrategy":     "updateStrategy.rollingUpdate is set",

				"metrics.annotations":            "metrics.annotations and metrics.podMonitor.enabled and metrics.serviceMonitor.enabled are set",
				"metrics.podMonitor.enabled":     "metrics.podMonitor.enabled",
				"metrics.serviceMonitor.enabled": "metrics.serviceMonitor.enabled",
				"networkPolicy.enabled":          "networkPolicy.enabled is true",
				"hostNetwork":                    "hostNetwork is, since",
				"podDisruptionBudget.enabled":    "podDisruptionBudget.enabled is true",
				"topologySpreadConstraints":      "topologySpreadConstraints is set",
			},
		},
		{
			name: "a budget for one pod", values: map[string]any{"kind": "Deployment", "replicas": 1, "podDisruptionBudget.enabled": true},
			says: map[string]string{
				"kind": "a Deployment with more than one", "replicas": "replicas", "podDisruptionBudget.enabled": "podDisruptionBudget.enabled is true",
			},
		},
		{
			name: "peers, constraints and labels that Kubernetes refuses",
			values: map[string]any{
				"networkPolicy.from": []any{map[string]any{
					"ipBlock": map[string]any{"cidr": "192.0.2.0/28"}, "podSelector": map[string]any{},
				}},
				"networkPolicy.dns.to": []any{map[string]any{"ipBlock": map[string]any{"cidr": "192.0.2.1"}}},
				"topologySpreadConstraints": []any{
					map[string]any{"maxSkew": 1, "minDomains": 2, "topologyKey": "", "whenUnsatisfiable": "ScheduleAnyway"},
				},
				"metrics.podMonitor.labels":     map[string]string{"release": "a b"},
				"metrics.serviceMonitor.labels": map[string]string{"a b": "release"},
				"metrics.prometheusRule.labels": map[string]string{"release": "-"},
				"metrics.dashboard.labels":      map[string]string{"release": strings.Repeat("a", 64)},
				"podLabels":                     map[string]string{"/team": "platform"},
				"nodeSelector":                  map[string]string{"pool": "a/b"},
			},
			says: map[string]string{
				"networkPolicy.from":        "at '/networkPolicy/from/0'",
				"networkPolicy.dns.to":      "at '/networkPolicy/dns/to/0/ipBlock/cidr'",
				"topologySpreadConstraints": "at '/topologySpreadConstraints/0/whenUnsatisfiable'",
			},
		},
		{
			name: "a constraint that is there twice", given: map[string]any{"kind": "Deployment"},
			values: map[string]any{"topologySpreadConstraints": []any{spread(), spread()}},
			says:   map[string]string{"topologySpreadConstraints": "topologyKey kubernetes.io/hostname and whenUnsatisfiable ScheduleAnyway twice"},
		},
		{
			name:   "a DaemonSet that puts new pods beside the old ones, on one port and with some missing",
			values: map[string]any{"hostNetwork": true, "updateStrategy.rollingUpdate": map[string]any{"maxSurge": 1}},
			says: map[string]string{
				"hostNetwork":                  "must be 0 for a DaemonSet with hostNetwork",
				"updateStrategy.rollingUpdate": "updateStrategy.rollingUpdate.maxUnavailable of a DaemonSet must be 0 beside it, and is 1",
			},
		},
		{
			name: "a DaemonSet that replaces no pod", values: map[string]any{"updateStrategy.rollingUpdate": map[string]any{"maxUnavailable": 0}},
			says: map[string]string{"updateStrategy.rollingUpdate": "maxSurge is 0 and updateStrategy.rollingUpdate.maxUnavailable is 0: one must be above zero"},
		},
		{
			name: "a Deployment that replaces no pod", given: map[string]any{"kind": "Deployment"},
			values: map[string]any{"updateStrategy.rollingUpdate": map[string]any{"maxSurge": "0%", "maxUnavailable": 0}},
			says:   map[string]string{"updateStrategy.rollingUpdate": "maxSurge is 0% and updateStrategy.rollingUpdate.maxUnavailable is 0: one must be above zero"},
		},
		{
			name: "a budget for all pods", given: map[string]any{"kind": "Deployment", "replicas": 2, "podDisruptionBudget.enabled": true},
			values: map[string]any{"podDisruptionBudget.maxUnavailable": "51%"},
			says:   map[string]string{"podDisruptionBudget.maxUnavailable": "podDisruptionBudget.maxUnavailable is 51%: it must be fewer than all of the 2 replicas"},
		},
		{
			name: "scrapes too rare for the alerts, or twice",
			values: map[string]any{
				"metrics.podMonitor.enabled": true, "metrics.podMonitor.interval": "1d", "metrics.serviceMonitor.interval": "2m1s",
				"podAnnotations": map[string]string{"prometheus.io/scrape": "true"},
			},
			says: map[string]string{
				"metrics.podMonitor.enabled":      "metrics.podMonitor.enabled are set",
				"metrics.podMonitor.interval":     "metrics.podMonitor.interval is 1d",
				"metrics.serviceMonitor.interval": "metrics.serviceMonitor.interval is 2m1s",
				"podAnnotations":                  "prometheus.io/scrape of podAnnotations",
			},
		},
		{
			name: "an interval out of its range", values: map[string]any{"config.interval": "61m"},
			says: map[string]string{"config.interval": "config.interval is 61m"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			message := r.refuse(ctx, t, test.given, test.values)
			for _, path := range slices.Sorted(maps.Keys(test.values)) {
				want := test.says[path]
				if want == "" {
					want = fmt.Sprintf("at '%s", pointer(path))
				}
				if !strings.Contains(message, want) {
					t.Errorf("%s=%v is not refused by name; want %q in\n%s", path, test.values[path], want, message)
				}
			}
		})
	}
}

// pointer is the path as helm writes it where the schema refuses a value.
func pointer(path string) string { return "/" + strings.ReplaceAll(path, ".", "/") }

// ofAnotherType is a value that cannot be meant where the default is as given.
func ofAnotherType(value any) any {
	if _, ok := value.(string); ok {
		return true
	}
	return "nonsense"
}

// outOfRange is nonsense of the right type.
func outOfRange() map[string]any {
	values := map[string]any{
		"kind":                          "StatefulSet",
		"replicas":                      -1,
		"image.repository":              "",
		"image.tag":                     "two words",
		"image.digest":                  "sha256:1",
		"image.pullPolicy":              "Sometimes",
		"imagePullSecrets":              []any{named("")},
		"config.interval":               "1d",
		"config.timeout":                "-1s",
		"config.logLevel":               "loud",
		"config.logFormat":              "xml",
		"config.skip":                   []string{"dns", "dns"},
		"config.readyChecks":            []string{},
		"config.readyFailures":          0,
		"config.readySuccesses":         0,
		"config.kubectlProxyURL":        "http://10.0.0.1:8001",
		"extraEnv":                      []any{map[string]any{"value": "of no variable"}},
		"port":                          1023,
		"resources.requests.cpu":        "fast",
		"resources.requests.memory":     -1,
		"resources.limits.memory":       "48MB",
		"goMemoryLimit":                 "43M",
		"terminationGracePeriodSeconds": 4,
		"updateStrategy.type":           "Sometimes",
		"tolerations":                   []any{map[string]any{"effect": "Sometimes"}},
		"affinity":                      map[string]any{"catAffinity": map[string]any{}},

		"metrics.podMonitor.interval":        "15",
		"metrics.serviceMonitor.interval":    "1.5m",
		"networkPolicy.from":                 []any{map[string]any{}},
		"networkPolicy.dns.to":               []any{map[string]any{"ipBlock": "10.0.0.0/8"}},
		"networkPolicy.dns.ports":            []any{},
		"networkPolicy.apiServer.to":         []any{map[string]any{"podSelektor": map[string]any{}}},
		"networkPolicy.apiServer.ports":      []any{0},
		"podDisruptionBudget.maxUnavailable": 0,
		"topologySpreadConstraints":          []any{map[string]any{"topologyKey": "zone"}},
	}
	for _, probe := range []string{"startup", "liveness", "readiness"} {
		for _, count := range []string{"periodSeconds", "timeoutSeconds", "failureThreshold"} {
			values["probes."+probe+"."+count] = 0
		}
	}
	return values
}
