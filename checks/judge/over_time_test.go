package judge

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// jumped puts the pod's clock forward. The token was issued by another clock.
func jumped(by time.Duration) func(*checks.Facts) {
	return func(f *checks.Facts) {
		claims := f.Token.Claims
		for _, at := range []*time.Time{&claims.IssuedAt, &claims.NotBefore, &claims.ExpiresAt, &claims.WarnAfter} {
			*at = at.Add(-by)
		}
		f.History = &checks.History{Rounds: 9, ClockJumps: []checks.ClockJump{{Time: noon.Add(-time.Minute), Seconds: by.Seconds()}}}
	}
}

// serverAhead puts the API server's clock before the pod's.
func serverAhead(by time.Duration) func(*checks.Facts) {
	return func(f *checks.Facts) { last(f).Response.Date = noon.Add(by) }
}

func TestAClockThatJumpedIsNamedBeforeWhatItMakesLookWrong(t *testing.T) {
	issuer := newPKI(t)
	expired := presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }))
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
	}{
		{"the server's clock goes as the pod's did before", both(serverAhead(-2*time.Hour), jumped(2*time.Hour)), checks.ClockJumped},
		{"the pod's clock was put back", both(serverAhead(2*time.Hour), jumped(-2*time.Hour)), checks.ClockJumped},
		{"the server's clock is another still", both(serverAhead(-2*time.Hour), jumped(20*time.Minute)), checks.TokenLocalClockSkew},
		{"no jump was seen", serverAhead(-2 * time.Hour), checks.TokenLocalClockSkew},
		{"a certificate that was valid before the jump", both(expired, jumped(48*time.Hour)), checks.ClockJumped},
		{"a certificate that was expired before the jump", both(expired, jumped(time.Hour)), checks.CertServingExpired},
		{"a jump by which other certificates would not be valid", both(expired, jumped(300*24*time.Hour)), checks.CertServingExpired},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			if got := Judge(facts, nil).Diagnosis; got[0].Reason != test.want {
				t.Errorf("got %s first (%v), want %s", got[0].Reason, got[0].Evidence, test.want)
			}
		})
	}
}

// metByEach has more connections than leave room for chance meet the certificate of
// the round.
func metByEach(f *checks.Facts) { metBy(sameLeaf)(f) }

// metBy has so many connections of the deep probes meet the certificate of the round.
func metBy(connections int) func(*checks.Facts) {
	return func(f *checks.Facts) {
		leaf := last(f).TLS.Chain[0].SHA256
		deepened(func(d *checks.DeepFacts) {
			d.Path.Fresh = slices.Repeat([]checks.FreshConnection{{Leaf: leaf, Failure: &checks.Failure{Kind: checks.Untrusted}}}, connections)
		})(f)
	}
}

func TestACertificateIsCertainOnlyWhereManyConnectionsMetIt(t *testing.T) {
	issuer := newPKI(t)
	clientsOnly := presented(issuer, issuer.serving(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))
	// rounds are the earlier ones, of which those last met the same certificate.
	rounds := func(all, same int) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.History = &checks.History{}
			for i := range all {
				met := f.API.ServiceHost.InShort()
				if i < all-same {
					met.Leaf = "another"
				}
				f.History.Lately = append(f.History.Lately, met)
			}
		}
	}
	for _, test := range []struct {
		name string
		met  func(*checks.Facts)
		want checks.Certainty
	}{
		{"this round alone", rounds(0, 0), checks.Likely},
		{"six connections and this round", both(metBy(6), rounds(0, 0)), checks.Likely},
		{"six connections and this round, the first of which nothing is remembered", metBy(6), checks.Likely},
		{"six connections and four rounds", both(metBy(6), rounds(3, 3)), checks.Certain},
		{"six connections and four rounds, after others", both(metBy(6), rounds(9, 3)), checks.Certain},
		{"six connections and three rounds, after others", both(metBy(6), rounds(9, 2)), checks.Likely},
		{"ten rounds", rounds(9, 9), checks.Certain},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			both(clientsOnly, test.met)(facts)
			if got := Judge(facts, nil).Diagnosis[0]; got.Reason != checks.CertWrongEKU || got.Certainty != test.want {
				t.Errorf("got %s, %s, want it %s", got.Reason, got.Certainty, test.want)
			}
		})
	}
}

