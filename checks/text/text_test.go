package text_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func begun() time.Time { return time.Date(2026, 5, 4, 3, 12, 45, 0, time.UTC) }

func healthy() *checks.Report {
	since := begun().Add(-3 * time.Hour)
	return &checks.Report{
		APIVersion:      checks.APIVersion,
		Status:          checks.OK,
		Time:            begun(),
		Round:           721,
		DurationSeconds: 0.02345,
		Pod:             checks.Identity{Name: "web-0", Namespace: "shop", Node: "worker-2", ServiceAccount: "web"},
		Checks: []checks.Result{
			{Name: checks.Environment, Status: checks.OK, Message: "the API server is 10.96.0.1, port 443", Since: since, Consecutive: 721},
			{Name: checks.DNS, Status: checks.OK, Message: "kubernetes.default.svc resolves to 10.96.0.1, as the environment says", Since: since, Consecutive: 721},
			{Name: checks.Token, Status: checks.OK, Message: "the token of shop/web is 12m0s old and will be replaced at 48m30s", Since: since, Consecutive: 721},
			{Name: checks.CA, Status: checks.OK, Message: "ca.crt holds 1 certificate, valid until 2036-05-01", Since: since, Consecutive: 721},
			{Name: checks.TLS, Status: checks.OK, Message: "the chain proves 10.96.0.1, valid until 2027-05-01", Since: since, Consecutive: 721},
			{Name: checks.API, Status: checks.OK, Message: "GET /api answered 200 with kind APIVersions in 8ms", Since: since, Consecutive: 721},
		},
		Access: []checks.Access{
			{Path: checks.GoClient, Works: true, Why: "10.96.0.1:443 answered"},
			{Path: checks.PythonClient, Works: true, Why: "10.96.0.1:443 answered"},
			{Path: checks.REST, Works: true, Why: "kubernetes.default.svc answered"},
		},
	}
}

func warning() *checks.Report {
	report := healthy()
	report.Status = checks.Warn
	report.Checks[2] = checks.Result{
		Name: checks.Token, Status: checks.Warn, Reason: checks.TokenRotationStalled,
		Message:  "the token is 1h12m0s old and should have been replaced at 48m30s",
		Expected: "a token younger than 53m30s", Found: "one of 1h12m0s",
		Since: begun().Add(-18 * time.Minute), Consecutive: 72,
		Others: []checks.Problem{{
			Status: checks.Warn, Reason: checks.TokenTrailingNewline,
			Message: "white space stands after the token", Expected: "none", Found: "1 byte",
		}},
	}
	report.Diagnosis = []checks.Finding{{
		Reason: checks.TokenRotationStalled, Certainty: checks.Likely, Severity: checks.Warn,
		Title:    "Kubelet has stopped to replace the pod's token",
		Evidence: []string{"The token was issued at 2026-05-04T02:00:45Z.", "Kubelet last wrote the volume at 2026-05-04T02:00:45Z."},
		Confirm:  []string{"kubectl get pods"},
		Remedy:   []string{"See why kubelet on worker-2 cannot ask for tokens:", "kubectl get --raw /api/v1/nodes/worker-2/proxy/logs/kubelet.log | grep token"},
	}}
	return report
}

func failing() *checks.Report {
	report := healthy()
	report.Status = checks.Fail
	since := begun().Add(-30 * time.Second)
	report.Checks[1] = checks.Result{
		Name: checks.DNS, Status: checks.Fail, Reason: checks.DNSTimeout,
		Message:  "no nameserver answered for kubernetes.default.svc",
		Expected: "an answer from 10.96.0.10", Found: "none in 5s",
		Since: begun(), Consecutive: 1,
	}
	report.Checks[4] = checks.Result{
		Name: checks.TLS, Status: checks.Skip, Reason: checks.WaitsFor,
		Message: "no connection to shake hands on", WaitsFor: checks.API, Since: since, Consecutive: 3,
	}
	report.Checks[5] = checks.Result{
		Name: checks.API, Status: checks.Fail, Reason: checks.TCPTimeout,
		Message: "10.96.0.1:443 did not answer in 5s", Since: since, Consecutive: 3,
	}
	report.Diagnosis = []checks.Finding{
		{
			Reason: checks.TCPTimeout, Certainty: checks.Certain, Severity: checks.Fail,
			Title:        "No packet comes back from the API server",
			Evidence:     []string{"A connection to 10.96.0.1:443 got no answer in 5s."},
			Confirm:      []string{"kubectl get pods"},
			Remedy:       []string{"kubectl get networkpolicies --namespace shop"},
			References:   []string{"https://kubernetes.io/docs/concepts/services-networking/network-policies/"},
			Consequences: []checks.Name{checks.TLS},
		},
		{Reason: checks.DNSTimeout, Certainty: checks.Likely, Severity: checks.Fail, Title: "No nameserver answers"},
	}
	report.Access = []checks.Access{
		{Path: checks.GoClient, Why: "10.96.0.1:443 does not answer"},
		{Path: checks.PythonClient, Why: "10.96.0.1:443 does not answer"},
		{Path: checks.REST, Why: "kubernetes.default.svc does not resolve"},
	}
	return report
}

