package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// startup is how long a sidecar may take until it serves, and more.
	startup = time.Minute
	// programming is how long a network plugin may take to program the rules of a
	// new pod (cilium/cilium#35993 and its like tell of up to half a minute).
	programming = 30 * time.Second
	// untilStarted is how long before the process the volume of its pod is
	// written: images are pulled in between.
	untilStarted = 3 * time.Minute
)

// startupRules are about pods that have no way yet.
func startupRules() []rule {
	return []rule{
		{reason: checks.TCPRefusedSidecarNotReady, certainty: checks.Likely, refines: []checks.Reason{checks.TCPRefused}, explains: []checks.Reason{checks.DNSTCPBlockedUDPOK, checks.DNSServiceNoEndpoints}, evidence: onlyTCPIsRefused},
		{reason: checks.TCPTimeoutStartupRace, certainty: checks.Likely, severity: checks.Warn, explains: []checks.Reason{
			checks.TCPTimeout, checks.TCPTimeoutNetworkPolicy, checks.TCPTimeoutKubeProxyNotProgrammed,
		}, evidence: hasNoWayYet},
		{reason: checks.TCPTimeout, certainty: checks.Likely, refines: []checks.Reason{checks.TCPTimeout}, evidence: mayHaveNoWayYet},
		{reason: checks.TCPTimeoutNetworkPolicy, certainty: checks.Likely, refines: []checks.Reason{checks.TCPTimeoutNetworkPolicy}, evidence: mayHaveNoWayYet},
		{reason: checks.TCPTimeoutKubeProxyNotProgrammed, certainty: checks.Likely, refines: []checks.Reason{checks.TCPTimeoutKubeProxyNotProgrammed}, evidence: mayHaveNoWayYet},
	}
}

// onlyTCPIsRefused: whatever is dialled is refused, a nameserver too that answers
// over UDP, which nothing but TCP of this pod has in common.
func onlyTCPIsRefused(facts *checks.Facts) []string {
	path := deepPath(facts)
	if facts.API == nil || facts.API.ServiceHost.Last().Stage != checks.StageConnect || !isRefusal(facts.API.ServiceHost.Last().Failure) {
		return nil
	}
	for _, fresh := range path.Fresh {
		if !isRefusal(fresh.Failure) {
			return nil
		}
	}
	var refusing, answering []string
	for _, control := range path.Controls {
		if !isRefusal(control.Failure) {
			return nil
		}
		refusing = append(refusing, control.Address.String())
		if control.What == checks.ControlDNSOverTCP && answersOverUDP(facts, control) {
			answering = append(answering, control.Address.Addr().String())
		}
	}
	if len(answering) == 0 {
		return nil
	}
	evidence := []string{fmt.Sprintf("Every TCP connection is refused, to %s as well, while %s answers over UDP: the refusal is made in this pod, or for all TCP that leaves it.",
		strings.Join(refusing, ", "), strings.Join(answering, " and "))}
	if age := facts.Time.Sub(facts.Process.StartedAt); !facts.Process.StartedAt.IsZero() && age < startup {
		evidence = append(evidence, fmt.Sprintf("This process began %s ago, so the sidecar may still be starting.", span(age)))
	}
	return evidence
}

func isRefusal(failure *checks.Failure) bool { return failure != nil && failure.Kind == checks.Refused }

// answersOverUDP tells of a nameserver that refuses over TCP whether it was heard
// over UDP meanwhile.
func answersOverUDP(facts *checks.Facts, nameserver checks.Control) bool {
	if facts.Deep.DNS == nil {
		return false
	}
	for _, server := range facts.Deep.DNS.Nameservers {
		if server.Address == nameserver.Address.Addr() {
			return wasAnswered(server.UDP)
		}
	}
	return false
}

// hasNoWayYet: what is new has no way to anybody. Where others answer, or where deep
// probes were made and two rounds have met the same, what drops the packets is likelier
// to stay.
func hasNoWayYet(facts *checks.Facts) []string {
	if facts.History == nil || facts.Deep != nil && facts.History.Rounds > 1 || !hearsNobody(facts) {
		return nil
	}
	return hasNotConnectedYet(facts)
}

// hearsNobody tells that nothing is known to answer this pod, but for its own node, which
// most plugins let it reach from the start.
func hearsNobody(facts *checks.Facts) bool {
	return len(answering(facts)) == 0 && len(refusedBy(facts)) == 0 &&
		(len(deepPath(facts).Controls) == 0 || len(allIsSilent(facts)) > 0 || len(onlyServicesAreSilent(facts)) > 0)
}

// mayHaveNoWayYet is said of another cause where that the pod is new is not the first.
func mayHaveNoWayYet(facts *checks.Facts) []string {
	if hasNoWayYet(facts) != nil {
		return nil
	}
	told := hasNotConnectedYet(facts)
	if told == nil {
		return nil
	}
	return append(told, "It may be over within half a minute all the same: some network plugins let a new pod's packets through only once they know its policies.")
}

// hasNotConnectedYet: more than one round has met silence and none has connected
// in a pod that is new. A single round, as of a one-shot run, tells nothing of
// that.
func hasNotConnectedYet(facts *checks.Facts) []string {
	started := facts.Process.StartedAt
	if facts.History == nil || !facts.History.ConnectedAt.IsZero() || started.IsZero() || facts.Token == nil || facts.Token.WrittenAt.IsZero() {
		return nil
	}
	for _, fresh := range deepPath(facts).Fresh {
		if fresh.Leaf != "" || fresh.Status != 0 {
			return nil
		}
	}
	age, prepared := facts.Time.Sub(started), started.Sub(facts.Token.WrittenAt)
	if age < 0 || age >= programming || prepared < 0 || prepared >= untilStarted {
		return nil
	}
	return []string{fmt.Sprintf("This process began %s ago, no round has connected since, and the volume of the token was written %s before that: the pod is new.", span(age), span(prepared))}
}
