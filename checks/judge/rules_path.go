package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// enoughSilentHandshakes one after the other are more than what lost packets make.
const enoughSilentHandshakes = 2

// enoughRepeated repetitions of a segment in vain are more than lost packets make: a kernel
// has time for three within a step.
const enoughRepeated = 2

// pathRules are about packets that get lost.
func pathRules() []rule {
	timeout := []checks.Reason{checks.TCPTimeout}
	handshake := []checks.Reason{checks.TLSHandshakeTimeout, checks.TLSEOFOrReset}
	return []rule{
		{reason: checks.TCPNetworkUnreachable, certainty: checks.Likely, refines: []checks.Reason{checks.TCPTimeout, checks.TCPHostUnreachable}, explains: []checks.Reason{checks.DNSTimeout, checks.DNSUnreachable}, evidence: gatewayIsSilent},
		{reason: checks.TCPNetworkUnreachable, certainty: checks.Likely, refines: []checks.Reason{checks.TCPHostUnreachable, checks.TCPFailed}, evidence: ownTableRefuses},
		{reason: checks.TCPHostUnreachable, certainty: checks.Likely, refines: []checks.Reason{checks.TCPNetworkUnreachable}, evidence: ownTableLeadsOn},
		{reason: checks.TCPHostUnreachable, certainty: checks.Likely, refines: timeout, evidence: saidUnreachable},
		{reason: checks.TCPRefused, certainty: checks.Likely, refines: timeout, evidence: saidRefused},
		{reason: checks.TCPHostUnreachable, certainty: checks.Likely, refines: timeout, explains: []checks.Reason{checks.DNSUnreachable}, evidence: nameserverSaidUnreachable},
		{reason: checks.TLSTimeoutMTUBlackHole, certainty: checks.Certain, refines: handshake[:1], evidence: worksClamped},
		{reason: checks.TLSTimeoutMTUBlackHole, certainty: checks.Likely, refines: handshake[:1], evidence: onlySmallArrives},
		{reason: checks.TLSTimeoutLargeClientHello, certainty: checks.Likely, refines: handshake, evidence: worksWithSmallHello},
		{reason: checks.TLSTimeoutServerOverloaded, certainty: checks.Likely, refines: []checks.Reason{checks.TLSHandshakeTimeout}, evidence: serverIsSilent},
		{reason: checks.TLSHandshakeTimeout, certainty: checks.Likely, refines: []checks.Reason{checks.TLSHandshakeTimeout}, evidence: gatewayConnects},
		{reason: checks.TLSTimeoutServerOverloaded, certainty: checks.Likely, refines: timeout, evidence: queueIsFull},
		{reason: checks.TCPTimeoutKubeProxyNotProgrammed, certainty: checks.Likely, refines: timeout, explains: []checks.Reason{checks.DNSTimeout, checks.DNSUnreachable}, evidence: onlyServicesAreSilent},
		{reason: checks.TCPTimeoutNetworkPolicy, certainty: checks.Likely, refines: timeout, explains: []checks.Reason{checks.DNSTimeout, checks.DNSUnreachable}, evidence: onlyTheNodeIsReached},
		{reason: checks.TCPTimeoutNetworkPolicy, certainty: checks.Likely, refines: timeout, evidence: onlyTheAPIIsSilent},
		{reason: checks.TCPTimeoutNetworkPolicy, certainty: checks.Likely, refines: timeout, explains: []checks.Reason{checks.DNSTimeout, checks.DNSUnreachable, checks.DNSServfailCoreDNSUnsynced}, evidence: allIsSilent},
		{reason: checks.TCPTimeoutNetworkPolicy, certainty: checks.Likely, explains: []checks.Reason{checks.DNSUnreachable}, moves: true, evidence: filteredHere},
	}
}

// gatewayIsSilent: what leaves the pod is handed to a router first, and where that does
// not answer ARP no policy or firewall has to do with it. The kernel of the pod says that
// the host is unreachable itself, after a while.
func gatewayIsSilent(facts *checks.Facts) []string {
	if facts.API == nil || !facts.API.SilentGateway.IsValid() {
		return nil
	}
	return []string{fmt.Sprintf("%s, the gateway of this pod, does not answer ARP, so nothing that goes by it leaves the pod: it is not the way to the API server that is shut but the pod's own network that leads nowhere.", facts.API.SilentGateway)}
}

