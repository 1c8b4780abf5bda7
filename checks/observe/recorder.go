package observe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxBody bounds a response body; that of /api is below 1 KiB.
const maxBody = 64 << 10

var (
	errBodyTooLarge = errors.New("the response body is larger than 64 KiB")
	errHeadTooLarge = errors.New("the response head is larger than 64 KiB")
)

// recorder is the RoundTripper under the retrying client. It turns each try
// into an Exchange, its body read to the end.
type recorder struct {
	round      *round
	dialer     *dialer
	transport  *transport
	serverName string
	// plain tells that no TLS is spoken.
	plain     bool
	exchanges []checks.Exchange
}

// RoundTrip makes one try.
func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, seen, err := r.transport.roundTrip(request)
	exchange := r.exchange(seen)
	if err != nil {
		exchange.Failure = r.round.failure(err)
		if exchange.TLS != nil && exchange.Stage == checks.StageTLS {
			exchange.TLS.Failure = exchange.Failure
		}
		if exchange.TCP = seen.tcp; exchange.TCP == nil {
			exchange.TCP = r.dialer.tcp()
		}
		r.exchanges = append(r.exchanges, exchange)
		return nil, err
	}
	err = r.readResponse(&exchange, response)
	exchange.Failure = r.round.failure(err)
	exchange.TCP = r.dialer.tcp()
	r.exchanges = append(r.exchanges, exchange)
	if err != nil {
		return nil, err
	}
	return response, nil
}

// failure is that of an exchange of HTTP.
func (r *round) failure(err error) *checks.Failure {
	told := failure(err)
	if told == nil {
		return nil
	}
	// A parser quotes what it cannot parse of a response.
	told.Message = clip(r.scrub(err.Error()), maxMessage)
	switch {
	case errors.Is(err, errBodyTooLarge), errors.Is(err, errHeadTooLarge):
		told.Kind = checks.TooLarge
	case errors.Is(err, errNotHTTP):
		told.Kind = checks.Invalid
	}
	return told
}

// exchange tells how far a try came from what was seen of it.
func (r *recorder) exchange(seen seen) checks.Exchange {
	address, connecting, dialErr := r.dialer.last()
	exchange := checks.Exchange{Address: address, Reused: seen.reused, Stage: checks.StageConnect}
	if !seen.reused {
		exchange.Phases.ConnectSeconds = connecting.Seconds()
	}
	if dialErr != nil && !seen.reused {
		return exchange
	}
	if !seen.tlsStart.IsZero() {
		exchange.Stage = checks.StageTLS
		exchange.Phases.TLSSeconds = between(seen.tlsStart, seen.tlsDone)
		exchange.TLS = r.handshake(seen, exchange.Phases.TLSSeconds)
	}
	if seen.reused || r.plain || exchange.TLS != nil && exchange.TLS.Verified {
		exchange.Stage = checks.StageResponse
	}
	if !seen.wrote.IsZero() {
		exchange.Phases.FirstByteSeconds = between(seen.wrote, seen.firstByte)
	}
	return exchange
}

// between is the time from one moment to another, or to now where the other
// did not come.
func between(start, end time.Time) float64 {
	if end.IsZero() {
		return time.Since(start).Seconds()
	}
	return end.Sub(start).Seconds()
}

func (r *recorder) handshake(seen seen, seconds float64) *checks.TLSFacts {
	facts := &checks.TLSFacts{ServerName: r.serverName, Seconds: seconds}
	chain := seen.state.PeerCertificates
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(seen.tlsErr, &untrusted):
		// crypto/tls hands the chain out with its refusal, so it can be looked
		// at although nothing was said over the connection.
		chain = untrusted.UnverifiedCertificates
	case seen.tlsErr == nil && !seen.tlsDone.IsZero():
		facts.Verified = true
		facts.Strict = readStrictly(seen.state.VerifiedChains)
		facts.Version = tls.VersionName(seen.state.Version)
		facts.CipherSuite = tls.CipherSuiteName(seen.state.CipherSuite)
	}
	facts.Failure = failure(seen.tlsErr)
	for _, certificate := range chain[:min(len(chain), maxChain)] {
		facts.Chain = append(facts.Chain, r.round.certificate(certificate))
	}
	return facts
}

// maxChain bounds the certificates that are kept of one chain.
const maxChain = 10

// readResponse reads the whole response and leaves a body that can be read
// again.
func (r *recorder) readResponse(exchange *checks.Exchange, response *http.Response) error {
	start := time.Now()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	_ = response.Body.Close()
	exchange.Phases.BodySeconds = time.Since(start).Seconds()
	exchange.Stage = checks.StageBody
	if err == nil && len(body) > maxBody {
		err = errBodyTooLarge
	}
	exchange.Response = describe(response, body, r.round.pod.Now(), r.round.scrub)
	if err != nil {
		// The end of the context closes the connection under the read.
		return cmp.Or(response.Request.Context().Err(), err)
	}
	exchange.Stage = checks.StageDone
	response.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// mayPass tells the retrying client whether a failure is one that a second try
// may not meet. A wait that ran out leaves no time for one: with less than half
// of the time limit left, its own running out would hide what the first try met.
// An answer of the API server is not argued with, and one that fails round after
// round is not asked twice in each.
func (r *recorder) mayPass(ctx context.Context, response *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil || len(r.exchanges) != 1 || time.Until(r.dialer.deadline) < r.round.timeout/2:
		return false, nil //nolint:nilerr // the client returns the error of the try itself
	case err == nil:
		lasts := r.round.memory.past.latest().Status >= http.StatusInternalServerError
		return response.StatusCode >= http.StatusInternalServerError && !lasts && response.Header.Get("Retry-After") == "", nil
	}
	return slices.Contains([]checks.FailureKind{checks.Refused, checks.Reset, checks.Closed}, r.exchanges[0].Failure.Kind), nil
}
