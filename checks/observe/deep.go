package observe

import (
	"context"
	"fmt"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// deepLimit bounds all deep probes together.
const deepLimit = 10 * time.Second

// Deep makes the deep probes for facts that a round has seen. They cost the API
// server about a dozen requests, so they are for the start of an episode and for
// one-shot runs. It returns within ten seconds, and may run while Observe does.
func (o *Observer) Deep(ctx context.Context, facts *checks.Facts) *checks.DeepFacts {
	ctx, cancel := context.WithTimeout(ctx, deepLimit)
	defer cancel()
	r := o.newRound()
	// Of its own, since that of the rounds is in use.
	r.memory = &memory{}
	r.facts.Environment = r.environment()
	r.facts.Token = r.serviceAccountToken()
	r.facts.CA = r.authorities()
	deep := &checks.DeepFacts{Time: r.facts.Time, Panics: make(map[string]string)}
	start := time.Now()
	probe := func(name string, look func()) func() {
		return func() {
			defer func() {
				if value := recover(); value != nil {
					r.mu.Lock()
					defer r.mu.Unlock()
					deep.Panics[name] = clip(fmt.Sprint(value), maxMessage)
				}
			}()
			look()
		}
	}
	together(
		probe("dns", func() { deep.DNS = r.deepDNS(ctx, facts) }),
		probe("path", func() { deep.Path = r.deepPath(ctx, facts) }),
		probe("api", func() { deep.API = r.deepAPI(ctx, facts) }),
	)
	deep.Seconds = time.Since(start).Seconds()
	return deep
}
