//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The names in the manifests, and the sidecar's port.
const (
	gate        = "wait-for-api"
	sidecar     = "lifeline"
	sidecarPort = 9880
)

// examples applies the manifests that people copy, to the letter but for the
// words in capitals. The application is another agent, on the port that the
// sidecar leaves to it.
func examples(ctx context.Context, t *testing.T, s suite) {
	const namespace = "examples"
	s.makeNamespace(ctx, t, namespace)
	tries := map[string]func(*testing.T){
		"cronjob.yaml": func(t *testing.T) { probedByCronJob(ctx, t, s) },
		"gate.yaml": func(t *testing.T) {
			s.needsOwn(t, "drop packets")
			heldBack(ctx, t, s, namespace)
		},
		"job.yaml":     func(t *testing.T) { checkedByJob(ctx, t, s, namespace) },
		"sidecar.yaml": func(t *testing.T) { besideApplication(ctx, t, s, namespace) },
	}
	files, err := os.ReadDir(filepath.Join(s.root, "charts", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		try := tries[file.Name()]
		if try == nil {
			t.Errorf("no test applies charts/examples/%s", file.Name())
			continue
		}
		t.Run(file.Name(), try)
		delete(tries, file.Name())
	}
	if len(tries) > 0 {
		t.Errorf("charts/examples does not have %v", slices.Sorted(maps.Keys(tries)))
	}
}

// besideApplication has a report of an application's pod from beside it.
func besideApplication(ctx context.Context, t *testing.T, s suite, namespace string) {
	t.Run("it reports what holds for the application as well", func(t *testing.T) {
		pod := s.besidePod(t, namespace, "beside")
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
	t.Run("it ends when a job is done", func(t *testing.T) {
		job := s.besidePod(t, namespace, "job")
		job.Spec.RestartPolicy = corev1.RestartPolicyNever
		job.Spec.Containers[0] = s.command(application, "check")
		s.apply(ctx, t, job)
		done := s.hasPhase(ctx, t, job, corev1.PodSucceeded)
		for _, status := range done.Status.InitContainerStatuses {
			completed(t, status)
		}
	})
}

// heldBack starts the pod with its way to the API blocked, and beside it one
// with a gate that gives up.
func heldBack(ctx context.Context, t *testing.T, s suite, namespace string) {
	// The pods have no address before they start. CoreDNS must keep its way.
	dns, err := s.Pods(ctx, "kube-system", "k8s-app=kube-dns")
	if err != nil || len(dns) == 0 {
		t.Fatalf("find CoreDNS: %v, %v", dns, err)
	}
	restore := s.drop(ctx, t, "ip saddr != "+dns[0].Address)
	pod := s.examplePod(t, "gate.yaml", namespace, "gated", gate)
	impatient := s.examplePod(t, "gate.yaml", namespace, "impatient", gate)
	impatient.Spec.RestartPolicy = corev1.RestartPolicyNever
	impatient.Spec.InitContainers[0].Args = []string{"wait", "-timeout", "5s"}
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

// besidePod is the pod of sidecar.yaml, which the README shows, with an
// application in it.
func (s suite) besidePod(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	return s.examplePod(t, "sidecar.yaml", namespace, name, gate, sidecar)
}

// examplePod is the pod of an example, with an application in it. The init
// containers are as given.
func (s suite) examplePod(t *testing.T, file, namespace, name string, initContainers ...string) *corev1.Pod {
	t.Helper()
	pod := example[corev1.Pod](t, s, file)
	var names []string
	for _, container := range pod.Spec.InitContainers {
		names = append(names, container.Name)
	}
	if diff := cmp.Diff(initContainers, names); diff != "" {
		t.Fatalf("the init containers of %s (-want +got):\n%s", file, diff)
	}
	pod.Namespace, pod.Name = namespace, name
	pod.Spec.Containers = s.lifelinePod(namespace, name).Spec.Containers
	pod.Spec.Containers[0].Name = application
	return pod
}

// example is the object of an example.
func example[T any](t *testing.T, s suite, file string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(s.example(t, file)), object); err != nil {
		t.Fatalf("charts/examples/%s: %v", file, err)
	}
	return object
}

// example is the text of an example, with the suite's image.
func (s suite) example(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.root, "charts", "examples", file))
	if err != nil {
		t.Fatal(err)
	}
	const reference = "REGISTRY/lifeline:0.1.0"
	if !strings.Contains(string(text), reference) {
		t.Fatalf("charts/examples/%s does not have the image %s", file, reference)
	}
	return strings.ReplaceAll(string(text), reference, s.repository+":"+s.tag)
}

// checkedByJob runs the Job where the pod reaches the API, and where it has no
// token for it.
func checkedByJob(ctx context.Context, t *testing.T, s suite, namespace string) {
	for _, test := range []struct {
		name     string
		token    bool
		want     batchv1.JobConditionType
		code     int32
		contains string
	}{
		{"it is complete where the API is reached", true, batchv1.JobComplete, 0, wellSaid},
		{"it has failed where it is not", false, batchv1.JobFailed, 1, "token-not-mounted-automount-false, certain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			job := example[batchv1.Job](t, s, "job.yaml")
			job.Namespace = namespace
			job.Spec.Template.Spec.AutomountServiceAccountToken = &test.token
			s.apply(ctx, t, job)
			ended := s.ended(ctx, t, namespace, job.Name)
			if ended.condition != test.want || ended.code != test.code {
				t.Errorf("the Job is %s and its pod ended with the exit code %d, want %s and %d", ended.condition, ended.code, test.want, test.code)
			}
			log := s.runComment(ctx, t, s.example(t, "job.yaml"), "--namespace="+namespace)
			if !strings.Contains(log, test.contains) {
				t.Errorf("the log of the Job does not say %q:\n%s", test.contains, log)
			}
			if _, err := s.Kubectl(ctx, "delete", "job", job.Name, "--namespace="+namespace); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// probedByCronJob runs the CronJob in a namespace of its own, out of its time.
func probedByCronJob(ctx context.Context, t *testing.T, s suite) {
	const namespace, account = "examples-probe", "web"
	s.makeNamespace(ctx, t, namespace)
	s.apply(ctx, t, &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account},
	})
	manifest := strings.NewReplacer("NAMESPACE", namespace, "SERVICE-ACCOUNT", account).Replace(s.example(t, "cronjob.yaml"))
	if err := s.Apply(ctx, manifest); err != nil {
		t.Fatal(err)
	}
	s.runComment(ctx, t, manifest)
	ended := s.ended(ctx, t, namespace, "lifeline-now")
	log := s.logs(ctx, t, ended.pod, "lifeline")
	if ended.condition != batchv1.JobComplete || ended.code != 0 || !strings.Contains(log, wellSaid) {
		t.Errorf("the Job is %s, and its pod ended with the exit code %d:\n%s", ended.condition, ended.code, log)
	}
	if want := "From pod " + namespace + "/" + ended.pod.Name + " on node "; !strings.Contains(log, want) || !strings.Contains(log, "as service account "+account) {
		t.Errorf("the report does not begin with %q, as service account %s:\n%s", want, account, log)
	}
}

// runComment runs the command of kubectl that an example has in its comment.
func (s suite) runComment(ctx context.Context, t *testing.T, manifest string, flags ...string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^#   kubectl (.+)$`).FindStringSubmatch(manifest)
	if found == nil {
		t.Fatalf("there is no command of kubectl in the comment of\n%s", manifest)
	}
	out, err := s.Kubectl(ctx, append(strings.Fields(found[1]), flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// endedJob is how a Job came to its end.
type endedJob struct {
	condition batchv1.JobConditionType
	pod       *corev1.Pod
	code      int32
}

// ended waits until a Job is complete or has failed.
func (s suite) ended(ctx context.Context, t *testing.T, namespace, name string) (ended endedJob) {
	t.Helper()
	eventually(ctx, t, time.Minute, func() error {
		out, err := s.Kubectl(ctx, "get", "job", name, "--namespace="+namespace, "--output=json")
		if err != nil {
			return err
		}
		for _, condition := range decoded[batchv1.Job](t, []byte(out)).Status.Conditions {
			over := condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed
			if over && condition.Status == corev1.ConditionTrue {
				ended.condition = condition.Type
				return nil
			}
		}
		return fmt.Errorf("the Job %s has not come to its end", name)
	})
	pods, err := s.Pods(ctx, namespace, batchv1.JobNameLabel+"="+name)
	if err != nil || len(pods) != 1 {
		t.Fatalf("the Job %s has the pods %v, error %v; want one", name, pods, err)
	}
	if ended.pod, err = s.object(ctx, namespace, pods[0].Name); err != nil {
		t.Fatal(err)
	}
	if state := ended.pod.Status.ContainerStatuses[0].State.Terminated; state != nil {
		ended.code = state.ExitCode
	}
	return ended
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
