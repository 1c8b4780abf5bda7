package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// starved has a round wait for a processor for a part of its time.
func starved(waited, whole float64) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.DurationSeconds = whole
		f.Process = checks.ProcessFacts{WaitedSeconds: waited, LongestWaitSeconds: waited, Processor: &checks.ProcessorFacts{Limit: 0.01, Periods: 300, Throttled: 211}}
	}
}

// inPieces is starved, and never for longer than that at once.
func inPieces(waited, longest, whole float64) func(*checks.Facts) {
	return both(starved(waited, whole), func(f *checks.Facts) { f.Process.LongestWaitSeconds = longest })
}

func slowAnswer(f *checks.Facts) { last(f).Phases.FirstByteSeconds = 1.5 }

func silentAPI(stage checks.Stage) func(*checks.Facts) {
	return both(brokenAt(stage, checks.TimedOut), func(f *checks.Facts) {
		f.API.ServiceHost.Seconds = 5
		last(f).Phases.ConnectSeconds = 5
		if last(f).TLS != nil {
			last(f).TLS.Seconds = 5
		}
	})
}

func TestWantOfAProcessorIsNotTakenForASlowNetwork(t *testing.T) {
	judgeCases(t, checks.API, []verdictCase{
		{"an answer that is slow for want of a processor", both(slowAnswer, starved(1.2, 1.6)), want{checks.Warn, checks.AgentStarved}},
		{"an answer that is slow in spite of a processor", both(slowAnswer, starved(0.1, 1.6)), want{checks.Warn, checks.HTTPLatencyHigh}},
		{"an answer that is a little too slow in a round that waited a little", both(func(f *checks.Facts) { last(f).Phases.FirstByteSeconds = 1 }, starved(0.1, 1.1)), want{checks.Warn, checks.HTTPLatencyHigh}},
		{"an answer that would be slow with a processor too", both(func(f *checks.Facts) { last(f).Phases.FirstByteSeconds = 4 }, starved(2, 4.1)), want{checks.Warn, checks.HTTPLatencyHigh}},
		{"an answer that is quick in a starved round", starved(1.2, 1.6), want{checks.OK, ""}},
		{"a connection that is silent", both(silentAPI(checks.StageConnect), starved(0.2, 5.1)), want{checks.Fail, checks.TCPTimeout}},
		{"a connection for which there was no processor", both(silentAPI(checks.StageConnect), starved(4, 5.1)), want{checks.Warn, checks.AgentStarved}},
		{"a connection for which there was a processor now and then", both(silentAPI(checks.StageConnect), inPieces(4, 0.2, 5.1)), want{checks.Fail, checks.TCPTimeout}},
		{"an answer for which there was a processor now and then", both(silentAPI(checks.StageResponse), inPieces(4, 0.2, 5.1)), want{checks.Fail, checks.HTTPResponseTimeout}},
		{"an answer for which there was a processor once a second", both(silentAPI(checks.StageResponse), inPieces(4, 1, 5.1)), want{checks.Warn, checks.AgentStarved}},
		{"an answer for which there was a processor now and then, and hardly any of it", both(silentAPI(checks.StageResponse), inPieces(4, 0.2, 5.1), func(f *checks.Facts) { f.Process.Processor.Limit = 0.005 }), want{checks.Warn, checks.AgentStarved}},
		{"an answer for which there was a processor now and then, without a limit", both(silentAPI(checks.StageResponse), inPieces(4, 0.2, 5.1), func(f *checks.Facts) { f.Process.Processor.Limit = 0 }), want{checks.Fail, checks.HTTPResponseTimeout}},
		{"a refusal in a starved round", both(brokenAt(checks.StageConnect, checks.Refused), starved(4, 5.1)), want{checks.Fail, checks.TCPRefused}},
		{"a silent answer in a starved round", both(silentAPI(checks.StageResponse), starved(4, 5.1)), want{checks.Warn, checks.AgentStarved}},
		{"a status in a starved round", both(answeredWith(500, func(*checks.Response) {}), starved(4, 5.1)), want{checks.Fail, checks.HTTP500Internal}},
	})
	judgeCases(t, checks.DNS, []verdictCase{
		{"a slow lookup", both(func(f *checks.Facts) { f.DNS.Lookup.Seconds = 0.9 }, starved(0.7, 1)), want{checks.Warn, checks.AgentStarved}},
		{"a lookup that ran out of time", both(unresolved(broken(checks.TimedOut)), func(f *checks.Facts) { f.DNS.Lookup.Seconds, f.DNS.Lookup.Queries[0].Seconds = 5, 2.5 }, starved(4, 5.1)), want{checks.Warn, checks.AgentStarved}},
		{"a lookup that had no time to ask", both(unasked, starved(3.3, 3.4)), want{checks.Warn, checks.AgentStarved}},
		{"a lookup that had no time to ask although there was a processor", both(unasked, starved(0.1, 3.4)), want{checks.Fail, checks.DNSTimeout}},
		{"a lookup that nobody answered", both(unresolved(broken(checks.TimedOut)), func(f *checks.Facts) { f.DNS.Lookup.Seconds, f.DNS.Lookup.Queries[0].Seconds = 5, 2.5 }, starved(0.3, 5.1)), want{checks.Fail, checks.DNSTimeout}},
	})
	judgeCases(t, checks.KubectlProxy, []verdictCase{
		{"a kubectl proxy that did not connect in time", both(unconnectedProxy(checks.TimedOut), starved(3.3, 3.4)), want{checks.Warn, checks.AgentStarved}},
		{"a kubectl proxy that refuses", both(unconnectedProxy(checks.Refused), starved(3.3, 3.4)), want{checks.Fail, checks.KProxyDown}},
	})
}