// ownTableRefuses: nothing leaves the pod, so nobody on the way has said anything.
func ownTableRefuses(facts *checks.Facts) []string {
	if facts.API == nil || facts.API.Route != checks.RouteRefuses {
		return nil
	}
	return []string{fmt.Sprintf("This pod's own table of routes refuses what is for %s, by a route of the type unreachable, prohibit or blackhole.", facts.API.ServiceHost.Last().Address.Addr())}
}

// ownTableLeadsOn: a kernel without a route says so itself, with the words that one who
// has a route hears of a router or a firewall (icmp(7)).
func ownTableLeadsOn(facts *checks.Facts) []string {
	if facts.API == nil || facts.API.Route != checks.RouteLeads || kindOf(facts.API.ServiceHost.Last().Failure) != checks.NetworkUnreachable {
		return nil
	}
	return []string{fmt.Sprintf("This pod has a route to %s, so that it is a router or a firewall on the way that says so.", facts.API.ServiceHost.Last().Address.Addr())}
}

// saidRefused: kube-proxy has a kernel refuse for a Service that leads nowhere, by
// messages of which there are only so many (icmp(7), icmp_ratelimit).
func saidRefused(facts *checks.Facts) []string {
	rounds := apiRounds(facts)
	if len(rounds) < 2 {
		return nil
	}
	latest := rounds[len(rounds)-2]
	if latest.Stage != checks.StageConnect || latest.Failure != checks.Refused {
		return nil
	}
	return []string{fmt.Sprintf("The round before, at %s, was refused, and of such refusals a node sends only so many.", moment(latest.Time))}
}

// saidUnreachable: a kernel sends only so many such messages in a second (icmp(7),
// icmp_ratelimit), and what it keeps back looks like silence.
func saidUnreachable(facts *checks.Facts) []string {
	const latest = 5
	rounds := apiRounds(facts)
	for _, round := range slices.Backward(rounds[max(0, len(rounds)-latest):]) {
		if round.Stage != checks.StageConnect {
			break
		}
		if isUnreachable(round.Failure) {
			return []string{fmt.Sprintf("The round at %s was told that there is no way to it, and nothing has connected since.", moment(round.Time))}
		}
	}
	for _, fresh := range deepPath(facts).Fresh {
		if isUnreachable(kindOf(fresh.Failure)) {
			return []string{"Another connection was told that there is no way to it."}
		}
	}
	return nil
}

// isUnreachable tells the words of somebody on the way, where others meet silence: a pod
// without a route meets them each time.
func isUnreachable(kind checks.FailureKind) bool {
	return kind == checks.HostUnreachable || kind == checks.NetworkUnreachable
}

// nameserverSaidUnreachable: the messages that are kept back are counted by whom
// they are for, which is this pod, and the queries of a lookup use them up. That a network
// is unreachable may be of the pod alone, which has none of the nameserver's family.
func nameserverSaidUnreachable(facts *checks.Facts) []string {
	if facts.DNS == nil || facts.API == nil || facts.API.ServiceHost.Last().Stage != checks.StageConnect {
		return nil
	}
	for _, query := range facts.DNS.Lookup.Queries {
		if kindOf(query.Failure) == checks.HostUnreachable {
			return []string{fmt.Sprintf("The way to %s is said to be unreachable at the same time, and a kernel sends one such message a second to one pod.", query.Nameserver)}
		}
	}
	return nil
}

// worksClamped: small segments are the only difference, so the size of packets
// is what matters.
func worksClamped(facts *checks.Facts) []string {
	path := deepPath(facts)
	if path.Clamped == nil || path.FullHello == nil || !path.Clamped.Done || !timedOut(path.FullHello) || someShookHands(path) {
		return nil
	}
	evidence := []string{fmt.Sprintf("With segments of %d bytes in both directions the handshake ends well, and with those of full size it does not.", checks.ClampedSegment)}
	if tcp := path.FullHello.TCP; tcp != nil && tcp.Unacked > 0 && tcp.Retransmits > 0 {
		return append(evidence, fmt.Sprintf("What this pod sends is lost: %d segments are not acknowledged after %d repetitions.", tcp.Unacked, tcp.Retransmits))
	}
	if path.SmallHello != nil && !path.SmallHello.Done {
		return append(evidence, "A small ClientHello does not help, so what the API server sends is lost.")
	}
	return evidence
}

