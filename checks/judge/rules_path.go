package judge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// rules are all rules, in the order in which they are tried.
func rules() []rule {
	return slices.Concat(environmentRules(), pathRules(), replicaRules(), answerRules(), nameserverRules(), orderRules())
}

// environmentRules are about addresses that lead elsewhere.
func environmentRules() []rule {
	unreachable := []checks.Reason{
		checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable, checks.TCPNetworkUnreachable, checks.TCPReset, checks.TCPFailed,
		checks.TLSPlaintextOrWrongPort, checks.TLSEOFOrReset, checks.TLSHandshakeTimeout, checks.TLSHandshakeFailed,
		checks.CAMITMOrWrongEndpoint, checks.CARotatedSameName, checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName,
		checks.DNSAnswerDisagreesWithEnv,
	}
	return []rule{
		{checks.EnvServiceHostOverridden, checks.Likely, nil, unreachable, false, leadsElsewhere},
		{checks.EnvServicePortOverridden, checks.Likely, nil, unreachable, false, leadsToAnotherPort},
		{checks.EnvServiceHostStale, checks.Likely, []checks.Reason{checks.DNSAnswerDisagreesWithEnv}, []checks.Reason{checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable}, false, answersByName},
		{checks.EnvHTTPProxyInterceptsAPI, checks.Likely, nil, []checks.Reason{checks.KProxyUpstreamError}, false, kubectlProxyGoesByProxy},
	}
}

// pathRules are about packets that get lost.
func pathRules() []rule {
	timeout := []checks.Reason{checks.TCPTimeout}
	handshake := []checks.Reason{checks.TLSHandshakeTimeout, checks.TLSEOFOrReset}
	return []rule{
		{checks.TLSTimeoutMTUBlackHole, checks.Certain, handshake[:1], nil, false, worksClamped},
		{checks.TLSTimeoutLargeClientHello, checks.Likely, handshake, nil, false, worksWithSmallHello},
		{checks.TLSTimeoutServerOverloaded, checks.Likely, []checks.Reason{checks.TLSHandshakeTimeout}, nil, false, serverIsSilent},
		{checks.TCPTimeoutKubeProxyNotProgrammed, checks.Likely, timeout, []checks.Reason{checks.DNSTimeout, checks.DNSUnreachable}, false, onlyServicesAreSilent},
		{checks.TCPTimeoutNetworkPolicy, checks.Likely, timeout, nil, false, onlyTheAPIIsSilent},
	}
}

// replicaRules are about API servers that do not behave alike.
func replicaRules() []rule {
	return []rule{
		{checks.CertDiffersByReplica, checks.Certain, []checks.Reason{
			checks.CertServingExpired, checks.CertServingNotYetValid, checks.CertSANMissingServiceHost, checks.CertNoIPSANOrCNOnly, checks.CertSANMissingDNSName,
			checks.CertWrongEKU, checks.CertChainInvalid, checks.CARotatedSameName, checks.CAMITMOrWrongEndpoint,
		}, nil, false, certificatesDiffer},
		{checks.TokenIntermittentByAPIServer, checks.Likely, []checks.Reason{checks.HTTP401Unattributed}, nil, false, someReject},
		{checks.TCPIntermittentOneEndpoint, checks.Likely, []checks.Reason{checks.TCPRefused, checks.TCPTimeout, checks.TCPHostUnreachable, checks.HTTPPassedOnRetry}, nil, false, someConnect},
	}
}

// answerRules are about what else the API server answers.
func answerRules() []rule {
	return []rule{
		{checks.HTTP403DiscoveryRBACRemoved, checks.Certain, []checks.Reason{checks.HTTP403DiscoveryRBACRemoved}, nil, false, knowsThePod},
		{checks.HTTP403Anonymous, checks.Certain, []checks.Reason{checks.HTTP403Anonymous}, nil, false, takesNoToken},
	}
}

// orderRules name one finding before another that it brings about.
func orderRules() []rule {
	return []rule{
		{checks.DNSAnswerDisagreesWithEnv, checks.Certain, nil, []checks.Reason{checks.APIByNameFailing}, true, anotherAddress},
		{checks.DNSHostsFileOverride, checks.Certain, nil, []checks.Reason{checks.APIByNameFailing, checks.DNSAnswerDisagreesWithEnv}, true, hostsFileAnswers},
		{checks.CAMITMOrWrongEndpoint, checks.Likely, nil, []checks.Reason{checks.CertNoIPSANOrCNOnly, checks.CertSANMissingServiceHost, checks.CertSANMissingDNSName}, true, strangersNames},
	}
}