func write(t *testing.T, report *checks.Report, style text.Style) string {
	t.Helper()
	var out bytes.Buffer
	if err := text.Write(&out, report, style); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBeforeTheFirstRoundNothingIsSaidOfIt(t *testing.T) {
	got := write(t, &checks.Report{APIVersion: checks.APIVersion, Status: checks.Unknown}, text.Style{})
	const want = "From this pod to the Kubernetes API\n\nUNKNOWN: No round has ended yet, so nothing is known.\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatDoesNotFitTheScreenIsLeftOutBeforeTheVerdict(t *testing.T) {
	whole := write(t, failing(), text.Style{Columns: 80})
	for _, rows := range []int{8, 15, 24, 40} {
		got := write(t, failing(), text.Style{Columns: 80, Rows: rows})
		if count := strings.Count(got, "\n"); count > rows {
			t.Errorf("on %d rows there are %d:\n%s", rows, count, got)
		}
		if verdict := whole[strings.LastIndex(whole, "FAIL:"):]; !strings.HasSuffix(got, "\n\n"+verdict) {
			t.Errorf("on %d rows the verdict is not the last of\n%s", rows, got)
		}
		before, _, cut := strings.Cut(got, "... ")
		if cut != (got != whole) || cut && !strings.HasPrefix(whole, before) {
			t.Errorf("on %d rows there is not the beginning of the whole and a word of what is left out:\n%s", rows, got)
		}
	}
	if got := write(t, failing(), text.Style{Columns: 80, Rows: 60}); got != whole {
		t.Errorf("something is left out where all of it fits:\n%s", got)
	}
}

// TestALineThatTheTerminalBreaksTakesAsManyRowsAsItGets, since commands are
// printed whole.
func TestALineThatTheTerminalBreaksTakesAsManyRowsAsItGets(t *testing.T) {
	report := failing()
	report.Diagnosis[0].Remedy = []string{"kubectl " + strings.Repeat("x", 400)}
	const rows = 30
	got := write(t, report, text.Style{Columns: 80, Rows: rows, Colour: true})
	colours := regexp.MustCompile("\x1b\\[[0-9]+m")
	var taken int
	for line := range strings.Lines(colours.ReplaceAllString(got, "")) {
		taken += max(1, (len(strings.TrimSuffix(line, "\n"))+79)/80)
	}
	if taken > rows {
		t.Errorf("the report takes %d rows of %d:\n%s", taken, rows, got)
	}
}

func TestColoursAreAllThatColourAdds(t *testing.T) {
	colours := regexp.MustCompile("\x1b\\[[0-9]+m")
	for _, columns := range []int{0, 40, 80} {
		got := colours.ReplaceAllString(write(t, failing(), text.Style{Colour: true, Columns: columns}), "")
		if diff := cmp.Diff(write(t, failing(), text.Style{Columns: columns}), got); diff != "" {
			t.Errorf("in %d columns the text without its colours differs (-want +got):\n%s", columns, diff)
		}
	}
}

// hostile is what a server could send to take a terminal over.
const hostile = "a\x1b]0;owned\x07\x1b[2J\r\nok   api\x00\x7f\u009b31m\u202e\u2028\u200b\xff\xc3"

// poison sets every string below v.
func poison(v reflect.Value, with string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(with)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i), with)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), with)
		}
	case reflect.Pointer:
		poison(v.Elem(), with)
	}
}

