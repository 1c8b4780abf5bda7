package server

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kube-lifeline/lifeline/checks"
)

// registry has all that /metrics tells.
func (s *Server) registry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(s),
		// Of the Go runtime the base metrics only: memory is best seen from
		// outside, by process_resident_memory_bytes.
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// metricsHandler answers /metrics out of a registry of its own.
func (s *Server) metricsHandler() http.Handler {
	metrics := promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
		// A compressor would take up more memory than all metrics together.
		DisableCompression:  true,
		MaxRequestsInFlight: 8,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		metrics.ServeHTTP(w, r)
	})
}

// collector makes metrics out of the server's present snapshot. A value that is
// not known is absent. Labels are names out of this module's own lists; what a
// server said, an address or an error, is never among them.
type collector struct {
	server       *Server
	descriptions []*prometheus.Desc

	buildInfo, interval, roundsTotal, roundDuration, lastRound *prometheus.Desc

	healthy, cause, episodes *prometheus.Desc

	checkStatus, checkDuration, checkReason         *prometheus.Desc
	checkFailures, consecutiveFailures, lastSuccess *prometheus.Desc

	accessWorks *prometheus.Desc

	dnsLookupDuration, apiPhaseDuration, apiRoundTripDuration, clockSkew *prometheus.Desc

	tokenIssued, tokenRotationDue, tokenExpiry *prometheus.Desc

	caNotBefore, caExpiry                                 *prometheus.Desc
	servingCertificateNotBefore, servingCertificateExpiry *prometheus.Desc
}

func newCollector(s *Server) *collector {
	var descriptions []*prometheus.Desc
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		unit := ""
		if strings.HasSuffix(name, "_seconds") {
			unit = "seconds"
		}
		description := prometheus.V2.NewDesc("lifeline_"+name, help, prometheus.UnconstrainedLabels(labels), nil, prometheus.WithUnit(unit))
		descriptions = append(descriptions, description)
		return description
	}
	c := &collector{
		server: s,

		buildInfo:     describe("build_info", "Always 1; the labels tell which Lifeline this is.", "version", "goversion", "revision"),
		interval:      describe("interval_seconds", "The configured time from one round to the next."),
		roundsTotal:   describe("rounds_total", "Rounds ended."),
		roundDuration: describe("round_duration_seconds", "How long the observing of a round took."),
		lastRound:     describe("last_round_timestamp_seconds", "When the observing of the last round began."),

		healthy:  describe("healthy", "1 if /healthz answers 200: no check fails, and the last round is not old; 0 if not."),
		cause:    describe("cause", "The place in the diagnosis of each of the first causes that it names: 1 is what to mend first.", "check", "reason", "status", "certainty"),
		episodes: describe("episodes_total", "How often a time began in which a check failed, by a failing round after one in which none did."),

		checkStatus:         describe("check_status", "1 for the status that the check has, 0 for the others.", "check", "status"),
		checkDuration:       describe("check_duration_seconds", "How long observing took for the check in the last round.", "check"),
		checkReason:         describe("check_reason", "1 for the reason why the check is not ok at present.", "check", "reason"),
		checkFailures:       describe("check_failures_total", "Rounds in which the check failed. After many different reasons the further ones are counted as other.", "check", "reason"),
		consecutiveFailures: describe("check_consecutive_failures", "How many rounds in a row the check has failed up to now.", "check"),
		lastSuccess:         describe("check_last_success_timestamp_seconds", "When the last round began in which the check passed, with or without a warning.", "check"),

		accessWorks: describe("access_works", "1 if a client that reaches the API in this way would get its answer, 0 if not.", "path"),

		dnsLookupDuration:    describe("dns_lookup_duration_seconds", "How long the lookup of the API server's name took in the last round."),
		apiPhaseDuration:     describe("api_phase_duration_seconds", "How long each phase of the request to the API server took in the last round.", "phase"),
		apiRoundTripDuration: describe("api_round_trip_duration_seconds", "How long the API server took to answer, from dialling to the end of the body, in the rounds in which it answered as it should."),
		clockSkew:            describe("clock_skew_seconds", "The API server's clock less the pod's, exact to a second."),

		tokenIssued:      describe("token_issued_timestamp_seconds", "When the service-account token was issued."),
		tokenRotationDue: describe("token_rotation_due_timestamp_seconds", "When kubelet is to begin to replace the service-account token."),
		tokenExpiry:      describe("token_expiry_timestamp_seconds", "When the service-account token expires."),

		caNotBefore:                 describe("ca_not_before_timestamp_seconds", "When the certificate in ca.crt that expires last began to be valid."),
		caExpiry:                    describe("ca_expiry_timestamp_seconds", "When the last certificate in ca.crt expires."),
		servingCertificateNotBefore: describe("serving_certificate_not_before_timestamp_seconds", "When the certificate that the API server presents began to be valid."),
		servingCertificateExpiry:    describe("serving_certificate_expiry_timestamp_seconds", "When the certificate that the API server presents expires."),
	}
	c.descriptions = descriptions
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range c.descriptions {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	out := samples(metrics)
	current := c.server.current.Load()

	options := c.server.options
	out.gauge(c.buildInfo, 1, options.Version, runtime.Version(), options.Revision)
	out.gauge(c.interval, options.Interval.Seconds())
	c.rounds(out, current.counters)
	if current.report.Status != checks.Unknown {
		out.timestamp(c.lastRound, current.report.Time)
	}
	out.gauge(c.healthy, oneIf(c.server.healthy(current, nil)))
	c.causes(out, current.report.Diagnosis)
	for _, result := range current.report.Checks {
		c.result(out, result)
		c.details(out, result.Details)
	}
	for _, access := range current.report.Access {
		out.gauge(c.accessWorks, oneIf(access.Works), access.Path)
	}
}

