package judge

import (
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

// long is a way of so many seconds there and back, and what a round meets on it whose
// time limit is one second, or more where the whole takes it. Beside the trips the API
// server takes a few milliseconds.
func long(trip float64, again uint32) func(*checks.Facts) {
	return longWithin(1, trip, again)
}

func longWithin(limit, trip float64, again uint32) func(*checks.Facts) {
	const work = 0.005
	timedOut := &checks.Failure{Kind: checks.TimedOut, Message: "i/o timeout"}
	return func(f *checks.Facts) {
		exchange := last(f)
		exchange.TCP = &checks.TCPFacts{RTTSeconds: trip, TotalRetransmits: again}
		exchange.Phases = checks.Phases{ConnectSeconds: trip, TLSSeconds: trip + work, FirstByteSeconds: trip + work}
		f.API.ServiceHost.Seconds = min(limit, exchange.Phases.Seconds())
		switch {
		case trip >= limit:
			*exchange = checks.Exchange{Stage: checks.StageConnect, Address: apiAddress, Failure: timedOut, Phases: checks.Phases{ConnectSeconds: limit}}
		case 2*trip+work >= limit:
			exchange.Stage, exchange.Response, exchange.Failure = checks.StageTLS, nil, timedOut
			exchange.TLS = &checks.TLSFacts{ServerName: serviceHost, Failure: timedOut, Seconds: limit - trip}
			exchange.Phases.TLSSeconds, exchange.Phases.FirstByteSeconds = limit-trip, 0
		case exchange.Phases.Seconds() >= limit:
			exchange.Stage, exchange.Response, exchange.Failure = checks.StageResponse, nil, timedOut
			exchange.Phases.FirstByteSeconds = limit - exchange.Phases.ConnectSeconds - exchange.Phases.TLSSeconds
		}
	}
}

func TestAWayThatIsLongIsToldFromAServerThatIsSlow(t *testing.T) {
	phases := func(connect, tls, firstByte float64) func(*checks.Facts) {
		return func(f *checks.Facts) {
			last(f).Phases = checks.Phases{ConnectSeconds: connect, TLSSeconds: tls, FirstByteSeconds: firstByte}
		}
	}
	measured := func(trip float64, again uint32) func(*checks.Facts) {
		return func(f *checks.Facts) { last(f).TCP = &checks.TCPFacts{RTTSeconds: trip, TotalRetransmits: again} }
	}
	others := func(trip float64) func(*checks.Facts) {
		return deepened(func(d *checks.DeepFacts) {
			d.Path.Fresh = []checks.FreshConnection{{Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{RTTSeconds: trip, TotalRetransmits: 1}}}
		})
	}
	slowServer := func(change func(*checks.Facts)) func(*checks.Facts) {
		return both(change, func(f *checks.Facts) { last(f).TCP, f.API.ServiceHost.Seconds = &checks.TCPFacts{RTTSeconds: 0.001}, 1 })
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"400 ms, of a second", long(0.4, 0), checks.NetworkLatencyHigh},
		{"600 ms, of a second", long(0.6, 0), checks.NetworkLatencyHigh},
		{"400 ms, of five seconds", longWithin(5, 0.4, 0), checks.NetworkLatencyHigh},
		{"1.2 s, of five seconds", longWithin(5, 1.2, 1), checks.NetworkLatencyHigh},
		{"2 s, of five seconds, as others measure too", both(longWithin(5, 2, 1), others(1.9)), checks.NetworkLatencyHigh},
		{"2 s, of five seconds, which nobody else measured", longWithin(5, 2, 1), checks.HTTPResponseTimeout},
		{"3 s, of five seconds, as others measure too", both(longWithin(5, 3, 2), others(2.9)), checks.NetworkLatencyHigh},
		{"1.1 s, of a second", long(1.1, 0), checks.TCPTimeout},

		{"a server that takes two seconds to answer", both(phases(0.001, 0.003, 2), measured(0.001, 0)), checks.HTTPLatencyHigh},
		{"a server that takes two seconds for the handshake", both(phases(0.001, 2, 0.002), measured(0.001, 0)), checks.HTTPLatencyHigh},
		{"a server that takes two seconds, 200 ms away", both(phases(0.2, 0.2, 2.2), measured(0.2, 0)), checks.HTTPLatencyHigh},
		{"a server that takes half a second, 300 ms away", both(phases(0.3, 0.3, 0.8), measured(0.3, 0)), checks.NetworkLatencyHigh},
		{"a server that does not answer", slowServer(brokenAt(checks.StageResponse, checks.TimedOut)), checks.HTTPResponseTimeout},
		{"a server that shakes no hand", slowServer(handshakeFailure(checks.TimedOut, "i/o timeout")), checks.TLSHandshakeTimeout},
		{"a server that does not answer, 200 ms away", both(slowServer(brokenAt(checks.StageResponse, checks.TimedOut)), measured(0.2, 0)), checks.HTTPResponseTimeout},

		{"a first packet that was lost", both(phases(1.02, 0.003, 0.002), measured(0.001, 1)), checks.HTTPLatencyHigh},
		{"the answer to a first packet, which was lost", both(phases(1.02, 0.003, 0.002), measured(0.9, 1)), checks.HTTPLatencyHigh},
		{"the answers to all of it, which were lost", both(phases(1.02, 0.7, 0.8), measured(0.7, 3)), checks.HTTPLatencyHigh},
		{"a kernel that tells nothing", phases(0.4, 0.4, 0.4), checks.HTTPLatencyHigh},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := firstOf(t, test.change)
			if got.Reason != test.want || got.Certainty != checks.Likely {
				t.Errorf("got %s %s first, want %s: %q", got.Certainty, got.Reason, test.want, got.Evidence)
			}
		})
	}
}

func TestAWayThatIsLongDoesNotLookLikePacketsThatGetLost(t *testing.T) {
	resent := checks.FreshConnection{Leaf: "a", Status: 200, TCP: &checks.TCPFacts{RTTSeconds: 1.2, TotalRetransmits: 1}}
	facts := healthy(t)
	both(longWithin(5, 1.2, 1), nameservers(counted(checks.PairedFacts{Pairs: 20}, nil)), freshly(resent, resent, resent))(facts)
	for _, finding := range Judge(facts, nil).Diagnosis {
		if finding.Reason == checks.NetworkPacketLoss {
			t.Errorf("got %+v", finding)
		}
	}
}