// leadsElsewhere: KUBERNETES_SERVICE_HOST led to another address than the one
// that kubelet gave.
func leadsElsewhere(facts *checks.Facts) []string {
	env := facts.Environment
	if env == nil || env.ServiceAddress == "" || env.ServiceAddress == env.ServiceHost || facts.API == nil {
		return nil
	}
	address := facts.API.ServiceHost.Last().Address
	if !address.IsValid() || address.Addr().Unmap().String() == env.ServiceAddress {
		return nil
	}
	return []string{fmt.Sprintf("It leads to %s, and what goes wrong goes wrong there.", address)}
}

// leadsToAnotherPort: KUBERNETES_SERVICE_PORT led to another port than the one
// that kubelet gave.
func leadsToAnotherPort(facts *checks.Facts) []string {
	env := facts.Environment
	if env == nil || env.ServicePortHTTPS == "" || env.ServicePortHTTPS == env.ServicePort || facts.API == nil {
		return nil
	}
	address := facts.API.ServiceHost.Last().Address
	if !address.IsValid() || strconv.Itoa(int(address.Port())) == env.ServicePortHTTPS {
		return nil
	}
	return []string{fmt.Sprintf("It leads to %s, and what goes wrong goes wrong there.", address)}
}

// answersByName: the environment is fixed when a container starts, the DNS is not.
func answersByName(facts *checks.Facts) []string {
	if facts.API == nil || facts.Environment == nil || facts.Environment.ServiceAddress != facts.Environment.ServiceHost {
		return nil
	}
	last := facts.API.ByName.Last()
	if facts.API.ServiceHost.Last().Stage != checks.StageConnect || last.Stage != checks.StageDone || last.Response == nil || !fromKubernetes(last.Response) {
		return nil
	}
	return []string{fmt.Sprintf("kubernetes.default.svc leads to %s, and an API server answers there (status %d), while %s was set when this container started.",
		last.Address, last.Response.Status, facts.Environment.ServiceHost)}
}

// kubectlProxyGoesByProxy: net/http words an HTTP proxy that fails so.
func kubectlProxyGoesByProxy(facts *checks.Facts) []string {
	env := facts.Environment
	if facts.KubectlProxy == nil || env == nil || proxyForAPI(env) == "" {
		return nil
	}
	response := facts.KubectlProxy.Attempt.Last().Response
	if response == nil || !strings.Contains(response.BodyStart, "proxyconnect") {
		return nil
	}
	return []string{"The kubectl proxy heeds it too, and does not get through it."}
}

// worksClamped: small segments are the only difference, so the size of packets
// is what matters.
func worksClamped(facts *checks.Facts) []string {
	path := deepPath(facts)
	if path.Clamped == nil || path.FullHello == nil || !path.Clamped.Done || !timedOut(path.FullHello) {
		return nil
	}
	evidence := []string{"With segments of 1000 bytes in both directions the handshake ends well, and with those of full size it does not."}
	if tcp := path.FullHello.TCP; tcp != nil && tcp.Unacked > 0 && tcp.Retransmits > 0 {
		return append(evidence, fmt.Sprintf("What this pod sends is lost: %d segments are not acknowledged after %d repetitions.", tcp.Unacked, tcp.Retransmits))
	}
	if path.SmallHello != nil && !path.SmallHello.Done {
		return append(evidence, "A small ClientHello does not help, so what the API server sends is lost.")
	}
	return evidence
}

func timedOut(handshake *checks.Handshake) bool {
	return handshake.Connected && handshake.Failure != nil && handshake.Failure.Kind == checks.TimedOut
}

// worksWithSmallHello: segments of another size do not help, a ClientHello that
// fits in one does.
func worksWithSmallHello(facts *checks.Facts) []string {
	path := deepPath(facts)
	if path.SmallHello == nil || path.FullHello == nil || !path.SmallHello.Done || path.FullHello.Done {
		return nil
	}
	return []string{"With a ClientHello of one segment the handshake ends well, and with Go's own of two it does not."}
}

// serverIsSilent: all that was sent arrived, whatever its size, and nothing came
// back.
func serverIsSilent(facts *checks.Facts) []string {
	path := deepPath(facts)
	if path.SmallHello == nil || path.Clamped == nil {
		return nil
	}
	for _, handshake := range []*checks.Handshake{path.SmallHello, path.FullHello, path.Clamped} {
		if handshake == nil {
			continue
		}
		if !handshake.Connected || handshake.Done || handshake.TCP == nil || handshake.TCP.Unacked > 0 || handshake.TCP.BytesReceived > 0 {
			return nil
		}
	}
	return []string{"Large and small, the ClientHello arrives and is acknowledged by the kernel of the other side, and the program there says nothing."}
}

