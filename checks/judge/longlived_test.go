package judge

import (
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// kept gives facts a request over the connection that is kept: one that had no
// answer within five seconds while a new one had, which change makes another of.
func kept(change func(*checks.LongLivedRequest)) func(*checks.Facts) {
	return func(f *checks.Facts) {
		request := &checks.LongLivedRequest{
			At: noon.Add(time.Second), Address: apiAddress, AgeSeconds: 1800, IdleSeconds: 60, Answered: 30,
			NewAnswered: true, Failure: &checks.Failure{Kind: checks.TimedOut, Message: "i/o timeout"}, Seconds: 5,
		}
		change(request)
		f.API.LongLived = &checks.LongLivedFacts{Latest: request}
	}
}

func asItIs(*checks.LongLivedRequest) {}

func answeredOver(r *checks.LongLivedRequest) {
	r.Failure, r.Status, r.Seconds, r.NewAnswered = nil, 200, 0.001, false
}

func TestAConnectionThatIsDead(t *testing.T) {
	judgeCases(t, checks.API, []verdictCase{
		{"silent, while a new one is answered", kept(asItIs), want{checks.Warn, checks.HTTP2DeadConnection}},
		{"silent, as a new one was", kept(func(r *checks.LongLivedRequest) { r.NewAnswered = false }), want{checks.OK, ""}},
		{"silent, in a process that got no processor", kept(func(r *checks.LongLivedRequest) { r.WaitedSeconds, r.LongestWaitSeconds = 3, 3 }), want{checks.OK, ""}},
		{"silent, in a process that often waited a little", kept(func(r *checks.LongLivedRequest) { r.WaitedSeconds, r.LongestWaitSeconds = 3, 0.1 }), want{checks.Warn, checks.HTTP2DeadConnection}},
		{"closed", kept(func(r *checks.LongLivedRequest) { r.Failure.Kind = checks.Closed }), want{checks.OK, ""}},
		{"answered", kept(func(r *checks.LongLivedRequest) { answeredOver(r); r.NewAnswered = true }), want{checks.OK, ""}},
		{"not asked yet", func(f *checks.Facts) { f.API.LongLived = &checks.LongLivedFacts{Address: apiAddress, Requests: 1} }, want{checks.OK, ""}},
		{"silent a minute ago, and now nothing connects", both(connectFails(checks.Refused), kept(asItIs)), want{checks.Fail, checks.TCPRefused}},
	})
}

func TestADeadConnectionIsToldByWhatTheKernelKnowsOfIt(t *testing.T) {
	for _, test := range []struct {
		name string
		tcp  *checks.TCPFacts
		want string
	}{
		{"nothing arrives", &checks.TCPFacts{Unacked: 1, Retransmits: 4}, "its packets are lost"},
		{"all arrives", &checks.TCPFacts{}, "whoever holds its other end says nothing"},
		{"it cannot be asked", nil, "after 1m00s of silence, while a new one was answered."},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			kept(func(r *checks.LongLivedRequest) { r.TCP = test.tcp })(facts)
			finding := Judge(facts, nil).Diagnosis[0]
			if finding.Certainty != checks.Likely || !strings.Contains(finding.Evidence[0], test.want) {
				t.Errorf("got %s: %q, want %q in it and likely", finding.Certainty, finding.Evidence[0], test.want)
			}
		})
	}
}

func TestAnOlderConnectionThatWorksIsEvidenceOfWhatKeepsNewOnesAway(t *testing.T) {
	issuer := newPKI(t)
	expired := presented(issuer, issuer.serving(func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }))
	overOlder := deepened(func(d *checks.DeepFacts) {
		request := &checks.LongLivedRequest{At: noon, Address: netip.MustParseAddrPort("10.96.0.1:443"), AgeSeconds: 60, Answered: 2}
		answeredOver(request)
		d.Path.LongLived = request
	})
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   string
	}{
		{"packets dropped", both(connectFails(checks.TimedOut), kept(answeredOver)), "conntrack"},
		{"packets dropped, as a deep probe saw", both(connectFails(checks.TimedOut), overOlder), "conntrack"},
		{"refused", both(connectFails(checks.Refused), kept(answeredOver)), "an API server runs"},
		{"the handshake silent", both(handshakeFailure(checks.TimedOut, "i/o timeout"), kept(answeredOver)), "the API server works"},
		{"a certificate that expired", both(expired, kept(answeredOver)), "proves itself only as a session begins"},
		{"packets dropped, and the older connection silent as well", both(connectFails(checks.TimedOut), kept(func(r *checks.LongLivedRequest) { r.NewAnswered = false })), ""},
		{"packets dropped now, and when it was asked they were not", both(connectFails(checks.TimedOut), kept(func(r *checks.LongLivedRequest) { answeredOver(r); r.NewAnswered = true })), ""},
		{"an answer that is an error", both(answeredWith(500), kept(answeredOver)), ""},
		{"a name that does not resolve", both(unresolved(broken(checks.TimedOut)), kept(answeredOver)), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			first := Judge(facts, nil).Diagnosis[0]
			evidence := strings.Join(first.Evidence, " ")
			if told := strings.Contains(evidence, "still answered"); told != (test.want != "") || !strings.Contains(evidence, test.want) {
				t.Errorf("the evidence of %s is %q, want %q of a connection that still answered", first.Reason, evidence, test.want)
			}
		})
	}
}

func TestAServerThatAnswersOverAnOlderConnectionIsNotHeldToBeOverloaded(t *testing.T) {
	silent := both(handshakeFailure(checks.TimedOut, "i/o timeout"), deepened(func(d *checks.DeepFacts) {
		d.Path.SmallHello, d.Path.FullHello, d.Path.Clamped = hello(0, 0), hello(0, 0), hello(0, 0)
	}))
	facts := healthy(t)
	both(silent, kept(answeredOver))(facts)
	if got, want := Judge(facts, nil).Diagnosis[0].Reason, checks.TLSHandshakeTimeout; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