// onlySmallArrives: nothing comes to its end, since what is sent back is large in any case, or
// is handed on as if it were. Of what this pod sends, what is small is acknowledged and what
// is large is not, again and again.
func onlySmallArrives(facts *checks.Facts) []string {
	path := deepPath(facts)
	small, full := path.SmallHello, path.FullHello
	if small == nil || full == nil || small.TCP == nil || full.TCP == nil || someShookHands(path) {
		return nil
	}
	if !timedOut(small) || small.TCP.Unacked > 0 || !timedOut(full) || full.TCP.Unacked == 0 || full.TCP.Retransmits < enoughRepeated {
		return nil
	}
	return []string{fmt.Sprintf("A ClientHello of one segment is acknowledged, and of Go's own of two %d segments are not after %d repetitions: small packets get through and large ones do not.", full.TCP.Unacked, full.TCP.Retransmits)}
}

// someShookHands tells that a connection of full size got through, so that size is
// not what matters.
func someShookHands(path checks.DeepPathFacts) bool {
	return slices.ContainsFunc(path.Fresh, func(fresh checks.FreshConnection) bool { return fresh.Leaf != "" })
}

func timedOut(handshake *checks.Handshake) bool {
	return handshake.Connected && handshake.Failure != nil && handshake.Failure.Kind == checks.TimedOut
}

// worksWithSmallHello: segments of another size do not help, a ClientHello that
// fits in one does.
func worksWithSmallHello(facts *checks.Facts) []string {
	path := deepPath(facts)
	if path.SmallHello == nil || path.FullHello == nil || !path.SmallHello.Done || path.FullHello.Done || someShookHands(path) {
		return nil
	}
	return []string{"With a ClientHello of one segment the handshake ends well, and with Go's own of two it does not."}
}

// serverIsSilent: the program at the other end is the API server, as far as can be
// seen, and says nothing.
func serverIsSilent(facts *checks.Facts) []string {
	if !isHeardInSilence(facts) || establishedWorks(facts) != nil || len(gatewayConnects(facts)) > 0 {
		return nil
	}
	return []string{"Large and small, the ClientHello arrives and is acknowledged by the kernel of the other side, and the program there says nothing."}
}

// isHeardInSilence tells that all that was sent arrived, whatever its size, and that
// nothing came back.
func isHeardInSilence(facts *checks.Facts) bool {
	path := deepPath(facts)
	if path.SmallHello == nil || path.Clamped == nil {
		return false
	}
	for _, handshake := range []*checks.Handshake{path.SmallHello, path.FullHello, path.Clamped} {
		if handshake == nil {
			continue
		}
		if !handshake.Connected || handshake.Done || handshake.TCP == nil || handshake.TCP.Unacked > 0 || handshake.TCP.BytesReceived > 0 {
			return false
		}
	}
	return true
}

// gatewayConnects: who takes connections for an address at which nothing listens, as
// a rule, may take those for the API server as well.
func gatewayConnects(facts *checks.Facts) []string {
	if !isHeardInSilence(facts) {
		return nil
	}
	for _, control := range deepPath(facts).Controls {
		if control.What == checks.ControlNode && control.Failure == nil {
			return []string{fmt.Sprintf("All that is sent is acknowledged and nothing comes back, and %s, which is the gateway of this pod, takes connections too: unless something listens there, "+
				"whatever this pod dials is taken by a sidecar, or by another program on the way, that hangs.", control.Address)}
		}
	}
	return nil
}

// queueIsFull: a kernel makes connections for a program that does not take them,
// and drops what begins another once it has as many as the program may have
// (listen(2), somaxconn).
func queueIsFull(facts *checks.Facts) []string {
	if facts.History == nil || facts.History.SilentHandshakes < enoughSilentHandshakes || len(allIsSilent(facts)) > 0 || len(onlyServicesAreSilent(facts)) > 0 || len(onlyTheNodeIsReached(facts)) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("Before, %d rounds connected, the last at %s, and the program there said nothing; its queue of connections is full by now, so that no other comes about.",
		facts.History.SilentHandshakes, moment(facts.History.ConnectedAt))}
}

