package rounds

import (
	"context"
	"fmt"
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
	// burst is how many runs there are at most for one symptom within burstIntervals
	// intervals, so that a state that comes and goes does not become a load on the API
	// server; and ceiling how many for all symptoms, of those that ask it and of those
	// that do not.
	burst          = 3
	ceiling        = 6
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
	symptom, probedFor symptom
	// status is how grave the symptom is. began is when something began to be wrong,
	// or to be as grave, and changed when the symptom did.
	status         checks.Status
	began, changed time.Time
	// deep are what probes saw of the symptom shown. They outlive their episode,
	// since what comes and goes may be gone by the time that a round could use
	// them, and serve the next one of the same link.
	deep    *checks.DeepFacts
	shown   symptom
	shownAt time.Time
	// proxied is what probes saw last of a proxy on the way, and nothing else, since
	// no other symptom changes that; nil where there was none.
	proxied *checks.DeepFacts
	// probed has what probes saw that have ended since, running the symptom that
	// they were begun for.
	probed  chan *checks.DeepFacts
	probing sync.WaitGroup
	running symptom
	// begun are the runs of the latest burstIntervals intervals, the last one last, and
	// latest is when the last of all was begun.
	begun  []run
	latest time.Time
	// settled tells that the present symptom has had its run for having lasted, and
	// settledAt when the latest such run was.
	settled   bool
	settledAt time.Time
}

// run is one of the deep probes.
type run struct {
	at      time.Time
	symptom symptom
	// spares tells that it asked nothing of the API server.
	spares bool
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
	e.proxied = nil
	if deep != nil && deep.Proxy != nil {
		e.proxied = &checks.DeepFacts{Time: deep.Time, StepSeconds: deep.StepSeconds, Proxy: deep.Proxy}
	}
	if e.symptom == e.running || e.recall(e.running) == nil {
		e.deep, e.shown, e.shownAt = deep, e.running, time.Now()
	}
	e.running = ""
}

// recall is what probes saw of a symptom; nil where none did of late.
func (e *episode) recall(symptom symptom) *checks.DeepFacts {
	switch {
	case e.deep == nil || symptom == "" || !e.shown.tellsOf(symptom):
		return nil
	case (symptom != e.shown || symptom != e.symptom) && time.Since(e.shownAt) > deepEvery:
		return nil
	default:
		return e.deep
	}
}

// goOn begins, goes on with or ends the episode by what a round showed. Probes
// run beside the rounds, until ctx ends at the latest.
func (e *episode) goOn(ctx context.Context, facts *checks.Facts, symptom symptom, report *checks.Report) {
	if symptom != e.symptom {
		e.changed = time.Now()
	}
	if e.symptom == "" || report.Status.Severity() > e.status.Severity() {
		e.began = e.changed
	}
	e.symptom, e.status = symptom, report.Status
	if symptom == "" {
		e.probedFor = ""
		return
	}
	// A warning has had what is asked of the API server.
	repeats := report.Status != checks.Fail && symptom == e.probedFor
	next := run{at: time.Now(), symptom: symptom, spares: answers(report) || repeats}
	switch {
	case e.running != "" || !e.isWithinBurst(next):
		return
	case e.isDue(report.Status == checks.Fail || goesByProxy(report)):
		e.settled = e.settled && symptom == e.probedFor
	case answers(report) && e.hasSettled():
		e.settled, e.settledAt = true, time.Now()
	default:
		return
	}
	e.running, e.probedFor = symptom, symptom
	e.begun, e.latest = append(e.begun, next), next.at
	probe := e.observer.Deep
	if next.spares {
		probe = e.observer.DeepDNS
	}
	e.probing.Go(func() { e.probed <- probe(ctx, facts) })
}

// isWithinBurst tells that there were not too many runs like the next one of late.
func (e *episode) isWithinBurst(next run) bool {
	e.begun = slices.DeleteFunc(e.begun, func(before run) bool { return next.at.Sub(before.at) >= burstIntervals*e.interval })
	same, alike := 0, 0
	for _, before := range e.begun {
		if before.symptom == next.symptom {
			same++
		}
		if before.spares == next.spares {
			alike++
		}
	}
	return same < burst && alike < ceiling
}

// isDue tells that the symptom is another one, or that it has lasted since the latest
// probes where they are to be made again and again.
func (e *episode) isDue(again bool) bool {
	if e.symptom != e.probedFor {
		return time.Since(e.changed) >= e.putOff(e.changed.Sub(e.began)-promptIntervals*e.interval)
	}
	return again && time.Since(e.latest) >= deepEvery+e.putOff(deepEvery)
}

// putOff is this agent's share of a time, in which a fleet's probes are spread.
func (e *episode) putOff(within time.Duration) time.Duration {
	return time.Duration(e.share * float64(max(0, min(within, deepEvery))))
}

// hasSettled tells that the symptom has lasted since probes were made for it.
func (e *episode) hasSettled() bool {
	lasted := e.symptom == e.probedFor && time.Since(e.latest) >= 2*e.interval
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

// symptom is what the gravest of the checks say, before the deep probes have made a
// cause of it: a line of name and reason for each. It is empty where nothing is wrong.
type symptom string

func symptomOf(report *checks.Report) symptom {
	var lines []string
	for _, result := range report.Checks {
		if result.Status == report.Status && result.Status.Severity() > 0 {
			lines = append(lines, fmt.Sprintf("%s %s", result.Name, result.Reason))
		}
	}
	return symptom(strings.Join(lines, "\n"))
}

// links are the checks that a symptom is of. Those of tls and api are seen in one
// exchange, which fails now here and now there.
func (s symptom) links() (links []checks.Name) {
	for line := range strings.Lines(string(s)) {
		name, _, _ := strings.Cut(line, " ")
		if name == string(checks.TLS) {
			name = string(checks.API)
		}
		links = append(links, checks.Name(name))
	}
	return links
}

// tellsOf tells that what probes saw of a symptom is of use for another: one of the
// same link, and not of the API server where they may have spared that.
func (s symptom) tellsOf(another symptom) bool {
	own, others := s.links(), another.links()
	shares := slices.ContainsFunc(others, func(link checks.Name) bool { return slices.Contains(own, link) })
	return shares && (slices.Contains(own, checks.API) || !slices.Contains(others, checks.API))
}

// wait returns when no probe runs any more.
func (e *episode) wait() { e.probing.Wait() }
