package server

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

const metricsPage = "../docs/metrics.md"

// TestThePageSaysWhatTheRegistryHas holds the names of metrics and labels, too: none
// changes without a change of the page.
func TestThePageSaysWhatTheRegistryHas(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the page has the metrics of a process on Linux")
	}
	want := renderMetrics(families(t, worst()))
	if *update {
		if err := os.WriteFile(metricsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("docs/metrics.md differs from the registry; go test ./server -update writes it anew (-registry +page):\n%s", diff)
	}
}

func TestThePageHasEveryMetric(t *testing.T) {
	var described []string
	for _, description := range newCollector(New(Options{})).descriptions {
		described = append(described, regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(description.String())[1])
	}
	var told []string
	for _, family := range families(t, worst()) {
		if family.isOwn() {
			told = append(told, family.name)
		}
	}
	slices.Sort(described)
	if diff := cmp.Diff(described, told); diff != "" {
		t.Errorf("the page's metrics differ from those that are described (-described +told):\n%s", diff)
	}
}

func TestLabelsHaveNoOtherValueThanThePageSays(t *testing.T) {
	healthyAgain := worst()
	healthyAgain.Publish(all(checks.OK, ""))
	skipping := New(Options{})
	skipping.Publish(failing())
	for _, s := range []*Server{worst(), healthyAgain, skipping} {
		for _, family := range families(t, s) {
			for name, values := range family.labels {
				if !family.isOwn() {
					continue
				}
				for value := range values {
					if possible := valuesOf(family.name, name); possible != nil && !slices.Contains(possible, value) {
						t.Errorf("%s has %s=%q, want one of %q", family.name, name, value, possible)
					}
				}
			}
		}
	}
}

// TestTheReadmeNamesNoMetricThatThereIsNot leaves the names of recording rules alone,
// which have a colon before the name of what they record.
func TestTheReadmeNamesNoMetricThatThereIsNot(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, family := range families(t, worst()) {
		names = append(names, family.name)
	}
	for _, found := range regexp.MustCompile(`[^:\w](lifeline_[a-z_]+?)(?:_bucket|_sum|_count)?\b`).FindAllStringSubmatch(string(readme), -1) {
		if !slices.Contains(names, found[1]) {
			t.Errorf("README.md speaks of %s", found[1])
		}
	}
}

// family is a metric as the registry has it.
type family struct {
	name, help, kind, unit string
	// labels has the values that each label has at present, bounds those of le where
	// this is a histogram.
	labels map[string]map[string]bool
	bounds []string
}

func (f family) isOwn() bool { return strings.HasPrefix(f.name, "lifeline_") }

// families are the metrics of a whole answer, by name.
func families(t *testing.T, s *Server) []family {
	t.Helper()
	gathered, err := s.registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var families []family
	for _, one := range gathered {
		family := family{
			name: one.GetName(), help: one.GetHelp(), kind: strings.ToLower(one.GetType().String()), unit: one.GetUnit(),
			labels: make(map[string]map[string]bool),
		}
		for _, metric := range one.GetMetric() {
			for _, pair := range metric.GetLabel() {
				if family.labels[pair.GetName()] == nil {
					family.labels[pair.GetName()] = make(map[string]bool)
				}
				family.labels[pair.GetName()][pair.GetValue()] = true
			}
			for _, bucket := range metric.GetHistogram().GetBucket() {
				family.bounds = append(family.bounds, fmt.Sprint(bucket.GetUpperBound()))
			}
		}
		families = append(families, family)
	}
	return families
}

// valuesOf are all that a label of one of Lifeline's own metrics can have; nil where
// a build can have any.
func valuesOf(metric, label string) []string {
	switch label {
	case "certainty":
		return texts(checks.Certain, checks.Likely)
	case "check":
		values := texts(checks.Names()...)
		if metric == "lifeline_cause" {
			values = append(values, "")
		}
		return values
	case "path":
		return []string{checks.GoClient, checks.PythonClient, checks.REST, checks.KubectlProxyPath}
	case "phase":
		return []string{"connect", "tls", "first_byte", "body"}
	case "reason":
		var values []string
		for _, entry := range catalogue.All() {
			values = append(values, string(entry.Reason))
		}
		if metric == "lifeline_check_failures_total" {
			values = append(values, string(otherReason))
		}
		return values
	case "status":
		if metric == "lifeline_cause" {
			return texts(checks.Warn, checks.Fail)
		}
		return texts(checks.OK, checks.Warn, checks.Fail, checks.Skip)
	default:
		return nil
	}
}