// onlyServicesAreSilent: what answers is not behind a Service.
func onlyServicesAreSilent(facts *checks.Facts) []string {
	services, node, itself := withoutServices(facts)
	if len(services) == 0 {
		return nil
	}
	switch {
	case itself.Address.IsValid() && isSilentControl(itself):
		return nil
	case itself.Address.IsValid() && isAnswer(itself.Failure):
		return []string{fmt.Sprintf("No Service answers, %s neither, while an API server itself does (%s).", strings.Join(services, " and "), itself.Address)}
	case node.Address.IsValid() && isAnswer(node.Failure):
		return []string{fmt.Sprintf("No Service answers, %s neither, while the node does (%s).", strings.Join(services, " and "), node.Address)}
	default:
		return nil
	}
}

// onlyTheNodeIsReached: an API server itself, to which no Service has to lead, is as
// silent as the Services are.
func onlyTheNodeIsReached(facts *checks.Facts) []string {
	services, node, itself := withoutServices(facts)
	if len(services) == 0 || !itself.Address.IsValid() || !isSilentControl(itself) || !node.Address.IsValid() || !isAnswer(node.Failure) {
		return nil
	}
	return []string{fmt.Sprintf("The node answers (%s) and nothing beyond it does, neither a Service (%s) nor an API server itself (%s): a policy or a firewall drops what this pod sends there, "+
		"or the node hands nothing on (sysctl net.ipv4.ip_forward, iptables -S FORWARD).", node.Address, strings.Join(services, " and "), itself.Address)}
}

// withoutServices are the Services, beside the API's, that did not answer, and what
// became of the node and of an API server itself; none where one did or none was tried.
func withoutServices(facts *checks.Facts) (services []string, node, itself checks.Control) {
	if facts.API == nil || facts.API.ServiceHost.Last().Stage != checks.StageConnect || len(answering(facts))+len(refusedBy(facts)) > 0 {
		return nil, node, itself
	}
	for _, control := range deepPath(facts).Controls {
		switch control.What {
		case checks.ControlNode:
			node = control
		case checks.ControlAPIServer:
			itself = control
		case checks.ControlDNSOverTCP:
			if !isSilentControl(control) {
				return nil, node, itself
			}
			services = append(services, control.Address.String())
		}
	}
	return services, node, itself
}

func isSilentControl(control checks.Control) bool {
	return control.Failure != nil && control.Failure.Kind == checks.TimedOut
}

// isAnswer tells that somebody answered a connection, were it that he does not want it.
func isAnswer(failure *checks.Failure) bool {
	return failure == nil || failure.Kind == checks.Refused || failure.Kind == checks.Reset
}

// onlyTheAPIIsSilent: other addresses are reached from here, and no connection to
// the API server met anything but silence. One that did tells that packets get
// through, or that the probes were made of another failing.
func onlyTheAPIIsSilent(facts *checks.Facts) []string {
	if connectedSince(facts) || slices.ContainsFunc(deepPath(facts).Fresh, func(fresh checks.FreshConnection) bool { return !isUnconnected(fresh) }) {
		return nil
	}
	for _, control := range deepPath(facts).Controls {
		if control.What == checks.ControlDNSOverTCP && control.Failure == nil {
			return append([]string{fmt.Sprintf("Another Service is reached meanwhile: %s took a connection within %s.", control.Address, seconds(control.Seconds))}, pastTheService(facts)...)
		}
	}
	if facts.Deep == nil {
		return nil
	}
	if servers := answering(facts); len(servers) > 0 {
		return append([]string{fmt.Sprintf("Another address is reached meanwhile: %s answers over UDP.", list(servers))}, pastTheService(facts)...)
	}
	if servers := refusedBy(facts); len(servers) > 0 {
		return []string{fmt.Sprintf("Another address is not silent meanwhile: %s refuses.", list(servers))}
	}
	return nil
}