func (c *collector) rounds(out samples, past counters) {
	out.counter(c.roundsTotal, past.rounds)
	out.histogram(c.roundDuration, past.durations)
	out.histogram(c.apiRoundTripDuration, past.roundTrips)
	out.counter(c.episodes, past.episodes)
	for failure, count := range past.failures {
		out.counter(c.checkFailures, count, string(failure.check), string(failure.reason))
	}
	for check, at := range past.lastSuccess {
		out.timestamp(c.lastSuccess, at, string(check))
	}
}

// causesTold is how many causes have a series. A pod in which more is wrong at once
// has its report to be read.
const causesTold = 5

func (c *collector) causes(out samples, diagnosis []checks.Finding) {
	for i, cause := range diagnosis[:min(len(diagnosis), causesTold)] {
		out.gauge(c.cause, float64(i+1), string(cause.Check), string(cause.Reason), string(cause.Severity), string(cause.Certainty))
	}
}

func (c *collector) result(out samples, result checks.Result) {
	check := string(result.Name)
	for _, status := range []checks.Status{checks.OK, checks.Warn, checks.Fail, checks.Skip} {
		out.gauge(c.checkStatus, oneIf(result.Status == status), check, string(status))
	}
	out.positive(c.checkDuration, result.DurationSeconds, check)
	if result.Reason != "" {
		out.gauge(c.checkReason, 1, check, string(result.Reason))
	}
	failures := uint64(0)
	if result.Status == checks.Fail {
		failures = result.Consecutive
	}
	out.gauge(c.consecutiveFailures, float64(failures), check)
}

func (c *collector) details(out samples, details any) {
	switch details := details.(type) {
	case *checks.DNSDetails:
		if details != nil {
			out.positive(c.dnsLookupDuration, details.Lookup.Seconds)
		}
	case *checks.TokenDetails:
		c.token(out, details)
	case *checks.CADetails:
		// While a CA is rotated the old one stays in until it has ended, and the
		// check goes by the other one.
		if details != nil && details.LastExpiry != nil {
			out.timestamp(c.caNotBefore, details.LastExpiry.NotBefore)
			out.timestamp(c.caExpiry, details.LastExpiry.NotAfter)
		}
	case *checks.TLSDetails:
		if details != nil && len(details.Chain) > 0 {
			out.timestamp(c.servingCertificateNotBefore, details.Chain[0].NotBefore)
			out.timestamp(c.servingCertificateExpiry, details.Chain[0].NotAfter)
		}
	case *checks.APIDetails:
		c.api(out, details)
	}
}

func (c *collector) token(out samples, details *checks.TokenDetails) {
	if details == nil || details.Claims == nil {
		return
	}
	out.timestamp(c.tokenIssued, details.Claims.IssuedAt)
	out.timestamp(c.tokenRotationDue, details.RotationDueAt)
	out.timestamp(c.tokenExpiry, details.Claims.ExpiresAt)
}

func (c *collector) api(out samples, details *checks.APIDetails) {
	// While requests are held back, the attempt is one of an earlier round.
	if details == nil || !details.HeldUntil.IsZero() {
		return
	}
	if details.ClockSkewSeconds != nil {
		out.gauge(c.clockSkew, *details.ClockSkewSeconds)
	}
	if details.ServiceHost == nil {
		return
	}
	// A try over the connection of the one before has no connect and no TLS of
	// its own; those are of the try that made the connection.
	var phases checks.Phases
	for _, exchange := range details.ServiceHost.Exchanges {
		if !exchange.Reused {
			phases = checks.Phases{}
		}
		phases = checks.Phases{
			ConnectSeconds:   max(phases.ConnectSeconds, exchange.Phases.ConnectSeconds),
			TLSSeconds:       max(phases.TLSSeconds, exchange.Phases.TLSSeconds),
			FirstByteSeconds: exchange.Phases.FirstByteSeconds,
			BodySeconds:      exchange.Phases.BodySeconds,
		}
	}
	out.positive(c.apiPhaseDuration, phases.ConnectSeconds, "connect")
	out.positive(c.apiPhaseDuration, phases.TLSSeconds, "tls")
	out.positive(c.apiPhaseDuration, phases.FirstByteSeconds, "first_byte")
	out.positive(c.apiPhaseDuration, phases.BodySeconds, "body")
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

// samples takes metrics. One that cannot be made, since a label is not UTF-8,
// is handed on as an error of the scrape and not as a panic.
type samples chan<- prometheus.Metric

func (s samples) put(metric prometheus.Metric, err error, desc *prometheus.Desc) {
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	s <- metric
}

func (s samples) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	metric, err := prometheus.NewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	s.put(metric, err, desc)
}

func (s samples) counter(desc *prometheus.Desc, value uint64, labels ...string) {
	metric, err := prometheus.NewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	s.put(metric, err, desc)
}

func (s samples) histogram(desc *prometheus.Desc, h histogram) {
	metric, err := prometheus.NewConstHistogram(desc, h.count, h.sum, h.buckets())
	s.put(metric, err, desc)
}

// positive is a gauge of what is zero only where it was not measured.
func (s samples) positive(desc *prometheus.Desc, value float64, labels ...string) {
	if value > 0 {
		s.gauge(desc, value, labels...)
	}
}

// timestamp is a gauge of seconds since 1970, absent for the zero time.
func (s samples) timestamp(desc *prometheus.Desc, at time.Time, labels ...string) {
	if !at.IsZero() {
		s.gauge(desc, float64(at.Unix())+float64(at.Nanosecond())/1e9, labels...)
	}
}
