package rounds

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// deepEvery is the least time between two runs of the deep probes while what
	// fails stays the same, and the most by which a fleet spreads them; and for how
	// long an episode can use what probes saw in an earlier one.
	deepEvery = 5 * time.Minute
	// burst is how many runs there are at most within burstIntervals intervals, so
	// that a state that comes and goes does not become a load on the API server.
	burst          = 3
	burstIntervals = 20
	// promptIntervals are those at the start of an episode in which the probes are
	// made at once, since its symptom may still be the first of several.
	promptIntervals = 2
)

// episode is a time in which something is wrong. It has the deep probes made as
// it begins, when something else goes wrong, and every five to ten minutes while a
// check fails; a warning may last for months and has them once, but for that of a
// proxy, since only they see whether it carries what it catches. Where the API server
// answers as it should they leave it alone, and are made once more when the symptom
// has lasted for a while: nameservers that are being replaced answer now as the old
// and now as the new.
//
// What lasts is likely to be a whole fleet's, and something else goes wrong when the
// API server is half back: then the probes are put off by this agent's own share of
// the time that it has lasted, so that not all of the fleet makes them at once.
type episode struct {
	observer Observer
	interval time.Duration
	// share is this agent's.
	share float64

	// symptom is what is wrong now, and probedFor the one that the latest probes
	// of this episode were begun for; each is empty where there is none.
	symptom, probedFor string
	// began is when something began to be wrong, and changed when the symptom did.
	began, changed time.Time
	// deep are what probes saw of the symptom shown. They outlive their episode,
	// since what comes and goes may be gone by the time that a round could use
	// them, and serve the next one of the same link.
	deep    *checks.DeepFacts
	shown   string
	shownAt time.Time
	// probed has what probes saw that have ended since, running the symptom that
	// they were begun for.
	probed  chan *checks.DeepFacts
	probing sync.WaitGroup
	running string
	// begun is when the latest runs were begun, the last one last.
	begun []time.Time
	// settled tells that the present symptom has had its run for having lasted, and
	// settledAt when the latest such run was.
	settled   bool
	settledAt time.Time
}

func newEpisode(observer Observer, interval time.Duration, identity string) *episode {
	return &episode{
		observer: observer, interval: interval, share: checks.Share(identity, "deep probes"),
		probed: make(chan *checks.DeepFacts, 1),
	}
}

// took keeps what probes saw, unless their symptom was gone meanwhile and others
// saw it.
func (e *episode) took(deep *checks.DeepFacts) {
	if e.symptom == e.running || e.recall(e.running) == nil {
		e.deep, e.shown, e.shownAt = deep, e.running, time.Now()
	}
	e.running = ""
}

// recall is what probes saw of a symptom; nil where none did of late.
func (e *episode) recall(symptom string) *checks.DeepFacts {
	switch {
	case e.deep == nil || symptom == "" || linkOf(symptom) != linkOf(e.shown):
		return nil
	case (symptom != e.shown || symptom != e.symptom) && time.Since(e.shownAt) > deepEvery:
		return nil
	default:
		return e.deep
	}
}

// goOn begins, goes on with or ends the episode by what a round showed. Probes
// run beside the rounds, until ctx ends at the latest.
func (e *episode) goOn(ctx context.Context, facts *checks.Facts, symptom string, report *checks.Report) {
	if symptom != e.symptom {
		e.changed = time.Now()
	}
	if e.symptom == "" {
		e.began = e.changed
	}
	e.symptom = symptom
	if symptom == "" {
		e.probedFor = ""
		return
	}
	probe := e.observer.Deep
	// A warning has had what is asked of the API server.
	repeats := report.Status != checks.Fail && symptom == e.probedFor
	if answers(report) || repeats {
		probe = e.observer.DeepDNS
	}
	switch {
	case e.running != "":
		return
	case e.isDue(report.Status == checks.Fail || goesByProxy(report)):
		e.settled = e.settled && symptom == e.probedFor
	case answers(report) && e.hasSettled():
		e.settled, e.settledAt = true, time.Now()
	default:
		return
	}
	e.running, e.probedFor = symptom, symptom
	e.begun = append(e.begun, time.Now())
	e.begun = e.begun[max(0, len(e.begun)-burst):]
	e.probing.Go(func() { e.probed <- probe(ctx, facts) })
}

// isDue tells that the symptom is another one, or that it has lasted since the latest
// probes where they are to be made again and again.
func (e *episode) isDue(again bool) bool {
	if len(e.begun) == burst && time.Since(e.begun[0]) < burstIntervals*e.interval {
		return false
	}
	if e.symptom != e.probedFor {
		return time.Since(e.changed) >= e.putOff(e.changed.Sub(e.began)-promptIntervals*e.interval)
	}
	return again && time.Since(e.begun[len(e.begun)-1]) >= deepEvery+e.putOff(deepEvery)
}

// putOff is this agent's share of a time, in which a fleet's probes are spread.
func (e *episode) putOff(within time.Duration) time.Duration {
	return time.Duration(e.share * float64(max(0, min(within, deepEvery))))
}

// hasSettled tells that the symptom has lasted since probes were made for it.
func (e *episode) hasSettled() bool {
	lasted := e.symptom == e.probedFor && time.Since(e.begun[len(e.begun)-1]) >= 2*e.interval
	return lasted && !e.settled && time.Since(e.settledAt) >= burstIntervals*e.interval
}

// answers tells that the API server answers as it should, so that nothing has to be
// found out of it.
func answers(report *checks.Report) bool {
	for _, name := range []checks.Name{checks.Token, checks.CA, checks.TLS, checks.API} {
		if result, made := report.Result(name); made && result.Status != checks.OK {
			return false
		}
	}
	return true
}

// goesByProxy tells that requests for the API server go by a proxy.
func goesByProxy(report *checks.Report) bool {
	result, _ := report.Result(checks.Environment)
	return result.Reason == checks.EnvHTTPProxyInterceptsAPI ||
		slices.ContainsFunc(result.Others, func(other checks.Problem) bool { return other.Reason == checks.EnvHTTPProxyInterceptsAPI })
}

// symptom is what the gravest of the checks say, before the deep probes have made
// a cause of it; it is empty where nothing is wrong.
func symptom(report *checks.Report) string {
	for _, result := range report.Checks {
		if result.Status == report.Status && result.Status.Severity() > 0 {
			return string(result.Name) + " " + string(result.Reason)
		}
	}
	return ""
}

// linkOf is the check that a symptom is of. Those of tls and api are seen in one
// exchange, which fails now here and now there.
func linkOf(symptom string) string {
	name, _, _ := strings.Cut(symptom, " ")
	if name == string(checks.TLS) {
		return string(checks.API)
	}
	return name
}

// wait returns when no probe runs any more.
func (e *episode) wait() { e.probing.Wait() }
