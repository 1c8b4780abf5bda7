package main

import (
	"context"
	"fmt"
	"io"

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
		entry, found := catalogue.Lookup(checks.Reason(arguments[0]))
		if !found {
			fmt.Fprintf(p.err, "lifeline explain: there is no reason %q; lifeline explain lists all\n", cut(arguments[0]))
			return exitUsage
		}
		explainEntry(p.out, entry.For(catalogue.Names{}))
		return exitHealthy
	default:
		fmt.Fprintln(p.err, "lifeline explain: takes one reason")
		return exitUsage
	}
}

func explainEntry(out io.Writer, entry catalogue.Entry) {
	fmt.Fprintf(out, "%s\n%s\n\n%s\n", entry.Reason, entry.Title, entry.Means)
	explainSteps(out, "Confirm", entry.Confirm)
	explainSteps(out, "Mend", entry.Mend)
	if entry.Page != "" {
		fmt.Fprintf(out, "\nRead: %s\n", entry.Page)
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
