package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the generated parts of README.md anew")

const readme = "../README.md"

// TestTheReadmeSaysWhatTheProgramDoes compares the parts of README.md that are
// made from code and manifests with these.
func TestTheReadmeSaysWhatTheProgramDoes(t *testing.T) {
	example, err := os.ReadFile("../server/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	sidecar, err := os.ReadFile("../charts/examples/sidecar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for marker, want := range map[string]string{
		"settings": settingsTable(),
		"example":  "```go\n" + body(t, string(example)) + "```\n",
		"sidecar":  "```yaml\n" + string(sidecar) + "```\n",
	} {
		t.Run(marker, func(t *testing.T) { compareSection(t, marker, want) })
	}
}

func settingsTable() string {
	var table strings.Builder
	table.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, setting := range settings() {
		value := ""
		if setting.value != "" {
			value = "`" + setting.value + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", setting.variable, value, setting.meaning)
	}
	return table.String()
}

// body is the body of the example, one tab less deep.
func body(t *testing.T, source string) string {
	t.Helper()
	_, rest, found := strings.Cut(source, "func Example() {\n")
	if !found {
		t.Fatal("the example has no function Example")
	}
	rest, _, _ = strings.Cut(rest, "\n}\n")
	var lines strings.Builder
	for line := range strings.Lines(rest + "\n") {
		lines.WriteString(strings.TrimPrefix(line, "\t"))
	}
	return lines.String()
}

func compareSection(t *testing.T, marker, want string) {
	t.Helper()
	content, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(content), "<!-- "+marker+" -->\n")
	got, after, closed := strings.Cut(rest, "<!-- /"+marker+" -->\n")
	if !opened || !closed {
		t.Fatalf("README.md has no section %s", marker)
	}
	if *update {
		whole := before + "<!-- " + marker + " -->\n" + want + "<!-- /" + marker + " -->\n" + after
		if err := os.WriteFile(readme, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md differs from the code; go test ./agent -update writes it anew (-code +README):\n%s", diff)
	}
}
