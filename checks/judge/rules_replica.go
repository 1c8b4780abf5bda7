package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// enoughRetries that passed are more than chance makes of twenty rounds.
	enoughRetries = 2
	// enoughUnconnected connections of six are more than the one that a path makes
	// which loses a packet now and then. Where there is one, enoughMissed rounds of
	// the latest tell as much, on a path that has lost nothing else meanwhile.
	enoughUnconnected = 2
	enoughMissed      = 2
	missedWithin      = 8
)

// replicaRules are about API servers that do not behave alike.
func replicaRules() []rule {
	certificate := []checks.Reason{
		checks.CertServingExpired, checks.CertServingNotYetValid, checks.CertSANMissingServiceHost, checks.CertNoIPSANOrCNOnly, checks.CertSANMissingDNSName,
		checks.CertWrongEKU, checks.CertChainInvalid, checks.CARotatedSameName, checks.CAMITMOrWrongEndpoint,
	}
	ends := []checks.Reason{
		checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable, checks.TLSHandshakeTimeout, checks.TLSEOFOrReset,
		checks.HTTPResponseTimeout, checks.HTTPResponseCut, checks.HTTPPassedOnRetry,
	}
	return []rule{
		{reason: checks.CAMITMOrWrongEndpoint, certainty: checks.Likely, refines: []checks.Reason{checks.CAMITMOrWrongEndpoint}, evidence: someMeetAStranger},
		{reason: checks.CertDiffersByReplica, certainty: checks.Certain, refines: certificate, evidence: replicasDiffer},
		{reason: checks.CertDiffersByReplica, certainty: checks.Likely, refines: certificate, evidence: certificatesDiffer},
		{reason: checks.CertDiffersByReplica, certainty: checks.Likely, refines: certificate, evidence: certificatesAlternate},
		{reason: checks.TokenIntermittentByAPIServer, certainty: checks.Likely, refines: []checks.Reason{
			checks.HTTP401Unattributed, checks.TokenLegacyInvalidated, checks.TokenNodeBoundInvalid,
		}, evidence: someReject},
		{reason: checks.TCPIntermittentOneEndpoint, certainty: checks.Likely, refines: ends, evidence: someConnect},
		{reason: checks.TCPIntermittentOneEndpoint, certainty: checks.Likely, refines: ends, evidence: retriesPass},
	}
}

// byCertificate parts connections by whether the certificate that they met was
// accepted; there are none where both kinds met the same one.
func byCertificate(facts *checks.Facts) (good, bad []checks.FreshConnection) {
	for _, fresh := range deepPath(facts).Fresh {
		switch {
		case fresh.Leaf == "":
		case fresh.Failure != nil && fresh.Failure.Kind == checks.Untrusted:
			bad = append(bad, fresh)
		default:
			good = append(good, fresh)
		}
	}
	if len(good) == 0 || len(bad) == 0 || slices.ContainsFunc(good, func(fresh checks.FreshConnection) bool { return fresh.Leaf == bad[0].Leaf }) {
		return nil, nil
	}
	return good, bad
}

// someMeetAStranger: all API servers of a cluster have their certificates from one
// authority, so one that nobody in ca.crt has to do with is of another program; unless
// it has an API server's names, since authorities are replaced.
func someMeetAStranger(facts *checks.Facts) []string {
	good, bad := byCertificate(facts)
	var strange []checks.FreshConnection
	for _, fresh := range bad {
		if isStranger(facts, fresh.Issuer) && !isForAPIServer(fresh.LeafNames, facts) {
			strange = append(strange, fresh)
		}
	}
	if len(strange) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections to %s %d met a certificate of nobody in ca.crt, issued by %s for %s, and %d the API server's: one of the addresses that it leads to is somebody else's.",
		len(good)+len(bad), deepPath(facts).Target, len(strange), cut(strange[0].Issuer), enumerate(strange[0].LeafNames), len(good))}
}

