package judge

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// firstOf judges facts that a test has changed and tells what the diagnosis begins with.
func firstOf(t *testing.T, change func(*checks.Facts)) checks.Finding {
	t.Helper()
	facts := healthy(t)
	change(facts)
	diagnosis := Judge(facts, nil).Diagnosis
	if len(diagnosis) == 0 {
		t.Fatal("nothing is told")
	}
	return diagnosis[0]
}

// comparing gives facts the controls that deep probes tried.
func comparing(controls ...checks.Control) func(*checks.Facts) {
	return func(f *checks.Facts) {
		if f.Deep == nil {
			deepened(func(*checks.DeepFacts) {})(f)
		}
		f.Deep.Path.Controls = controls
	}
}

func TestASilentServerIsToldFromASidecarThatHangs(t *testing.T) {
	silent := both(handshakeFailure(checks.TimedOut, "i/o timeout"), deepened(func(d *checks.DeepFacts) {
		d.Path.SmallHello, d.Path.FullHello, d.Path.Clamped = hello(0, 0), hello(0, 0), hello(0, 0)
	}))
	dns := control(checks.ControlDNSOverTCP, "10.96.0.10:53", "")
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
		hangs  bool
	}{
		{"the gateway refuses", both(silent, comparing(dns, control(checks.ControlNode, "10.244.0.1:443", checks.Refused))), checks.TLSTimeoutServerOverloaded, false},
		{"the gateway is silent", both(silent, comparing(dns, control(checks.ControlNode, "10.244.0.1:443", checks.TimedOut))), checks.TLSTimeoutServerOverloaded, false},
		{"no gateway is known", both(silent, comparing(dns)), checks.TLSTimeoutServerOverloaded, false},
		{"the gateway connects", both(silent, comparing(dns, control(checks.ControlNode, "10.244.0.1:443", ""))), checks.TLSHandshakeTimeout, true},
		{"the gateway connects, and what is sent gets lost", both(silent, comparing(control(checks.ControlNode, "10.244.0.1:443", "")), func(f *checks.Facts) {
			f.Deep.Path.SmallHello = hello(1, 0)
		}), checks.TLSHandshakeTimeout, false},
		{"the gateway connects, and the API answers", both(comparing(control(checks.ControlNode, "10.244.0.1:443", "")), func(f *checks.Facts) {
			last(f).Phases.FirstByteSeconds = 2
		}), checks.HTTPLatencyHigh, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := firstOf(t, test.change)
			if got.Reason != test.want {
				t.Errorf("got %s first, want %s", got.Reason, test.want)
			}
			if hangs := strings.Contains(strings.Join(got.Evidence, " "), "sidecar"); hangs != test.hangs {
				t.Errorf("got the evidence %q, want a sidecar in it: %t", got.Evidence, test.hangs)
			}
		})
	}
}

func TestAGatewayThatDoesNotAnswerIsToldBeforeWhatItBringsAbout(t *testing.T) {
	cut := func(f *checks.Facts) { f.API.SilentGateway = netip.MustParseAddr("10.244.0.1") }
	allSilent := comparing(control(checks.ControlDNSOverTCP, "10.96.0.10:53", checks.TimedOut), control(checks.ControlNode, "10.244.0.1:443", checks.HostUnreachable))
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"a silence", both(connectFails(checks.TimedOut), cut), checks.TCPNetworkUnreachable},
		{"a silence of all", both(connectFails(checks.TimedOut), unresolved(broken(checks.TimedOut)), allSilent, cut), checks.TCPNetworkUnreachable},
		{"an unreachable host", both(connectFails(checks.HostUnreachable), unresolved(broken(checks.HostUnreachable)), allSilent, cut), checks.TCPNetworkUnreachable},
		{"a new pod", both(connectFails(checks.TimedOut), cut, func(f *checks.Facts) {
			f.History, f.Process.StartedAt = &checks.History{Rounds: 1}, noon.Add(-10*time.Second)
			f.Token.WrittenAt = noon.Add(-12 * time.Second)
		}), checks.TCPNetworkUnreachable},
		{"an unreachable host behind a gateway that answers", both(connectFails(checks.HostUnreachable), unresolved(broken(checks.HostUnreachable)), allSilent), checks.TCPHostUnreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := firstOf(t, test.change)
			if got.Reason != test.want || got.Certainty != checks.Likely || got.Severity != checks.Fail {
				t.Errorf("got %s %s %s first, want %s", got.Severity, got.Certainty, got.Reason, test.want)
			}
		})
	}
}

