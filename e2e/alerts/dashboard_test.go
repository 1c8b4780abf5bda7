package alerts_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const dashboardFile = "../../charts/lifeline/files/dashboard.json"

// dashboard is what the tests look at of Grafana's JSON.
type dashboard struct {
	Title       string
	Editable    bool
	Panels      []panel
	Templating  struct{ List []variable }
	Annotations struct{ List []target }
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  datasource
	GridPos     struct{ X, Y, W, H int }
	Targets     []target
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
}

type target struct {
	Datasource datasource
	Expr       string
}

type variable struct {
	Name, Label, Type, AllValue string
	Datasource                  datasource
	Query                       any
	Refresh                     int
	IncludeAll                  bool
}

type datasource struct{ Type, UID string }

func readDashboard(t *testing.T) (board dashboard, text string) {
	t.Helper()
	text = readFile(t, dashboardFile)
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	return board, text
}

// shown are the panels but for the rows, which are headings.
func (d dashboard) shown() []panel {
	return slices.DeleteFunc(slices.Clone(d.Panels), func(p panel) bool { return p.Type == "row" })
}

func (d dashboard) targets() []target {
	targets := slices.Clone(d.Annotations.List)
	for _, panel := range d.Panels {
		targets = append(targets, panel.Targets...)
	}
	return targets
}

// labelValues are the metric and the label of a variable that Prometheus fills.
func (v variable) labelValues(t *testing.T) (selector, label string) {
	t.Helper()
	query, _ := v.Query.(map[string]any)
	text, _ := query["query"].(string)
	parts := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(text)
	if parts == nil {
		t.Fatalf("the variable %s asks for %q, want label_values", v.Name, text)
	}
	return parts[1], parts[2]
}

