//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// dashboard is what of Grafana's JSON asks Prometheus for something.
type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Type, Definition, AllValue string
			IncludeAll                       bool
		}
	}
	Annotations struct{ List []struct{ Name, Expr string } }
}

type panel struct {
	Title   string
	Targets []target
	// Panels are those of a row that is folded.
	Panels []panel
}

type target struct {
	Expr string
	// Instant is for the present alone.
	Instant bool
}

func (s suite) dashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.chart(), "files", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board dashboard
	if err := json.Unmarshal(content, &board); err != nil {
		t.Fatal(err)
	}
	for _, one := range slices.Clone(board.Panels) {
		board.Panels = append(board.Panels, one.Panels...)
	}
	for _, one := range board.Annotations.List {
		board.Panels = append(board.Panels, panel{Title: one.Name, Targets: []target{{Expr: one.Expr}}})
	}
	return board
}

// dashboardWorks asks everything that the dashboard asks, of the time in which
// things broke, and then of the moments in which all alerts fired.
func (o *observatory) dashboardWorks(ctx context.Context, t *testing.T) {
	board := o.dashboard(t)
	// Grafana chooses these by the time that is shown, and the pod is chosen by hand.
	variables := map[string]string{"__interval": "1s", "__rate_interval": "1m", "__range": "5m", "pod": o.agents["broken"].Name}
	for _, variable := range board.Templating.List {
		if variable.Type != "query" {
			continue
		}
		// Nothing sets the label cluster here, as in many places.
		if values := o.values(ctx, t, fill(t, variable.Definition, variables)); len(values) == 0 && variable.Name != "cluster" {
			t.Errorf("there is nothing to choose for the variable %s", variable.Name)
		}
		if variable.IncludeAll {
			variables[variable.Name] = variable.AllValue
		}
	}
	asked := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			asked++
			query := fill(t, target.Expr, variables)
			o.knows(ctx, t, query)
			if target.Instant && !slices.ContainsFunc(o.firing, func(at time.Time) bool { return len(o.vector(ctx, t, query, at)) > 0 }) ||
				!target.Instant && len(o.matrix(ctx, t, query, o.began, time.Now())) == 0 {
				t.Errorf("the panel %q has no data for %s", p.Title, query)
			}
		}
	}
	if asked == 0 {
		t.Error("the dashboard asks for nothing")
	}
	t.Logf("the dashboard asks for %d things", asked)
}

// knows wants there to be every metric that a query names: one that adds "or
// vector(0)" has data whatever it asks for.
func (o *observatory) knows(ctx context.Context, t *testing.T, query string) {
	t.Helper()
	for _, name := range regexp.MustCompile(`\b(?:\w+:)?lifeline_\w+(?::\w+)?`).FindAllString(query, -1) {
		if len(o.matrix(ctx, t, name, o.began, time.Now())) == 0 {
			t.Errorf("there is no %s, for which %s asks", name, query)
		}
	}
}

// values are what a variable can be chosen from.
func (o *observatory) values(ctx context.Context, t *testing.T, definition string) model.LabelValues {
	t.Helper()
	parts := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(definition)
	if parts == nil {
		t.Errorf("the definition of a variable is not understood: %s", definition)
		return nil
	}
	values, _, _, err := o.prometheus.LabelValues(ctx, parts[2], []string{parts[1]}, o.began, time.Now())
	if err != nil {
		t.Errorf("ask for %s: %v", definition, err)
	}
	return values
}

// vector is what a query gives at a moment.
func (o *observatory) vector(ctx context.Context, t *testing.T, query string, at time.Time) model.Vector {
	t.Helper()
	value, warnings, _, err := o.prometheus.Query(ctx, query, at)
	if err != nil || len(warnings) > 0 {
		t.Errorf("ask for %s: %v %v", query, err, warnings)
		return nil
	}
	return value.(model.Vector)
}

// fill puts values in the place of Grafana's variables, as in $pod and
// ${pod:regex}.
func fill(t *testing.T, query string, variables map[string]string) string {
	t.Helper()
	return os.Expand(query, func(name string) string {
		name, _, _ = strings.Cut(name, ":")
		// What a regular expression found.
		if regexp.MustCompile(`^\d$`).MatchString(name) {
			return "$" + name
		}
		value, ok := variables[name]
		if !ok {
			t.Errorf("nothing is known of the variable %s of %s", name, query)
		}
		return value
	})
}