func TestAnAPIServerItselfTellsWhichAddressIsShut(t *testing.T) {
	dns := control(checks.ControlDNSOverTCP, "10.96.0.10:53", "")
	for name, test := range map[string]struct {
		controls []checks.Control
		want     string
	}{
		"it answers":            {[]checks.Control{control(checks.ControlAPIServer, "172.30.0.1:6443", ""), dns}, "goes to the address of its Service"},
		"it refuses":            {[]checks.Control{control(checks.ControlAPIServer, "172.30.0.1:6443", checks.Refused), dns}, "goes to the address of its Service"},
		"it is silent":          {[]checks.Control{control(checks.ControlAPIServer, "172.30.0.1:6443", checks.TimedOut), dns}, "is as silent as its Service"},
		"it has no route":       {[]checks.Control{control(checks.ControlAPIServer, "172.30.0.1:6443", checks.HostUnreachable), dns}, ""},
		"its address is hidden": {[]checks.Control{dns}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := firstOf(t, both(connectFails(checks.TimedOut), comparing(test.controls...)))
			told := slices.ContainsFunc(got.Evidence, func(sentence string) bool {
				return strings.Contains(sentence, "API server itself") && strings.Contains(sentence, test.want)
			})
			if got.Reason != checks.TCPTimeoutNetworkPolicy || told != (test.want != "") {
				t.Errorf("got %s (%q), want %q in it", got.Reason, got.Evidence, test.want)
			}
		})
	}
}

func TestThePodsOwnTableTellsWhoSaysThatThereIsNoWay(t *testing.T) {
	routed := func(route checks.Route) func(*checks.Facts) {
		return func(f *checks.Facts) { f.API.Route = route }
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"no network, and no route", both(connectFails(checks.NetworkUnreachable), routed(checks.RouteMissing)), checks.TCPNetworkUnreachable},
		{"no network, and a table that is not known", connectFails(checks.NetworkUnreachable), checks.TCPNetworkUnreachable},
		{"no network, although there is a route", both(connectFails(checks.NetworkUnreachable), routed(checks.RouteLeads)), checks.TCPHostUnreachable},
		{"no host, and there is a route", both(connectFails(checks.HostUnreachable), routed(checks.RouteLeads)), checks.TCPHostUnreachable},
		{"no host, by a route of its own", both(connectFails(checks.HostUnreachable), routed(checks.RouteRefuses)), checks.TCPNetworkUnreachable},
		{"another error, by a route of its own", both(connectFails(checks.OtherFailure), routed(checks.RouteRefuses)), checks.TCPNetworkUnreachable},
		{"no permission, by a route of its own", both(connectFails(checks.NotPermitted), routed(checks.RouteRefuses)), checks.TCPNetworkUnreachable},
		{"no permission, although there is a route", both(connectFails(checks.NotPermitted), routed(checks.RouteLeads)), checks.TCPFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := firstOf(t, test.change); got.Reason != test.want || got.Severity != checks.Fail {
				t.Errorf("got %s %s first (%v), want %s", got.Severity, got.Reason, got.Evidence, test.want)
			}
		})
	}
}