func TestNoStringOfAReportReachesTheTerminalRaw(t *testing.T) {
	atTheMargin := regexp.MustCompile(`(?m)^[^ \n]`)
	for name, report := range map[string]*checks.Report{"warn": warning(), "fail": failing()} {
		for _, style := range []text.Style{{}, {Unicode: true}, {Columns: 40}, {Unicode: true, Columns: 80, Rows: 24}} {
			for form, write := range map[string]func(io.Writer, *checks.Report, text.Style) error{"whole": text.Write, "short": text.WriteShort} {
				var harmless, told bytes.Buffer
				poison(reflect.ValueOf(report), "harmless")
				if err := write(&harmless, report, style); err != nil {
					t.Fatal(err)
				}
				poison(reflect.ValueOf(report), hostile)
				if err := write(&told, report, style); err != nil {
					t.Fatal(err)
				}
				got := told.String()
				for _, r := range got {
					if r != '\n' && !unicode.IsPrint(r) {
						t.Errorf("%s, %s, %+v: %U is written raw", name, form, style, r)
					}
				}
				if !strings.Contains(got, `a\x1b]0;owned\a`) {
					t.Errorf("%s, %s, %+v: what the server sent is not shown:\n%s", name, form, style, got)
				}
				want := len(atTheMargin.FindAllString(harmless.String(), -1))
				if len(atTheMargin.FindAllString(got, -1)) > want || style.Columns == 0 && strings.Count(got, "\n") != strings.Count(harmless.String(), "\n") {
					t.Errorf("%s, %s, %+v: the server could make lines of its own:\n%s", name, form, style, got)
				}
			}
		}
	}
}

func TestPlainASCIIIsASCII(t *testing.T) {
	report := failing()
	report.DurationSeconds = 0.0000123
	report.Checks[1].Message = "„Störung“ µs 失敗"
	for _, r := range write(t, report, text.Style{}) {
		if r > unicode.MaxASCII {
			t.Errorf("%U in a text for a terminal without Unicode", r)
		}
	}
}

