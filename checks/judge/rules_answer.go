package judge

import (
	"fmt"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// answerRules are about what else the API server answers.
func answerRules() []rule {
	return []rule{
		{reason: checks.HTTP403DiscoveryRBACRemoved, certainty: checks.Certain, refines: []checks.Reason{checks.HTTP403DiscoveryRBACRemoved}, evidence: knowsThePod},
		{reason: checks.HTTP403Anonymous, certainty: checks.Certain, refines: []checks.Reason{checks.HTTP403Anonymous}, evidence: takesNoToken},
	}
}

func knowsThePod(facts *checks.Facts) []string {
	self := deepAPI(facts).Self
	if self == nil || self.Username == "" {
		return nil
	}
	return []string{fmt.Sprintf("The API server says that this is %s, so the token is good.", self.Username)}
}

// takesNoToken: a token that is none must be rejected with 401; where it gets the
// answer of nobody, it did not arrive.
func takesNoToken(facts *checks.Facts) []string {
	response := deepAPI(facts).WrongToken
	if response == nil || response.Status != 403 || !strings.Contains(response.StatusMessage, "system:anonymous") {
		return nil
	}
	return []string{"A token that is none gets the same answer and not 401, so the Authorization header is taken away on the way."}
}

// deepAPI is what the API server said to the deep probes, nothing where none were
// made.
func deepAPI(facts *checks.Facts) checks.DeepAPIFacts {
	if facts.Deep == nil || facts.Deep.API == nil {
		return checks.DeepAPIFacts{}
	}
	return *facts.Deep.API
}
