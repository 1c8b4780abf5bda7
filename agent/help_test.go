package main

import (
	"bytes"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestTheHelpOfACommandSaysHowToCallItAndHowItEnds(t *testing.T) {
	for _, command := range commands() {
		for _, arguments := range []string{command.name + " -h", command.name + " --help", "help " + command.name} {
			var out, errors bytes.Buffer
			p := program{pod: checks.Pod{Environment: map[string]string{}}, out: &out, err: &errors}
			if code := run(t.Context(), strings.Fields(arguments), p); code != exitHealthy || errors.Len() > 0 {
				t.Errorf("%s: got exit code %d and errors %q, want 0 and none", arguments, code, &errors)
			}
			help := out.String()
			if !strings.Contains(help, "\nUsage:\n  lifeline "+command.name) {
				t.Errorf("%s: the help does not say how to call it:\n%s", arguments, help)
			}
			for _, section := range []string{"\nExamples:\n", "\nExit codes:\n  0 "} {
				if command.name != "version" && !strings.Contains(help, section) {
					t.Errorf("%s: the help has no %q:\n%s", arguments, section, help)
				}
			}
		}
	}
}

func TestHelpFitsATerminalOfEightyColumns(t *testing.T) {
	texts := map[string]string{"help": usage()}
	for _, command := range commands() {
		texts[command.name] = command.help
	}
	for name, text := range texts {
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			isCommand := strings.HasPrefix(line, "    kubectl ")
			isSetting := strings.HasPrefix(line, "  LIFELINE_")
			if len(line) > 80 && !isCommand && !isSetting {
				t.Errorf("%s has a line of %d columns: %s", name, len(line), line)
			}
		}
	}
}

// TestTheHelpHasTheFlagsThatThereAre and no others, since it is written by hand.
func TestTheHelpHasTheFlagsThatThereAre(t *testing.T) {
	described := regexp.MustCompile(`(?m)^  -([a-z]+) `)
	for name, flags := range map[string]*flag.FlagSet{"check": new(checkFlags).set(), "wait": new(waitFlags).set()} {
		var want, got []string
		flags.VisitAll(func(one *flag.Flag) { want = append(want, one.Name) })
		command, _ := findCommand(name)
		for _, match := range described.FindAllStringSubmatch(command.help, -1) {
			got = append(got, match[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the flags in the help of %s differ (-want +got):\n%s", name, diff)
		}
	}
}
