package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// counted is a nameserver that answers, with what came back of pairs and of
// single queries.
func counted(pairs checks.PairedFacts, single *checks.SingleFacts) checks.NameserverFacts {
	known := reverse("kubernetes.default.svc.cluster.local.")
	return checks.NameserverFacts{
		Address: dnsAddress, UDP: answer("10.96.0.1"), TCP: answer("10.96.0.1"), AAAA: rcode("NOERROR"),
		Version: texts("1.1.0"), Root: rcode("NXDOMAIN"), Reverse: known, Paired: &pairs, Single: single,
	}
}

// worked is a connection on which so many segments were sent again.
func worked(again uint32) checks.FreshConnection {
	return checks.FreshConnection{Leaf: "a", Status: 200, TCP: &checks.TCPFacts{TotalRetransmits: again}}
}

func freshly(connections ...checks.FreshConnection) func(*checks.Facts) {
	return func(f *checks.Facts) { f.Deep.Path.Fresh = connections }
}

// lookedUpLate is a lookup of which so many datagrams were lost.
func lookedUpLate(lost int) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.DNS.Lookup.Seconds, f.DNS.Lookup.Queries[0].Unanswered = 0.83*float64(lost), lost
	}
}

func TestDatagramsThatGetLostAreToldByWhichOfThemDo(t *testing.T) {
	none := &checks.SingleFacts{Queries: 40}
	some := func(lost, recovered int) *checks.SingleFacts {
		return &checks.SingleFacts{Queries: 40, Lost: lost, Recovered: recovered}
	}
	pairs := func(half, none, recovered int) checks.PairedFacts {
		return checks.PairedFacts{Pairs: 20, Half: half, None: none, Recovered: recovered}
	}
	old := func(f *checks.Facts) { f.Deep.Time = f.Time.Add(-time.Hour) }
	judgeCases(t, checks.DNS, []verdictCase{
		{"none", nameservers(counted(pairs(0, 0, 0), nil)), want{checks.OK, ""}},
		{"one of a pair", nameservers(counted(pairs(1, 0, 1), none)), want{checks.OK, ""}},
		{"one of two pairs", nameservers(counted(pairs(2, 0, 2), none)), want{checks.OK, ""}},
		{"one of three pairs", nameservers(counted(pairs(3, 0, 3), none)), want{checks.OK, ""}},
		{"one of four pairs", nameservers(counted(pairs(4, 0, 4), none)), want{checks.Warn, checks.DNSConntrackRace}},
		{"one of each pair", nameservers(counted(pairs(20, 0, 20), none)), want{checks.Warn, checks.DNSConntrackRace}},
		{"one of four pairs, an hour ago", both(nameservers(counted(pairs(4, 0, 4), none)), old), want{checks.OK, ""}},
		{"one of four pairs, and nothing else was asked", nameservers(counted(pairs(4, 0, 4), nil)), want{checks.OK, ""}},
		{"one of three pairs, and a single one", nameservers(counted(pairs(3, 0, 3), some(1, 1))), want{checks.Warn, checks.NetworkPacketLoss}},
		{"one of three pairs, and one of the lookup", both(nameservers(counted(pairs(3, 0, 3), none)), asking(func(q []checks.Query) []checks.Query {
			q[0].Unanswered = 1
			return q
		})), want{checks.Warn, checks.NetworkPacketLoss}},
		{"one of four pairs, and segments", both(nameservers(counted(pairs(4, 0, 4), none)), freshly(worked(2), worked(0), worked(1))), want{checks.Warn, checks.NetworkPacketLoss}},
		{"every AAAA", nameservers(counted(pairs(20, 0, 0), none)), want{checks.OK, ""}},

		{"both of a pair", nameservers(counted(pairs(0, 1, 0), some(0, 0))), want{checks.OK, ""}},
		{"all of a quarter of the ports", nameservers(counted(pairs(0, 5, 0), some(9, 0))), want{checks.Warn, checks.DNSOneBackendBad}},
		{"all of a third of the ports, and one packet more", nameservers(counted(pairs(1, 6, 1), some(13, 0))), want{checks.Warn, checks.DNSOneBackendBad}},
		{"all of a quarter of the ports, for a while", nameservers(counted(pairs(0, 5, 5), some(9, 9))), want{checks.OK, ""}},
		{"all of a quarter of the ports, of a slow nameserver", both(nameservers(counted(pairs(0, 5, 0), some(9, 0))), func(f *checks.Facts) {
			f.Deep.DNS.Nameservers[0].Root.Seconds = 1.3
		}), want{checks.OK, ""}},
		{"all of many pairs and of no single query", nameservers(counted(pairs(0, 8, 0), none)), want{checks.OK, ""}},
		{"all but the first few", nameservers(counted(pairs(1, 19, 0), some(39, 0))), want{checks.OK, ""}},
		{"all", nameservers(counted(pairs(0, 20, 0), nil)), want{checks.OK, ""}},

		{"a fifth of all", nameservers(counted(pairs(6, 1, 5), some(8, 6))), want{checks.Warn, checks.NetworkPacketLoss}},
		{"a fifth of all, of no pair both", nameservers(counted(pairs(7, 0, 5), some(8, 6))), want{checks.Warn, checks.NetworkPacketLoss}},
		{"a few of all", nameservers(counted(pairs(1, 0, 1), some(2, 2))), want{checks.Warn, checks.NetworkPacketLoss}},
		{"two of all", nameservers(counted(pairs(1, 0, 1), some(1, 1))), want{checks.OK, ""}},
		{"most of those that come at once, and none of others", nameservers(counted(pairs(2, 13, 6), some(30, 12))), want{checks.OK, ""}},
	})
}

