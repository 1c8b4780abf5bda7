package observe

import (
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestOnlyAStepOfTheClockIsAJump(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	passed := time.Now()
	var c clock
	told := noon
	for _, step := range []struct{ passes, jump time.Duration }{
		{15 * time.Second, 0}, {15 * time.Second, 2 * time.Second}, {15 * time.Second, 2 * time.Hour}, {time.Minute, -30 * time.Second}, {15 * time.Second, 0},
	} {
		c.read(told, passed)
		passed = passed.Add(step.passes)
		told = told.Add(step.passes + step.jump)
	}
	c.read(told, passed)
	var got []float64
	for _, jump := range c.jumps {
		got = append(got, jump.Seconds)
	}
	if diff := gocmp.Diff([]float64{7200, -30}, got); diff != "" {
		t.Errorf("the jumps differ (-want +got):\n%s", diff)
	}
	if !c.first.Equal(noon) {
		t.Errorf("got %s as the first round, want %s", c.first, noon)
	}
	c.read(told.Add(2*time.Hour), passed.Add(2*time.Hour))
	if len(c.jumps) > 0 {
		t.Errorf("got %v, want jumps forgotten after an hour", c.jumps)
	}
}

func TestJumpsWithoutEndAreNotKeptWithoutEnd(t *testing.T) {
	var c clock
	told, passed := time.Now(), time.Now()
	for range 100 {
		told, passed = told.Add(time.Minute), passed.Add(time.Second)
		c.read(told, passed)
	}
	if len(c.jumps) != maxJumps {
		t.Errorf("got %d jumps, want %d", len(c.jumps), maxJumps)
	}
}

func TestEarlierRoundsAreRememberedInShortUpToALimit(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var p past
	if got := p.history(clock{}); got != nil {
		t.Fatalf("got %+v before the first round, want nothing", got)
	}
	round := func(number int, exchange checks.Exchange, addresses ...netip.Addr) {
		p.add(&checks.Facts{
			Time: noon.Add(time.Duration(number) * time.Minute),
			DNS: &checks.DNSFacts{Lookup: checks.Lookup{Addresses: addresses, Queries: []checks.Query{
				{Failure: &checks.Failure{Kind: checks.TimedOut}}, {Failure: &checks.Failure{Kind: checks.Refused}},
			}}},
			API: &checks.APIFacts{ServiceHost: &checks.Attempt{Exchanges: []checks.Exchange{exchange}}},
		})
	}
	for number := range checks.MaxPastRounds {
		round(number, checks.Exchange{
			Stage: checks.StageDone, TLS: &checks.TLSFacts{Chain: []checks.Certificate{{SHA256: "a"}}}, Response: &checks.Response{Status: 200, ServerAddress: "172.30.0.1:6443"},
		}, netip.MustParseAddr("10.96.0.1"))
	}
	round(30, checks.Exchange{Stage: checks.StageTLS, TLS: &checks.TLSFacts{Chain: []checks.Certificate{{SHA256: "b"}}}, Failure: &checks.Failure{Kind: checks.Untrusted}})
	round(31, checks.Exchange{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.Refused}})
	got := p.history(clock{})
	if len(got.Lately) != checks.MaxPastRounds || got.Rounds != checks.MaxPastRounds+2 {
		t.Errorf("got %d of %d rounds, want the last %d", len(got.Lately), got.Rounds, checks.MaxPastRounds)
	}
	if want := noon.Add((checks.MaxPastRounds - 1) * time.Minute); !got.AnsweredAt.Equal(want) || !got.ConnectedAt.Equal(noon.Add(30*time.Minute)) {
		t.Errorf("got answered at %s and connected at %s", got.AnsweredAt, got.ConnectedAt)
	}
	if want := "172.30.0.1:6443"; got.ServerAddress != want {
		t.Errorf("got the API server at %q, want what was told last, %q", got.ServerAddress, want)
	}
	no := false
	want := []checks.PastRound{
		{Time: noon.Add(30 * time.Minute), Stage: checks.StageTLS, Failure: checks.Untrusted, Leaf: "b", Resolved: &no, LookupFailure: checks.Refused},
		{Time: noon.Add(31 * time.Minute), Stage: checks.StageConnect, Failure: checks.Refused, Resolved: &no, LookupFailure: checks.Refused},
	}
	if diff := gocmp.Diff(want, got.Lately[len(got.Lately)-2:]); diff != "" {
		t.Errorf("the rounds differ (-want +got):\n%s", diff)
	}
	for number, exchange := range []checks.Exchange{
		{Stage: checks.StageTLS, TCP: &checks.TCPFacts{}, Failure: &checks.Failure{Kind: checks.TimedOut}},
		{Stage: checks.StageTLS, TCP: &checks.TCPFacts{}, Failure: &checks.Failure{Kind: checks.TimedOut}},
		{Stage: checks.StageTLS, TCP: &checks.TCPFacts{Unacked: 1}, Failure: &checks.Failure{Kind: checks.TimedOut}},
		{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.TimedOut}},
	} {
		round(32+number, exchange)
	}
	if got := p.history(clock{}).SilentHandshakes; got != 2 {
		t.Errorf("got %d handshakes without an answer, want 2", got)
	}
	round(36, checks.Exchange{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.Refused}})
	if got := p.history(clock{}).SilentHandshakes; got != 0 {
		t.Errorf("got %d handshakes without an answer after a refusal, want none", got)
	}
	round(37, checks.Exchange{Stage: checks.StageDone, Response: &checks.Response{Status: 200}})
	if got.Lately[len(got.Lately)-1].Stage != checks.StageConnect {
		t.Error("a later round changed a history that was given away")
	}
}

func TestWhenTheTokenWasTakenIsRemembered(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var p past
	for number, round := range []struct {
		authenticated bool
		status        int
	}{{true, 200}, {true, 401}, {false, 200}, {true, 403}} {
		p.add(&checks.Facts{Time: noon.Add(time.Duration(number) * time.Minute), API: &checks.APIFacts{ServiceHost: &checks.Attempt{
			Authenticated: round.authenticated,
			Exchanges:     []checks.Exchange{{Stage: checks.StageDone, Response: &checks.Response{Status: round.status}}},
		}}})
	}
	if got := p.history(clock{}).TokenAcceptedAt; !got.Equal(noon) {
		t.Errorf("got %s, want %s, the one round in which the token was sent and taken", got, noon)
	}
}

func TestCertificatesThatWereProvenAreRememberedUpToALimit(t *testing.T) {
	var p past
	round := func(leaf string, verified bool) {
		p.add(&checks.Facts{API: &checks.APIFacts{ServiceHost: &checks.Attempt{Exchanges: []checks.Exchange{
			{Stage: checks.StageTLS, TLS: &checks.TLSFacts{Verified: verified, Chain: []checks.Certificate{{SHA256: leaf}}}},
		}}}})
	}
	for _, leaf := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "b", "b"} {
		round(leaf, true)
	}
	given := p.history(clock{}).ProvenLeaves
	round("j", false)
	round("j", true)
	if diff := gocmp.Diff([]string{"c", "d", "e", "f", "g", "h", "i", "b"}, given); diff != "" {
		t.Errorf("the certificates differ (-want +got):\n%s", diff)
	}
	if got, want := p.history(clock{}).ProvenLeaves, []string{"d", "e", "f", "g", "h", "i", "b", "j"}; !gocmp.Equal(want, got) {
		t.Errorf("got %q after one more that was proven, want %q", got, want)
	}
}
