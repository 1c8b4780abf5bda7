package catalogue

import (
	"regexp"
	"strings"
	"testing"
)

func TestEveryModeIsAccountedForOnce(t *testing.T) {
	const known = 159
	if got := len(Modes()); got != known {
		t.Errorf("got %d modes, want %d", got, known)
	}
	seen := make(map[string]bool)
	for _, mode := range Modes() {
		if seen[mode.ID] {
			t.Errorf("%s stands twice", mode.ID)
		}
		seen[mode.ID] = true
		if !regexp.MustCompile(`^(dns|env|token|ca|cert|tcp|tls|http|http2|lb|mesh|konnectivity|kproxy|probe)(-[a-z0-9]+)+$`).MatchString(mode.ID) {
			t.Errorf("%q is no name of a mode", mode.ID)
		}
		outcomes := 0
		for _, set := range []bool{len(mode.Reasons) > 0, mode.Neighbour != "", mode.OutOfScope} {
			if set {
				outcomes++
			}
		}
		if outcomes != 1 {
			t.Errorf("%s has %d outcomes, want one", mode.ID, outcomes)
		}
		diagnosed := len(mode.Reasons) > 0
		if diagnosed != (mode.Why == "") || !diagnosed && !strings.HasSuffix(mode.Why, ".") {
			t.Errorf("%s is explained by %q, want sentences where it is not diagnosed and nothing where it is", mode.ID, mode.Why)
		}
	}
}

func TestEveryReasonThatAModeNamesExists(t *testing.T) {
	for _, mode := range Modes() {
		for _, reason := range mode.Reasons {
			if _, found := Lookup(reason); !found {
				t.Errorf("%s has the reason %s, which there is not", mode.ID, reason)
			}
		}
		if mode.Neighbour != "" {
			if _, found := Lookup(mode.Neighbour); !found {
				t.Errorf("%s has the neighbour %s, which there is not", mode.ID, mode.Neighbour)
			}
		}
	}
}

// TestAReasonOfAModesOwnNameIsNotPassedOver has a mode moved to the diagnosed
// ones when its reason is made.
func TestAReasonOfAModesOwnNameIsNotPassedOver(t *testing.T) {
	for _, mode := range Modes() {
		for _, entry := range All() {
			if string(entry.Reason) == mode.ID && len(mode.Reasons) == 0 {
				t.Errorf("there is a reason %s, so the mode of that name is diagnosed", mode.ID)
			}
		}
	}
}
