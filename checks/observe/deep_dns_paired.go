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
	// readGrace is for reading what has come already.
	readGrace = 20 * time.Millisecond
)

// pairs makes pairs of queries at once, and tells another address from which a
// reply came. It returns nil where none could be made.
func (p nameserverProbe) pairs(ctx context.Context, server netip.AddrPort, count int) (facts *checks.PairedFacts, elsewhere netip.Addr) {
	var mu sync.Mutex
	pair := func() {
		replies, from, made := p.pair(ctx, server)
		if !made {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if facts == nil {
			facts = new(checks.PairedFacts)
		}
		facts.Pairs++
		switch replies {
		case 0:
			facts.None++
		case 1:
			facts.Half++
		}
		if from.IsValid() {
			elsewhere = from
		}
	}
	together(slices.Repeat([]func(){pair}, count)...)
	return facts, elsewhere
}

// pair asks for A and AAAA, one right after the other from one port, as glibc
// does (resolv/res_send.c), and counts the replies. Its socket is not connected,
// so that the kernel does not keep back what comes from another address. No
// pair is made where the packets cannot be sent or ctx ends before the time
// limit does.
func (p nameserverProbe) pair(ctx context.Context, server netip.AddrPort) (replies int, elsewhere netip.Addr, made bool) {
	if ctx.Err() != nil {
		return 0, elsewhere, false
	}
	target := netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	network := "udp6"
	if target.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return 0, elsewhere, false
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(p.limit)); err != nil {
		return 0, elsewhere, false
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	questions, err := pairOfQuestions(checks.ServiceName + "." + p.zone)
	if err != nil {
		return 0, elsewhere, false
	}
	for _, packed := range questions {
		if _, err := conn.WriteToUDPAddrPort(packed, target); err != nil {
			return 0, elsewhere, false
		}
	}
	replies, elsewhere = collect(conn, target, questions)
	return replies, elsewhere, replies == len(questions) || ctx.Err() == nil
}

func pairOfQuestions(name string) (questions [2][]byte, err error) {
	for i, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if questions[i], err = (way{udp, false}).question(name, kind).Pack(); err != nil {
			return questions, err
		}
	}
	return questions, nil
}

// collect reads until each question has its reply from the target or the
// connection's deadline passes. A process that is short of CPU may read late
// what came in time, so the last look is after the deadline.
func collect(conn *net.UDPConn, target netip.AddrPort, questions [2][]byte) (replies int, elsewhere netip.Addr) {
	var got [2]bool
	last := false
	buffer := make([]byte, 4096)
	for range maxDiscarded {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) && !last && conn.SetReadDeadline(time.Now().Add(readGrace)) == nil {
			last = true
			continue
		}
		if err != nil {
			return replies, elsewhere
		}
		asked := target.Addr().WithZone("") == from.Addr().Unmap().WithZone("")
		for i, packed := range questions {
			if got[i] || answer(packed, buffer[:n]) == nil {
				continue
			}
			if !asked {
				elsewhere = from.Addr().Unmap()
			} else if from.Port() == target.Port() {
				got[i] = true
				replies++
			}
		}
		if replies == len(questions) {
			return replies, elsewhere
		}
	}
	return replies, elsewhere
}