// onlyServicesAreSilent: what answers is not behind a Service.
func onlyServicesAreSilent(facts *checks.Facts) []string {
	path := deepPath(facts)
	if facts.API == nil || facts.API.ServiceHost.Last().Stage != checks.StageConnect {
		return nil
	}
	var services, others []string
	for _, control := range path.Controls {
		answered := control.Failure == nil || control.Failure.Kind == checks.Refused || control.Failure.Kind == checks.Reset
		switch {
		case control.What == checks.ControlNode && answered:
			others = append(others, control.Address.String())
		case control.What == checks.ControlDNSOverTCP && !answered && control.Failure.Kind == checks.TimedOut:
			services = append(services, control.Address.String())
		case control.What == checks.ControlDNSOverTCP:
			return nil
		}
	}
	if len(services) == 0 || len(others) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("No Service answers, %s neither, while the node does (%s).", strings.Join(services, " and "), strings.Join(others, ", "))}
}

// onlyTheAPIIsSilent: other addresses are reached from here.
func onlyTheAPIIsSilent(facts *checks.Facts) []string {
	for _, control := range deepPath(facts).Controls {
		if control.What == checks.ControlDNSOverTCP && control.Failure == nil {
			return []string{fmt.Sprintf("Another Service is reached meanwhile: %s took a connection within %s.", control.Address, seconds(control.Seconds))}
		}
	}
	return nil
}

func certificatesDiffer(facts *checks.Facts) []string {
	path := deepPath(facts)
	var good, bad []checks.FreshConnection
	for _, fresh := range path.Fresh {
		switch {
		case fresh.Leaf == "":
		case fresh.Failure != nil && fresh.Failure.Kind == checks.Untrusted:
			bad = append(bad, fresh)
		default:
			good = append(good, fresh)
		}
	}
	if len(good) == 0 || len(bad) == 0 || slices.ContainsFunc(good, func(fresh checks.FreshConnection) bool { return fresh.Leaf == bad[0].Leaf }) {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections %d met a certificate that is not accepted, the one for %s, and %d another that is, the one for %s.",
		len(good)+len(bad), len(bad), enumerate(bad[0].LeafNames), len(good), enumerate(good[0].LeafNames))}
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
	if accepting == 0 || rejecting == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections with the same token %d were rejected with status 401; those that were accepted met the API server at %s.",
		accepting+rejecting, rejecting, enumerate(servers))}
}

func someConnect(facts *checks.Facts) []string {
	path := deepPath(facts)
	connected, failed := 0, 0
	for _, fresh := range path.Fresh {
		switch {
		case fresh.Leaf != "" || fresh.Status != 0:
			connected++
		case fresh.Failure != nil:
			failed++
		}
	}
	if connected == 0 || failed == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Of %d connections one after the other %d did not come about and %d did.", connected+failed, failed, connected)}
}

func anotherAddress(facts *checks.Facts) []string {
	if facts.DNS == nil || facts.API == nil || facts.API.ByName == nil {
		return nil
	}
	if agrees := agreement(facts); agrees == nil || *agrees {
		return nil
	}
	return []string{fmt.Sprintf("By the name %s is tried, and it does not work there.", facts.API.ByName.Last().Address)}
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

func hostsFileAnswers(facts *checks.Facts) []string {
	if facts.DNS == nil || !facts.DNS.Lookup.FromHosts {
		return nil
	}
	return []string{"The DNS has no say in that address."}
}

func strangersNames(*checks.Facts) []string {
	return []string{"The names in it are for whoever has it."}
}

// deepPath is what the deep probes saw of the path, nothing where none were made.
func deepPath(facts *checks.Facts) checks.DeepPathFacts {
	if facts.Deep == nil || facts.Deep.Path == nil {
		return checks.DeepPathFacts{}
	}
	return *facts.Deep.Path
}

// deepAPI is what the API server said to the deep probes, nothing where none were
// made.
func deepAPI(facts *checks.Facts) checks.DeepAPIFacts {
	if facts.Deep == nil || facts.Deep.API == nil {
		return checks.DeepAPIFacts{}
	}
	return *facts.Deep.API
}
