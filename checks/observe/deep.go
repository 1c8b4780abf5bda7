package observe

import (
	"context"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// deepSteps are the steps of deep probes that follow one another at the most:
// three queries to a nameserver, the pairs of queries, and one to spare.
const deepSteps = 5

// step is the time limit of one step of a deep probe, 2 s by default. All steps
// together take two time limits of a probe at the most, so that a cause which
// only they tell is told within two intervals: a round may begin an interval
// after the fault, takes a third of one and is followed by these.
func (r *round) step() time.Duration { return 2 * r.timeout / deepSteps }

// Deep makes the deep probes for facts that a round has seen. They cost the API
// server about a dozen requests, so they are for the start of an episode and for
// one-shot runs. It returns within twice Timeout, and may run while Observe does.
func (o *Observer) Deep(ctx context.Context, facts *checks.Facts) *checks.DeepFacts {
	return o.deep(ctx, facts, true)
}

// DeepDNS makes those deep probes that ask nothing of the API server, for where it
// answers as it should. A proxy on the way to it is tried all the same, by one
// handshake.
func (o *Observer) DeepDNS(ctx context.Context, facts *checks.Facts) *checks.DeepFacts {
	return o.deep(ctx, facts, false)
}

func (o *Observer) deep(ctx context.Context, facts *checks.Facts, asksAPI bool) *checks.DeepFacts {
	r := o.newRound()
	ctx, cancel := context.WithTimeout(ctx, deepSteps*r.step())
	defer cancel()
	// Of its own, since that of the rounds is in use.
	r.memory = &memory{}
	r.read()
	deep := &checks.DeepFacts{Time: r.facts.Time, StepSeconds: r.step().Seconds(), Panics: make(map[string]string)}
	for name, told := range r.facts.Panics {
		deep.Panics[string(name)] = told
	}
	start, waiting := time.Now(), waitForProcessor()
	probe := func(name string, look func()) func() {
		return func() {
			defer func() {
				if value := recover(); value != nil {
					r.mu.Lock()
					defer r.mu.Unlock()
					deep.Panics[name] = clip(checks.Recovered(value).String(), maxMessage)
				}
			}()
			look()
		}
	}
	together(
		probe("dns", func() { deep.DNS = r.deepDNS(ctx, facts) }),
		probe("path", func() { deep.Path = r.deepPath(ctx, facts, asksAPI) }),
		probe("api", func() {
			if asksAPI {
				deep.API = r.deepAPI(ctx, facts)
			}
		}),
		probe("proxy", func() { deep.Proxy = r.deepProxy(ctx, facts) }),
	)
	waited := waiting.stop()
	deep.WaitedSeconds, deep.LongestWaitSeconds = waited.total.Seconds(), waited.longest.Seconds()
	deep.Seconds = time.Since(start).Seconds()
	return deep
}
