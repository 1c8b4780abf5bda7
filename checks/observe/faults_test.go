package observe_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/observe"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is more than anything takes here that is to come.
	patience = 30 * time.Second
	// slack is what a busy machine may take beside a time limit.
	slack = 5 * time.Second
)

// start is a pretend pod and an observer of it.
func start(t testing.TB) (*world.World, *observe.Observer) {
	t.Helper()
	pretend, err := world.Start(t.Context(), world.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pretend.Close(); err != nil {
			t.Error(err)
		}
	})
	observer := &observe.Observer{Pod: pretend.Pod(), Timeout: observe.DefaultTimeout}
	t.Cleanup(observer.Close)
	return pretend, observer
}

// look has an observer see the pod as it is now, as an agent that is started
// again does.
func look(pretend *world.World, observer *observe.Observer) {
	observer.Pod = pretend.Pod()
	observer.KubectlProxyURL = observer.Pod.Environment["LIFELINE_KUBECTL_PROXY_URL"]
}

// TestEveryFaultIsToldByItsReason injects each fault of the sandbox, whose
// servers and files are real, and wants the verdict that the sandbox announces,
// within the time limit, and gone when the fault is.
func TestEveryFaultIsToldByItsReason(t *testing.T) {
	for _, fault := range world.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			pretend, observer := start(t)
			observer.Timeout = silence
			if err := pretend.Inject(fault.Name); err != nil {
				t.Fatal(err)
			}
			look(pretend, observer)
			madeBefore := func() {}
			if fault.Delay > 0 {
				// It is seen over a connection that an earlier round has made.
				observer.TakeTurnsEvery(time.Nanosecond)
				madeBefore = func() {
					for range 2 {
						observer.Observe(t.Context())
					}
				}
			}
			madeBefore()
			began := time.Now()
			facts := observer.Observe(t.Context())
			if took, limit := time.Since(began), 2*observer.Timeout+slack; took > limit {
				t.Errorf("the round took %s, more than %s", took, limit)
			}
			if fault.Deep {
				if report := judged(facts); report.Status != checks.OK {
					t.Errorf("without deep probes: got %s, want ok\n%s", report.Status, summary(report))
				}
			}
			report := judged(facts)
			if fault.Deep || fault.Cause != "" {
				report = deepReport(t.Context(), observer, facts, fault)
			}
			result, _ := report.Result(fault.Check)
			if result.Status != fault.Status || result.Reason != fault.Reason {
				t.Errorf("%s: got %s %s (%s), want %s %s\n%s", fault.Check, result.Status, result.Reason, result.Message, fault.Status, fault.Reason, summary(report))
			}
			if report.Status != fault.Status {
				t.Errorf("the whole: got %s, want %s\n%s", report.Status, fault.Status, summary(report))
			}
			if got, want := firstCause(report), fault.First(); got != want {
				t.Errorf("the first cause: got %q, want %s", got, want)
			}

			if err := pretend.Restore(fault.Name); err != nil {
				t.Fatal(err)
			}
			look(pretend, observer)
			madeBefore()
			if report := recovered(t, observer); report.Status != checks.OK {
				t.Errorf("restored: got %s, want ok\n%s", report.Status, summary(report))
			}
		})
	}
}

// judged is the report of facts without the waits of this process, since the machine
// may be busy with other tests.
func judged(facts *checks.Facts) *checks.Report {
	facts.Process = checks.ProcessFacts{StartedAt: facts.Process.StartedAt}
	if facts.Deep != nil {
		facts.Deep.WaitedSeconds, facts.Deep.LongestWaitSeconds = 0, 0
	}
	return judge.Judge(facts, nil)
}

// deepReport makes the deep probes for facts, three times at the most: what they
// tell by counting, a busy machine can hide from one look.
func deepReport(ctx context.Context, observer *observe.Observer, facts *checks.Facts, fault world.Fault) (report *checks.Report) {
	for range 3 {
		facts.Deep = observer.Deep(ctx, facts)
		report = judged(facts)
		if firstCause(report) == fault.First() && report.Status == fault.Status {
			break
		}
	}
	return report
}

// firstCause is empty where nothing is told.
func firstCause(report *checks.Report) checks.Reason {
	if len(report.Diagnosis) == 0 {
		return ""
	}
	return report.Diagnosis[0].Reason
}

// recovered looks again until a Retry-After that the fault gave has passed.
func recovered(t *testing.T, observer *observe.Observer) *checks.Report {
	t.Helper()
	for {
		facts := observer.Observe(t.Context())
		if facts.API == nil || facts.API.HeldUntil.IsZero() {
			return judged(facts)
		}
		time.Sleep(time.Until(facts.API.HeldUntil))
	}
}

func summary(report *checks.Report) string {
	var text strings.Builder
	for _, result := range report.Checks {
		if result.Status != checks.OK {
			text.WriteString(string(result.Name) + " " + string(result.Status) + " " + string(result.Reason) + ": " + result.Message + "\n")
		}
	}
	return text.String()
}

func TestNoFactHoldsTheTokenOrItsSignature(t *testing.T) {
	pretend, observer := start(t)
	facts := observer.Observe(t.Context())
	written, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(pretend.Pod().TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	token := string(content)
	for _, part := range append(strings.Split(token, "."), token) {
		if strings.Contains(string(written), part) {
			t.Errorf("the facts hold a part of the token, %d characters long", len(part))
		}
	}
}

func TestARoundEndsWhenItsContextDoes(t *testing.T) {
	pretend, observer := start(t)
	for _, fault := range []string{"dns-timeout", "tls-handshake-timeout"} {
		if err := pretend.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
	observer.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	observer.Observe(ctx)
	if took := time.Since(began); took > patience {
		t.Errorf("the round went on for %s after its context ended", took)
	}
}

func BenchmarkPulse(b *testing.B) {
	_, observer := start(b)
	b.ReportAllocs()
	for b.Loop() {
		judge.Judge(observer.Observe(b.Context()), nil)
	}
}

func TestATokenIsNeverMissingWhileItIsReplaced(t *testing.T) {
	pretend, observer := start(t)
	observer.Skip = []checks.Name{checks.DNS, checks.TLS, checks.API}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var rotating sync.WaitGroup
	rotating.Go(func() {
		for ctx.Err() == nil {
			if err := pretend.RotateToken(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for ctx.Err() == nil {
		if report := judge.Judge(observer.Observe(ctx), nil); report.Status != checks.OK {
			t.Errorf("got %s while kubelet replaced the token:\n%s", report.Status, summary(report))
			break
		}
	}
	cancel()
	rotating.Wait()
}

// TestATokenReplacedInMidFlightIsTold replaces a token between when the round reads it
// and when the API server rejects it.
func TestATokenReplacedInMidFlightIsTold(t *testing.T) {
	pretend, observer := start(t)
	if err := pretend.Inject("token-expired"); err != nil {
		t.Fatal(err)
	}
	replace := sync.OnceValue(func() error { return pretend.Restore("token-expired") })
	observer.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := replace(); err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	facts := observer.Observe(t.Context())
	if !facts.Token.ChangedDuringRound {
		t.Errorf("the facts do not tell that the token was replaced; the answer was %+v", facts.API.ServiceHost.Last().Response)
	}
}
