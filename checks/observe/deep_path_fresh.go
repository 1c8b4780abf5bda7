package observe

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// freshConnections asks for /api over several connections, one after the other.
// None is begun that could not have its whole time.
func (r *round) freshConnections(ctx context.Context, target target) []checks.FreshConnection {
	var made []checks.FreshConnection
	connected, unconnected := false, 0
	for len(made) < freshConnections && (connected || unconnected < enoughUnconnected) && r.timeForStep(ctx) {
		fresh, exchange := r.fresh(ctx, target)
		made = append(made, fresh)
		switch {
		case exchange.Stage != checks.StageConnect:
			connected = true
		case fresh.Failure != nil && fresh.Failure.Kind != checks.Refused:
			unconnected++
		}
		if asksToWait(exchange.Response) {
			break
		}
	}
	return made
}

func (r *round) timeForStep(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) >= r.step())
}

func (r *round) fresh(ctx context.Context, target target) (checks.FreshConnection, checks.Exchange) {
	start := time.Now()
	exchange, _ := r.once(ctx, target, deepRequest{path: apiPath, token: r.sendableToken()})
	fresh := checks.FreshConnection{Failure: exchange.Failure, TCP: exchange.TCP, Seconds: time.Since(start).Seconds()}
	if exchange.TLS != nil && len(exchange.TLS.Chain) > 0 {
		chain := exchange.TLS.Chain
		names := slices.Concat(chain[0].DNSNames, chain[0].IPAddresses)
		fresh.Leaf, fresh.LeafNames = chain[0].SHA256, names[:min(len(names), maxNames)]
		fresh.Issuer = checks.TopOf(chain).Issuer
	}
	if exchange.Response != nil {
		fresh.Status, fresh.ServerAddress = exchange.Response.Status, exchange.Response.ServerAddress
	}
	return fresh, exchange
}

// deepRequest is one that a deep probe makes.
type deepRequest struct {
	path string
	// token is sent where it is not empty.
	token string
	// post is the JSON to send; the request is a GET where there is none.
	post string
	// steps is how many it may take. Default one.
	steps int
}

// once makes one request over a connection of its own, and only where the
// server proves itself by ca.crt. It tries nothing twice and follows no
// redirect. The body is nil where it was not read whole.
func (r *round) once(ctx context.Context, target target, what deepRequest) (checks.Exchange, []byte) {
	dialer := &dialer{dial: r.dial, target: target, deadline: time.Now().Add(time.Duration(max(1, what.steps)) * r.step())}
	defer dialer.close()
	transport := r.transport(dialer)
	defer transport.CloseIdleConnections()
	recorder := &recorder{round: r, dialer: dialer, transport: transport, serverName: target.host}
	ctx, cancel := context.WithDeadline(ctx, dialer.deadline.Add(100*time.Millisecond))
	defer cancel()

	request, err := what.make(ctx, target, r.agent)
	if err != nil {
		return checks.Exchange{Stage: checks.StageResolve, Failure: failure(err)}, nil
	}
	response, err := recorder.RoundTrip(request)
	exchange := recorder.exchanges[0]
	if err != nil {
		return exchange, nil
	}
	defer response.Body.Close()
	// The recorder has it in memory, so reading it cannot fail.
	body, _ := io.ReadAll(response.Body)
	return exchange, body
}

func (d deepRequest) make(ctx context.Context, target target, agent string) (*http.Request, error) {
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if d.post != "" {
		method, content = http.MethodPost, bytes.NewReader([]byte(d.post))
	}
	request, err := http.NewRequestWithContext(ctx, method, target.url(), content)
	if err != nil {
		return nil, err
	}
	request.URL.Path = d.path
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", agent)
	if d.post != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if d.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	return request, nil
}
