//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// hasMonitoring tells whether the cluster has the kinds of prometheus-operator,
// which an own cluster is given.
func (s suite) hasMonitoring(ctx context.Context, t *testing.T) bool {
	t.Helper()
	if s.Own() {
		if err := s.DefineMonitoring(ctx); err != nil {
			t.Fatal(err)
		}
		return true
	}
	out, err := s.Kubectl(ctx, "api-resources", "--api-group=monitoring.coreos.com", "--output=name")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(out, "podmonitors") && strings.Contains(out, "servicemonitors") && strings.Contains(out, "prometheusrules")
}

// needMonitoring are the values that make objects of prometheus-operator's kinds.
var needMonitoring = regexp.MustCompile(`^metrics\.(podMonitor|serviceMonitor|prometheusRule)\.`)

// possible are the settings that the cluster can be tried with.
func (s suite) possible(settings []setting) []setting {
	var possible []setting
	for _, one := range settings {
		if s.monitoring || !needMonitoring.MatchString(one.path) {
			possible = append(possible, one)
		}
	}
	return possible
}

// monitorSettings are those of a PodMonitor or a ServiceMonitor, which has what
// it scrapes under a name of its own.
func monitorSettings(value, kind, endpoints string) []setting {
	return []setting{
		{
			"metrics." + value + ".enabled", true,
			func(l live) any {
				return []any{l.at(kind, "spec", endpoints, 0, "relabelings"), strings.Contains(l.scraped, "\nlifeline_rounds_total ")}
			},
			[]any{
				[]any{map[string]any{"action": "replace", "sourceLabels": []string{"__meta_kubernetes_pod_node_name"}, "targetLabel": "node"}},
				true,
			},
		},
		{"metrics." + value + ".interval", "7s", func(l live) any { return l.at(kind, "spec", endpoints, 0, "interval") }, nil},
		{
			// The chart's own labels stay.
			"metrics." + value + ".labels",
			map[string]string{"release": "prometheus", "app.kubernetes.io/name": "other"},
			func(l live) any {
				return []any{l.at(kind, "metadata", "labels", "release"), l.at(kind, "metadata", "labels", "app.kubernetes.io/name")}
			},
			[]string{"prometheus", "lifeline"},
		},
	}
}

// scrape reads the metrics of one pod in the way that the monitor of the release
// tells a Prometheus; nothing where it has none.
func (r release) scrape(ctx context.Context, t *testing.T, o objects) string {
	t.Helper()
	for kind, monitor := range map[string]struct{ targets, endpoints string }{
		"PodMonitor":     {"pods", "podMetricsEndpoints"},
		"ServiceMonitor": {"services", "endpoints"},
	} {
		labels, found := o.at(kind, "spec", "selector", "matchLabels").(map[string]any)
		if !found {
			continue
		}
		var selector []string
		for name, value := range labels {
			selector = append(selector, fmt.Sprint(name, "=", value))
		}
		out, err := r.Kubectl(ctx, "get", monitor.targets, "--namespace="+r.namespace, "--selector="+strings.Join(selector, ","),
			"--output=jsonpath={.items[*].metadata.name}")
		if err != nil {
			t.Fatal(err)
		}
		targets := strings.Fields(out)
		port, path := o.at(kind, "spec", monitor.endpoints, 0, "port"), o.at(kind, "spec", monitor.endpoints, 0, "path")
		want, called, address := len(o.pods), o.pods[0].Spec.Containers[0].Ports[0].Name, fmt.Sprint(o.service.Spec.Ports[0].Port)
		if monitor.targets == "services" {
			want, called, address = 1, o.service.Spec.Ports[0].Name, o.service.Spec.Ports[0].Name
		}
		if len(targets) != want || port != called {
			t.Fatalf("the %s finds %v and their port %v, want %d of them and the port %s", kind, targets, port, want, called)
		}
		answer, err := r.Kubectl(ctx, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/%s/%s:%s/proxy%s", r.namespace, monitor.targets, targets[0], address, path))
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	return ""
}

// shippedSettings are of what the chart has as files, which come to the cluster
// as they are.
func shippedSettings(t *testing.T, s suite) []setting {
	t.Helper()
	shipped := func(name string) (content any) {
		text, err := os.ReadFile(filepath.Join(s.chart(), "files", name))
		if err == nil {
			err = yaml.Unmarshal(text, &content)
		}
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	label := func(kind, name string) func(live) any {
		return func(l live) any { return l.at(kind, "metadata", "labels", name) }
	}
	return []setting{
		{"metrics.prometheusRule.enabled", true, func(l live) any { return l.at("PrometheusRule", "spec") }, shipped("rules.yaml")},
		{"metrics.prometheusRule.labels", map[string]string{"release": "prometheus"}, label("PrometheusRule", "release"), "prometheus"},
		{
			"metrics.dashboard.enabled", true,
			func(l live) any {
				text, _ := l.at("ConfigMap", "data", "lifeline.json").(string)
				var dashboard any
				if err := yaml.Unmarshal([]byte(text), &dashboard); err != nil {
					return err.Error()
				}
				return []any{label("ConfigMap", "grafana_dashboard")(l), dashboard}
			},
			[]any{"1", shipped("dashboard.json")},
		},
		{"metrics.dashboard.labels", map[string]string{"example.org/team": "platform"}, label("ConfigMap", "example.org/team"), "platform"},
		{
			"metrics.dashboard.annotations",
			map[string]string{"grafana_folder": "Kubernetes"},
			func(l live) any { return l.at("ConfigMap", "metadata", "annotations", "grafana_folder") }, "Kubernetes",
		},
	}
}