func TestCleanWritesOutWhatCannotBeSeen(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"plain":                  "plain",
		"„Störung“ 失敗 �":         "„Störung“ 失敗 �",
		"two\nlines\r\ttab":      `two\nlines\r\ttab`,
		"\x1b[31mred":            `\x1b[31mred`,
		"c1 \u009b31m del\x7f":   `c1 \u009b31m del\x7f`,
		"bidi \u202egnp":         `bidi \u202egnp`,
		"sep\u2028par\u2029":     `sep\u2028par\u2029`,
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`,
		"tag \U000e0001":         `tag \U000e0001`,
		"bad \xff utf\xc3(":      `bad \xff utf\xc3(`,
		`a "quote" and \ remain`: `a "quote" and \ remain`,
	} {
		if got := text.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCleanLeavesOnlyWhatCanBeSeen(f *testing.F) {
	f.Add(hostile)
	f.Add("plain")
	f.Fuzz(func(t *testing.T, s string) {
		got := text.Clean(s)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("Clean(%q) = %q has %U", s, got, r)
			}
		}
		if again := text.Clean(got); again != got {
			t.Fatalf("Clean of %q is not clean: %q", got, again)
		}
	})
}

func TestTheVerdictSaysWhetherThePodReachesTheAPIAndWhatBroke(t *testing.T) {
	way := func(path string, works bool) checks.Access { return checks.Access{Path: path, Works: works} }
	with := func(report *checks.Report, ways ...checks.Access) *checks.Report {
		report.Access = ways
		return report
	}
	counted := func(statuses ...checks.Status) *checks.Report {
		report := &checks.Report{Status: checks.OK, Round: 1}
		for i, status := range statuses {
			report.Checks = append(report.Checks, checks.Result{Name: checks.Names()[i], Status: status})
			if status.Severity() > report.Status.Severity() {
				report.Status = status
			}
		}
		return report
	}
	yesterday := failing()
	yesterday.Checks[5].Since = begun().AddDate(0, 0, -1)
	first := failing()
	first.Round = 1
	refined := failing()
	refined.Diagnosis[0].Reason = checks.TCPTimeoutNetworkPolicy
	refined.Diagnosis[0].Evidence = append(refined.Diagnosis[0].Evidence, refined.Checks[5].Message)
	for name, test := range map[string]struct {
		report *checks.Report
		want   string
	}{
		"before the first round": {&checks.Report{Status: checks.Unknown}, "No round has ended yet, so nothing is known."},
		"a healthy pod":          {healthy(), "This pod reaches the API; all 6 checks pass."},
		"a warning": {
			warning(), "This pod reaches the API. Kubelet has stopped to replace the pod's token (token-rotation-stalled, likely, since 02:54:45 UTC).",
		},
		"a warning that breaks one way": {
			with(warning(), way(checks.GoClient, true), way(checks.PythonClient, false), way(checks.REST, true)),
			"This pod reaches the API by go-client and rest, but not by python-client. Kubelet has stopped to replace the pod's token (token-rotation-stalled, likely, since 02:54:45 UTC).",
		},
		"two causes": {
			failing(), "This pod does not reach the API. No packet comes back from the API server (tcp-timeout, certain, since 03:12:15 UTC); also dns-timeout.",
		},
		"a way that works": {
			with(failing(), way(checks.GoClient, false), way(checks.PythonClient, false), way(checks.REST, false), way(checks.KubectlProxyPath, true)),
			"This pod reaches the API by kubectl-proxy, but not by go-client, python-client and rest. No packet comes back from the API server (tcp-timeout, certain, since 03:12:15 UTC); also dns-timeout.",
		},
		"all ways work": {
			with(failing(), way(checks.GoClient, true)),
			"This pod reaches the API. 2 of 6 checks fail: dns, api. 1 of 6 checks is not judged: tls. No packet comes back from the API server (tcp-timeout, certain, since 03:12:15 UTC); also dns-timeout.",
		},
		"since another day": {
			yesterday, "This pod does not reach the API. No packet comes back from the API server (tcp-timeout, certain, since 2026-05-03 03:12:45 UTC); also dns-timeout.",
		},
		"a first round, before which nobody looked": {
			first, "This pod does not reach the API. No packet comes back from the API server (tcp-timeout, certain); also dns-timeout.",
		},
		"a cause that a rule names": {
			refined, "This pod does not reach the API. No packet comes back from the API server (tcp-timeout-networkpolicy, certain, since 03:12:15 UTC); also dns-timeout.",
		},
		"no check":                     {counted(), "No check was made."},
		"no way judged":                {counted(checks.OK, checks.OK), "All 2 checks pass."},
		"no way judged, and a warning": {counted(checks.OK, checks.Warn), "1 of 2 checks warns: dns."},
		"no way judged, and all else": {
			counted(checks.Fail, checks.Warn, checks.Fail, checks.Skip, checks.Skip),
			"2 of 5 checks fail: environment, token. 1 of 5 checks warns: dns. 2 of 5 checks are not judged: ca, tls.",
		},
	} {
		if got := text.Verdict(test.report); got != test.want {
			t.Errorf("%s: got\n%q, want\n%q", name, got, test.want)
		}
	}
}

func TestTheSubjectIsNamedByWhatIsKnown(t *testing.T) {
	for want, pod := range map[string]checks.Identity{
		"this pod":                        {},
		"pod web-0":                       {Name: "web-0"},
		"a pod in namespace shop":         {Namespace: "shop"},
		"pod shop/web-0 on node n":        {Name: "web-0", Namespace: "shop", Node: "n"},
		"this pod as service account web": {ServiceAccount: "web"},
	} {
		if got := text.Subject(pod); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDurationsAreShownInThreeDigits(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0ms", 0.0000123: "0.0123ms", 0.0234567: "23.5ms", 0.9994: "999ms", 0.9996: "1s", 5.0049: "5s", 61.5: "1m1.5s",
	} {
		if got := text.Duration(seconds); got != want {
			t.Errorf("%v seconds: got %q, want %q", seconds, got, want)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestAWriterThatFailsIsReported(t *testing.T) {
	if err := text.Write(brokenPipe{}, healthy(), text.Style{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want the error of the writer", err)
	}
}
