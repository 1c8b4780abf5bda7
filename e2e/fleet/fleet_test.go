//go:debug tlsmlkem=0

// Package fleet_test is ten thousand agents and the API server that they ask, in
// virtual time. The agents are the real ones, from the loop to the bytes of each
// handshake and request; the network alone is in memory, and without the largest of
// the keys that a handshake has, of which no count goes by.
package fleet_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/observe"
)

var (
	agents = flag.Int("agents", 20, "how many agents there are")
	gone   = flag.Duration("gone", time.Minute, "for how long the API server is gone where it is")
)

// The agent's defaults.
const (
	interval = 15 * time.Second
	timeout  = 5 * time.Second
)

// apiServerAddress is where the environment of every agent has the API server.
var apiServerAddress = netip.MustParseAddrPort("10.96.0.1:443")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is what a fleet goes through.
type scene struct {
	name string
	// agents are how many there are.
	agents int
	// within is the time within which the agents are started, evenly.
	within time.Duration
	// turns are what becomes of the API server, in their order.
	turns []turn
	parts []part
}

// turn is the API server's state from some time on.
type turn struct {
	at    time.Duration
	state state
}

// part is a time of a scene that is summed up.
type part struct {
	name     string
	from, to time.Duration
	// requests and handshakes are what an agent makes at the most from one quarter of
	// a minute to the next.
	requests, handshakes int
	// even tells that a peak may not be above the mean by more than a fifth.
	even bool
}

// scenes are what the API server of a fleet must not suffer from.
func scenes() []scene {
	const (
		start    = 2 * interval
		patience = 2 * time.Minute
		short    = 2 * interval
		// By then each agent has made the connection that it keeps.
		settled = 5 * interval
	)
	back, halves := start+*gone, start+patience
	// Over is by then what was under way as the API server went.
	alone := start + interval
	// What takes long, or is no goal but has to be known, is played with fewer.
	few := min(*agents, max(*agents/10, 1000))
	return []scene{
		{
			name: "all started within a second", agents: *agents, within: time.Second,
			parts: append(settling("", 0, 3, 3), part{"steady", settled, settled + 4*interval, 2, 1, true}),
		},
		{
			name: fmt.Sprintf("refused for %s", *gone), agents: *agents, within: interval,
			turns: []turn{{start, refusing}, {back, well}},
			parts: append([]part{{"meanwhile", alone, back, 0, 0, false}}, settling("back", back, 3, 3)...),
		},
		{
			name: fmt.Sprintf("silent for %s", *gone), agents: few, within: interval,
			turns: []turn{{start, silent}, {back, well}},
			parts: append([]part{{"meanwhile", alone, back, 0, 0, false}}, settling("back", back, deepMost, deepMost)...),
		},
		{
			name: fmt.Sprintf("429 for %s, Retry-After %d", patience, retryAfter), agents: *agents, within: interval,
			turns: []turn{{start, overloaded}, {start + patience, well}},
			parts: append([]part{{"meanwhile", start, start + patience, 2, 1, false}}, settling("after", start+patience, 3, 3)...),
		},
		{
			name: fmt.Sprintf("refused for %s, then 500 for %s", patience, short), agents: few, within: interval,
			turns: []turn{{start, refusing}, {halves, starting}, {halves + short, well}},
			parts: append([]part{{"half back", halves, halves + short, deepMost, deepMost, false}}, settling("back", halves+short, deepMost, deepMost)...),
		},
		{
			name: fmt.Sprintf("500 for %s", 2*short), agents: few, within: interval,
			turns: []turn{{start, starting}, {start + 2*short, well}},
			parts: append([]part{
				{"two intervals", start, start + short, deepMost, deepMost, false},
				{"from the third", start + short, start + 2*short, 2, 1, false},
			}, settling("back", start+2*short, 3, 3)...),
		},
	}
}

// deepMost is what an agent asks in an interval with deep probes: ten requests of
// these and one over the connection that is kept, a round with a retry before them
// and one right after them, and the turn of the kept connection.
const deepMost = 15