func TestWhatTheNodeDoesNotHandOnIsToldFromServicesThatLeadNowhere(t *testing.T) {
	dns := control(checks.ControlDNSOverTCP, "10.96.0.10:53", checks.TimedOut)
	node := control(checks.ControlNode, "10.244.0.1:443", checks.Refused)
	itself := func(kind checks.FailureKind) checks.Control {
		return control(checks.ControlAPIServer, "172.30.0.1:6443", kind)
	}
	silent := both(connectFails(checks.TimedOut), unresolved(broken(checks.TimedOut)))
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
		told   string
	}{
		{"an API server itself answers", both(silent, comparing(itself(""), dns, node)), checks.TCPTimeoutKubeProxyNotProgrammed, "an API server itself does (172.30.0.1:6443)"},
		{"an API server itself refuses", both(silent, comparing(itself(checks.Refused), dns, node)), checks.TCPTimeoutKubeProxyNotProgrammed, "an API server itself does"},
		{"an API server itself answers, and the node does not", both(silent, comparing(itself(""), dns, control(checks.ControlNode, "10.244.0.1:443", checks.TimedOut))), checks.TCPTimeoutKubeProxyNotProgrammed, "an API server itself does"},
		{"an API server itself is silent", both(silent, comparing(itself(checks.TimedOut), dns, node)), checks.TCPTimeoutNetworkPolicy, "nothing beyond it does"},
		{"an API server itself is said to be unreachable", both(silent, comparing(itself(checks.HostUnreachable), dns, node)), checks.TCPTimeoutKubeProxyNotProgrammed, "the node does"},
		{"nobody knows where an API server is", both(silent, comparing(dns, node)), checks.TCPTimeoutKubeProxyNotProgrammed, "the node does"},
		{"nothing answers at all", both(silent, comparing(itself(checks.TimedOut), dns, control(checks.ControlNode, "10.244.0.1:443", checks.TimedOut))), checks.TCPTimeoutNetworkPolicy, "Nothing else answers"},
		{"a nameserver answers over UDP", both(connectFails(checks.TimedOut), comparing(itself(checks.TimedOut), dns, node)), checks.TCPTimeoutNetworkPolicy, "answers over UDP"},
		{"a nameserver answers over TCP", both(silent, comparing(itself(checks.TimedOut), control(checks.ControlDNSOverTCP, "10.96.0.10:53", ""), node)), checks.TCPTimeoutNetworkPolicy, "Another Service is reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := firstOf(t, test.change)
			if evidence := strings.Join(got.Evidence, " "); got.Reason != test.want || !strings.Contains(evidence, test.told) {
				t.Errorf("got %s first, want %s, with %q in its evidence: %s", got.Reason, test.want, test.told, evidence)
			}
		})
	}
}

func TestAFilterWithinThePodIsToldFromAPolicy(t *testing.T) {
	unanswered := deepened(func(d *checks.DeepFacts) {
		d.Path.Controls = []checks.Control{control(checks.ControlDNSOverTCP, "10.96.0.10:53", checks.TimedOut), control(checks.ControlNode, "10.244.0.1:443", checks.TimedOut)}
	})
	forbidden := func(message string) checks.Query {
		query := broken(checks.NotPermitted)
		query.Failure.Message = message
		return query
	}
	for _, test := range []struct {
		name  string
		query checks.Query
		want  bool
	}{
		{"to send is not permitted", forbidden("write: operation not permitted"), true},
		{"a host on the way forbids it, as ICMPv6 can", forbidden("write: permission denied"), false},
		{"nothing comes back", broken(checks.TimedOut), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			both(connectFails(checks.TimedOut), unresolved(test.query), unanswered)(facts)
			cause := Judge(facts, nil).Diagnosis[0]
			within := slices.ContainsFunc(cause.Evidence, func(told string) bool { return strings.Contains(told, "this pod's own network") })
			if cause.Reason != checks.TCPTimeoutNetworkPolicy || within != test.want {
				t.Errorf("got %s, %q; want %s, and the pod's own network in its evidence: %t", cause.Reason, cause.Evidence, checks.TCPTimeoutNetworkPolicy, test.want)
			}
		})
	}
}
