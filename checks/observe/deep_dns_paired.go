package observe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// pairCount shows a loss of one reply in twenty more often than not, and a
	// dead backend of three all but surely.
	pairCount = 20
	// silentPairCount is for a nameserver that has answered nothing by UDP.
	silentPairCount = 2
	// singleCount are enough to tell a loss that only pairs meet from one that
	// all packets do.
	singleCount = 40
	// readGrace is for reading what has come already.
	readGrace = 20 * time.Millisecond
)

// datagrams asks by what travels alone and at once: pairs, and single queries
// where these leave something open.
func (p nameserverProbe) datagrams(ctx context.Context, server netip.AddrPort, facts *checks.NameserverFacts) {
	count := pairCount
	if !answered(facts.UDP) && !answered(facts.WithoutEDNS) {
		count = silentPairCount
	}
	facts.Paired, facts.RepliesFrom = p.pairs(ctx, server, count)
	if pairs := facts.Paired; pairs != nil && count < pairCount && pairs.None < pairs.Pairs {
		// It is not silent after all.
		facts.Paired, facts.RepliesFrom = p.pairs(ctx, server, pairCount)
	}
	if pairs := facts.Paired; pairs != nil && pairs.Half+pairs.None > 0 && pairs.None < pairs.Pairs {
		facts.Single = p.singles(ctx, server)
	}
}

// pairs makes pairs of queries at once, and tells another address from which a
// reply came. It returns nil where none could be made.
func (p nameserverProbe) pairs(ctx context.Context, server netip.AddrPort, count int) (facts *checks.PairedFacts, elsewhere netip.Addr) {
	for _, flow := range p.flows(ctx, server, count, dns.TypeA, dns.TypeAAAA) {
		if facts == nil {
			facts = new(checks.PairedFacts)
		}
		facts.Pairs++
		switch flow.missing {
		case 0:
			if flow.known && !flow.failing {
				facts.Known++
			}
		case 1:
			facts.Half++
		case 2:
			facts.None++
		}
		if flow.recovered {
			facts.Recovered++
		}
		if flow.failing {
			facts.Failing++
		}
		if flow.elsewhere.IsValid() {
			elsewhere = flow.elsewhere
		}
	}
	return facts, elsewhere
}

// singles makes single queries at once. It returns nil where none could be made.
func (p nameserverProbe) singles(ctx context.Context, server netip.AddrPort) (facts *checks.SingleFacts) {
	for _, flow := range p.flows(ctx, server, singleCount, dns.TypeA) {
		if facts == nil {
			facts = new(checks.SingleFacts)
		}
		facts.Queries++
		facts.Lost += flow.missing
		if flow.recovered {
			facts.Recovered++
		}
	}
	return facts
}

// flow is what came back to the questions from one port.
type flow struct {
	// missing is how many questions had no reply the first time, and recovered
	// tells that all of these had one the second time.
	missing   int
	recovered bool
	// failing tells that a reply said SERVFAIL, known that one had an address.
	failing, known bool
	elsewhere      netip.Addr
}

