package judge

import (
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestSilenceAfterRefusalsIsToldAsOne(t *testing.T) {
	failing := func(kind checks.FailureKind) *checks.Query {
		q := broken(kind)
		return &q
	}
	silentRound := unresolved(broken(checks.TimedOut))
	probes := func(udp, tcp *checks.Query) func(*checks.Facts) {
		return both(silentRound, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: udp, TCP: tcp}))
	}
	resolved, unresolved := true, false
	before := func(kind checks.FailureKind, since bool) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.History = &checks.History{Rounds: 2, Lately: []checks.PastRound{
				{Time: noon.Add(-2 * time.Minute), Resolved: &unresolved, LookupFailure: kind}, {Time: noon.Add(-time.Minute), Resolved: &since},
			}}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"probes that were refused", probes(failing(checks.Refused), failing(checks.Refused)), checks.DNSServiceNoEndpoints},
		{"probes of which one was refused", probes(silence(), failing(checks.Refused)), checks.DNSServiceNoEndpoints},
		{"probes that a filter turned away", probes(failing(checks.HostUnreachable), silence()), checks.DNSUnreachable},
		{"a round that was refused, and probes that met silence alone", both(probes(silence(), silence()), before(checks.Refused, false)), checks.DNSServiceNoEndpoints},
		{"a round that a filter turned away", both(silentRound, before(checks.HostUnreachable, false)), checks.DNSUnreachable},
		{"a round that was refused before one that resolved", both(silentRound, before(checks.Refused, true)), checks.DNSTimeout},
		{"probes that met silence alone", probes(silence(), silence()), checks.DNSEgressPolicyBlocks53},
		{"probes that were refused before a round that was well", both(probes(failing(checks.Refused), failing(checks.Refused)), func(f *checks.Facts) {
			f.History = &checks.History{Rounds: 1, Lately: []checks.PastRound{{Time: noon.Add(time.Second), Stage: checks.StageDone, Status: 200, Resolved: &resolved}}}
		}), checks.DNSTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			if got := Judge(facts, nil).Diagnosis[0]; got.Reason != test.want || got.Certainty != checks.Likely {
				t.Errorf("got %s %s first (%v), want %s", got.Certainty, got.Reason, got.Evidence, test.want)
			}
		})
	}
}
