package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

// runExplain prints one entry of the catalogue, or the list of all.
func runExplain(_ context.Context, arguments []string, p program) int {
	switch len(arguments) {
	case 0:
		for _, entry := range catalogue.All() {
			fmt.Fprintf(p.out, "%-42s %s\n", entry.Reason, entry.Title)
		}
		return exitHealthy
	case 1:
		if isHelp(arguments[0]) {
			fmt.Fprint(p.out, explainHelp)
			return exitHealthy
		}
		entry, found := catalogue.Lookup(checks.Reason(arguments[0]))
		if !found {
			fmt.Fprintf(p.err, "lifeline explain: there is no reason %q; %s\n", cut(arguments[0]), nearest(arguments[0]))
			return exitUsage
		}
		explainEntry(p.out, entry.For(catalogue.Names{}))
		return exitHealthy
	default:
		fmt.Fprintln(p.err, "lifeline explain: takes one reason")
		return exitUsage
	}
}

// nearest says where to look for a reason that there is not.
func nearest(code string) string {
	meant := catalogue.Nearest(code)
	if len(meant) == 0 {
		return "lifeline explain lists all"
	}
	texts := make([]string, 0, len(meant))
	for _, reason := range meant {
		texts = append(texts, string(reason))
	}
	return "did you mean " + strings.Join(texts, ", ") + "? lifeline explain lists all"
}

func explainEntry(out io.Writer, entry catalogue.Entry) {
	fmt.Fprintf(out, "%s\n%s\n\n%s\n", entry.Reason, entry.Title, entry.Means)
	explainSteps(out, "Confirm", entry.Confirm)
	explainSteps(out, "Mend", entry.Mend)
	fmt.Fprintln(out, "\nRead:")
	for _, page := range entry.References() {
		fmt.Fprintf(out, "  %s\n", page)
	}
}

func explainSteps(out io.Writer, title string, steps []string) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s:\n", title)
	for _, step := range steps {
		indent := "  "
		if checks.IsCommand(step) {
			indent = "    "
		}
		fmt.Fprintf(out, "%s%s\n", indent, step)
	}
}
