// Package server serves reports over HTTP: the probes /livez, /readyz and
// /healthz, the whole report at /status, and Prometheus metrics at /metrics.
//
// No request causes traffic or work that grows with the number of requests: a
// report is published once a round, and whatever is asked for after that is
// bytes that were made from it once. A Go service that runs rounds of its own
// can mount [Server.Handler] at any path; the agent calls [Server.Serve].
package server

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// Options are what a Server is made of. The zero Options are those of an agent
// with the default interval that is ready from its first round on.
type Options struct {
	// Interval is the time from one round to the next. /healthz holds a report
	// older than three of them for no report, and /livez holds a process for
	// stuck that ended no round in ten of them. Default 15 seconds.
	Interval time.Duration
	// Ready says when /readyz answers 200.
	Ready ReadyPolicy
	// Version and Revision of the program are told by lifeline_build_info.
	Version  string
	Revision string
	// Now tells the time. Default time.Now.
	Now func() time.Time
	// ErrorLog is given what net/http has to complain about, a line each.
	// Default: nobody.
	ErrorLog io.Writer
}

// Server renders reports for whoever asks. Make one with New.
type Server struct {
	options Options
	limits  limits
	metrics http.Handler
	alive   *prepared
	script  *prepared
	// began is when the server was made.
	began time.Time

	// current is never nil: before the first round its report is unknown.
	current atomic.Pointer[snapshot]

	// publishing guards what is carried from one round to the next.
	publishing sync.Mutex
	readiness  readiness
	history    *history
}

// New makes a Server that has no report yet. It starts nothing.
func New(options Options) *Server {
	options.Interval = cmp.Or(options.Interval, 15*time.Second)
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.ErrorLog == nil {
		options.ErrorLog = io.Discard
	}
	options.Ready.Checks = slices.Clone(options.Ready.Checks)

	s := &Server{
		options:   options,
		limits:    defaultLimits(),
		alive:     plain(http.StatusOK, "ok"),
		script:    prepare(http.StatusOK, "text/javascript; charset=utf-8", []byte(pageScript)),
		began:     options.Now(),
		readiness: readiness{policy: options.Ready.withDefaults()},
	}
	s.history = newHistory(s.began, options.Interval)
	s.metrics = s.metricsHandler()
	unknown := &checks.Report{APIVersion: checks.APIVersion, Status: checks.Unknown}
	s.current.Store(s.newSnapshot(unknown, newCounters()))
	return s
}

// Publish makes the report the one that is served. The report must not be
// changed afterwards. Publish is to be called once a round, for the metrics and
// the thresholds of readiness count the calls.
func (s *Server) Publish(report *checks.Report) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.readiness.observe(report)
	s.history.add(s.options.Now(), report)
	s.current.Store(s.newSnapshot(report, s.current.Load().counters.next(report)))
}

// Handler answers all paths of the package. Its links and redirects are
// relative, so that it can be mounted below another path with
// http.StripPrefix.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.route) }
