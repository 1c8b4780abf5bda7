package catalogue

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

var update = flag.Bool("update", false, "write the generated pages of docs anew")

const generated = "<!-- Made from checks/catalogue by go test ./checks/catalogue -update; changes here are lost. -->\n\n"

func TestThePagesSayWhatTheCatalogueSays(t *testing.T) {
	for name, want := range map[string]string{"reasons.md": renderReasons(), "failure-modes.md": modesPage()} {
		t.Run(name, func(t *testing.T) {
			path := "../../docs/" + name
			if *update {
				if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Errorf("docs/%s differs from the catalogue; go test ./checks/catalogue -update writes it anew (-catalogue +page):\n%s", name, diff)
			}
		})
	}
}

// TestEveryLinkOfThePagesLeadsToAHeading follows GitHub's rule for the anchors of
// headings, which leaves a code as it is.
func TestEveryLinkOfThePagesLeadsToAHeading(t *testing.T) {
	reasons := renderReasons()
	headings := make(map[string]bool)
	for _, found := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(outsideOfFences(reasons), -1) {
		anchor := strings.ReplaceAll(strings.ToLower(found[1]), " ", "-")
		if headings[anchor] {
			t.Errorf("two headings have the anchor %s", anchor)
		}
		headings[anchor] = true
	}
	links := regexp.MustCompile(`\((?:reasons\.md)?#([^)]*)\)`).FindAllStringSubmatch(reasons+modesPage(), -1)
	if len(links) < len(All()) {
		t.Errorf("got %d links, want one for every reason", len(links))
	}
	for _, link := range links {
		if !headings[link[1]] {
			t.Errorf("a link leads to %s, which no heading has", link[1])
		}
	}
}

func outsideOfFences(page string) string {
	return regexp.MustCompile("(?s)```.*?```").ReplaceAllString(page, "")
}

func renderReasons() string {
	var page, contents strings.Builder
	titles := append(names(), "any check")
	for i, link := range links() {
		fmt.Fprintf(&contents, "\n**[%s](#%s)**\n\n", titles[i], strings.ReplaceAll(titles[i], " ", "-"))
		fmt.Fprintf(&page, "\n## %s\n", titles[i])
		for _, entry := range sorted(link) {
			fmt.Fprintf(&contents, "- [`%s`](#%s): %s\n", entry.Reason, entry.Reason, markdown(entry.Title))
			writeEntry(&page, entry.For(Names{}))
		}
	}
	return "# Reasons\n\n" + generated +
		"Whatever is not well has a reason, a code that stays the same from release to release. Here is what each means, how to\n" +
		"make sure of it and how to mend it, as `lifeline explain REASON` prints it. Words in capitals are for you to fill in; a\n" +
		"report has the pod's own names in their place. Which known failure has which reason is told in [failure modes](failure-modes.md).\n" +
		contents.String() + page.String()
}

func names() []string {
	var texts []string
	for _, name := range checks.Names() {
		texts = append(texts, string(name))
	}
	return texts
}

func writeEntry(page *strings.Builder, entry Entry) {
	fmt.Fprintf(page, "\n### %s\n\n**%s.** %s\n", entry.Reason, markdown(entry.Title), markdown(entry.Means))
	writeSteps(page, "Confirm", entry.Confirm)
	writeSteps(page, "Mend", entry.Mend)
	if entry.Page != "" {
		fmt.Fprintf(page, "\nRead: <%s>\n", entry.Page)
	}
}

// writeSteps has commands that follow one another in one block.
func writeSteps(page *strings.Builder, title string, steps []string) {
	fmt.Fprintf(page, "\n**%s:**\n", title)
	for i, step := range steps {
		command := checks.IsCommand(step)
		opens := command && (i == 0 || !checks.IsCommand(steps[i-1]))
		closes := command && (i == len(steps)-1 || !checks.IsCommand(steps[i+1]))
		if opens {
			page.WriteString("\n```sh\n")
		}
		if command {
			page.WriteString(step + "\n")
		} else {
			page.WriteString("\n" + markdown(step) + "\n")
		}
		if closes {
			page.WriteString("```\n")
		}
	}
}

// markdown is prose in which nothing is taken for a mark.
func markdown(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "<", "&lt;", "`", "\\`", "|", `\|`, "[", `\[`).Replace(text)
}

func modesPage() string {
	var page strings.Builder
	counts := make(map[string]int)
	for _, mode := range Modes() {
		kind, said := outcomeOf(mode)
		counts[kind]++
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", mode.ID, said, markdown(mode.Why))
	}
	return "# Failure modes\n\n" + generated + fmt.Sprintf(
		"The %d ways that are known in which a pod's way to the Kubernetes API fails, and what Lifeline says of each: %d have a\n"+
			"reason of their own or one that names them, %d are told by the reason of a neighbour that looks the same from within a\n"+
			"pod, and of %d Lifeline says nothing, for the reason given.\n\n", len(Modes()), counts["diagnosed"], counts["neighbour"], counts["out of scope"]) +
		"| mode | Lifeline says | why no more |\n|---|---|---|\n" + page.String()
}

func outcomeOf(mode Mode) (kind, said string) {
	link := func(reason checks.Reason) string { return fmt.Sprintf("[`%s`](reasons.md#%s)", reason, reason) }
	switch {
	case len(mode.Reasons) > 0:
		var links []string
		for _, reason := range mode.Reasons {
			links = append(links, link(reason))
		}
		return "diagnosed", strings.Join(links, ", ")
	case mode.Neighbour != "":
		return "neighbour", "as " + link(mode.Neighbour)
	default:
		return "out of scope", "nothing"
	}
}
