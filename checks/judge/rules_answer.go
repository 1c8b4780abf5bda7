package judge

import (
	"fmt"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// answerRules are about what else the API server answers.
func answerRules() []rule {
	return []rule{
		{reason: checks.HTTP403DiscoveryRBACRemoved, certainty: checks.Likely, refines: []checks.Reason{checks.HTTP403DiscoveryRBACRemoved}, evidence: someForbid},
		{reason: checks.HTTP403DiscoveryRBACRemoved, certainty: checks.Likely, refines: []checks.Reason{checks.HTTP403DiscoveryRBACRemoved}, evidence: forbidsAll},
		{reason: checks.HTTP403DiscoveryRBACRemoved, certainty: checks.Certain, refines: []checks.Reason{checks.HTTP403DiscoveryRBACRemoved}, evidence: knowsThePod},
		{reason: checks.HTTP500Internal, certainty: checks.Certain, refines: []checks.Reason{checks.HTTP500Internal}, evidence: someFailWithin},
		{reason: checks.HTTP502503LB, certainty: checks.Likely, refines: []checks.Reason{checks.HTTPPassedOnRetry}, evidence: firstAnsweredBefore},
		{reason: checks.HTTP403Anonymous, certainty: checks.Certain, refines: []checks.Reason{checks.HTTP403Anonymous}, evidence: takesNoToken},
	}
}

func knowsThePod(facts *checks.Facts) []string {
	self := deepAPI(facts).Self
	if self == nil || self.Username == "" || len(someForbid(facts)) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("The API server says that this is %s, so the token is good.", self.Username)}
}

// someForbid: roles are the same for all API servers, so one that forbids what
// another allows decides by something else.
func someForbid(facts *checks.Facts) []string {
	if allowed, forbidden := freshWith(facts, 200), freshWith(facts, 403); allowed > 0 && forbidden > 0 {
		return []string{fmt.Sprintf("Of %d connections with the same token %d were answered with status 200 and %d with 403: the API servers do not decide alike, so look at the authorizers that each is started with.",
			allowed+forbidden, allowed, forbidden)}
	}
	rounds := apiRounds(facts)
	denied := func(round checks.PastRound) bool { return round.Status == 403 }
	if !alternates(rounds, denied) || len(leavesOf(rounds, denied)) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of the last %d rounds %d were answered with status 403, all by API servers of which no round was answered otherwise.", len(rounds), count(rounds, denied))}
}

// someFailWithin: of several API servers, one whose webhook or etcd does not answer fails by
// itself.
func someFailWithin(facts *checks.Facts) []string {
	well, failing := freshWith(facts, 200), freshWith(facts, 500)
	if well == 0 || failing == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections with the same token %d were answered with status 200 and %d with 500: of several API servers one is at fault, or one is now and then.", well+failing, well, failing)}
}

// freshWith is how many fresh connections were answered with a status.
func freshWith(facts *checks.Facts, status int) int {
	return count(deepPath(facts).Fresh, func(fresh checks.FreshConnection) bool { return fresh.Status == status })
}

// forbidsAll: to ask who one is belongs to another role than to read /api
// (system:basic-user and system:discovery).
func forbidsAll(facts *checks.Facts) []string {
	if self := deepAPI(facts).Self; self == nil || self.Status != 403 {
		return nil
	}
	return []string{"To ask who it is (SelfSubjectReview) is forbidden too, which another role allows: it is not the one binding alone, and maybe no role at all but another authorizer."}
}

// firstAnsweredBefore: what answered the first try was no API server, and one stands
// behind it.
func firstAnsweredBefore(facts *checks.Facts) []string {
	if facts.API == nil || facts.API.ServiceHost == nil {
		return nil
	}
	for _, exchange := range facts.API.ServiceHost.Exchanges {
		if response := exchange.Response; response != nil && response.Status >= 500 && !fromKubernetes(response) {
			return []string{fmt.Sprintf("The status %d was given by something before the API server (%s).", response.Status, first(response.Server, bodyOf(response)))}
		}
	}
	return nil
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