// isStranger tells of the issuer of a chain that it is no authority in ca.crt, nor
// has its name from one. Where there is no authority, everybody would be one.
func isStranger(facts *checks.Facts, issuer string) bool {
	if issuer == "" || facts.CA == nil || facts.CA.Omitted > 0 {
		return false
	}
	roots := rootsOf(facts.CA)
	return len(roots) > 0 && !slices.ContainsFunc(roots, func(root checks.Certificate) bool { return strings.Contains(issuer, root.Subject) })
}

func certificatesDiffer(facts *checks.Facts) []string {
	good, bad := byCertificate(facts)
	if len(bad) == 0 || len(someMeetAStranger(facts)) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections %d met a certificate that is not accepted, the one for %s, and %d another that is, the one for %s.",
		len(good)+len(bad), len(bad), enumerate(bad[0].LeafNames), len(good), enumerate(good[0].LeafNames))}
}

// replicasDiffer: kubelets and others may have a certificate of the cluster's authority
// too, but not the API server's names; and one with these may be somebody's who only
// looks like one.
func replicasDiffer(facts *checks.Facts) []string {
	_, bad := byCertificate(facts)
	if slices.ContainsFunc(bad, func(fresh checks.FreshConnection) bool {
		return !isForAPIServer(fresh.LeafNames, facts) || isStranger(facts, fresh.Issuer)
	}) {
		return nil
	}
	return certificatesDiffer(facts)
}

func isForAPIServer(names []string, facts *checks.Facts) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return name == "kubernetes" || name == checks.ServiceName || facts.Environment != nil && name == facts.Environment.ServiceHost
	})
}

func someReject(facts *checks.Facts) []string {
	path := deepPath(facts)
	accepting, rejecting := 0, 0
	var servers []string
	for _, fresh := range path.Fresh {
		switch fresh.Status {
		case 200:
			accepting++
			if fresh.ServerAddress != "" && !slices.Contains(servers, fresh.ServerAddress) {
				servers = append(servers, fresh.ServerAddress)
			}
		case 401:
			rejecting++
		}
	}
	if accepting+rejecting == 0 {
		return rejectionsAlternate(facts)
	}
	if accepting == 0 || rejecting == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections with the same token %d were rejected with status 401; those that were accepted met the API server at %s.",
		accepting+rejecting, rejecting, enumerate(servers))}
}

