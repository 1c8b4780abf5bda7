package server

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

// exposition is what the server's own metrics are at present, without the
// version of Go, which is not the same everywhere.
func exposition(t *testing.T, s *Server) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newCollector(s))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, family := range families {
		names = append(names, family.GetName())
	}
	got, err := testutil.GatherAndFormat(registry, expfmt.TypeTextPlain, names...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(got), runtime.Version(), "GOVERSION")
}

func TestMetricsReadAsInTheGoldenFiles(t *testing.T) {
	options := Options{Version: "1.2.3", Revision: "0123abc"}
	s := New(options)
	compareWithGolden(t, "unknown.metrics", exposition(t, s))

	s.Publish(failing())
	compareWithGolden(t, "failing.metrics", exposition(t, s))

	later := healthy()
	later.Time = later.Time.Add(15*time.Second + 500*time.Millisecond)
	s.Publish(later)
	compareWithGolden(t, "recovered.metrics", exposition(t, s))
}

// TestMetricsFollowTheConventions lints whole answers, by the library that is built
// in and, where it is installed, by Prometheus' own tool.
func TestMetricsFollowTheConventions(t *testing.T) {
	recovered := worst()
	recovered.Publish(healthy())
	for name, s := range map[string]*Server{"before the first round": New(Options{}), "all that can be": worst(), "healthy again": recovered} {
		answer := get(t, s, "/metrics").Body.String()
		problems, err := promlint.New(strings.NewReader(answer)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems {
			t.Errorf("%s: %s: %s", name, problem.Metric, problem.Text)
		}
		t.Run("promtool, "+name, func(t *testing.T) {
			promtool, err := exec.LookPath("promtool")
			if err != nil {
				t.Skip("promtool is not installed; Debian has it in the package prometheus")
			}
			check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
			check.Stdin = strings.NewReader(answer)
			if said, err := check.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}

func TestAReasonIsThatOfTheLastRoundOnly(t *testing.T) {
	s := New(Options{})
	report := failing()
	s.Publish(report)
	report = failing()
	report.Checks[5].Reason = checks.TCPRefused
	s.Publish(report)
	const want = `
# HELP lifeline_check_reason 1 for the reason why the check is not ok at present.
# TYPE lifeline_check_reason gauge
lifeline_check_reason{check="api",reason="tcp-refused"} 1
lifeline_check_reason{check="ca",reason="ca-expiring-soon"} 1
lifeline_check_reason{check="tls",reason="waits-for"} 1
# HELP lifeline_check_failures_total Rounds in which the check failed. After many different reasons the further ones are counted as other.
# TYPE lifeline_check_failures_total counter
lifeline_check_failures_total{check="api",reason="tcp-refused"} 1
lifeline_check_failures_total{check="api",reason="tcp-timeout"} 1
`
	err := testutil.CollectAndCompare(newCollector(s), strings.NewReader(want), "lifeline_check_reason", "lifeline_check_failures_total")
	if err != nil {
		t.Error(err)
	}
}

// reported returns the values of the named metrics, one line each.
func reported(t *testing.T, s *Server, prefix string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(exposition(t, s)) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestAValueThatIsNotKnownIsAbsent(t *testing.T) {
	held := &checks.APIDetails{APIFacts: failing().Checks[5].Details.(*checks.APIDetails).APIFacts}
	held.HeldUntil = begun().Add(time.Minute)
	for name, test := range map[string]struct {
		details any
		absent  string
	}{
		"nothing observed":               {nil, "lifeline_api_phase"},
		"a nil pointer to token details": {(*checks.TokenDetails)(nil), "lifeline_token"},
		"a nil pointer to DNS details":   {(*checks.DNSDetails)(nil), "lifeline_dns"},
		"a nil pointer to CA details":    {(*checks.CADetails)(nil), "lifeline_ca"},
		"a nil pointer to TLS details":   {(*checks.TLSDetails)(nil), "lifeline_serving"},
		"a nil pointer to API details":   {(*checks.APIDetails)(nil), "lifeline_api_phase"},
		"no claims":                      {&checks.TokenDetails{}, "lifeline_token"},
		"a token without end":            {&checks.TokenDetails{TokenFacts: checks.TokenFacts{Claims: &checks.TokenClaims{IssuedAt: begun()}}}, "lifeline_token_expiry"},
		"no lookup":                      {&checks.DNSDetails{}, "lifeline_dns"},
		"no certificate in ca.crt":       {&checks.CADetails{}, "lifeline_ca"},
		"no chain":                       {&checks.TLSDetails{}, "lifeline_serving"},
		"no attempt":                     {&checks.APIDetails{}, "lifeline_api_phase"},
		"no clock":                       {&checks.APIDetails{}, "lifeline_clock"},
		"an attempt of an earlier round": {held, "lifeline_api_phase"},
	} {
		s := New(Options{})
		s.Publish(healthy())
		if reported(t, s, test.absent) == nil {
			t.Errorf("%s: a healthy report has no %s", name, test.absent)
		}
		report := healthy()
		report.Checks = []checks.Result{{Name: "x", Status: checks.OK, Details: test.details}}
		s.Publish(report)
		if got := reported(t, s, test.absent); got != nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestTheTimesOfTheCAAreThoseOfTheOneThatEndsLast(t *testing.T) {
	old := checks.Certificate{NotBefore: begun().AddDate(-10, 0, 0), NotAfter: begun().AddDate(0, 0, 1)}
	next := checks.Certificate{NotBefore: begun().AddDate(0, 0, -1), NotAfter: begun().AddDate(10, 0, 0)}
	report := healthy()
	report.Checks = []checks.Result{{Name: checks.CA, Status: checks.OK, Details: &checks.CADetails{FirstExpiry: &old, LastExpiry: &next}}}
	s := New(Options{})
	s.Publish(report)
	want := []string{
		fmt.Sprintf("lifeline_ca_expiry_timestamp_seconds %v", float64(next.NotAfter.Unix())),
		fmt.Sprintf("lifeline_ca_not_before_timestamp_seconds %v", float64(next.NotBefore.Unix())),
	}
	if diff := cmp.Diff(want, reported(t, s, "lifeline_ca_")); diff != "" {
		t.Errorf("while a CA is rotated (-want +got):\n%s", diff)
	}
}

func TestHealthyIsWhatHealthzAnswers(t *testing.T) {
	clock := newClock()
	s := New(Options{Now: clock.Now})
	warning := healthy()
	warning.Status, warning.Checks[3].Status, warning.Checks[3].Reason = checks.Warn, checks.Warn, checks.CAExpiringSoon
	for _, step := range []struct {
		name   string
		report *checks.Report
		later  time.Duration
		want   int
	}{
		{"before the first round", nil, 0, 0},
		{"all is well", healthy(), 0, 1},
		{"a warning", warning, 0, 1},
		{"a check fails", failing(), 0, 0},
		{"all is well again", healthy(), 45 * time.Second, 1},
		{"no round for three intervals", nil, time.Millisecond, 0},
	} {
		if step.report != nil {
			s.Publish(step.report)
		}
		clock.advance(step.later)
		want := fmt.Sprintf("[lifeline_healthy %d]", step.want)
		code := map[int]int{0: 503, 1: 200}[step.want]
		if got, answered := fmt.Sprint(reported(t, s, "lifeline_healthy")), get(t, s, "/healthz").Code; got != want || answered != code {
			t.Errorf("%s: got %s where /healthz answers %d, want %s and %d", step.name, got, answered, want, code)
		}
	}
}

func TestTheFirstCausesAreToldInTheirOrder(t *testing.T) {
	report := failing()
	report.Diagnosis = []checks.Finding{
		{Reason: checks.NetworkPacketLoss, Severity: checks.Fail, Certainty: checks.Likely},
		{Reason: checks.TCPTimeout, Check: checks.API, Severity: checks.Fail, Certainty: checks.Certain},
		{Reason: checks.DNSTimeout, Check: checks.DNS, Severity: checks.Fail, Certainty: checks.Certain},
		{Reason: checks.CAExpiringSoon, Check: checks.CA, Severity: checks.Warn, Certainty: checks.Certain},
		{Reason: checks.TokenRotationStalled, Check: checks.Token, Severity: checks.Warn, Certainty: checks.Likely},
		{Reason: checks.DNSSlow, Check: checks.DNS, Severity: checks.Warn, Certainty: checks.Likely},
	}
	s := New(Options{})
	s.Publish(report)
	want := []string{
		`lifeline_cause{certainty="certain",check="api",reason="tcp-timeout",status="fail"} 2`,
		`lifeline_cause{certainty="certain",check="ca",reason="ca-expiring-soon",status="warn"} 4`,
		`lifeline_cause{certainty="certain",check="dns",reason="dns-timeout",status="fail"} 3`,
		`lifeline_cause{certainty="likely",check="",reason="network-packet-loss",status="fail"} 1`,
		`lifeline_cause{certainty="likely",check="token",reason="token-rotation-stalled",status="warn"} 5`,
	}
	if diff := cmp.Diff(want, reported(t, s, "lifeline_cause")); diff != "" {
		t.Errorf("the causes differ (-want +got):\n%s", diff)
	}
	s.Publish(healthy())
	if got := reported(t, s, "lifeline_cause"); got != nil {
		t.Errorf("after the fault: got %q", got)
	}
}

func TestAnEpisodeBeginsWithAFailingRoundAfterOneWithout(t *testing.T) {
	s := New(Options{})
	want := func(rounds string, episodes int) {
		t.Helper()
		for _, letter := range rounds {
			s.Publish(met(letter, begun()))
		}
		if got, want := reported(t, s, "lifeline_episodes_total"), fmt.Sprintf("lifeline_episodes_total %d", episodes); len(got) != 1 || got[0] != want {
			t.Errorf("after %s: got %q, want %q", rounds, got, want)
		}
	}
	want("", 0)
	want("..w", 0)
	want("f", 1)
	want("ffF", 1)
	want("w", 1)
	want("f", 2)
	want(".", 2)
	want("F.F", 4)
}

func TestRoundTripsAreThoseThatWereAnsweredAsTheyShould(t *testing.T) {
	s := New(Options{})
	s.Publish(failing())
	s.Publish(healthy())
	s.Publish(healthy())
	got := reported(t, s, "lifeline_api_round_trip_duration_seconds_")
	for _, want := range []string{`bucket{le="0.005"} 0`, `bucket{le="0.01"} 2`, `bucket{le="+Inf"} 2`, "count 2"} {
		if !slices.Contains(got, "lifeline_api_round_trip_duration_seconds_"+want) {
			t.Errorf("got %q, want %s in it", got, want)
		}
	}
}

func TestPhasesAreThoseOfTheConnectionThatServed(t *testing.T) {
	report := healthy()
	attempt := report.Checks[5].Details.(*checks.APIDetails).ServiceHost
	attempt.Exchanges = []checks.Exchange{
		{Phases: checks.Phases{ConnectSeconds: 9, TLSSeconds: 9, FirstByteSeconds: 9}},
		{Phases: checks.Phases{ConnectSeconds: 1, TLSSeconds: 2, FirstByteSeconds: 9, BodySeconds: 9}},
		{Reused: true, Phases: checks.Phases{FirstByteSeconds: 3}},
	}
	s := New(Options{})
	s.Publish(report)
	want := []string{
		`lifeline_api_phase_duration_seconds{phase="connect"} 1`,
		`lifeline_api_phase_duration_seconds{phase="first_byte"} 3`,
		`lifeline_api_phase_duration_seconds{phase="tls"} 2`,
	}
	if got := reported(t, s, "lifeline_api_phase"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

const (
	// seriesLimit is promised: more than any agent has.
	seriesLimit = 150
	// ofTheScrape are the series that Prometheus itself adds to each target: up,
	// and four that tell of the scrape.
	ofTheScrape = 5
)

// all is a report with all details, a kubectl proxy configured, in which every check
// has the status and the reason.
func all(status checks.Status, reason checks.Reason) *checks.Report {
	report := healthy()
	report.Status = status
	report.Checks = append(report.Checks, checks.Result{Name: checks.KubectlProxy, DurationSeconds: 0.001, Since: begun()})
	for i := range report.Checks {
		report.Checks[i].Status, report.Checks[i].Reason = status, reason
	}
	report.Access = append(report.Access, checks.Access{Path: checks.PythonClient}, checks.Access{Path: checks.KubectlProxyPath})
	return report
}

// worst is a server that has met, check by check, everything that there is a name
// for, and of whose last report as much is wrong as can be.
func worst() *Server {
	s := New(Options{Version: "1.2.3", Revision: "0123abc"})
	s.Publish(all(checks.OK, ""))
	entries := catalogue.All()
	for i, entry := range entries {
		report := all(checks.Fail, entry.Reason)
		for j := range 2 * causesTold {
			cause := entries[(i+j)%len(entries)]
			report.Diagnosis = append(report.Diagnosis, checks.Finding{Reason: cause.Reason, Check: cause.Check, Severity: checks.Fail, Certainty: checks.Likely})
		}
		s.Publish(report)
	}
	return s
}

func TestTheSeriesStayFewHoweverLongItRunsAndWhateverBreaks(t *testing.T) {
	s := worst()
	for _, accept := range []string{"", openMetrics} {
		series := ofTheScrape
		for line := range strings.Lines(get(t, s, "/metrics", "Accept", accept).Body.String()) {
			if !strings.HasPrefix(line, "#") {
				series++
			}
		}
		if series >= seriesLimit {
			t.Errorf("Accept %q: got %d series, want less than %d", accept, series, seriesLimit)
		}
	}
	if got := len(reported(t, s, "lifeline_cause")); got != causesTold {
		t.Errorf("got %d causes, want %d", got, causesTold)
	}
	if got, want := len(reported(t, s, "lifeline_check_failures_total")), maxFailures+len(checks.Names()); got != want {
		t.Errorf("got %d counters of failures, want %d", got, want)
	}
}

func TestNoFailureIsLostWhereReasonsAreMany(t *testing.T) {
	var counted uint64
	for _, count := range worst().current.Load().counters.failures {
		counted += count
	}
	if want := uint64(len(catalogue.All()) * len(checks.Names())); counted != want {
		t.Errorf("got %d failures in all, want %d", counted, want)
	}
}

const openMetrics = "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"

func TestMetricsAreGivenAsOpenMetricsToWhoAsks(t *testing.T) {
	s := New(Options{})
	s.Publish(healthy())
	for accept, want := range map[string]string{
		"":          "text/plain; version=0.0.4",
		openMetrics: "application/openmetrics-text; version=1.0.0",
	} {
		got := get(t, s, "/metrics", "Accept", accept, "Accept-Encoding", "gzip")
		if contentType := got.Header().Get("Content-Type"); !strings.HasPrefix(contentType, want) || got.Code != 200 {
			t.Errorf("Accept %q: got %d %s, want %s", accept, got.Code, contentType, want)
		}
		for _, metric := range []string{"\nlifeline_rounds_total 1", "\ngo_goroutines ", "\nprocess_resident_memory_bytes "} {
			if !strings.Contains(got.Body.String(), metric) {
				t.Errorf("Accept %q: there is no %q", accept, metric)
			}
		}
		if got.Header().Get("Cache-Control") != "no-store" || got.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("Accept %q: got the header %v", accept, got.Header())
		}
	}
}

func TestALabelThatIsNotUTF8TakesNoOtherMetricAway(t *testing.T) {
	s := New(Options{Version: "\xff"})
	report := failing()
	report.Checks[5].Reason = "\xfe"
	report.Checks = append(report.Checks, report.Checks[0])
	s.Publish(report)
	got := get(t, s, "/metrics")
	if got.Code != 200 || !strings.Contains(got.Body.String(), `lifeline_check_status{check="dns",status="ok"} 1`) {
		t.Errorf("got %d:\n%s", got.Code, got.Body)
	}
}
