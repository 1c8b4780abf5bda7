package world

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"
)

// nameserverConditions are what a fault can change of the nameserver.
type nameserverConditions struct {
	// zone is the cluster's, rooted.
	zone string
	// service is the address of the API server's name; the zero address hides
	// the name.
	service netip.Addr
	// udp and tcp tell whether the port is open.
	udp, tcp bool
	// silent are further nameservers, which never answer.
	silent []netip.Addr
	// answers change what is answered, the first one first.
	answers []answer
}

// answer is a step on the way to an answer. It must end when done is
// closed.
type answer func(done <-chan struct{}, next dns.Handler) dns.Handler

// nameserver serves one port of several loopback addresses.
type nameserver struct {
	done    <-chan struct{} // ends the handlers
	port    uint16
	claim   io.Closer // on the port
	sockets sockets[nameserverSocket]
	handler atomic.Pointer[dns.Handler]
}

type nameserverSocket struct {
	network string
	address netip.Addr
	silent  bool
}

// startNameserver listens on a port that is free for UDP and TCP.
func startNameserver(done <-chan struct{}, conditions nameserverConditions) (*nameserver, error) {
	n := &nameserver{done: done, sockets: make(sockets[nameserverSocket])}
	var err error
	n.claim, err = onSomePort(func(port uint16) error {
		n.port = port
		if err := n.match(conditions, n.open); err != nil {
			return errors.Join(err, n.sockets.match(nil, nil))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("starting the nameserver: %w", err)
	}
	return n, nil
}

// change makes the nameserver match other conditions.
func (n *nameserver) change(conditions nameserverConditions) error {
	return n.match(conditions, func(key nameserverSocket) (io.Closer, error) {
		return patiently(n.done, func() (io.Closer, error) { return n.open(key) })
	})
}

func (n *nameserver) match(conditions nameserverConditions, open func(nameserverSocket) (io.Closer, error)) error {
	var handler dns.Handler = dns.HandlerFunc(zone{conditions.zone, conditions.service}.ServeDNS)
	for _, answer := range slices.Backward(conditions.answers) {
		handler = answer(n.done, handler)
	}
	n.handler.Store(&handler)

	var wanted []nameserverSocket
	if conditions.udp {
		wanted = append(wanted, nameserverSocket{network: "udp", address: loopback(1)})
	}
	if conditions.tcp {
		wanted = append(wanted, nameserverSocket{network: "tcp", address: loopback(1)})
	}
	for _, address := range conditions.silent {
		wanted = append(wanted,
			nameserverSocket{network: "udp", address: address, silent: true},
			nameserverSocket{network: "tcp", address: address, silent: true})
	}
	return n.sockets.match(wanted, open)
}

// close closes all sockets and waits for their handlers.
func (n *nameserver) close() error {
	return errors.Join(n.sockets.match(nil, nil), n.claim.Close())
}

func (n *nameserver) open(key nameserverSocket) (io.Closer, error) {
	s := &dnsServer{done: make(chan error, 1)}
	s.server.Handler = dns.HandlerFunc(n.ServeDNS)
	if key.silent {
		s.server.Handler = dns.HandlerFunc(func(dns.ResponseWriter, *dns.Msg) {})
	}
	var err error
	address := netip.AddrPortFrom(key.address, n.port).String()
	if key.network == "udp" {
		s.server.PacketConn, err = net.ListenPacket("udp4", address)
	} else {
		s.server.Listener, err = net.Listen("tcp4", address)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a socket of the nameserver: %w", err)
	}
	started := make(chan struct{})
	s.server.NotifyStartedFunc = func() { close(started) }
	go func() { s.done <- s.server.ActivateAndServe() }()
	select {
	case <-started:
		return s, nil
	case err := <-s.done:
		return nil, fmt.Errorf("serving DNS: %w", err)
	}
}

// ServeDNS answers as the present conditions want it.
func (n *nameserver) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	(*n.handler.Load()).ServeDNS(w, question)
}

// dnsServer is one socket with its server.
type dnsServer struct {
	server dns.Server
	done   chan error
}

// Close closes the socket and waits for its handlers.
func (s *dnsServer) Close() error {
	return errors.Join(s.server.Shutdown(), <-s.done)
}