func TestDatesAreCertainOnlyByAClockThatTheAPIServerHasConfirmed(t *testing.T) {
	issuer := newPKI(t)
	expired := presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }))
	expired = both(expired, metByEach)
	read := func(ahead float64, jumps ...checks.ClockJump) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.History = &checks.History{Rounds: 9, ClockJumps: jumps, Clock: &checks.ClockReading{Time: noon.Add(-time.Minute), AheadSeconds: ahead}}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Certainty
	}{
		{"a clock that was right a minute ago", read(0.4), checks.Certain},
		{"a clock that was wrong a minute ago", read(-3600), checks.Likely},
		{"a clock that has jumped since", read(0.4, checks.ClockJump{Time: noon, Seconds: 30}), checks.Likely},
		{"a clock that nobody has confirmed", func(*checks.Facts) {}, checks.Likely},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			both(expired, test.change)(facts)
			if got := Judge(facts, nil).Diagnosis[0]; got.Reason != checks.CertServingExpired || got.Certainty != test.want {
				t.Errorf("got %s, %s, want it %s", got.Reason, got.Certainty, test.want)
			}
		})
	}
}

func TestATokenFromTheFutureSaysThatTheClockIsBehind(t *testing.T) {
	issuer := newPKI(t)
	facts := healthy(t)
	both(presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Hour) })), jumped(-2*time.Hour))(facts)
	facts.History = nil
	got := Judge(facts, nil).Diagnosis
	if got[0].Reason != checks.TokenLocalClockSkew || got[1].Reason != checks.CertServingNotYetValid {
		t.Errorf("got %s and %s, want the clock before the certificate", got[0].Reason, got[1].Reason)
	}
}

func TestATokenThatHasExpiredByTheServersClockAloneIsLaidToTheClocks(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*checks.Facts)
		want   []checks.Reason
	}{
		"by the API server's clock alone": {func(f *checks.Facts) { last(f).Response.Date = noon.Add(2 * time.Hour) }, []checks.Reason{checks.TokenLocalClockSkew, checks.TokenExpired}},
		"by both clocks":                  {aged(2 * time.Hour), []checks.Reason{checks.TokenExpired}},
	} {
		facts := healthy(t)
		both(unauthorizedAnswer, lasting(time.Hour), test.change)(facts)
		var got []checks.Reason
		for _, finding := range Judge(facts, nil).Diagnosis {
			got = append(got, finding.Reason)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: the causes differ (-want +got):\n%s", name, diff)
		}
	}
}

func TestAJumpAfterWhichAllIsInOrderIsNotMentioned(t *testing.T) {
	facts := healthy(t)
	facts.History = &checks.History{Rounds: 9, ClockJumps: []checks.ClockJump{{Time: noon.Add(-time.Minute), Seconds: 7200}}}
	if got := Judge(facts, nil).Diagnosis; len(got) > 0 {
		t.Errorf("got %+v, want nothing", got)
	}
}

// lately gives facts earlier rounds, one for each letter: + answered by one API
// server and - met by another with the failing of the present round.
func lately(pattern string) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.History = &checks.History{Rounds: 40}
		present := last(f)
		for i, letter := range pattern {
			round := checks.PastRound{Time: noon.Add(time.Duration(i-len(pattern)) * 15 * time.Second), Stage: checks.StageDone, Status: 200, Leaf: "good"}
			resolved := letter == '+'
			round.Resolved = &resolved
			if letter == '-' {
				round.Stage, round.Status, round.Leaf = present.Stage, 0, ""
				if present.Failure != nil {
					round.Failure = present.Failure.Kind
				}
				if present.Response != nil {
					round.Status = present.Response.Status
				}
				if present.TLS != nil && len(present.TLS.Chain) > 0 {
					round.Leaf = present.TLS.Chain[0].SHA256
				}
			}
			f.History.Lately = append(f.History.Lately, round)
		}
	}
}

// again has rounds before send segments again.
func again(rounds ...int) func(*checks.Facts) {
	return func(f *checks.Facts) {
		for _, round := range rounds {
			f.History.Lately[round].Retransmits = 1
		}
	}
}

// retried has rounds before pass on a retry.
func retried(rounds ...int) func(*checks.Facts) {
	return func(f *checks.Facts) {
		for _, round := range rounds {
			f.History.Lately[round].PassedOnRetry = true
		}
	}
}

