package alerts_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

const pages = "https://github.com/kube-lifeline/lifeline/blob/main/docs/"

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// anchors are those of a page's headings, by GitHub's rule.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(readFile(t, "../../docs/"+page), -1) {
		found[strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
	}
	return found
}

func TestThePageTellsOfEachAlertAndOfNoOther(t *testing.T) {
	page := readFile(t, "../../docs/alerts.md")
	alerts := make(map[string]bool)
	for _, rule := range readRules(t).all() {
		if rule.Alert == "" {
			continue
		}
		alerts[rule.Alert] = true
		if !strings.Contains(page, "\n## "+rule.Alert+"\n") {
			t.Errorf("docs/alerts.md has no heading for %s", rule.Alert)
		}
		if !strings.Contains(page, "\n| ["+rule.Alert+"](#"+strings.ToLower(rule.Alert)+") |") {
			t.Errorf("the table of docs/alerts.md has no %s", rule.Alert)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(page, -1) {
		if !alerts[heading[1]] {
			t.Errorf("docs/alerts.md tells of %s, which is no alert", heading[1])
		}
	}
}

// TestEveryRunbookLinkLeadsToAHeading follows the links of the rules, and those
// that the files beside expect of them.
func TestEveryRunbookLinkLeadsToAHeading(t *testing.T) {
	texts := map[string]string{"words.yaml": readFile(t, "words.yaml")}
	for _, rule := range readRules(t).all() {
		if rule.Alert != "" {
			texts[rule.Alert] = rule.Annotations["runbook_url"]
		}
	}
	known := map[string]map[string]bool{"alerts.md": anchors(t, "alerts.md"), "reasons.md": anchors(t, "reasons.md")}
	for where, text := range texts {
		if !strings.Contains(text, pages) {
			t.Errorf("%s has no link to %s", where, pages)
		}
		for _, link := range regexp.MustCompile(`(alerts\.md|reasons\.md)#([\w-]+)`).FindAllStringSubmatch(text, -1) {
			if !known[link[1]][link[2]] {
				t.Errorf("a link of %s leads to %s, which no heading of %s has", where, link[2], link[1])
			}
		}
	}
}

// TestAnAlertSaysAllThatAPersonNeeds at night.
func TestAnAlertSaysAllThatAPersonNeeds(t *testing.T) {
	for _, rule := range readRules(t).all() {
		if rule.Alert == "" {
			continue
		}
		for _, annotation := range []string{"summary", "description", "runbook_url"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", rule.Alert, annotation)
			}
		}
		if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s has the severity %q", rule.Alert, severity)
		}
		if rule.For == "" {
			t.Errorf("%s does not wait", rule.Alert)
		}
	}
}

// TestTheRulesSelectReasonsOfTheCatalogue also where they do it by a pattern.
func TestTheRulesSelectReasonsOfTheCatalogue(t *testing.T) {
	selected := regexp.MustCompile(`reason=(~?)\\?"([^"\\]*)\\?"`)
	found := 0
	for _, rule := range readRules(t).all() {
		text := rule.Expr
		for _, annotation := range rule.Annotations {
			text += "\n" + annotation
		}
		for _, matcher := range selected.FindAllStringSubmatch(text, -1) {
			for _, pattern := range strings.Split(matcher[2], "|") {
				found++
				if !namesAReason(pattern) {
					t.Errorf("%s selects the reason %s, which the catalogue does not have", rule.Record+rule.Alert, pattern)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("got %d reasons in the rules, want those that are a pod's own at the least", found)
	}
}

func namesAReason(pattern string) bool {
	if _, exact := catalogue.Lookup(checks.Reason(pattern)); exact {
		return true
	}
	whole := regexp.MustCompile("^(?:" + pattern + ")$")
	for _, entry := range catalogue.All() {
		if whole.MatchString(string(entry.Reason)) {
			return true
		}
	}
	return false
}