func TestTheRulesAndTheDashboardUseMetricsThatThereAre(t *testing.T) {
	known := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `(lifeline_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(readFile(t, "../../docs/metrics.md"), -1) {
		known[row[1]] = true
		if row[2] == "histogram" {
			known[row[1]+"_bucket"] = true
		}
	}
	if len(known) < 20 {
		t.Fatalf("got %d metrics of docs/metrics.md, want all of them", len(known))
	}
	for _, rule := range readRules(t).all() {
		known[rule.Record] = true
	}
	for _, file := range []string{rulesFile, dashboardFile} {
		used := regexp.MustCompile(`(?:\w+:)?lifeline_\w+(?::\w+)?`).FindAllString(readFile(t, file), -1)
		if len(used) == 0 {
			t.Errorf("%s uses no metric", file)
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(used))) {
			if !known[name] {
				t.Errorf("%s uses %s, which is neither in docs/metrics.md nor recorded", file, name)
			}
		}
	}
}

// TestEveryQueryOfTheDashboardHasData asks of a fleet of two agents, of which one
// fails and the other did before, by what an agent's metrics are known to be.
func TestEveryQueryOfTheDashboardHasData(t *testing.T) {
	board, _ := readDashboard(t)
	for name, cluster := range map[string]string{"in a cluster with a name": "east", "in one without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var series []map[string]string
			for _, agent := range []struct{ pod, node, metrics string }{{"a", "n1", "failing"}, {"b", "n2", "recovered"}} {
				labels := fmt.Sprintf(`cluster="%s", node="%s", namespace="shop", pod="%s", instance="10.0.0.1:8080", job="%[3]s"`, cluster, agent.node, agent.pod)
				series = append(series, exposed(t, readFile(t, "../../server/testdata/"+agent.metrics+".metrics"), labels)...)
			}
			variables := strings.NewReplacer("$cluster", "east", "$node", "n1|n2", "$namespace", "shop", "$pod", "a|b", "$__range", "5m", "$__rate_interval", "1m")
			if cluster == "" {
				// That is what the variable is where Prometheus has no value for it.
				variables = strings.NewReplacer("$cluster", ".*", "$node", ".*", "$namespace", ".*", "$pod", "a|b", "$__range", "5m", "$__rate_interval", "1m")
			}
			var asked []map[string]any
			ask := func(query string) {
				asked = append(asked, map[string]any{
					"eval_time": "10m", "expr": "count(" + variables.Replace(query) + ") > bool 0",
					"exp_samples": []map[string]any{{"value": 1}},
				})
			}
			for _, target := range board.targets() {
				ask(target.Expr)
			}
			for _, variable := range board.Templating.List {
				if variable.Type == "query" {
					selector, label := variable.labelValues(t)
					ask(fmt.Sprintf("count by (%s) (%s)", label, selector))
				}
			}
			folder := t.TempDir()
			writeYAML(t, filepath.Join(folder, "rules.yaml"), readRules(t))
			writeYAML(t, filepath.Join(folder, "test.yaml"), map[string]any{
				"rule_files": []string{"rules.yaml"}, "evaluation_interval": "30s",
				"tests": []map[string]any{{"interval": "30s", "input_series": series, "promql_expr_test": asked}},
			})
			if out, err := promtool(t, "test", "rules", filepath.Join(folder, "test.yaml")); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// exposed is what a scrape gave as series for promtool, which stay as they are.
func exposed(t *testing.T, text, labels string) []map[string]string {
	t.Helper()
	var series []map[string]string
	for _, line := range regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(line[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		series = append(series, map[string]string{
			"series": line[1] + "{" + strings.Trim(labels+", "+line[2], ", ") + "}",
			"values": strconv.FormatFloat(value, 'f', -1, 64) + "+0x20",
		})
	}
	return series
}

// TestTheDashboardKeepsToItsLinter has the rules of grafana/dashboard-linter that
// .lint beside the dashboard does not except, since go install refuses the linter
// for a replace in its go.mod. That Prometheus understands the queries is for the
// test above.
func TestTheDashboardKeepsToItsLinter(t *testing.T) {
	board, _ := readDashboard(t)
	if board.Editable {
		t.Error("the dashboard is editable")
	}
	if first := board.Templating.List[0]; first.Type != "datasource" || first.Name != "datasource" || first.Label != "Data source" || first.Query != "prometheus" {
		t.Errorf("the first variable is %+v, want that of the data source", first)
	}
	want := datasource{"prometheus", "${datasource}"}
	for _, variable := range board.Templating.List[1:] {
		if variable.Datasource != want || variable.Refresh != 2 {
			t.Errorf("the variable %s asks %v, want %v, and again with another time range", variable.Name, variable.Datasource, want)
		}
	}
	for _, target := range board.targets() {
		if target.Datasource != want {
			t.Errorf("%v is asked for %s, want %v", target.Datasource, target.Expr, want)
		}
		for _, counter := range regexp.MustCompile(`(\w*\()?\w+_total\b`).FindAllStringSubmatch(target.Expr, -1) {
			if !slices.Contains([]string{"rate(", "irate(", "increase("}, counter[1]) {
				t.Errorf("a counter is shown as it is: %s", target.Expr)
			}
		}
		for _, window := range regexp.MustCompile(`rate\([^\[]*\[([^\]]*)\]`).FindAllStringSubmatch(target.Expr, -1) {
			if window[1] != "$__rate_interval" {
				t.Errorf("a rate is not over $__rate_interval: %s", target.Expr)
			}
		}
	}
	for _, panel := range board.shown() {
		if panel.Title == "" || panel.Description == "" {
			t.Errorf("the panel %d has the title %q and the description %q", panel.ID, panel.Title, panel.Description)
		}
		if panel.Type == "text" {
			continue
		}
		if panel.Datasource != want || len(panel.Targets) == 0 {
			t.Errorf("the panel %q asks %v for %d things, want %v for some", panel.Title, panel.Datasource, len(panel.Targets), want)
		}
		if !slices.Contains([]string{"none", "percentunit", "s"}, panel.FieldConfig.Defaults.Unit) {
			t.Errorf("the panel %q has the unit %q", panel.Title, panel.FieldConfig.Defaults.Unit)
		}
	}
}

func TestPanelsStandSideBySide(t *testing.T) {
	board, _ := readDashboard(t)
	taken := make(map[[2]int]string)
	identifiers := make(map[int]string)
	for _, panel := range board.Panels {
		if other, again := identifiers[panel.ID]; again {
			t.Errorf("the panels %q and %q are both number %d", other, panel.Title, panel.ID)
		}
		identifiers[panel.ID] = panel.Title
		place := panel.GridPos
		if place.W < 1 || place.H < 1 || place.X < 0 || place.X+place.W > 24 {
			t.Errorf("the panel %q does not fit into the width: %+v", panel.Title, place)
		}
		overlaps := make(map[string]bool)
		for x := place.X; x < place.X+place.W; x++ {
			for y := place.Y; y < place.Y+place.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					overlaps[other] = true
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
		for other := range maps.Keys(overlaps) {
			t.Errorf("the panels %q and %q overlap", panel.Title, other)
		}
	}
}

func TestTheDashboardKnowsItsVariables(t *testing.T) {
	board, text := readDashboard(t)
	var names []string
	for _, variable := range board.Templating.List {
		names = append(names, variable.Name)
	}
	want := []string{"datasource", "cluster", "node", "namespace", "pod"}
	if !slices.Equal(names, want) {
		t.Errorf("got the variables %v, want %v", names, want)
	}
	for _, variable := range board.Templating.List {
		// A pattern that an empty label matches too, for there may be no cluster.
		if variable.IncludeAll && variable.AllValue != ".*" {
			t.Errorf("all of the variable %s is %q, want .*", variable.Name, variable.AllValue)
		}
	}
	for _, used := range regexp.MustCompile(`\$\{?([a-z_]+)`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(used[1], "__") && !slices.Contains(names, used[1]) {
			t.Errorf("nothing is known of the variable %s", used[1])
		}
	}
	for _, needed := range names {
		if !strings.Contains(text, "$"+needed) && !strings.Contains(text, "${"+needed) {
			t.Errorf("the variable %s is used nowhere", needed)
		}
	}
}
