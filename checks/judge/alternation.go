package judge

import (
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// leastChanges is how often what rounds met must have changed to be called
// intermittent: a fault that begins, ends and begins again has come twice.
const leastChanges = 3

// apiRounds are the latest rounds that tried the API server, the present one
// last.
func apiRounds(facts *checks.Facts) []checks.PastRound {
	if facts.History == nil || facts.API == nil {
		return nil
	}
	rounds := slices.DeleteFunc(slices.Clone(facts.History.Lately), func(round checks.PastRound) bool { return round.Stage == "" })
	present := facts.API.ServiceHost.InShort()
	present.Time = facts.Time
	return append(rounds, present)
}

// alternates tells whether rounds are now of the one kind and now of the other.
func alternates(rounds []checks.PastRound, bad func(checks.PastRound) bool) bool {
	changes := 0
	for i := 1; i < len(rounds); i++ {
		if bad(rounds[i]) != bad(rounds[i-1]) {
			changes++
		}
	}
	return changes >= leastChanges
}

// comingAndGoing says of a failing that not every round meets it, or else until
// when none did.
func comingAndGoing(name checks.Name, facts *checks.Facts) []string {
	var rounds []checks.PastRound
	var bad func(checks.PastRound) bool
	switch {
	case name == checks.TLS || name == checks.API:
		// A round that met something else says nothing of this.
		rounds = apiRounds(facts)
		present := rounds[max(0, len(rounds)-1):]
		bad = func(round checks.PastRound) bool {
			return !isWell(round) && len(present) > 0 && meets(round, present[0])
		}
		rounds = slices.DeleteFunc(rounds, func(round checks.PastRound) bool { return !isWell(round) && !bad(round) })
	case name == checks.DNS && facts.History != nil && facts.DNS != nil:
		resolved := len(facts.DNS.Lookup.Addresses) > 0
		rounds = slices.DeleteFunc(slices.Clone(facts.History.Lately), func(round checks.PastRound) bool { return round.Resolved == nil })
		rounds = append(rounds, checks.PastRound{Time: facts.Time, Resolved: &resolved})
		bad = func(round checks.PastRound) bool { return !*round.Resolved }
	}
	if !alternates(rounds, bad) {
		return lastAnswer(name, facts)
	}
	return []string{fmt.Sprintf("It comes and goes: of the last %d rounds, since %s, %d failed.", len(rounds), moment(rounds[0].Time), count(rounds, bad))}
}

// lastAnswer says until when the API server answered.
func lastAnswer(name checks.Name, facts *checks.Facts) []string {
	if name != checks.TLS && name != checks.API || facts.History == nil || facts.History.AnsweredAt.IsZero() || facts.API == nil || facts.API.ServiceHost.Last().Response != nil {
		return nil
	}
	return []string{fmt.Sprintf("The API server last answered this pod at %s.", moment(facts.History.AnsweredAt))}
}

func isWell(round checks.PastRound) bool {
	return round.Stage == checks.StageDone && round.Status == 200
}

// meets tells that two rounds came equally far and failed alike.
func meets(a, b checks.PastRound) bool {
	return a.Stage == b.Stage && a.Failure == b.Failure && a.Status == b.Status
}

func count[T any](all []T, counts func(T) bool) (counted int) {
	for _, one := range all {
		if counts(one) {
			counted++
		}
	}
	return counted
}

// leavesOf are the certificates that rounds of one kind met and no other round
// did; none where both kinds met the same.
func leavesOf(rounds []checks.PastRound, kind func(checks.PastRound) bool) []string {
	var of, others []string
	for _, round := range rounds {
		if round.Leaf == "" {
			continue
		}
		if kind(round) {
			of = union(of, []string{round.Leaf})
		} else {
			others = union(others, []string{round.Leaf})
		}
	}
	if len(others) == 0 || slices.ContainsFunc(of, func(leaf string) bool { return slices.Contains(others, leaf) }) {
		return nil
	}
	return of
}