func someConnect(facts *checks.Facts) []string {
	path := deepPath(facts)
	connected, failed, lost := 0, 0, 0
	for _, fresh := range path.Fresh {
		switch {
		case fresh.Leaf != "" || fresh.Status != 0:
			connected++
		case mayBeLost(fresh):
			lost++
			failed++
		case fresh.Failure != nil && fresh.Failure.Kind != checks.OutOfFiles:
			failed++
		}
	}
	few := lost < enoughUnconnected && missedLately(facts) < enoughMissed
	byChance := lost == failed && (few || len(datagramsAreLost(facts)) > 0)
	if connected == 0 || failed == 0 || byChance {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections one after the other %d came to nothing and %d were good.", connected+failed, failed, connected)}
}

// mayBeLost tells a connection of which a packet of this pod's may have got lost: that
// it begins with, or one of the handshake that nobody has acknowledged.
func mayBeLost(fresh checks.FreshConnection) bool {
	silent := fresh.Leaf == "" && fresh.Failure != nil && fresh.Failure.Kind == checks.TimedOut
	return silent && (fresh.TCP == nil || fresh.TCP.Unacked > 0)
}

// missedLately is how many of the latest rounds did not connect for want of an
// answer; none where another had to send segments again.
func missedLately(facts *checks.Facts) int {
	rounds := apiRounds(facts)
	rounds = rounds[max(0, len(rounds)-missedWithin):]
	if slices.ContainsFunc(rounds, func(round checks.PastRound) bool { return round.Retransmits > 0 }) {
		return 0
	}
	return count(rounds, func(round checks.PastRound) bool {
		return round.Stage == checks.StageConnect && round.Failure == checks.TimedOut
	})
}

// retriesPass: time and again two connections right after one another end
// differently. What comes and goes with time changes between two tries now and then
// at the most.
func retriesPass(facts *checks.Facts) []string {
	rounds := apiRounds(facts)
	passed := count(rounds, func(round checks.PastRound) bool { return round.PassedOnRetry })
	if passed < enoughRetries {
		return nil
	}
	return []string{fmt.Sprintf("In %d of the last %d rounds a first connection came to nothing and the next one, right after it, was answered.", passed, len(rounds))}
}

// othersFail judges connections of the deep probes of which some came to nothing
// while the round's own was answered.
func othersFail(facts *checks.Facts) []problem {
	if !isRecent(facts) {
		return nil
	}
	found := func(reason checks.Reason, evidence []string) []problem {
		return []problem{warning(reason, evidence[0], "the same answer by every connection", "others by some").likely()}
	}
	if evidence := someReject(facts); len(evidence) > 0 {
		return found(checks.TokenIntermittentByAPIServer, evidence)
	}
	if evidence := someFailWithin(facts); len(evidence) > 0 {
		return found(checks.HTTP500Internal, evidence)
	}
	if evidence := someForbid(facts); len(evidence) > 0 {
		return found(checks.HTTP403DiscoveryRBACRemoved, evidence)
	}
	if evidence := someConnect(facts); len(evidence) > 0 && len(othersShowAnother(facts)) == 0 {
		return found(checks.TCPIntermittentOneEndpoint, evidence)
	}
	return nil
}

// othersShowAnother judges certificates that only some of those connections met.
func othersShowAnother(facts *checks.Facts) []problem {
	if !isRecent(facts) {
		return nil
	}
	found := func(reason checks.Reason, evidence []string) problem {
		return warning(reason, evidence[0], "one certificate, or some that are all accepted", "one that is not")
	}
	if evidence := replicasDiffer(facts); len(evidence) > 0 {
		return []problem{found(checks.CertDiffersByReplica, evidence)}
	}
	if evidence := certificatesDiffer(facts); len(evidence) > 0 {
		return []problem{found(checks.CertDiffersByReplica, evidence).likely()}
	}
	if evidence := someMeetAStranger(facts); len(evidence) > 0 {
		return []problem{found(checks.CAMITMOrWrongEndpoint, evidence).likely()}
	}
	return nil
}

// isRecent tells whether there are deep probes that were made lately. A warning
// that lasts has them once.
func isRecent(facts *checks.Facts) bool {
	return facts.Deep != nil && facts.Time.Sub(facts.Deep.Time) <= pairsHold
}

// certificatesAlternate: where no connections were made at one time, rounds are
// compared, each of which meets another API server. A certificate that was
// renewed changes once.
func certificatesAlternate(facts *checks.Facts) []string {
	rounds := apiRounds(facts)
	refused := func(round checks.PastRound) bool { return round.Failure == checks.Untrusted }
	if metStranger(facts) || !alternates(rounds, refused) || len(leavesOf(rounds, refused)) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of the last %d rounds %d met a certificate that is not accepted, and the others another one that is.", len(rounds), count(rounds, refused))}
}

// metStranger tells that the round itself met a certificate of nobody in ca.crt.
func metStranger(facts *checks.Facts) bool {
	chain := unprovenChain(facts)
	if len(chain) == 0 {
		return false
	}
	return isStranger(facts, checks.TopOf(chain).Issuer) && !isForAPIServer(slices.Concat(chain[0].DNSNames, chain[0].IPAddresses), facts)
}

// unprovenChain is what the round was shown and ca.crt does not prove, the server's own
// first; empty where that is not so.
func unprovenChain(facts *checks.Facts) []checks.Certificate {
	if facts.API == nil {
		return nil
	}
	handshake := lastHandshake(facts.API.ServiceHost)
	if handshake == nil || handshake.Verified {
		return nil
	}
	return handshake.Chain
}

func rejectionsAlternate(facts *checks.Facts) []string {
	rounds := apiRounds(facts)
	rejected := func(round checks.PastRound) bool { return round.Status == 401 }
	if !alternates(rounds, rejected) || len(leavesOf(rounds, rejected)) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of the last %d rounds %d were rejected with status 401, all by API servers of which no round was accepted.", len(rounds), count(rounds, rejected))}
}
