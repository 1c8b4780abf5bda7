package catalogue

import (
	"cmp"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// Mode is one way in which a pod's way to the Kubernetes API is known to fail,
// and what Lifeline makes of it. Exactly one of Reasons, Neighbour and
// OutOfScope is set.
type Mode struct {
	// ID is the mode's name, which is also the code of its reason where it has
	// one of that name.
	ID string
	// Reasons are those that diagnose it, the most telling first.
	Reasons []checks.Reason
	// Neighbour is the reason by whose name it is told, since from within a pod
	// the two look the same. Why says what a pod would have to see.
	Neighbour checks.Reason
	// OutOfScope tells that Lifeline says nothing of it. Why says for what reason.
	OutOfScope bool
	// Why is empty where Reasons are set.
	Why string
}

// Modes are all modes in the order of the links that they are of, and by name
// within a link.
func Modes() []Mode {
	links := [][]Mode{environmentModes(), dnsModes(), tokenModes(), certificateModes(), pathModes(), httpModes(), kubectlProxyModes(), probeModes()}
	for _, link := range links {
		slices.SortFunc(link, func(a, b Mode) int { return cmp.Compare(a.ID, b.ID) })
	}
	return slices.Concat(links...)
}

// diagnosed are modes of which each has the reason of its name.
func diagnosed(reasons ...checks.Reason) []Mode {
	modes := make([]Mode, 0, len(reasons))
	for _, reason := range reasons {
		modes = append(modes, diagnosedBy(string(reason), reason))
	}
	return modes
}

func diagnosedBy(id string, reasons ...checks.Reason) Mode { return Mode{ID: id, Reasons: reasons} }

func toldAs(id string, neighbour checks.Reason, why string) Mode {
	return Mode{ID: id, Neighbour: neighbour, Why: why}
}

func outOfScope(id, why string) Mode { return Mode{ID: id, OutOfScope: true, Why: why} }
