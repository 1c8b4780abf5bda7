package observe

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// freshConnections spread over the replicas of the API server; of three, a
	// certain one is missed by all six in 9 % of the cases, (2/3)^6.
	freshConnections = 6
	// enoughUnconnected connections that did not come about, with nothing before
	// them, tell that there is no way: of two API servers, one that is silent is met
	// by all three in 13 % of the cases. A refusal takes no time and does not count.
	enoughUnconnected = 3
	// maxControls is above what three nameservers, both families of the API
	// server's name and a gateway come to.
	maxControls = 8
)

// deepPath connects to the API server, where it is to be asked, and beside it. It
// returns nil where there is no API server to connect to.
func (r *round) deepPath(ctx context.Context, facts *checks.Facts, asksAPI bool) *checks.DeepPathFacts {
	target, ok := r.deepTarget(facts)
	if !ok {
		return nil
	}
	path := &checks.DeepPathFacts{Target: netip.AddrPortFrom(target.addresses[0], target.port)}
	path.Controls = r.controls(facts, path.Target)
	if pulse(facts).Stage != checks.StageConnect {
		// Who is reached is left alone.
		path.Controls = slices.DeleteFunc(path.Controls, func(control checks.Control) bool { return control.What == checks.ControlAPIServer })
	}
	if !asksAPI {
		r.tryControls(ctx, path.Controls)
		return path
	}
	together(func() {
		r.tryControls(ctx, path.Controls)
	}, func() {
		if sizeMayMatter(pulse(facts)) {
			r.handshakes(ctx, target, path)
		}
	}, func() {
		if !mustWait(facts) {
			path.Fresh = r.freshConnections(ctx, target)
		}
	}, func() {
		if !mustWait(facts) && leadsTo(facts, path.Target.Addr()) {
			path.ByName = r.handshakeByName(ctx, target)
		}
	}, func() {
		if !mustWait(facts) {
			path.LongLived = r.askKept(ctx)
		}
	})
	if asked := path.LongLived; asked != nil {
		asked.NewAnswered = slices.ContainsFunc(path.Fresh, func(fresh checks.FreshConnection) bool { return fresh.Status != 0 })
		if silentLikeNew(asked) {
			r.kept.giveUp()
		}
	}
	return path
}

// leadsTo tells that the API server's name has an address.
func leadsTo(facts *checks.Facts, address netip.Addr) bool {
	return facts.DNS != nil && slices.Contains(facts.DNS.Lookup.Addresses, address.Unmap())
}

// deepTarget is where the pulse went, or would have gone. There is none where
// the checks of the API server are left out.
func (r *round) deepTarget(facts *checks.Facts) (target, bool) {
	host := r.serviceHost()
	if host == "" || !r.wants(checks.TLS) && !r.wants(checks.API) {
		return target{}, false
	}
	if dialled := pulse(facts).Address; dialled.IsValid() {
		return target{host: host, port: dialled.Port(), addresses: []netip.Addr{dialled.Addr()}}, true
	}
	return r.hostTarget(host)
}

// pulse is what the pulse met at the API server; the zero Exchange where it met
// none.
func pulse(facts *checks.Facts) checks.Exchange {
	if facts.API == nil {
		return checks.Exchange{}
	}
	return facts.API.ServiceHost.Last()
}

// mustWait tells whether the API server has asked not to be asked again yet.
func mustWait(facts *checks.Facts) bool {
	return facts.API != nil && !facts.API.HeldUntil.IsZero() || asksToWait(pulse(facts).Response)
}

func asksToWait(response *checks.Response) bool {
	return response != nil && response.RetryAfterSeconds > 0 &&
		(response.Status == http.StatusTooManyRequests || response.Status == http.StatusServiceUnavailable)
}

// controls are the addresses that a failing one can be compared with.
func (r *round) controls(facts *checks.Facts, aim netip.AddrPort) []checks.Control {
	var controls []checks.Control
	seen := []netip.AddrPort{withoutMapping(aim)}
	add := func(what string, port uint16, addresses ...netip.Addr) {
		for _, address := range addresses {
			other := withoutMapping(netip.AddrPortFrom(address, port))
			if !other.IsValid() || slices.Contains(seen, other) || len(controls) == maxControls {
				continue
			}
			seen = append(seen, other)
			controls = append(controls, checks.Control{What: what, Address: other})
		}
	}
	if facts.History != nil {
		if itself, err := netip.ParseAddrPort(facts.History.ServerAddress); err == nil {
			add(checks.ControlAPIServer, itself.Port(), itself.Addr())
		}
	}
	if facts.DNS != nil {
		add(checks.ControlDNSOverTCP, r.pod.DNSPort, facts.DNS.ResolvConf.Nameservers...)
		add(checks.ControlAddressByDNS, r.namedPort(), facts.DNS.Lookup.Addresses...)
	}
	if r.facts.Environment != nil {
		if address, err := netip.ParseAddr(r.facts.Environment.ServiceAddress); err == nil {
			add(checks.ControlAddressOfKubelet, r.namedPort(), address)
		}
	}
	if !seen[0].Addr().IsLoopback() {
		_, routes := readFile(r.pod.Routes, maxRoutes)
		add(checks.ControlNode, aim.Port(), defaultGateway(string(routes)))
	}
	return controls
}

func withoutMapping(address netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
}

// tryControls connects to all controls at once and says nothing to any.
func (r *round) tryControls(ctx context.Context, controls []checks.Control) {
	tries := make([]func(), 0, len(controls))
	for i := range controls {
		control := &controls[i]
		tries = append(tries, func() {
			start := time.Now()
			ctx, cancel := context.WithTimeout(ctx, r.step())
			defer cancel()
			conn, err := r.dial(ctx, tcp, control.Address.String())
			control.Seconds = time.Since(start).Seconds()
			control.Failure = failure(err)
			if err == nil {
				_ = conn.Close()
			}
		})
	}
	together(tries...)
}
