package observe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// askEvery is from one turn to the next of asking over the connection that is
	// kept: with the default interval it is then idle for a minute at the most,
	// and a kube-apiserver ends one that was idle for 90 s (apiserver
	// pkg/server/secure_serving.go).
	askEvery = 50 * time.Second
	// withoutHTTP2 is how long a server is left in peace that does not speak it.
	withoutHTTP2 = 10 * time.Minute
)

// errNoHTTP2 is met where a server speaks HTTP/1.1 alone.
var errNoHTTP2 = errors.New("the server does not speak HTTP/2")

// longLived is the HTTP/2 connection to the API server that an Observer keeps,
// as an application has one in its pool (client-go has one a host). It is never
// replaced while it is asked.
type longLived struct {
	// every stands for askEvery where it is set.
	every time.Duration

	// asking is held by who asks. A round and deep probes may want to at once.
	asking sync.Mutex
	// turn is the latest turn of this pod that has passed, the zero Time before the
	// first round.
	turn time.Time
	// notBefore is when the server may be asked next, by the pod's clock.
	notBefore time.Time
	// conversation is nil where there is no connection now. conn is what it goes
	// over, and raw what that goes over.
	conversation *http2Conversation
	conn, raw    net.Conn
	target       target
	// answeredAt is when the latest answer came over it.
	answeredAt time.Time
	// doubt is a request that had no answer since, nil where there is none. A
	// server that hangs for a moment looks the same, so one is not told by itself.
	doubt *checks.LongLivedRequest

	mu    sync.Mutex // guards facts, which are also read while somebody asks
	facts checks.LongLivedFacts
}

// keep asks over the connection that is kept where it is this pod's turn, and makes
// one where there is none and the API server has just taken the token over a new
// one. Turns go by the clock and are the pod's own, so that agents which start at
// once, or are let in again at once, neither make nor ask at once.
func (r *round) keep(ctx context.Context, pulse checks.Exchange, limit time.Duration) *checks.LongLivedFacts {
	kept := r.kept
	if !kept.asking.TryLock() {
		return kept.told()
	}
	defer kept.asking.Unlock()
	// However many connections it takes.
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	where := target{host: r.serviceHost(), port: pulse.Address.Port(), addresses: []netip.Addr{pulse.Address.Addr()}}
	if kept.conversation != nil && kept.target.url() != where.url() {
		kept.drop()
	}
	now := r.pod.Now()
	due := kept.hasTurn(now, checks.Share(r.pod.Identity(), "kept connection"))
	if now.Before(kept.notBefore) || ctx.Err() != nil {
		return kept.told()
	}
	// In doubt it is asked again as soon as a new connection is answered.
	ask := due
	if kept.doubt != nil {
		ask = pulse.Response != nil
	}
	if kept.conversation != nil && ask {
		before := kept.doubt
		path := readyPath
		if before != nil {
			// What had no answer may be that one question, and not the connection.
			path = apiPath
		}
		if request, ok := kept.ask(ctx, r, path); ok {
			request.NewAnswered = pulse.Response != nil
			if silentLikeNew(&request) {
				kept.drop()
			} else {
				kept.settle(request, before)
			}
			return kept.told()
		}
	}
	if kept.conversation == nil && due && tookToken(pulse.Response) {
		kept.make(ctx, r, where)
	}
	return kept.told()
}

// askKept asks at once over the connection that is kept, for a deep probe. It
// returns nil where there is none, or where a round is asking.
func (r *round) askKept(ctx context.Context) *checks.LongLivedRequest {
	kept := r.kept
	if !kept.asking.TryLock() {
		return nil
	}
	defer kept.asking.Unlock()
	if kept.conversation == nil || r.pod.Now().Before(kept.notBefore) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.step())
	defer cancel()
	request, ok := kept.ask(ctx, r, apiPath)
	if !ok {
		return nil
	}
	if request.Status != 0 {
		// An answer after less than the usual idle time tells a round nothing.
		kept.doubt = nil
	} else if kept.doubt == nil && kept.conversation != nil {
		doubt := request
		kept.doubt = &doubt
	}
	return &request
}

// silentLikeNew tells a connection that is silent where new ones are too. It is
// given up: TCP would send what was lost again only long after the others are well
// (RFC 6298 section 5.5), and it would be told as dead by itself.
func silentLikeNew(request *checks.LongLivedRequest) bool {
	return request != nil && request.Failure != nil && !request.NewAnswered
}

// giveUp drops the connection, unless a round asks over it at the moment.
func (l *longLived) giveUp() {
	if l.asking.TryLock() {
		defer l.asking.Unlock()
		l.drop()
	}
}

// settle remembers a request unless it is the first that had no answer. One that
// had none again ends the connection.
func (l *longLived) settle(request checks.LongLivedRequest, before *checks.LongLivedRequest) {
	switch {
	case request.Failure == nil:
		l.doubt = nil
	case before == nil && l.conversation != nil:
		l.doubt = &request
		return
	case before != nil:
		request.AgeSeconds, request.IdleSeconds = before.AgeSeconds, before.IdleSeconds
	}
	if request.Failure != nil {
		l.drop()
	}
	l.change(func(facts *checks.LongLivedFacts) { facts.Latest = &request })
}

// tookToken tells an answer after which another request is no burden: to one
// that it does not know a kube-apiserver ends HTTP/2 connections (apiserver
// pkg/endpoints/filters, UnauthenticatedHTTP2DOSMitigation).
func tookToken(response *checks.Response) bool {
	return response != nil && response.AuditID != "" && (response.Status == http.StatusOK || response.Status == http.StatusForbidden)
}

