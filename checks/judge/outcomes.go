package judge

import (
	"maps"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// outcomes sums up the queries of a lookup that found nothing.
type outcomes struct {
	rcodes      map[string]int
	failures    map[checks.FailureKind]int
	authorities []string
	// alias is an answer of CNAMEs alone, empty one without any record.
	alias, empty *checks.Query
	// cutOverTCP is a failed query over TCP after a truncated reply.
	cutOverTCP *checks.Query
	// message is the first failure's, unreachable that of the first by which a
	// host or a filter said so.
	message, unreachable string
	// unheard is the first name that was asked for in a family without a final
	// answer, since nothing came back, and turnedAway since something else failed: it
	// may be the right one.
	unheard, turnedAway string
}

func outcomesOf(queries []checks.Query) outcomes {
	sum := outcomes{rcodes: make(map[string]int), failures: make(map[checks.FailureKind]int)}
	sum.unheard = withoutAnswer(queries, isSilent)
	sum.turnedAway = withoutAnswer(queries, func(query *checks.Query) bool { return query.Failure != nil && !isSilent(query) })
	truncated := false
	authorities := make(map[string]bool)
	for i := range queries {
		query := &queries[i]
		if authority := strings.ToLower(query.SOA); authority != "" && !authorities[authority] {
			authorities[authority] = true
			sum.authorities = append(sum.authorities, authority)
		}
		switch {
		case query.Failure != nil:
			sum.failures[query.Failure.Kind]++
			sum.message = first(sum.message, query.Failure.Message)
			switch query.Failure.Kind {
			case checks.HostUnreachable, checks.NetworkUnreachable, checks.NotPermitted:
				sum.unreachable = first(sum.unreachable, query.Failure.Message)
			}
			if query.Transport == "tcp" && truncated {
				sum.cutOverTCP = query
			}
		case query.Truncated && query.Transport == "udp":
			truncated = true
		case query.Rcode == "NOERROR" && query.CNAMEs > 0:
			sum.alias = query
		case query.Rcode == "NOERROR":
			sum.empty = query
		default:
			sum.rcodes[query.Rcode]++
		}
	}
	if sum.empty != nil && slices.ContainsFunc(queries, func(query checks.Query) bool { return isUnknown(&query) && query.Name == sum.empty.Name }) {
		// Two servers behind one address contradict one another.
		sum.empty = nil
	}
	return sum
}

// withoutAnswer is the first name without an answer in a family to which a query failed in a
// way: NXDOMAIN is for all types of a name (RFC 2308 section 5), an empty answer for one.
func withoutAnswer(queries []checks.Query, failed func(*checks.Query) bool) string {
	type question struct {
		name, kind string
	}
	answered, unknown := make(map[question]bool), make(map[string]bool)
	for _, query := range queries {
		if wasAnswered(&query) {
			answered[question{query.Name, query.Type}] = true
			unknown[query.Name] = unknown[query.Name] || isUnknown(&query)
		}
	}
	for _, query := range queries {
		if failed(&query) && !answered[question{query.Name, query.Type}] && !unknown[query.Name] {
			return query.Name
		}
	}
	return ""
}

func (o outcomes) codes() string {
	return strings.Join(slices.Sorted(maps.Keys(o.rcodes)), ", ")
}
