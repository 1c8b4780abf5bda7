//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// port is where the agent serves.
const port = 8080

type identity struct{ Name, Namespace, Node, ServiceAccount, UID string }

// report is what the tests want to know of /status.
type report struct {
	Status          string
	Time            time.Time
	Round           int
	DurationSeconds float64
	Pod             identity
	Checks          []struct{ Name, Status, Reason, Message string }
	Diagnosis       []struct {
		Reason, Certainty, Title string
		Evidence                 []string
	}
	Access []access
}

type access struct {
	Path  string
	Works bool
	Why   string
}

// verdicts are the checks' statuses, with the reason where there is one.
func (r report) verdicts() map[string]string {
	verdicts := map[string]string{}
	for _, check := range r.Checks {
		verdicts[check.Name] = check.Status
		if check.Reason != "" {
			verdicts[check.Name] += ": " + check.Reason
		}
	}
	return verdicts
}

// first is the reason that the diagnosis begins with, empty where it is empty.
func (r report) first() string {
	if len(r.Diagnosis) == 0 {
		return ""
	}
	return r.Diagnosis[0].Reason
}

func (r report) summary() string {
	lines := fmt.Sprintf("%s in round %d, which took %.3fs", r.Status, r.Round, r.DurationSeconds)
	for _, check := range r.Checks {
		lines += fmt.Sprintf("\n%-13s %-5s %s: %s", check.Name, check.Status, check.Reason, check.Message)
	}
	for _, finding := range r.Diagnosis {
		lines += fmt.Sprintf("\n%s (%s): %s %q", finding.Reason, finding.Certainty, finding.Title, finding.Evidence)
	}
	return lines
}

// status asks the pod itself for its report, which works while the API server
// does not.
func status(ctx context.Context, p cluster.Pod) (report, error) {
	code, body, err := p.Get(ctx, port, "/status")
	if err != nil {
		return report{}, err
	}
	if code != http.StatusOK {
		return report{}, fmt.Errorf("/status answers %d: %s", code, body)
	}
	var r report
	if err := json.Unmarshal(body, &r); err != nil {
		return report{}, fmt.Errorf("read /status: %w: %s", err, body)
	}
	return r, nil
}

// within waits for a report that is as wanted, and fails the test at the limit.
// It returns how long that took.
func within(ctx context.Context, t *testing.T, limit time.Duration, p cluster.Pod, wanted func(report) bool) (report, time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		r, err := status(ctx, p)
		took := time.Since(began)
		if err == nil && wanted(r) {
			return r, took
		}
		if took > limit {
			t.Fatalf("the report of %s is not as wanted within %s: %v\n%s", p.Name, limit, err, r.summary())
		}
		pause(ctx, t, 50*time.Millisecond)
	}
}

func isHealthy(r report) bool { return r.Status == "ok" && len(r.Diagnosis) == 0 }

// probes asks what kubelet asks.
func probes(ctx context.Context, t *testing.T, p cluster.Pod) map[string]int {
	t.Helper()
	got := map[string]int{}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		code, body, err := p.Get(ctx, port, path)
		if err != nil {
			t.Fatalf("ask for %s: %v: %s", path, err, body)
		}
		got[path] = code
	}
	return got
}

func pause(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal(context.Cause(ctx))
	case <-time.After(d):
	}
}
