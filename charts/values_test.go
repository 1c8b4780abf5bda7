// Package charts_test holds what is written about the chart to the chart itself.
// What the chart does is tested on a real Kubernetes, in e2e/cluster/suite.
package charts_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the table of values in the chart's README.md anew")

func TestTheReadmeHasTheValuesAsTheirComments(t *testing.T) {
	const (
		readme = "lifeline/README.md"
		begin  = "<!-- values -->\n"
		end    = "<!-- /values -->\n"
	)
	want := table(t)
	content, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(content), begin)
	got, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("%s has no section of values", readme)
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs from values.yaml; go test ./charts -update writes it anew (-values.yaml +README):\n%s", readme, diff)
	}
}

// table is the README's of all values.
func table(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("lifeline/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	return "| value | default | is |\n|---|---|---|\n" + rows(t, "", document.Content[0])
}

// rows has a line for each value below a mapping. A list is one value, and so is
// a mapping that is empty.
func rows(t *testing.T, prefix string, mapping *yaml.Node) string {
	t.Helper()
	var lines strings.Builder
	for pair := range slices.Chunk(mapping.Content, 2) {
		name, value := pair[0], pair[1]
		path := prefix + name.Value
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			lines.WriteString(rows(t, path+".", value))
			continue
		}
		standard, err := yaml.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		meaning := firstParagraph(name.HeadComment)
		if meaning == "" {
			t.Errorf("values.yaml does not tell what %s is", path)
		}
		fmt.Fprintf(&lines, "| `%s` | `%s` | %s |\n", path, strings.TrimSpace(string(standard)), meaning)
	}
	return lines.String()
}

// firstParagraph is a comment up to its first empty line, on one line.
func firstParagraph(comment string) string {
	var lines []string
	for line := range strings.Lines(comment) {
		text := strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if text == "" {
			break
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, " ")
}

// TestTheSchemaRefusesUnknownNamesEverywhere looks at every object of the schema,
// those in lists too, which no set of values reaches all at once.
func TestTheSchemaRefusesUnknownNamesEverywhere(t *testing.T) {
	content, err := os.ReadFile("lifeline/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	// What Helm hands to all charts is not this chart's to refuse.
	if diff := cmp.Diff([]string{"/properties/global"}, open("", schema)); diff != "" {
		t.Errorf("objects and lists that may hold anything (-want +got):\n%s", diff)
	}
}

// open are the places of objects that do not say what else they may hold, and of
// lists that do not say of what.
func open(place string, schema any) []string {
	var places []string
	switch schema := schema.(type) {
	case map[string]any:
		for name, needed := range map[string]string{"object": "additionalProperties", "array": "items"} {
			if allowed, said := schema[needed]; schema["type"] == name && (!said || allowed == true) {
				places = append(places, place)
			}
		}
		for name, below := range schema {
			places = append(places, open(place+"/"+name, below)...)
		}
	case []any:
		for i, below := range schema {
			places = append(places, open(fmt.Sprint(place, "/", i), below)...)
		}
	}
	slices.Sort(places)
	return places
}