func TestPacketLossIsNamedForWhatItBringsAbout(t *testing.T) {
	lossy := counted(checks.PairedFacts{Pairs: 20, Half: 6, None: 1, Recovered: 5}, &checks.SingleFacts{Queries: 40, Lost: 8, Recovered: 6})
	well := counted(checks.PairedFacts{Pairs: 20}, nil)
	dead := counted(checks.PairedFacts{Pairs: 20, None: 6}, &checks.SingleFacts{Queries: 40, Lost: 12})
	unconnected := checks.FreshConnection{Failure: &checks.Failure{Kind: checks.TimedOut}}
	done := &checks.Handshake{Connected: true, Done: true, TCP: &checks.TCPFacts{}}
	shaken := func(small, full, clamped *checks.Handshake) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.Deep.Path.SmallHello, f.Deep.Path.FullHello, f.Deep.Path.Clamped = small, full, clamped
		}
	}
	slowly := func(f *checks.Facts) { last(f).Phases.ConnectSeconds = 1.02 }
	second := func(f *checks.Facts) {
		f.API.ServiceHost.Exchanges = append([]checks.Exchange{{Stage: checks.StageTLS, TLS: &checks.TLSFacts{}, Failure: &checks.Failure{Kind: checks.Reset, Message: "reset"}}}, f.API.ServiceHost.Exchanges...)
	}
	handshakeTimeout := handshakeFailure(checks.TimedOut, "i/o timeout")
	segments := freshly(worked(2), worked(0), worked(1), worked(0))
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
		status checks.Status
	}{
		{"a lookup that found no end", both(unresolved(broken(checks.TimedOut)), nameservers(lossy)), checks.NetworkPacketLoss, checks.Fail},
		{"a slow lookup", both(lookedUpLate(1), nameservers(lossy)), checks.NetworkPacketLoss, checks.Warn},
		{"a slow lookup, of which one datagram was lost, and segments", both(lookedUpLate(1), nameservers(well), segments), checks.NetworkPacketLoss, checks.Warn},
		{"a slow lookup, of which one datagram was lost, and one segment", both(lookedUpLate(1), nameservers(well), freshly(worked(1), worked(0))), checks.DNSSlow, checks.Warn},
		{"a slow lookup at a nameserver that loses nothing", both(lookedUpLate(0), func(f *checks.Facts) { f.DNS.Lookup.Seconds = 1.2 }, nameservers(well)), checks.DNSSlow, checks.Warn},
		{"a slow lookup at a nameserver that loses nothing, and segments", both(func(f *checks.Facts) { f.DNS.Lookup.Seconds = 1.2 }, nameservers(well), segments), checks.DNSSlow, checks.Warn},
		{"AAAA that was lost three times", both(asking(func(q []checks.Query) []checks.Query { return append(noReply(dnsAddress, "AAAA"), q[:1]...) }), nameservers(lossy)), checks.NetworkPacketLoss, checks.Warn},
		{"a dead server of three", both(unresolved(broken(checks.TimedOut)), nameservers(dead)), checks.DNSOneBackendBad, checks.Fail},
		{"a slow lookup and a dead server of three", both(asking(func(q []checks.Query) []checks.Query { return append(noReply(dnsAddress, "A"), q...) }), nameservers(dead)), checks.DNSOneBackendBad, checks.Warn},

		{"a connection that took a second", both(slowly, nameservers(well), segments), checks.NetworkPacketLoss, checks.Warn},
		{"a connection that took a second, and one segment", both(slowly, nameservers(well), freshly(worked(1), worked(0))), checks.HTTPLatencyHigh, checks.Warn},
		{"a connection that took a second, one segment, and datagrams", both(slowly, nameservers(lossy), freshly(worked(1), worked(0))), checks.NetworkPacketLoss, checks.Warn},
		{"no connection, and some that do with segments sent again", both(connectFails(checks.TimedOut), nameservers(well), freshly(worked(2), unconnected, worked(1))), checks.NetworkPacketLoss, checks.Fail},
		{"no connection, and some that do without", both(connectFails(checks.TimedOut), nameservers(well), freshly(worked(0), unconnected, worked(0), unconnected)), checks.TCPIntermittentOneEndpoint, checks.Fail},
		{"no connection at all, where most datagrams are lost", both(connectFails(checks.TimedOut), nameservers(counted(
			checks.PairedFacts{Pairs: 20, Half: 8, None: 11, Recovered: 4}, &checks.SingleFacts{Queries: 40, Lost: 30, Recovered: 7})), freshly(unconnected, unconnected), func(f *checks.Facts) {
			f.Deep.DNS.Nameservers[0].UDP.Unanswered = 2
		}), checks.NetworkPacketLoss, checks.Fail},
		{"no connection at all, where a few datagrams are lost", both(connectFails(checks.TimedOut), nameservers(counted(
			checks.PairedFacts{Pairs: 20, Half: 3, Recovered: 3}, &checks.SingleFacts{Queries: 40, Lost: 4, Recovered: 4})), freshly(unconnected, unconnected)), checks.TCPTimeoutNetworkPolicy, checks.Fail},
		{"no connection, and of others one with segments sent again beside two that did not come about", both(connectFails(checks.TimedOut), nameservers(well), freshly(worked(1), unconnected, worked(0), unconnected)), checks.NetworkPacketLoss, checks.Fail},
		{"an answer, and of others two that did not come about while datagrams get lost", both(nameservers(lossy), freshly(worked(0), unconnected, worked(0), unconnected)), checks.NetworkPacketLoss, checks.Warn},
		{"no connection at all", both(connectFails(checks.TimedOut), nameservers(well), freshly(unconnected, unconnected)), checks.TCPTimeoutNetworkPolicy, checks.Fail},
		{"no handshake, and others with segments sent again", both(handshakeTimeout, nameservers(well), shaken(done, hello(2, 0), done), segments), checks.NetworkPacketLoss, checks.Fail},
		{"no handshake of full size", both(handshakeTimeout, nameservers(well), shaken(done, hello(2, 0), done), freshly(unconnected, unconnected)), checks.TLSTimeoutMTUBlackHole, checks.Fail},
		{"no handshake but of full size", both(handshakeTimeout, nameservers(well), shaken(done, hello(2, 0), done), freshly(worked(0), worked(0))), checks.TLSHandshakeTimeout, checks.Fail},
		{"a silent server", both(handshakeTimeout, nameservers(well), shaken(hello(0, 0), hello(0, 0), hello(0, 0))), checks.TLSTimeoutServerOverloaded, checks.Fail},
		{"no answer, and others with segments sent again", both(brokenAt(checks.StageResponse, checks.TimedOut), nameservers(well), segments), checks.NetworkPacketLoss, checks.Fail},
		{"no answer, nor to others, and datagrams and segments sent again", both(brokenAt(checks.StageResponse, checks.TimedOut), nameservers(lossy), freshly(
			checks.FreshConnection{Leaf: "a", Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{TotalRetransmits: 3}},
		)), checks.NetworkPacketLoss, checks.Fail},
		{"no answer, nor to others, and segments sent again that got through", both(brokenAt(checks.StageResponse, checks.TimedOut), nameservers(well), freshly(
			checks.FreshConnection{Leaf: "a", Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{TotalRetransmits: 3, Retransmits: 1, Unacked: 1}},
			checks.FreshConnection{Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{TotalRetransmits: 1}},
		)), checks.NetworkPacketLoss, checks.Fail},
		{"no answer, nor to others, and segments sent again", both(brokenAt(checks.StageResponse, checks.TimedOut), nameservers(well), freshly(
			checks.FreshConnection{Leaf: "a", Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{TotalRetransmits: 3, Retransmits: 2, Unacked: 1}},
			checks.FreshConnection{Leaf: "a", Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{TotalRetransmits: 3, Retransmits: 2, Unacked: 1}},
		)), checks.HTTPResponseTimeout, checks.Fail},
		{"no answer, nor to others, and datagrams sent again", both(brokenAt(checks.StageResponse, checks.TimedOut), nameservers(lossy), freshly(
			checks.FreshConnection{Leaf: "a", Failure: &checks.Failure{Kind: checks.TimedOut}, TCP: &checks.TCPFacts{}},
		)), checks.HTTPResponseTimeout, checks.Fail},
		{"a second try, and segments sent again", both(second, nameservers(well), segments), checks.NetworkPacketLoss, checks.Warn},
		{"a refusal", both(connectFails(checks.Refused), nameservers(lossy), segments), checks.TCPRefused, checks.Fail},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			diagnosis := Judge(facts, nil).Diagnosis
			if len(diagnosis) == 0 || diagnosis[0].Reason != test.want || diagnosis[0].Severity != test.status {
				t.Fatalf("got %+v first, want %s %s", diagnosis, test.status, test.want)
			}
			seen := map[checks.Reason]bool{}
			for _, finding := range diagnosis {
				if seen[finding.Reason] {
					t.Errorf("%s is named twice", finding.Reason)
				}
				seen[finding.Reason] = true
			}
		})
	}
}

