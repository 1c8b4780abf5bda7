//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The names that the README gives to its two containers, and the port.
const (
	gate        = "wait-for-api"
	sidecar     = "lifeline"
	sidecarPort = 9880
)

// besideApplication runs the pod of the README, first with no way to the API and
// then with one. The application is another agent, on the port that the README
// leaves to it.
func besideApplication(ctx context.Context, t *testing.T, s suite) {
	const namespace = "beside"
	s.makeNamespace(ctx, t, namespace)
	pod := s.besidePod(t, namespace, "application")
	if s.Own() {
		t.Run("the gate holds it back while the API is out of reach", func(t *testing.T) {
			heldBack(ctx, t, s, pod)
		})
	}
	s.apply(ctx, t, pod)
	t.Run("the sidecar reports what holds for it as well", func(t *testing.T) {
		p := s.startPod(ctx, t, pod)
		s.isReady(ctx, t, p, true)
		code, body, err := p.Get(ctx, sidecarPort, "/status")
		if err != nil || code != 200 {
			t.Fatalf("ask the sidecar: status %d, error %v", code, err)
		}
		var got report
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(well(), got.verdicts()); diff != "" || got.Pod.UID != p.UID {
			t.Errorf("the report is about the pod %q, want %q; checks (-want +got):\n%s", got.Pod.UID, p.UID, diff)
		}
		if got := s.restarts(ctx, t, p); got != 0 {
			t.Errorf("the pod's containers were restarted %d times", got)
		}
	})
	t.Run("the sidecar ends when a job is done", func(t *testing.T) {
		job := s.besidePod(t, namespace, "job")
		job.Spec.RestartPolicy = corev1.RestartPolicyNever
		job.Spec.Containers[0] = s.command("application", "check")
		s.apply(ctx, t, job)
		done := s.hasPhase(ctx, t, job, corev1.PodSucceeded)
		for _, status := range done.Status.InitContainerStatuses {
			completed(t, status)
		}
	})
}

// heldBack starts the pod with its way to the API blocked, and beside it one
// with a gate that gives up.
func heldBack(ctx context.Context, t *testing.T, s suite, pod *corev1.Pod) {
	// The pods have no address before they start. CoreDNS must keep its way.
	dns, err := s.Pods(ctx, "kube-system", "k8s-app=kube-dns")
	if err != nil || len(dns) == 0 {
		t.Fatalf("find CoreDNS: %v, %v", dns, err)
	}
	restore := s.drop(ctx, t, "ip saddr != "+dns[0].Address)
	impatient := s.besidePod(t, pod.Namespace, "impatient")
	impatient.Spec.RestartPolicy = corev1.RestartPolicyNever
	impatient.Spec.InitContainers = []corev1.Container{s.command(gate, "wait", "-timeout", "5s")}
	s.apply(ctx, t, pod, impatient)

	failed := s.hasPhase(ctx, t, impatient, corev1.PodFailed)
	log := s.logs(ctx, t, failed, gate)
	t.Logf("the gate that gave up:\n%s", log)
	for _, want := range []string{"the API could not be reached within 5", "\nCause: ", "tcp-timeout, likely"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log of the gate that gave up has no %q", want)
		}
	}
	if ended := failed.Status.InitContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != 1 {
		t.Errorf("the gate that gave up ended as %+v, want the exit code 1", ended)
	}
	neverStarted(t, failed)

	eventually(ctx, t, 20*time.Second, func() error {
		if log := s.logs(ctx, t, pod, gate); !strings.Contains(log, "Waiting for the API, ") || !strings.Contains(log, ": tcp-timeout: ") {
			return fmt.Errorf("the gate's log is %q", log)
		}
		return nil
	})
	now, err := s.object(ctx, pod.Namespace, pod.Name)
	if err != nil {
		t.Fatal(err)
	}
	neverStarted(t, now)

	if err := restore(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	now = s.hasPhase(ctx, t, pod, corev1.PodRunning)
	t.Logf("the application started %s after the API was in reach; the gate's log:\n%s", tenths(time.Since(began)), s.logs(ctx, t, pod, gate))
	completed(t, now.Status.InitContainerStatuses[0])
}

func neverStarted(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting == nil {
			t.Errorf("the container %s of %s is not held back: %+v", status.Name, pod.Name, status.State)
		}
	}
}

// completed demands that a container ended well.
func completed(t *testing.T, status corev1.ContainerStatus) {
	t.Helper()
	ended := status.State.Terminated
	if ended == nil || ended.ExitCode != 0 || ended.Reason != "Completed" {
		t.Errorf("the container %s is %+v, want it completed with the exit code 0", status.Name, status.State)
	}
}

// besidePod is the pod of the README, to the letter but for the image, with an
// application in it.
func (s suite) besidePod(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	_, rest, found := strings.Cut(s.readme(t), "**Beside an application**")
	_, rest, fenced := strings.Cut(rest, "```yaml\n")
	manifest, _, closed := strings.Cut(rest, "```\n")
	if !found || !fenced || !closed {
		t.Fatal("the README has no manifest for a pod beside an application")
	}
	const reference = "REGISTRY/lifeline:0.1.0"
	if got := strings.Count(manifest, reference); got != 2 {
		t.Fatalf("the README's manifest has the image %s %d times, want 2", reference, got)
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(manifest, reference, s.repository+":"+s.tag)), pod); err != nil {
		t.Fatalf("the README's manifest: %v", err)
	}
	var names []string
	for _, container := range pod.Spec.InitContainers {
		names = append(names, container.Name)
	}
	if diff := cmp.Diff([]string{gate, sidecar}, names); diff != "" {
		t.Fatalf("the init containers of the README (-want +got):\n%s", diff)
	}
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	pod.Namespace, pod.Name = namespace, name
	pod.Spec.Containers = s.lifelinePod(namespace, name).Spec.Containers
	pod.Spec.Containers[0].Name = "application"
	return pod
}

func (s suite) readme(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(s.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(readme)
}

// command is a container that runs a subcommand.
func (s suite) command(name string, arguments ...string) corev1.Container {
	return corev1.Container{Name: name, Image: s.repository + ":" + s.tag, Args: arguments, SecurityContext: restricted()}
}

func (s suite) logs(ctx context.Context, t *testing.T, pod *corev1.Pod, container string) string {
	t.Helper()
	out, err := s.Kubectl(ctx, "logs", "--namespace="+pod.Namespace, pod.Name, "--container="+container)
	if err != nil {
		return err.Error()
	}
	return out
}

// hasPhase waits until the pod has come that far.
func (s suite) hasPhase(ctx context.Context, t *testing.T, pod *corev1.Pod, want corev1.PodPhase) (now *corev1.Pod) {
	t.Helper()
	eventually(ctx, t, time.Minute, func() (err error) {
		if now, err = s.object(ctx, pod.Namespace, pod.Name); err == nil && now.Status.Phase != want {
			err = errors.New("the pod is " + string(now.Status.Phase) + " " + now.Status.Message)
		}
		return err
	})
	return now
}