func TestWhatComesAndGoesIsToldByTheRoundsBefore(t *testing.T) {
	issuer := newPKI(t)
	expired := presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }))
	rejectedNow := answeredWith(401, message("Unauthorized"), unfairly)
	expired = both(expired, func(f *checks.Facts) { last(f).Failure = &checks.Failure{Kind: checks.Untrusted} })
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
		// comesAndGoes tells that the evidence must say so.
		comesAndGoes bool
	}{
		{"a certificate that some rounds met", both(expired, lately("+-++-+-+++")), checks.CertDiffersByReplica, true},
		{"a certificate that was replaced by a bad one", both(expired, lately("++++++----")), checks.CertServingExpired, false},
		{"a 401 that some rounds met", both(rejectedNow, lately("+-++--+-++")), checks.TokenIntermittentByAPIServer, true},
		{"a 401 that began and lasts", both(rejectedNow, lately("++++++++--")), checks.HTTP401Unattributed, false},
		{"a refusal that some rounds met", both(connectFails(checks.Refused), lately("+-++--+-++")), checks.TCPRefused, true},
		{"a refusal that some rounds met, and all connections of this one", both(connectFails(checks.Refused), lately("+-++--+-++"),
			deepened(func(d *checks.DeepFacts) {
				d.Path.Fresh = slices.Repeat([]checks.FreshConnection{{Failure: &checks.Failure{Kind: checks.Refused}}}, 2)
			})), checks.TCPRefused, true},
		{"a refusal between rounds that passed on a retry", both(connectFails(checks.Refused), both(lately("+-++-+++-+"), retried(2, 6))), checks.TCPIntermittentOneEndpoint, true},
		{"a refusal after a round that passed on a retry", both(connectFails(checks.Refused), both(lately("+-++-+++-+"), retried(2))), checks.TCPRefused, true},
		{"a refusal that had come once before", both(connectFails(checks.Refused), lately("+++--+++")), checks.TCPRefused, true},
		{"a refusal that is new", both(connectFails(checks.Refused), lately("++++++++")), checks.TCPRefused, false},
		{"a refusal that began, after other failings that came and went", both(connectFails(checks.Refused), lately("++++++++"), func(f *checks.Facts) {
			for _, i := range []int{1, 2, 4, 5} {
				f.History.Lately[i].Stage, f.History.Lately[i].Status, f.History.Lately[i].Failure = checks.StageTLS, 0, checks.Untrusted
			}
		}), checks.TCPRefused, false},
		{"a silence after rounds that were told that the host is unreachable", both(connectFails(checks.TimedOut), lately("+++--"), func(f *checks.Facts) {
			f.History.Lately[3].Failure = checks.HostUnreachable
		}), checks.TCPHostUnreachable, false},
		{"a silence after a round that was refused", both(connectFails(checks.TimedOut), lately("+++--"), func(f *checks.Facts) {
			f.History.Lately[4].Failure = checks.Refused
		}), checks.TCPRefused, false},
		{"a silence after a silence after a refusal", both(connectFails(checks.TimedOut), lately("+++--"), func(f *checks.Facts) {
			f.History.Lately[3].Failure = checks.Refused
		}), checks.TCPTimeout, false},
		{"a silence after rounds that were told that the network is unreachable", both(connectFails(checks.TimedOut), lately("+++--"), func(f *checks.Facts) {
			f.History.Lately[3].Failure = checks.NetworkUnreachable
		}), checks.TCPHostUnreachable, false},
		{"a silence beside a nameserver of a family that the pod has not", both(connectFails(checks.TimedOut), both(unresolved(broken(checks.NetworkUnreachable)), lately("+++--"))), checks.TCPTimeout, false},
		{"a silence while the way to the nameserver is said to be unreachable", both(connectFails(checks.TimedOut), both(unresolved(broken(checks.HostUnreachable)), lately("+++--"))), checks.TCPHostUnreachable, false},
		{"a silence between rounds that had to send segments again", both(connectFails(checks.TimedOut), both(lately("+++-++-"), again(4, 5))), checks.NetworkPacketLoss, true},
		{"a silence between rounds of which few had to", both(connectFails(checks.TimedOut), both(lately("-++-+++-++"), again(1, 2))), checks.TCPTimeout, true},
		{"a silence after rounds that had to", both(connectFails(checks.TimedOut), both(lately("+++++--"), again(1, 2, 3))), checks.TCPTimeout, false},
		{"a silence after rounds that connected and were told nothing", both(connectFails(checks.TimedOut), both(lately("++----"), func(f *checks.Facts) { f.History.SilentHandshakes = 3 })), checks.TLSTimeoutServerOverloaded, false},
		{"a silence after one such round", both(connectFails(checks.TimedOut), both(lately("++----"), func(f *checks.Facts) { f.History.SilentHandshakes = 1 })), checks.TCPTimeout, false},
		{"a nameserver that is said to be unreachable, alone", unresolved(broken(checks.HostUnreachable)), checks.DNSUnreachable, false},
		{"a silence long after such a round", both(connectFails(checks.TimedOut), lately("+++-+"), func(f *checks.Facts) {
			f.History.Lately[3].Failure = checks.HostUnreachable
		}), checks.TCPTimeout, false},
		{"a name that some rounds did not resolve", both(unresolved(broken(checks.Refused)), lately("+-++-+")), checks.DNSServiceNoEndpoints, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			got := Judge(facts, nil).Diagnosis
			if got[0].Reason != test.want {
				t.Fatalf("got %s first, want %s", got[0].Reason, test.want)
			}
			if said := strings.Contains(strings.Join(got[0].Evidence, " "), "It comes and goes"); said != test.comesAndGoes {
				t.Errorf("got the evidence %q", got[0].Evidence)
			}
		})
	}
}