// unasked is a lookup whose time was over before it asked a nameserver.
func unasked(f *checks.Facts) {
	f.DNS.Lookup = checks.Lookup{Name: checks.ServiceName, Candidates: f.DNS.Lookup.Candidates, Cut: true, Seconds: 3.3}
}

func unconnectedProxy(kind checks.FailureKind) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.KubectlProxy = &checks.KubectlProxyFacts{Attempt: checks.Attempt{URL: "http://127.0.0.1:8001/api", Seconds: 1, Exchanges: []checks.Exchange{
			{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: kind, Message: string(kind)}},
		}}}
	}
}

func TestAStarvedAgentIsNamedOnceWithWhatItCouldNotJudge(t *testing.T) {
	facts := healthy(t)
	both(silentAPI(checks.StageConnect), unresolved(broken(checks.TimedOut)), func(f *checks.Facts) { f.DNS.Lookup.Seconds = 5 }, starved(4, 5.1))(facts)
	last(facts).TLS = nil
	report := Judge(facts, nil)
	if report.Status != checks.Warn || len(report.Diagnosis) != 1 || report.Diagnosis[0].Reason != checks.AgentStarved {
		t.Fatalf("got status %s with %+v, want one warning of the agent's own want", report.Status, report.Diagnosis)
	}
	if tls, _ := report.Result(checks.TLS); tls.Status != checks.Skip || tls.WaitsFor != checks.API {
		t.Errorf("got tls %s, want it to wait for api", tls.Status)
	}
	if evidence := strings.Join(report.Diagnosis[0].Evidence, " "); !strings.Contains(evidence, "211 of 300 periods") {
		t.Errorf("got the evidence %q, want the throttled periods in it", evidence)
	}
	if len(report.Access) > 0 {
		t.Errorf("got %v of the ways to the API, of which nothing is known", report.Access)
	}
}

func TestDeepProbesOfAStarvedAgentTellNothing(t *testing.T) {
	timedOut := handshakeFailure(checks.TimedOut, "i/o timeout")
	clamped := func(waited float64) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			d.Seconds, d.StepSeconds, d.WaitedSeconds, d.LongestWaitSeconds = 4, 2, waited, waited
			d.Path.FullHello, d.Path.Clamped = hello(2, 0), &checks.Handshake{Connected: true, Done: true}
		})
	}
	for waited, reason := range map[float64]checks.Reason{0.1: checks.TLSTimeoutMTUBlackHole, 3: checks.TLSHandshakeTimeout} {
		facts := healthy(t)
		both(timedOut, clamped(waited))(facts)
		if got := Judge(facts, nil).Diagnosis[0].Reason; got != reason {
			t.Errorf("with %v s of waiting got %s, want %s", waited, got, reason)
		}
	}
}

// TestACauseThatDeepProbesSawIsToldInAStarvedRoundToo has the nameserver be silent to a
// round that got no processor, and to deep probes that had one.
func TestACauseThatDeepProbesSawIsToldInAStarvedRoundToo(t *testing.T) {
	silentRound := both(unresolved(broken(checks.TimedOut)), func(f *checks.Facts) { f.DNS.Lookup.Seconds, f.DNS.Lookup.Queries[0].Seconds = 5, 2.5 }, starved(4, 5.1))
	silentProbes := nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: silence(), TCP: silence()})
	resolved := true
	well := &checks.History{Rounds: 1, Lately: []checks.PastRound{{Time: noon.Add(time.Second), Stage: checks.StageDone, Status: 200, Resolved: &resolved}}}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"deep probes that saw it", both(silentRound, silentProbes), checks.DNSEgressPolicyBlocks53},
		{"deep probes that lost packets, where the lookup was only slow", both(func(f *checks.Facts) { f.DNS.Lookup.Seconds = 0.9 }, starved(0.7, 1), nameservers(counted(checks.PairedFacts{Pairs: 20, Half: 3, None: 3, Recovered: 6}, nil))), checks.AgentStarved},
		{"deep probes that had no processor either", both(silentRound, silentProbes, func(f *checks.Facts) {
			f.Deep.Seconds, f.Deep.StepSeconds, f.Deep.WaitedSeconds, f.Deep.LongestWaitSeconds = 10, 2, 8, 8
		}), checks.AgentStarved},
		{"deep probes before a round that was well", both(silentRound, silentProbes, func(f *checks.Facts) { f.History = well }), checks.AgentStarved},
		{"deep probes that were answered", both(silentRound, nameservers(checks.NameserverFacts{Address: dnsAddress, UDP: answer("10.96.0.1"), TCP: answer("10.96.0.1")})), checks.AgentStarved},
		{"no deep probes", silentRound, checks.AgentStarved},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			report := Judge(facts, nil)
			if got := report.Diagnosis[0]; got.Reason != test.want || got.Certainty != checks.Likely || got.Severity != checks.Warn {
				t.Errorf("got %s %s %s first, want a likely warning %s", got.Certainty, got.Severity, got.Reason, test.want)
			}
		})
	}
}