// settling are the first two intervals after something, in which an agent makes that
// many requests and handshakes at the most, and what is to be even again.
func settling(after string, from time.Duration, requests, handshakes int) []part {
	named := func(name string) string { return strings.TrimPrefix(after+", "+name, ", ") }
	return []part{
		{named("two intervals"), from, from + 2*interval, requests, handshakes, false},
		{named("from the third"), from + 2*interval, from + 4*interval, 2, 2, true},
	}
}

func (s scene) length() time.Duration { return s.parts[len(s.parts)-1].to }

func TestAFleetIsNoBurden(t *testing.T) {
	certificate, folder := credentials(t)
	scenes := scenes()
	rows := make([][]row, len(scenes))
	t.Run("scenes", func(t *testing.T) {
		for i, scene := range scenes {
			t.Run(scene.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rows[i] = scene.play(t, serve(certificate, newTraffic(scene.agents, scene.length())), folder)
				})
			})
		}
	})
	t.Log(table(rows))
}

// play has the fleet go through the scene.
func (s scene) play(t *testing.T, server *apiServer, folder string) []row {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.length())
	defer cancel()
	for _, turn := range s.turns {
		defer time.AfterFunc(turn.at, func() { server.become(turn.state) }).Stop()
	}
	var running sync.WaitGroup
	for number := range s.agents {
		running.Go(func() {
			time.Sleep(time.Duration(number) * s.within / time.Duration(s.agents))
			runAgent(ctx, server, number, folder)
		})
	}
	running.Wait()
	server.end()
	rows := make([]row, 0, len(s.parts))
	for _, part := range s.parts {
		rows = append(rows, s.sumUp(t, part, server.traffic))
	}
	return rows
}

// runAgent is what the program does, by its defaults and without its surfaces. The
// checks of what is no matter of the API server are left out.
func runAgent(ctx context.Context, server *apiServer, number int, folder string) {
	pod := checks.Pod{
		Environment: map[string]string{
			"KUBERNETES_SERVICE_HOST": apiServerAddress.Addr().String(),
			"KUBERNETES_SERVICE_PORT": fmt.Sprint(apiServerAddress.Port()),
		},
		Hostname:          fmt.Sprintf("lifeline-%05d", number),
		ServiceAccountDir: folder,
		MountInfo:         filepath.Join(folder, "none"),
		Routes:            filepath.Join(folder, "none"),
	}
	observer := &observe.Observer{
		Pod:       pod,
		Timeout:   timeout,
		Skip:      []checks.Name{checks.Environment, checks.DNS, checks.Token, checks.CA},
		UserAgent: nameOf(number),
		Dial:      server.dialer(number),
	}
	defer observer.Close()
	rounds.Loop{
		Observer: observer, Publisher: nobody{}, Interval: interval, Limit: 2*timeout + time.Second, Identity: pod.Identity(),
	}.Run(ctx)
}

// nobody reads no report.
type nobody struct{}

func (nobody) Publish(*checks.Report) {}

// unevenness is what a peak may be above the mean.
const unevenness = 1.2

// noise is what the peak may be above that in a fleet that is smaller than ten
// thousand: four standard deviations of a second's count.
func noise(agents int, mean float64) float64 {
	const full = 10_000
	if agents >= full {
		return 0
	}
	return 4 / math.Sqrt(mean)
}

func (s scene) sumUp(t *testing.T, part part, traffic *traffic) row {
	t.Helper()
	requests, handshakes := traffic.requests.within(part.from, part.to), traffic.handshakes.within(part.from, part.to)
	if requests.most > part.requests || handshakes.most > part.handshakes {
		t.Errorf("%s: an agent made %d requests and %d handshakes in an interval, want %d and %d at the most",
			part.name, requests.most, handshakes.most, part.requests, part.handshakes)
	}
	if limit := unevenness + noise(s.agents, requests.mean); part.even && requests.peakOverMean() > limit {
		t.Errorf("%s: the peak is %.2f times the mean, want %.2f at the most", part.name, requests.peakOverMean(), limit)
	}
	settled := traffic.requests.settled(part.from, s.length(), 2*interval)
	return row{scene: s.name, agents: s.agents, part: part.name, requests: requests, handshakes: handshakes, settled: settled}
}