func TestAFailingThatLastsTellsWhenTheAPIServerLastAnswered(t *testing.T) {
	answered := func(f *checks.Facts) { f.History.AnsweredAt = noon.Add(-2 * time.Minute) }
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		told   bool
	}{
		{"a refusal that lasts", both(connectFails(checks.Refused), both(lately("+++---"), answered)), true},
		{"a refusal since the first round", both(connectFails(checks.Refused), lately("------")), false},
		{"a 401, which is an answer too", both(answeredWith(401, message("Unauthorized"), unfairly), both(lately("+++---"), answered)), false},
		{"a name that does not resolve", both(unresolved(broken(checks.Refused)), both(lately("+++---"), answered)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			evidence := Judge(facts, nil).Diagnosis[0].Evidence
			if told := strings.Contains(strings.Join(evidence, " "), "last answered this pod at "); told != test.told {
				t.Errorf("got the evidence %q", evidence)
			}
		})
	}
}

func TestRulesThatPanicLeaveTheFindingsOfTheChecks(t *testing.T) {
	facts := healthy(t)
	connectFails(checks.Refused)(facts)
	facts.Deep = &checks.DeepFacts{DNS: &checks.DeepDNSFacts{}}
	findings := []checks.Finding{{Reason: checks.TCPRefused, Severity: checks.Fail}}
	broken := []rule{{reason: checks.TCPTimeout, explains: []checks.Reason{checks.TCPRefused}, evidence: func(*checks.Facts) []string { panic("index out of range") }}}
	got := ruledBy(broken, findings, facts, func(p problem) checks.Finding {
		return checks.Finding{Reason: p.Reason, Severity: p.Status, Evidence: []string{p.Message}}
	})
	if len(got) != 2 || got[0].Reason != checks.TCPRefused || got[1].Reason != checks.CheckPanicked || !strings.Contains(got[1].Evidence[0], "index out of range") {
		t.Errorf("got %+v, want the finding and the panic", got)
	}
}

func TestWhatProbesSawBeforeAllWasWellAgainIsNotCertainOfWhatIsWrongNow(t *testing.T) {
	resolved, unresolved := true, false
	well := checks.PastRound{Time: noon.Add(-time.Minute), Stage: checks.StageDone, Status: 200, Resolved: &resolved}
	with := func(change func(*checks.PastRound)) *checks.History {
		round := well
		change(&round)
		return &checks.History{Rounds: 1, Lately: []checks.PastRound{round}}
	}
	for _, test := range []struct {
		name    string
		history *checks.History
		want    checks.Certainty
	}{
		{"no round before", nil, checks.Certain},
		{"a round that was well", with(func(*checks.PastRound) {}), checks.Likely},
		{"a round that was well before they were made", with(func(r *checks.PastRound) { r.Time = noon.Add(-time.Hour) }), checks.Certain},
		{"a round that had no answer", with(func(r *checks.PastRound) { r.Stage, r.Status = checks.StageTLS, 0 }), checks.Certain},
		{"a round whose name did not resolve", with(func(r *checks.PastRound) { r.Resolved = &unresolved }), checks.Certain},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			handshakeFailure(checks.TimedOut, "i/o timeout")(facts)
			deepened(func(d *checks.DeepFacts) {
				d.Time = noon.Add(-2 * time.Minute)
				d.Path.FullHello = &checks.Handshake{Connected: true, Failure: &checks.Failure{Kind: checks.TimedOut}}
				d.Path.Clamped = &checks.Handshake{Connected: true, Done: true}
			})(facts)
			facts.History = test.history
			cause := Judge(facts, nil).Diagnosis[0]
			if cause.Reason != checks.TLSTimeoutMTUBlackHole || cause.Certainty != test.want {
				t.Errorf("got %s %s first, want %s %s", cause.Certainty, cause.Reason, test.want, checks.TLSTimeoutMTUBlackHole)
			}
		})
	}
}