func texts[T ~string](values ...T) []string {
	var texts []string
	for _, value := range values {
		texts = append(texts, string(value))
	}
	return texts
}

func renderMetrics(families []family) string {
	var own, others strings.Builder
	for _, family := range families {
		labels := slices.Sorted(maps.Keys(family.labels))
		if family.isOwn() {
			if family.bounds != nil {
				labels = append(labels, "le")
			}
			fmt.Fprintf(&own, "| `%s` | %s | %s | %s | %s |\n", family.name, family.kind, family.unit, inCode(labels), family.help)
		} else {
			fmt.Fprintf(&others, "| `%s` | %s | %s |\n", family.name, family.kind, inCode(labels))
		}
	}
	return "# Metrics\n\n" +
		"<!-- Made from server by go test ./server -update; changes here are lost. -->\n\n" +
		"`/metrics` answers in the text format of Prometheus, and in OpenMetrics to who asks for it. Names, labels and what they mean\n" +
		"stay the same from release to release; what goes away or changes is told in the [changelog](../CHANGELOG.md).\n\n" +
		fmt.Sprintf("An agent has fewer than %d series in all, with the %d that Prometheus adds to a target, however long it runs and whatever\n", seriesLimit, ofTheScrape) +
		"breaks. What is not known is absent: the times of a certificate where no handshake came so far, a reason where all is well,\n" +
		"the failures of a check that never failed. Timestamps are in seconds since 1970. Failures are counted apart for the first\n" +
		fmt.Sprintf("%d pairs of check and reason that an agent meets, and as `reason=\"%s\"` after that; of causes the first %d are told.\n\n", maxFailures, otherReason, causesTold) +
		"Labels are codes out of Lifeline's own lists, never an address or an error text. Which pod and node a series is of is told by\n" +
		"the labels that Prometheus gives its targets.\n\n" +
		"## Lifeline's own\n\n| metric | type | unit | labels | is |\n|---|---|---|---|---|\n" + own.String() +
		"\n## Labels\n\n| label | of | can be |\n|---|---|---|\n" + labelRows(families) +
		"\n## Of the Go runtime and the process\n\nThose that every program in Go has, as the client library of Prometheus names them.\n\n" +
		"| metric | type | labels |\n|---|---|---|\n" + others.String()
}

// labelRows have a row for each label, and for each set of values that it has.
func labelRows(families []family) string {
	type row struct{ label, values string }
	metrics := make(map[row][]string)
	add := func(family family, label, values string) {
		metrics[row{label, values}] = append(metrics[row{label, values}], family.name)
	}
	for _, family := range families {
		if !family.isOwn() {
			continue
		}
		for label := range family.labels {
			add(family, label, said(label, valuesOf(family.name, label)))
		}
		if family.bounds != nil {
			add(family, "le", inCode(append(family.bounds, "+Inf")))
		}
	}
	var rows []string
	for row, names := range metrics {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", row.label, inCode(names), row.values))
	}
	slices.Sort(rows)
	return strings.Join(rows, "")
}

func said(label string, values []string) string {
	named := slices.DeleteFunc(slices.Clone(values), func(value string) bool { return value == "" })
	switch {
	case label == "reason" && slices.Contains(values, string(otherReason)):
		return fmt.Sprintf("one of the [reasons](reasons.md), or `%s`", otherReason)
	case label == "reason":
		return "one of the [reasons](reasons.md)"
	case values == nil:
		return "that of the build"
	case len(named) < len(values):
		return inCode(named) + ", or empty where what is at fault is no single link"
	default:
		return inCode(values)
	}
}

func inCode(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}
