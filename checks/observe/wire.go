package observe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	udp = "udp"
	tcp = "tcp"
	// ednsSize is the reply size that Go's resolver offers
	// (net/dnsclient_unix.go, maxDNSPacketSize).
	ednsSize = 1232
	// maxSends is how often a question is sent over UDP within its time limit.
	maxSends = 3
	// maxDiscarded ends the wait for a reply when a nameserver sends nothing
	// but datagrams that answer no question.
	maxDiscarded = 256
)

// exchange puts one question to one nameserver. The answer is final unless an
// application would ask the next nameserver.
func exchange(ctx context.Context, transport string, server netip.AddrPort, name string, kind uint16) (query checks.Query, final bool) {
	start := time.Now()
	query = checks.Query{
		Name:       name,
		Type:       dns.TypeToString[kind],
		Nameserver: server.Addr(),
		Transport:  transport,
	}
	reply, err := roundTrip(ctx, transport, server, question(name, kind), &query)
	query.Seconds = time.Since(start).Seconds()
	if err != nil {
		query.Failure = failure(err)
		return query, false
	}
	return read(query, reply, kind)
}

func question(name string, kind uint16) *dns.Msg {
	message := new(dns.Msg)
	message.SetQuestion(name, kind)
	message.SetEdns0(ednsSize, false)
	return message
}

func read(query checks.Query, reply *dns.Msg, kind uint16) (checks.Query, bool) {
	query.Rcode = dns.RcodeToString[reply.Rcode]
	if query.Rcode == "" {
		query.Rcode = fmt.Sprintf("RCODE%d", reply.Rcode)
	}
	query.Truncated = reply.Truncated
	for _, record := range reply.Answer {
		if len(query.Addresses) == maxAddresses {
			break
		}
		switch record := record.(type) {
		case *dns.CNAME:
			query.CNAMEs++
		case *dns.A:
			if address, ok := netip.AddrFromSlice(record.A); ok && kind == dns.TypeA {
				query.Addresses = append(query.Addresses, address.Unmap())
			}
		case *dns.AAAA:
			if address, ok := netip.AddrFromSlice(record.AAAA); ok && kind == dns.TypeAAAA {
				query.Addresses = append(query.Addresses, address)
			}
		}
	}
	for _, record := range reply.Ns {
		if authority, ok := record.(*dns.SOA); ok {
			query.SOA = clip(authority.Ns, maxNameLength)
		}
	}
	// A referral without recursion is no answer (golang.org/issue/15434).
	lame := len(reply.Answer) == 0 && !reply.Authoritative && !reply.RecursionAvailable && len(reply.Extra) == 0
	switch reply.Rcode {
	case dns.RcodeNameError:
		return query, true
	case dns.RcodeSuccess:
		return query, !lame
	default:
		return query, false
	}
}

// errInvalidReply is told where a stream has a message that is no answer to
// the question; over UDP such a message is passed over.
var errInvalidReply = errors.New("the reply is no DNS answer to the question")

// roundTrip puts one question and counts in query what came back besides the
// reply, and what did not come back.
func roundTrip(ctx context.Context, transport string, server netip.AddrPort, message *dns.Msg, query *checks.Query) (*dns.Msg, error) {
	packed, err := message.Pack()
	if err != nil {
		return nil, fmt.Errorf("cannot ask for %q: %w", message.Question[0].Name, err)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, transport, server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Ending ctx early must end the wait as well.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if transport == tcp {
		return overStream(conn, packed)
	}
	return overDatagrams(ctx, conn, packed, query)
}

// overDatagrams sends a question, and sends it again from the same port while
// nothing comes back, at even times until ctx ends: one lost packet is no reason
// to take a nameserver for dead. An application waits for longer before it asks
// again, and there is no time for that here.
func overDatagrams(ctx context.Context, conn net.Conn, packed []byte, query *checks.Query) (*dns.Msg, error) {
	start := time.Now()
	deadline, _ := ctx.Deadline()
	wait := deadline.Sub(start) / maxSends
	sent := make([][]byte, 0, maxSends)
	buffer := make([]byte, 4096)
	for query.Discarded < maxDiscarded {
		if len(sent) < maxSends && time.Since(start) >= wait*time.Duration(len(sent)) {
			if len(sent) > 0 {
				packed = withID(packed, dns.Id())
			}
			if _, err := conn.Write(packed); err != nil {
				return nil, err
			}
			sent = append(sent, packed)
			query.Unanswered = len(sent)
		}
		// The end of ctx sets a deadline too: either it comes after this one, or
		// it is seen right behind it.
		if err := conn.SetReadDeadline(start.Add(wait * time.Duration(len(sent)))); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, os.ErrDeadlineExceeded
		}
		n, err := conn.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && len(sent) < maxSends && ctx.Err() == nil:
			continue
		case err != nil && query.Discarded > 0:
			return nil, fmt.Errorf("%w: %w", errInvalidReply, err)
		case err != nil:
			return nil, err
		}
		for i, packed := range sent {
			if reply := answer(packed, buffer[:n]); reply != nil {
				query.Unanswered = i
				return reply, nil
			}
		}
		query.Discarded++
	}
	return nil, errInvalidReply
}

// withID is a packed message with another id, which are its first two bytes (RFC
// 1035 section 4.1.1).
func withID(packed []byte, id uint16) []byte {
	again := slices.Clone(packed)
	binary.BigEndian.PutUint16(again, id)
	return again
}

func overStream(conn net.Conn, packed []byte) (*dns.Msg, error) {
	framed := dns.Conn{Conn: conn}
	if _, err := framed.Write(packed); err != nil {
		return nil, err
	}
	content := make([]byte, dns.MaxMsgSize)
	n, err := framed.Read(content)
	if err != nil {
		return nil, err
	}
	if reply := answer(packed, content[:n]); reply != nil {
		return reply, nil
	}
	return nil, errInvalidReply
}

// answer parses a message and returns nil where it does not answer the question
// that was sent. Both are compared as they were on the wire, where a name has
// one form only.
func answer(packed, content []byte) *dns.Msg {
	sent, reply := new(dns.Msg), new(dns.Msg)
	if sent.Unpack(packed) != nil || reply.Unpack(content) != nil {
		return nil
	}
	asked := sent.Question[0]
	if !reply.Response || reply.Id != sent.Id || len(reply.Question) != 1 {
		return nil
	}
	got := reply.Question[0]
	if got.Qtype != asked.Qtype || got.Qclass != asked.Qclass || !dns.IsSubDomain(got.Name, asked.Name) || !dns.IsSubDomain(asked.Name, got.Name) {
		return nil
	}
	return reply
}