// TestPacketLossIsOneCauseOfAllThatItBringsAbout has lookups and connections fail
// at once.
func TestPacketLossIsOneCauseOfAllThatItBringsAbout(t *testing.T) {
	facts := healthy(t)
	both(unresolved(broken(checks.TimedOut)), connectFails(checks.TimedOut), nameservers(
		counted(checks.PairedFacts{Pairs: 20, Half: 6, None: 1, Recovered: 5}, &checks.SingleFacts{Queries: 40, Lost: 8, Recovered: 6}),
	), freshly(worked(2), worked(0), worked(1)))(facts)
	diagnosis := Judge(facts, nil).Diagnosis
	if len(diagnosis) != 1 || diagnosis[0].Reason != checks.NetworkPacketLoss || diagnosis[0].Certainty != checks.Likely || diagnosis[0].Check != "" {
		t.Errorf("got %+v, want packet loss alone, of no one check", diagnosis)
	}
}

// TestChanceIsNotTakenForAnotherCause draws many looks at a path that loses a
// share of all that goes there and back.
func TestChanceIsNotTakenForAnotherCause(t *testing.T) {
	const looks = 2000
	for _, test := range []struct {
		share float64
		// atLeast of the looks are to be told as loss.
		atLeast float64
	}{{0, 0}, {0.01, 0}, {0.02, 0.05}, {0.05, 0.5}, {0.1, 0.85}, {0.2, 0.9}, {0.36, 0.9}, {0.5, 0.75}} {
		random := rand.New(rand.NewPCG(1, 2))
		lost := func() bool { return random.Float64() < test.share }
		loss, race, dead := 0, 0, 0
		for range looks {
			told := look(lost)
			switch {
			case told.lostAtRandom(false):
				loss++
			case told.raced():
				race++
			case told.partlyDead():
				dead++
			}
		}
		t.Logf("of a loss of %.2f: %d told as loss, %d as a race, %d as a dead server", test.share, loss, race, dead)
		if share := float64(loss) / looks; share < test.atLeast || test.share == 0 && loss > 0 {
			t.Errorf("of a loss of %.2f %.3f of the looks tell, want %.2f", test.share, share, test.atLeast)
		}
		if wrong := float64(race+dead) / looks; wrong > 0.01 {
			t.Errorf("of a loss of %.2f %.3f of the looks tell another cause", test.share, wrong)
		}
	}
}

// look is what one look makes of chance: twenty pairs, forty single queries where
// one of these is lost, and eleven made a few at a time, each sent up to three times.
func look(lost func() bool) datagrams {
	told := datagrams{}
	ask := func(of int) (missing int, recovered bool) {
		recovered = true
		for range of {
			if lost() {
				missing++
				recovered = !lost() && recovered
			}
		}
		return missing, recovered && missing > 0
	}
	for range 20 {
		missing, recovered := ask(2)
		told.pairs.Pairs++
		switch missing {
		case 1:
			told.pairs.Half++
		case 2:
			told.pairs.None++
		}
		if recovered {
			told.pairs.Recovered++
		}
	}
	for range 40 {
		if told.pairs.Half+told.pairs.None == 0 {
			break
		}
		missing, recovered := ask(1)
		told.single.Queries++
		told.single.Lost += missing
		if recovered {
			told.single.Recovered++
		}
	}
	for range 11 {
		for sends := range 3 {
			if !lost() {
				told.spaced += sends + 1
				told.spacedLost += sends
				break
			}
		}
	}
	return told
}
