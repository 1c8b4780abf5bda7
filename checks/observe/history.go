package observe

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// leastJump is what a step of the clock is told from. Smaller ones harm no
	// token and no certificate.
	leastJump = 10 * time.Second
	maxJumps  = 4
	jumpsKept = time.Hour
)

// clock compares the pod's clock with the time that passes.
type clock struct {
	// first is the pod's time at the first round, latest that at the latest, and
	// at when the latest was by a clock that nobody puts forward or back.
	first, latest time.Time
	at            time.Time
	jumps         []checks.ClockJump
}

// read takes the pod's time at a moment. That of the moment must be by
// [time.Now], whose monotonic part it goes by.
func (c *clock) read(told, at time.Time) {
	told = told.Round(0)
	if c.at.IsZero() {
		c.first = told
	} else if jump := told.Sub(c.latest) - at.Sub(c.at); jump.Abs() >= leastJump {
		c.jumps = append(c.jumps, checks.ClockJump{Time: told, Seconds: jump.Seconds()})
	}
	c.latest, c.at = told, at
	c.jumps = slices.DeleteFunc(c.jumps, func(jump checks.ClockJump) bool { return told.Sub(jump.Time).Abs() > jumpsKept })
	c.jumps = c.jumps[max(0, len(c.jumps)-maxJumps):]
}

// past is what an observer keeps of its rounds.
type past struct {
	rounds                  uint64
	connectedAt, answeredAt time.Time
	tokenAcceptedAt         time.Time
	serverAddress           string
	provenLeaves            []string
	silentHandshakes        int
	clock                   *checks.ClockReading
	lately                  []checks.PastRound
}

// history is nil before the second round.
func (p *past) history(clock clock) *checks.History {
	if p.rounds == 0 {
		return nil
	}
	return &checks.History{
		Rounds:           p.rounds,
		ConnectedAt:      p.connectedAt,
		AnsweredAt:       p.answeredAt,
		TokenAcceptedAt:  p.tokenAcceptedAt,
		ServerAddress:    p.serverAddress,
		ProvenLeaves:     slices.Clone(p.provenLeaves),
		SilentHandshakes: p.silentHandshakes,
		Clock:            p.clock,
		Lately:           slices.Clone(p.lately),
		ClockJumps:       slices.Clone(clock.jumps),
	}
}

func (p *past) add(facts *checks.Facts) {
	p.rounds++
	met := checks.PastRound{Time: facts.Time}
	if facts.API != nil && facts.API.ServiceHost != nil && facts.API.HeldUntil.IsZero() {
		met = facts.API.ServiceHost.InShort()
		met.Time = facts.Time
		p.note(met.Time, facts.API.ServiceHost.Last())
		p.noteProven(facts.API.ServiceHost.Exchanges)
		if facts.API.ServiceHost.Authenticated && met.Status == http.StatusOK {
			p.tokenAcceptedAt = met.Time
		}
	}
	if facts.DNS != nil {
		resolved := len(facts.DNS.Lookup.Addresses) > 0
		met.Resolved = &resolved
		if !resolved {
			met.LookupFailure = heardFailure(facts.DNS.Lookup)
		}
	}
	if len(p.lately) == checks.MaxPastRounds {
		p.lately = slices.Delete(p.lately, 0, 1)
	}
	p.lately = append(p.lately, met)
}

// heardFailure is the first of a lookup that somebody told of.
func heardFailure(lookup checks.Lookup) checks.FailureKind {
	for _, query := range lookup.Queries {
		if query.Failure != nil && query.Failure.Kind != checks.TimedOut {
			return query.Failure.Kind
		}
	}
	return ""
}

// latest is what the round before met, the zero PastRound where there was none.
func (p *past) latest() checks.PastRound {
	if len(p.lately) == 0 {
		return checks.PastRound{}
	}
	return p.lately[len(p.lately)-1]
}

// noteProven keeps which certificates were proven.
func (p *past) noteProven(exchanges []checks.Exchange) {
	for _, exchange := range exchanges {
		if exchange.TLS == nil || !exchange.TLS.Verified || len(exchange.TLS.Chain) == 0 {
			continue
		}
		leaf := exchange.TLS.Chain[0].SHA256
		others := slices.DeleteFunc(p.provenLeaves, func(other string) bool { return other == leaf })
		p.provenLeaves = append(others[max(0, len(others)-checks.MaxProvenLeaves+1):], leaf)
	}
}

// note keeps when the API server was last reached and heard.
func (p *past) note(at time.Time, last checks.Exchange) {
	if last.Stage != checks.StageResolve && last.Stage != checks.StageConnect {
		p.connectedAt = at
	}
	switch silent := last.Failure != nil && last.Failure.Kind == checks.TimedOut; {
	case silent && last.Stage == checks.StageTLS:
		// Where not all is acknowledged, it may be that nothing arrived there.
		if last.TCP != nil && last.TCP.Unacked == 0 {
			p.silentHandshakes++
		}
	case !silent || last.Stage != checks.StageConnect:
		p.silentHandshakes = 0
	}
	if last.Response == nil {
		return
	}
	p.answeredAt, p.serverAddress = at, cmp.Or(last.Response.ServerAddress, p.serverAddress)
	if ahead, known := last.Response.ClockAhead(); known {
		p.clock = &checks.ClockReading{Time: last.Response.ReceivedAt, AheadSeconds: ahead.Seconds()}
	}
}