// pastTheService tells how an API server itself fares, to which no Service has to lead: a
// policy may be about the one address or the other.
func pastTheService(facts *checks.Facts) []string {
	for _, control := range deepPath(facts).Controls {
		switch {
		case control.What != checks.ControlAPIServer:
		case isAnswer(control.Failure):
			return []string{fmt.Sprintf("An API server itself answers this pod at %s: what is dropped is what goes to the address of its Service.", control.Address)}
		case isSilentControl(control):
			return []string{fmt.Sprintf("An API server itself, at %s, is as silent as its Service.", control.Address)}
		}
	}
	return nil
}

// allIsSilent: nothing that this pod sends is answered, whoever it is for, as where
// a policy denies all egress, or where the pod's own cable is cut.
func allIsSilent(facts *checks.Facts) []string {
	path := deepPath(facts)
	if len(path.Controls) == 0 || len(answering(facts)) > 0 || someShookHands(path) || connectedSince(facts) {
		return nil
	}
	var silent []string
	for _, control := range path.Controls {
		if !isSilentControl(control) {
			return nil
		}
		silent = append(silent, control.Address.String())
	}
	for _, server := range deepNameservers(facts) {
		if wasAnswered(server.UDP) || wasAnswered(server.TCP) {
			return nil
		}
	}
	return []string{fmt.Sprintf("Nothing else answers this pod either: %s.", enumerate(silent))}
}

// filteredHere: only a filter in the network that a packet leaves from tells who sends
// it (EPERM); one on the node drops it without a word.
func filteredHere(facts *checks.Facts) []string {
	if facts.DNS == nil {
		return nil
	}
	for _, query := range facts.DNS.Lookup.Queries {
		if query.Failure != nil && query.Failure.Kind == checks.NotPermitted && strings.Contains(query.Failure.Message, "operation not permitted") {
			return []string{fmt.Sprintf("To send to %s is not permitted (EPERM), so the filter is in this pod's own network rather than a NetworkPolicy: an init container or a sidecar set it.", query.Nameserver)}
		}
	}
	return nil
}

// isUnconnected tells a connection that did not come about for want of an answer, as
// where its first packet gets lost.
func isUnconnected(fresh checks.FreshConnection) bool {
	return fresh.Leaf == "" && fresh.TCP == nil && fresh.Failure != nil && fresh.Failure.Kind == checks.TimedOut
}

// connectedSince tells that this round was answered, or that one before it connected after
// the deep probes were made, so that the silence which those met had an end.
func connectedSince(facts *checks.Facts) bool {
	if facts.API != nil && facts.API.ServiceHost.Last().Stage == checks.StageDone {
		return true
	}
	return facts.Deep != nil && facts.History != nil && facts.History.ConnectedAt.After(facts.Deep.Time)
}

// answering are the nameservers that answered the pulse.
func answering(facts *checks.Facts) (servers []netip.Addr) {
	if facts.DNS == nil {
		return nil
	}
	for _, query := range facts.DNS.Lookup.Queries {
		if query.Failure == nil {
			servers = union(servers, []netip.Addr{query.Nameserver})
		}
	}
	return servers
}

// refusedBy are the nameservers that refused the pulse, or a connection for comparison, as a
// node does for a Service without endpoints. Of such refusals a kernel keeps some back (icmp(7),
// icmp_ratelimit). One in this pod or of its node tells nothing of the way.
func refusedBy(facts *checks.Facts) (servers []netip.Addr) {
	add := func(server netip.Addr, failure *checks.Failure) {
		if failure != nil && isAnswer(failure) && !server.IsLoopback() && !server.IsLinkLocalUnicast() {
			servers = union(servers, []netip.Addr{server})
		}
	}
	if facts.DNS != nil {
		for _, query := range facts.DNS.Lookup.Queries {
			add(query.Nameserver, query.Failure)
		}
	}
	for _, control := range deepPath(facts).Controls {
		if control.What == checks.ControlDNSOverTCP {
			add(control.Address.Addr(), control.Failure)
		}
	}
	return servers
}

// deepPath is what the deep probes saw of the path, nothing where none were made.
func deepPath(facts *checks.Facts) checks.DeepPathFacts {
	if facts.Deep == nil || facts.Deep.Path == nil {
		return checks.DeepPathFacts{}
	}
	return *facts.Deep.Path
}
