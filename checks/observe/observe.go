// Package observe sees how a pod's way to the Kubernetes API is. It is the one
// package that does I/O, and it judges nothing: what comes out are
// [checks.Facts].
//
// Whatever it meets, a round ends within two time limits of a probe and holds
// a bounded amount of memory: files, answers, headers and bodies are read up to
// a limit and their strings cut.
package observe

import (
	"context"
	"crypto/x509"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/kube-lifeline/lifeline/checks"
)

// DefaultTimeout is the time limit of a probe where none is set.
const DefaultTimeout = 5 * time.Second

// Observer watches one pod. Its zero value watches the zero [checks.Pod] with the
// defaults. Observe must not run twice at once. An Observer that is done with
// must be closed, since it keeps a connection to the API server.
type Observer struct {
	Pod checks.Pod
	// Timeout bounds each of two probes: all DNS lookups together, and each
	// round trip with its retry. Default DefaultTimeout.
	Timeout time.Duration
	// Skip are the checks to leave out.
	Skip []checks.Name
	// KubectlProxyURL is where a kubectl proxy serves in the pod, as
	// ParseKubectlProxyURL takes it. Default none, and then the check
	// kubectl-proxy is not made.
	KubectlProxyURL string
	// UserAgent is sent to the API server. Default "lifeline".
	UserAgent string
	// Dial connects over TCP: to the API server, and to what deep probes compare it
	// with and to a proxy on the way. Whoever it leads to has to prove itself by ca.crt
	// as ever. Default that of the zero [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log hears of retries. Nothing does by default.
	Log retryablehttp.LeveledLogger

	memory memory
	// kept is asked by rounds and by deep probes.
	kept longLived
}

// memory is what an Observer keeps from one round to the next.
type memory struct {
	// hold is the Retry-After of the last round trip.
	hold hold
	// lookups counts lookups, for the option rotate.
	lookups int
	// mounts is nil until the table of mounts is read. A container's mounts are
	// made before it starts, and the kernel takes long to list them.
	mounts *mountFacts
	clock  clock
	past   past
}

// Observe looks at every link once. It returns when all is seen, at the latest
// when the time limits have passed or ctx ends.
func (o *Observer) Observe(ctx context.Context) *checks.Facts {
	r := o.newRound()
	start := time.Now()
	r.memory.clock.read(r.facts.Time, start)
	r.facts.History = r.memory.past.history(r.memory.clock)
	waiting := waitForProcessor()
	r.run(ctx)
	r.facts.Process = r.process(waiting.stop())
	r.facts.DurationSeconds = time.Since(start).Seconds()
	r.memory.past.add(r.facts)
	return r.facts
}

func (o *Observer) newRound() *round {
	pod := o.Pod.WithDefaults()
	return &round{
		pod:     pod,
		timeout: o.timeout(),
		agent:   o.userAgent(),
		proxy:   o.KubectlProxyURL,
		dial:    o.dial(),
		clamped: o.clamped(),
		skip:    o.Skip,
		log:     o.Log,
		memory:  &o.memory,
		kept:    &o.kept,
		facts: &checks.Facts{
			Version:  checks.FactsVersion,
			Time:     pod.Now(),
			Hostname: clip(pod.Hostname, maxNameLength),
			DownwardAPI: checks.Identity{
				Name:           clip(pod.Environment["POD_NAME"], maxNameLength),
				Namespace:      clip(pod.Environment["POD_NAMESPACE"], maxNameLength),
				Node:           clip(pod.Environment["NODE_NAME"], maxNameLength),
				ServiceAccount: clip(pod.Environment["POD_SERVICE_ACCOUNT"], maxNameLength),
				UID:            clip(pod.Environment["POD_UID"], maxNameLength),
			},
			Skipped:      slices.Clone(o.Skip),
			Panics:       make(map[checks.Name]string),
			Certificates: make(map[string][]byte),
		},
	}
}

func (o *Observer) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultTimeout
}

// dial connects over TCP.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

func (o *Observer) dial() dial {
	if o.Dial != nil {
		return o.Dial
	}
	return new(net.Dialer).DialContext
}

// clamped connects with small segments; nil where that cannot be had.
func (o *Observer) clamped() dial {
	control := segmentClamp()
	if o.Dial != nil || control == nil {
		return nil
	}
	return (&net.Dialer{Control: control}).DialContext
}

func (o *Observer) userAgent() string {
	if o.UserAgent != "" {
		return o.UserAgent
	}
	return "lifeline"
}

// round is one pass over the links. Its unexported parts are what one probe
// hands to the next and no fact may hold.
type round struct {
	pod     checks.Pod
	timeout time.Duration
	agent   string
	proxy   string
	dial    dial
	clamped dial
	skip    []checks.Name
	log     retryablehttp.LeveledLogger
	memory  *memory
	kept    *longLived

	mu    sync.Mutex // guards the maps of facts
	facts *checks.Facts

	token string
	roots *x509.CertPool
}

func (r *round) run(ctx context.Context) {
	r.read()
	named := make(chan struct{})
	together(func() {
		defer close(named)
		if r.wants(checks.DNS) || r.needsLookup() {
			r.observe(checks.DNS, func() { r.facts.DNS = r.lookups(ctx) })
		}
	}, func() {
		if r.wants(checks.TLS) || r.wants(checks.API) {
			r.observe(checks.API, func() { r.facts.API = r.api(ctx, named) })
		}
	}, func() {
		if r.proxy != "" && r.wants(checks.KubectlProxy) {
			r.observe(checks.KubectlProxy, func() { r.facts.KubectlProxy = r.kubectlProxy(ctx) })
		}
	})

	r.observe(checks.Token, r.noticeRotation)
}

// read is what costs no packet. The API probe needs it, so it comes first even where
// the checks of its parts are left out.
func (r *round) read() {
	r.observe(checks.Environment, func() { r.facts.Environment = r.environment() })
	r.observe(checks.Token, func() { r.facts.Token = r.serviceAccountToken() })
	r.observe(checks.CA, func() { r.facts.CA = r.authorities() })
}

func (r *round) wants(name checks.Name) bool { return !slices.Contains(r.skip, name) }

// observe keeps a failing of one check's code from reaching the others.
func (r *round) observe(name checks.Name, look func()) {
	defer func() {
		if value := recover(); value != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.facts.Panics[name] = clip(checks.Recovered(value).String(), maxMessage)
		}
	}()
	look()
}

// together runs functions at once and returns when all have ended. A panic of
// any becomes a panic of the caller, whose check it then fails; in a goroutine
// of its own it would end the process.
func together(functions ...func()) {
	var running sync.WaitGroup
	panics := make(chan checks.Panic, len(functions))
	for _, function := range functions {
		running.Go(func() {
			defer func() {
				if value := recover(); value != nil {
					panics <- checks.Recovered(value)
				}
			}()
			function()
		})
	}
	running.Wait()
	select {
	case value := <-panics:
		panic(value)
	default:
	}
}

// ended tells whether ctx is over: cancelled, or past its deadline. The timer that
// ends a context may lag behind where many goroutines wait for a processor, while
// the connections go by the clock and fail already.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}
