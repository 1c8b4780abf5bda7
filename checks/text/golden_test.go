package text_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// cases are pods as they were seen, of which each folder of testdata/cases has
// the facts: of the healthy pod all of them, and of each fault what differs from
// those, as a JSON Merge Patch (RFC 7396).
func cases(t *testing.T) map[string]*checks.Facts {
	t.Helper()
	found := make(map[string]*checks.Facts)
	files, err := filepath.Glob("testdata/cases/*/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		whole, _ := readJSON(t, "testdata/cases/healthy/facts.json").(map[string]any)
		if name != "healthy" {
			whole, _ = merged(whole, readJSON(t, file)).(map[string]any)
		}
		body, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if found[name], err = checks.ReadFacts(bytes.NewReader(body)); err != nil {
			t.Fatalf("%s: %s", name, err)
		}
	}
	if len(found) < 13 {
		t.Fatalf("there are %d cases, fewer than a healthy pod and a dozen faults", len(found))
	}
	return found
}

func readJSON(t *testing.T, file string) (value any) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(body, &value)
	}
	if err != nil {
		t.Fatalf("%s: %s", file, err)
	}
	return value
}

func merged(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	members, _ := target.(map[string]any)
	result := maps.Clone(members)
	if result == nil {
		result = make(map[string]any)
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = merged(result[name], value)
		}
	}
	return result
}

// inRounds is the report of the last of so many rounds that saw the same.
func inRounds(facts checks.Facts, rounds int) (report *checks.Report) {
	at := facts.Time
	for before := rounds - 1; before >= 0; before-- {
		facts.Time = at.Add(-15 * time.Second * time.Duration(before))
		report = judge.Judge(&facts, report)
	}
	return report
}

// TestEachRenderingReadsAsInItsGoldenFile has what /status?format=text shows, a
// pipe, a terminal with colours and one that is narrow.
func TestEachRenderingReadsAsInItsGoldenFile(t *testing.T) {
	for name, facts := range cases(t) {
		for rendering, shown := range map[string]struct {
			style  text.Style
			rounds int
		}{
			"unicode.golden":  {text.Style{Unicode: true}, 3},
			"ascii.golden":    {text.Style{}, 1},
			"coloured.golden": {text.Style{Unicode: true, Colour: true, Columns: 80}, 3},
			"narrow.golden":   {text.Style{Columns: 40}, 1},
		} {
			t.Run(name+"/"+rendering, func(t *testing.T) {
				got := write(t, inRounds(*facts, shown.rounds), shown.style)
				compareWithGolden(t, filepath.Join("testdata/cases", name, rendering), got)
			})
		}
	}
}

func TestTheShortFormReadsAsInItsGoldenFile(t *testing.T) {
	var got bytes.Buffer
	for _, name := range []string{"healthy", "token-rotation-stalled", "cert-serving-expired-beside-a-kubectl-proxy"} {
		if err := text.WriteShort(&got, inRounds(*cases(t)[name], 3), text.Style{}); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
	}
	compareWithGolden(t, "testdata/short.golden", got.String())
}

func compareWithGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the text differs from %s (-want +got):\n%s", file, diff)
	}
}

// TestNoLineButOneThatCannotBeBrokenIsWiderThanTheScreen and none is for a pipe.
func TestNoLineButOneThatCannotBeBrokenIsWiderThanTheScreen(t *testing.T) {
	for name, facts := range cases(t) {
		report := inRounds(*facts, 3)
		commands := make(map[string]bool)
		for _, finding := range report.Diagnosis {
			commands["lifeline explain "+string(finding.Reason)] = true
			for _, step := range append(finding.Remedy, finding.Confirm...) {
				commands[step] = checks.IsCommand(step)
			}
		}
		for _, columns := range []int{40, 60, 80, 120} {
			for line := range strings.Lines(write(t, report, text.Style{Unicode: true, Columns: columns})) {
				line = strings.TrimSuffix(line, "\n")
				words := strings.Fields(strings.TrimLeft(line, " -√×‼·"))
				if len([]rune(line)) > columns && len(words) > 1 && !commands[strings.TrimSpace(line)] {
					t.Errorf("%s: in %d columns there is the line %q", name, columns, line)
				}
			}
		}
	}
}

func TestEachCommandStandsAloneOnItsLineHoweverNarrowTheScreen(t *testing.T) {
	for name, facts := range cases(t) {
		report := inRounds(*facts, 1)
		var lines []string
		for line := range strings.Lines(write(t, report, text.Style{Columns: 40})) {
			lines = append(lines, strings.TrimSpace(line))
		}
		for _, finding := range report.Diagnosis {
			told := append(finding.Remedy, finding.Confirm...)
			if report.Status == checks.Fail && finding.Severity == checks.Warn {
				told = []string{"lifeline explain " + string(finding.Reason)}
			}
			for _, step := range told {
				if checks.IsCommand(step) && !slices.Contains(lines, step) {
					t.Errorf("%s: the command %q is no line of its own", name, step)
				}
			}
		}
	}
}
