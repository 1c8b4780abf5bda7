//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// release is one installation of the chart.
type release struct {
	suite
	namespace, name string
}

func (s suite) chart() string { return filepath.Join(s.root, "charts", "lifeline") }

// helm runs a command of helm on the release.
func (r release) helm(ctx context.Context, t *testing.T, command string, arguments ...string) string {
	t.Helper()
	began := time.Now()
	out, err := r.Helm(ctx, append([]string{command, r.name, "--namespace=" + r.namespace}, arguments...)...)
	if err != nil {
		pods, _ := r.Kubectl(ctx, "describe", "pods", "--namespace="+r.namespace)
		t.Fatalf("helm %s: %v\n%s\n%s", command, err, out, pods)
	}
	t.Logf("helm %s took %s", command, time.Since(began).Round(10*time.Millisecond))
	return out
}

// deploy installs or upgrades the release with values by their paths, as in
// image.tag, and waits until its pods are ready. It returns what helm prints.
func (r release) deploy(ctx context.Context, t *testing.T, command string, values ...map[string]any) string {
	t.Helper()
	arguments := []string{r.chart(), "--wait", "--timeout=2m"}
	return r.helm(ctx, t, command, append(arguments, setValues(t, values...)...)...)
}

// refuse tries an installation that must not come about, and returns why.
func (r release) refuse(ctx context.Context, t *testing.T, values ...map[string]any) string {
	t.Helper()
	arguments := []string{"install", r.name, r.chart(), "--namespace=" + r.namespace, "--dry-run=server"}
	out, err := r.Helm(ctx, append(arguments, setValues(t, values...)...)...)
	if err == nil {
		t.Fatalf("%v was accepted:\n%s", values, out)
	}
	_, message, _ := strings.Cut(err.Error(), "Error: ")
	return message
}

func setValues(t *testing.T, values ...map[string]any) []string {
	t.Helper()
	var flags []string
	for _, some := range values {
		for _, path := range slices.Sorted(maps.Keys(some)) {
			value, err := json.Marshal(some[path])
			if err != nil {
				t.Fatal(err)
			}
			flags = append(flags, "--set-json="+path+"="+string(value))
		}
	}
	return flags
}

// objects are those of a release, as the API server has them.
type objects struct {
	workloads []workload
	pods      []corev1.Pod
	service   corev1.Service
	accounts  []corev1.ServiceAccount
	// others are by their kinds, of which a release has one object at the most.
	others map[string]map[string]any
}

// workload is a DaemonSet or a Deployment.
type workload struct {
	Kind string
	Spec map[string]any
}

func (o objects) kinds() string {
	var kinds []string
	for _, w := range o.workloads {
		kinds = append(kinds, w.Kind)
	}
	return strings.Join(kinds, " ")
}

// at is what the object of a kind has at a path of names and indexes, nil where
// there is none.
func (o objects) at(kind string, path ...any) any {
	var value any = o.others[kind]
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// objects reads the objects of the release. Pods that are about to end are left
// out, and that of "helm test".
func (r release) objects(ctx context.Context, t *testing.T) objects {
	t.Helper()
	kinds := "daemonsets,deployments,pods,services,serviceaccounts,configmaps,networkpolicies,poddisruptionbudgets"
	if r.monitoring {
		kinds += ",podmonitors,servicemonitors,prometheusrules"
	}
	out, err := r.Kubectl(ctx, "get", kinds, "--namespace="+r.namespace, "--selector=app.kubernetes.io/instance="+r.name, "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []json.RawMessage }
	parse(t, []byte(out), &list)
	o := objects{others: map[string]map[string]any{}}
	for _, item := range list.Items {
		var object metav1.PartialObjectMetadata
		parse(t, item, &object)
		switch object.Kind {
		case "Pod":
			if object.DeletionTimestamp == nil && object.Labels["app.kubernetes.io/component"] == "agent" {
				o.pods = append(o.pods, decoded[corev1.Pod](t, item))
			}
		case "Service":
			parse(t, item, &o.service)
		case "ServiceAccount":
			o.accounts = append(o.accounts, decoded[corev1.ServiceAccount](t, item))
		case "DaemonSet", "Deployment":
			o.workloads = append(o.workloads, decoded[workload](t, item))
		default:
			o.others[object.Kind] = decoded[map[string]any](t, item)
		}
	}
	if len(o.pods) == 0 || len(o.service.Spec.Ports) != 1 {
		t.Fatalf("want pods and a Service with one port:\n%s", out)
	}
	return o
}

func decoded[T any](t *testing.T, text []byte) (object T) {
	t.Helper()
	parse(t, text, &object)
	return object
}

func parse(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("read %T: %v\n%s", into, err, text)
	}
}

// isHealthy asks for the report through the release's Service, by the name of
// its port.
func (r release) isHealthy(ctx context.Context, t *testing.T) {
	t.Helper()
	service := r.objects(ctx, t).service
	eventually(ctx, t, 30*time.Second, func() error {
		out, err := r.Kubectl(ctx, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/services/%s:http/proxy/status", r.namespace, service.Name))
		if err != nil {
			return err
		}
		var found report
		parse(t, []byte(out), &found)
		if !isHealthy(found) {
			return errors.New(found.summary())
		}
		return nil
	})
}

// ask asks the port that a pod declares.
func (r release) ask(ctx context.Context, t *testing.T, pod corev1.Pod, path string) []byte {
	t.Helper()
	p, err := r.Pod(ctx, r.namespace, pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	port := int(pod.Spec.Containers[0].Ports[0].ContainerPort)
	code, body, err := p.Get(ctx, port, path)
	if err != nil || code != http.StatusOK {
		t.Fatalf("%s on port %d of %s answers %d (error %v): %s", path, port, pod.Name, code, err, body)
	}
	return body
}

// variable is the value of a variable in the first container, empty where it is
// not set.
func variable(pod corev1.Pod, name string) string {
	for _, one := range pod.Spec.Containers[0].Env {
		if one.Name == name {
			return one.Value
		}
	}
	return ""
}

// granted are the resources that the first container really has, as kubelet read
// them from the runtime, which is told since Kubernetes 1.33.
func granted(pod corev1.Pod) *corev1.ResourceRequirements {
	if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].Resources == nil {
		return &corev1.ResourceRequirements{}
	}
	return pod.Status.ContainerStatuses[0].Resources
}

func differs(want, got any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	return nil
}