// hasTurn tells whether a turn has begun since it was asked last. The first round of
// an observer has none: a connection that is no older tells nothing.
func (l *longLived) hasTurn(now time.Time, share float64) bool {
	every := l.interval()
	shift := time.Duration(share * float64(every))
	before := l.turn
	l.turn = now.Add(-shift).Truncate(every)
	return !before.IsZero() && !l.turn.Equal(before)
}

func (l *longLived) interval() time.Duration {
	if l.every > 0 {
		return l.every
	}
	return askEvery
}

// told is nil before the first connection.
func (l *longLived) told() *checks.LongLivedFacts {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.facts == (checks.LongLivedFacts{}) {
		return nil
	}
	facts := l.facts
	return &facts
}

func (l *longLived) change(change func(*checks.LongLivedFacts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.facts)
}

// make dials, and keeps the connection where a first request is answered over
// it. What fails of that is told by the new connections of the rounds.
func (l *longLived) make(ctx context.Context, r *round, where target) {
	if err := l.dial(ctx, r, where); err != nil {
		if errors.Is(err, errNoHTTP2) {
			l.notBefore = r.pod.Now().Add(withoutHTTP2)
		}
		return
	}
	response, err := l.roundTrip(ctx, r, apiPath)
	if err != nil || l.waits(r.pod.Now(), response) {
		l.drop()
		return
	}
	l.change(func(facts *checks.LongLivedFacts) {
		facts.Address = netip.AddrPortFrom(where.addresses[0], where.port)
		facts.MadeAt, facts.Requests = l.answeredAt.Round(0), 1
	})
}

// dial makes a connection that is proven by ca.crt as each other is.
func (l *longLived) dial(ctx context.Context, r *round, where target) error {
	address := netip.AddrPortFrom(where.addresses[0], where.port).String()
	raw, err := r.dial(ctx, tcp, address)
	if err != nil {
		return err
	}
	config := r.trust(where.host)
	config.NextProtos = []string{"h2", "http/1.1"}
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return err
	}
	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		hangUp(secured)
		return errNoHTTP2
	}
	l.conversation, l.conn, l.raw, l.target = newHTTP2Conversation(secured), secured, raw, where
	return nil
}

// ask makes one request over the connection, and forgets a connection over which
// none can be made any more. There is nothing to tell where the server had ended
// it, as it may.
func (l *longLived) ask(ctx context.Context, r *round, path string) (request checks.LongLivedRequest, ok bool) {
	present := l.told()
	now := r.pod.Now()
	request = checks.LongLivedRequest{
		At:          now.Round(0),
		Address:     present.Address,
		AgeSeconds:  now.Round(0).Sub(present.MadeAt).Seconds(),
		IdleSeconds: now.Sub(l.answeredAt).Seconds(),
		Answered:    present.Requests,
	}
	waiting := waitForProcessor()
	start := time.Now()
	response, err := l.roundTrip(ctx, r, path)
	request.Seconds = time.Since(start).Seconds()
	waited := waiting.stop()
	request.WaitedSeconds, request.LongestWaitSeconds = waited.total.Seconds(), waited.longest.Seconds()
	if err != nil {
		request.Failure = failure(err)
		request.TCP = tcpFacts(l.raw)
		ended := hasEnded(err) || l.conversation.ending
		if ended || l.conversation.broken {
			l.drop()
		}
		if ended {
			l.change(func(facts *checks.LongLivedFacts) { facts.Ended++ })
			return request, false
		}
		return request, true
	}
	request.Status = response.Status
	l.waits(r.pod.Now(), response)
	l.change(func(facts *checks.LongLivedFacts) {
		facts.Requests++
		if path == readyPath {
			facts.Ready = response
		}
	})
	return request, true
}

// waits tells whether the server has asked to wait, and remembers it.
func (l *longLived) waits(now time.Time, response *checks.Response) bool {
	if !asksToWait(response) {
		return false
	}
	wait := time.Duration(response.RetryAfterSeconds * float64(time.Second))
	l.notBefore = now.Add(min(wait, maxHold))
	return true
}

// hasEnded tells an end of a connection from a request that nobody answers. A
// reset counts: load balancers send one for a flow that they have forgotten.
func hasEnded(err error) bool {
	return errors.Is(err, errHTTP2Ended) || slices.Contains([]checks.FailureKind{checks.Closed, checks.Reset}, failureKind(err))
}

// roundTrip asks for a path and reads the answer. It follows no redirect.
func (l *longLived) roundTrip(ctx context.Context, r *round, path string) (*checks.Response, error) {
	request, err := r.request(ctx, l.target)
	if err != nil {
		return nil, err
	}
	request.URL.Path = path
	deadline, _ := ctx.Deadline()
	if err := l.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	conn := l.conn
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	answer, err := l.conversation.roundTrip(request)
	if err != nil {
		return nil, err
	}
	l.answeredAt = r.pod.Now()
	return describe(&http.Response{StatusCode: answer.status, Header: answer.header}, answer.body, l.answeredAt, r.scrub), nil
}

func (l *longLived) drop() {
	if l.conversation == nil {
		return
	}
	hangUp(l.conn)
	l.conversation, l.conn, l.raw, l.doubt = nil, nil, nil, nil
	l.change(func(facts *checks.LongLivedFacts) {
		facts.Address, facts.MadeAt, facts.Requests, facts.Ready = netip.AddrPort{}, time.Time{}, 0, nil
	})
}

// Close ends the connection that rounds keep. A later round makes another.
func (o *Observer) Close() {
	o.kept.asking.Lock()
	defer o.kept.asking.Unlock()
	o.kept.drop()
}