// flows asks from so many ports at once. What could not be sent is left out, and
// all where ctx ends meanwhile: those that were answered by then are no fair
// sample.
func (p nameserverProbe) flows(ctx context.Context, server netip.AddrPort, count int, kinds ...uint16) (flows []flow) {
	var mu sync.Mutex
	ask := func() {
		told, made := p.flow(ctx, server, kinds)
		if !made {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		flows = append(flows, told)
	}
	together(slices.Repeat([]func(){ask}, count)...)
	if len(flows) < count && ended(ctx) {
		return nil
	}
	return flows
}

// flow asks for each type, one right after the other from one port, as glibc does
// (resolv/res_send.c), and for what has no reply at half of the time limit once
// more. Its socket is not connected, so that the kernel does not keep back what
// comes from another address. Nothing is made where the packets cannot be sent
// or ctx ends before. It takes three quarters of the time limit at the most, so
// that pairs and single queries have room within two steps.
func (p nameserverProbe) flow(ctx context.Context, server netip.AddrPort, kinds []uint16) (told flow, made bool) {
	if ended(ctx) {
		return told, false
	}
	target := netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	network := "udp6"
	if target.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return told, false
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	questions, err := questionsOf(checks.ServiceName+"."+p.zone, kinds)
	if err != nil {
		return told, false
	}
	exchange := &datagramExchange{conn: conn, target: target, questions: questions}
	for _, wait := range []time.Duration{p.limit / 2, p.limit / 4} {
		if exchange.send() != nil || conn.SetReadDeadline(time.Now().Add(wait)) != nil || ended(ctx) {
			return told, false
		}
		exchange.collect()
	}
	told.elsewhere, told.failing, told.known = exchange.elsewhere, exchange.failing, exchange.known
	for _, question := range questions {
		if !question.replied[0] {
			told.missing++
		}
	}
	told.recovered = told.missing > 0 && exchange.done()
	return told, exchange.done() || !ended(ctx)
}

// repeated is a question that is sent twice at the most, with an id of its own each
// time, so that a late reply to the first is told from one to the second.
type repeated struct {
	kind    uint16
	packed  [2][]byte
	sent    int
	replied [2]bool
}

func (q *repeated) done() bool { return q.replied[0] || q.replied[1] }

func questionsOf(name string, kinds []uint16) (questions []*repeated, err error) {
	for _, kind := range kinds {
		question := &repeated{kind: kind}
		message := (way{udp, false}).question(name, kind)
		for i := range question.packed {
			// The two ids differ.
			message.Id++
			if question.packed[i], err = message.Pack(); err != nil {
				return nil, err
			}
		}
		questions = append(questions, question)
	}
	return questions, nil
}

// datagramExchange is what is said over one socket.
type datagramExchange struct {
	conn      *net.UDPConn
	target    netip.AddrPort
	questions []*repeated
	// elsewhere is another address than the target's, from which a reply came.
	elsewhere      netip.Addr
	failing, known bool
	read           int
}

func (e *datagramExchange) done() bool {
	return !slices.ContainsFunc(e.questions, func(question *repeated) bool { return !question.done() })
}

// send sends each question that has no reply yet.
func (e *datagramExchange) send() error {
	for _, question := range e.questions {
		if question.done() {
			continue
		}
		if _, err := e.conn.WriteToUDPAddrPort(question.packed[question.sent], e.target); err != nil {
			return err
		}
		question.sent++
	}
	return nil
}

// collect reads until each question has its reply from the target or the
// connection's deadline passes. A process that is short of CPU may read late
// what came in time, so the last look is after the deadline.
func (e *datagramExchange) collect() {
	last := false
	buffer := make([]byte, 4096)
	for !e.done() && e.read < maxDiscarded {
		n, from, err := e.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) && !last && e.conn.SetReadDeadline(time.Now().Add(readGrace)) == nil {
			last = true
			continue
		}
		if err != nil {
			return
		}
		e.read++
		e.take(buffer[:n], from)
	}
}

func (e *datagramExchange) take(content []byte, from netip.AddrPort) {
	expected := e.target.Addr().WithZone("") == from.Addr().Unmap().WithZone("")
	for _, question := range e.questions {
		for i, packed := range question.packed[:question.sent] {
			reply := answer(packed, content)
			if question.replied[i] || reply == nil {
				continue
			}
			e.failing = e.failing || reply.Rcode == dns.RcodeServerFailure
			e.known = e.known || slices.ContainsFunc(reply.Answer, func(record dns.RR) bool { return record.Header().Rrtype == question.kind })
			if !expected {
				e.elsewhere = from.Addr().Unmap()
			} else if from.Port() == e.target.Port() {
				question.replied[i] = true
			}
		}
	}
}
