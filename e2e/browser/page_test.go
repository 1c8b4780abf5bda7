package browser_test

import (
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
	"github.com/kube-lifeline/lifeline/e2e/agent"
)

//go:embed read.js
var readScript string

// content is what can be read off the page.
type content struct {
	outline
	Words  map[string]string `json:"words"`
	Charts []struct {
		Role  string `json:"role"`
		Title string `json:"title"`
	} `json:"charts"`
	// Copying is how many buttons that copy each command has.
	Copying     []int    `json:"copying"`
	Buttons     int      `json:"buttons"`
	Live        string   `json:"live"`
	Controls    []string `json:"controls"`
	Overflowing []string `json:"overflowing"`
	Cut         []string `json:"cut"`
	Torn        []string `json:"torn"`
}

// outline is what follows from a report.
type outline struct {
	Status checks.Status `json:"status"`
	Chain  []link        `json:"chain"`
	Causes []cause       `json:"causes"`
	Checks []checks.Name `json:"checks"`
}

type link struct {
	Check       checks.Name   `json:"check"`
	Status      checks.Status `json:"status"`
	Broken      bool          `json:"broken"`
	Current     string        `json:"current"`
	Consequence bool          `json:"consequence"`
}

type cause struct {
	Reason   checks.Reason `json:"reason"`
	Commands []string      `json:"commands"`
}

func (p tab) read() content {
	p.t.Helper()
	return eval[content](p, readScript)
}

// openWith opens the page of an agent, with the report that it shows.
func (s suite) openWith(t *testing.T, process agent.Process, before ...action) (tab, content, *checks.Report) {
	t.Helper()
	for range 5 {
		report := process.Report()
		if report.Round == 0 {
			continue
		}
		p := s.open(t, process.URL+"/status", before...)
		got := p.read()
		if process.Report().Round == report.Round {
			return p, got, &report
		}
	}
	t.Fatal("a round came between each report and its page")
	return tab{}, content{}, nil
}

// isComplete tells whether the page has all of the report.
func isComplete(t *testing.T, got content, report *checks.Report, broken checks.Name) {
	t.Helper()
	if diff := cmp.Diff(outlineOf(report, broken), got.outline); diff != "" {
		t.Errorf("the page is not that of the report (-want +got):\n%s", diff)
	}
	says := func(part, sentence string) {
		t.Helper()
		sentence = strings.Join(strings.Fields(text.Clean(sentence)), " ")
		if !strings.Contains(got.Words[part], sentence) {
			t.Errorf("%s does not say %q; it says %q", part, sentence, got.Words[part])
		}
	}
	for _, finding := range report.Diagnosis {
		says("#causes", finding.Title)
		for _, sentence := range slices.Concat(finding.Evidence, finding.Confirm, finding.Remedy) {
			says("#causes", sentence)
		}
	}
	for _, result := range report.Checks {
		says("#chain", string(result.Name))
		says("#checks", result.Message)
	}
	for _, path := range report.Access {
		says("#access", path.Path)
		says("#access", path.Why)
	}
	if len(got.Charts) < 2 {
		t.Errorf("the history has %d charts, want one of availability and one of latency", len(got.Charts))
	}
	for _, chart := range got.Charts {
		if chart.Role != "img" || chart.Title == "" {
			t.Errorf("a chart has the role %q and the title %q, want img and what it shows", chart.Role, chart.Title)
		}
	}
}

func outlineOf(report *checks.Report, broken checks.Name) outline {
	want := outline{Status: report.Status, Causes: []cause{}}
	for _, result := range report.Checks {
		want.Checks = append(want.Checks, result.Name)
		one := link{Check: result.Name, Status: result.Status, Broken: result.Name == broken}
		if one.Broken {
			one.Current = "true"
		}
		for _, finding := range report.Diagnosis {
			one.Consequence = one.Consequence || slices.Contains(finding.Consequences, result.Name)
		}
		want.Chain = append(want.Chain, one)
	}
	for _, finding := range report.Diagnosis {
		one := cause{Reason: finding.Reason, Commands: []string{}}
		for _, step := range slices.Concat(finding.Confirm, finding.Remedy) {
			if checks.IsCommand(step) {
				one.Commands = append(one.Commands, text.Clean(step))
			}
		}
		want.Causes = append(want.Causes, one)
	}
	return want
}

// copies tells whether each command has its button, which the script adds.
func copies(t *testing.T, got content) {
	t.Helper()
	for i, buttons := range got.Copying {
		if buttons != 1 {
			t.Errorf("command %d has %d buttons that copy it, want 1", i, buttons)
		}
	}
}
