package judge

import (
	"fmt"
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

// deadConnection judges the connection that is kept where the API server has
// answered a new one: applications that have one in a pool wait on it.
func deadConnection(kept *checks.LongLivedFacts) []problem {
	if kept == nil || kept.Latest == nil {
		return nil
	}
	request := kept.Latest
	silent := request.Failure != nil && request.Failure.Kind == checks.TimedOut
	if !silent || !request.NewAnswered || keptFromHearing(request.WaitedSeconds, request.LongestWaitSeconds, request.Seconds, request.Seconds) {
		return nil
	}
	message := fmt.Sprintf("An HTTP/2 connection to %s that was made %s before and had answered %s had no answer for another within %s at %s, after %s of silence, while a new one was answered.",
		request.Address, seconds(request.AgeSeconds), requests(request.Answered), seconds(request.Seconds), moment(request.At), seconds(request.IdleSeconds))
	if tcp := request.TCP; tcp != nil && tcp.Unacked > 0 && tcp.Retransmits > 0 {
		message += fmt.Sprintf(" What this pod sent over it was not acknowledged, after %d repetitions: its packets are lost.", tcp.Retransmits)
	} else if tcp != nil && tcp.Unacked == 0 {
		message += " What this pod sent over it arrived, so whoever holds its other end says nothing."
	}
	return []problem{warning(checks.HTTP2DeadConnection, message, "an answer, or the end of the connection", "silence").likely()}
}

func requests(count int) string {
	if count == 1 {
		return "one request"
	}
	return fmt.Sprintf("%d requests", count)
}

// establishedWorks is the latest answer over the connection that is kept where
// new ones have none at the same time; nil where that is not so.
func establishedWorks(facts *checks.Facts) *checks.LongLivedRequest {
	if facts.API == nil || facts.API.ServiceHost.Last().Response != nil {
		return nil
	}
	for _, request := range []*checks.LongLivedRequest{latestKept(facts.API), deepPath(facts).LongLived} {
		if request != nil && request.Status != 0 && !request.NewAnswered {
			return request
		}
	}
	return nil
}

func latestKept(api *checks.APIFacts) *checks.LongLivedRequest {
	if api.LongLived == nil {
		return nil
	}
	return api.LongLived.Latest
}

// withEstablished adds to the first finding what a connection says of it that was
// made before and still answers, where new ones come to nothing.
func withEstablished(findings []checks.Finding, facts *checks.Facts) []checks.Finding {
	if len(findings) == 0 {
		return findings
	}
	request := establishedWorks(facts)
	if request == nil {
		return findings
	}
	told := ofNewConnections(findings[0].Reason)
	if told == "" {
		return findings
	}
	findings[0].Evidence = append(slices.Clone(findings[0].Evidence),
		fmt.Sprintf("A connection to %s that was made %s before still answered at %s, with status %d: %s", request.Address, seconds(request.AgeSeconds), moment(request.At), request.Status, told))
	return findings
}

// ofNewConnections says of a cause that is met as a connection is made what it
// means that one which is there goes on; nothing of other causes.
func ofNewConnections(reason checks.Reason) string {
	switch reason {
	case checks.TCPTimeout, checks.TCPTimeoutNetworkPolicy, checks.TCPTimeoutKubeProxyNotProgrammed, checks.TCPHostUnreachable, checks.TCPIntermittentOneEndpoint:
		return "what drops the packets drops those of new connections, as a policy or a rule that has changed since does, or a full table of connections (conntrack). Applications go on until they connect anew."
	case checks.TCPRefused, checks.TCPReset, checks.TCPRefusedSidecarNotReady:
		return "an API server runs, and new connections do not come to it. Applications go on until they connect anew."
	case checks.TLSEOFOrReset, checks.TLSHandshakeTimeout, checks.TLSHandshakeFailed, checks.TLSTimeoutLargeClientHello, checks.TLSTimeoutMTUBlackHole:
		return "the API server works, and it is new sessions that do not come about. Applications go on until they connect anew."
	case checks.CertServingExpired, checks.CertServingNotYetValid, checks.CertSANMissingServiceHost, checks.CertNoIPSANOrCNOnly, checks.CertWrongEKU,
		checks.CertChainInvalid, checks.CertDiffersByReplica, checks.CARotatedSameName, checks.CAMITMOrWrongEndpoint, checks.CAMissingIntermediate, checks.CABundleForeign,
		checks.CAExpired, checks.CAFileMissing, checks.CAFileEmptyOrNotPEM:
		return "a server proves itself only as a session begins. Applications go on until they connect anew."
	default:
		return ""
	}
}
