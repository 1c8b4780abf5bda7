package world

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// datagramFaults take some datagrams and let others pass. They spare those with
// EDNS(0), which the lookups of a round have as those of Go do, so that what a
// round shows of them is no matter of chance: nothing.
func datagramFaults() []Fault {
	warn := func(name checks.Reason, title string, lost func() loss) Fault {
		return Fault{
			Name:   string(name),
			Title:  title,
			Check:  checks.DNS,
			Status: checks.Warn,
			Reason: name,
			Deep:   true,
			change: func(c *conditions) { c.nameserver.answers = append(c.nameserver.answers, losing(lost())) },
		}
	}
	return []Fault{
		warn(checks.DNSConntrackRace, "Of every other two queries that come from one port at once the second is lost.", everyOtherSecond),
		warn(checks.DNSOneBackendBad, "One of four servers behind the nameserver's address is dead; each port has its server.", everyFourthPort),
		warn(checks.NetworkPacketLoss, "Every fifth datagram to the nameserver is lost.", everyFifth),
	}
}

// loss tells whether a question that came from a port gets lost.
type loss func(from string, asked dns.Question) bool

// losing swallows questions over UDP without EDNS(0).
func losing(lost loss) answer {
	return func(_ <-chan struct{}, next dns.Handler) dns.Handler {
		return dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
			_, udp := w.LocalAddr().(*net.UDPAddr)
			if udp && question.IsEdns0() == nil && lost(w.RemoteAddr().String(), question.Question[0]) {
				return
			}
			next.ServeDNS(w, question)
		})
	}
}

// mostPorts bounds what is remembered of ports.
const mostPorts = 4096

func everyOtherSecond() loss {
	const together = 100 * time.Millisecond
	type first struct {
		kind uint16
		at   time.Time
	}
	var mu sync.Mutex
	seen, pairs := make(map[string]first), 0
	return func(from string, asked dns.Question) bool {
		mu.Lock()
		defer mu.Unlock()
		before, paired := seen[from]
		if len(seen) == mostPorts {
			clear(seen)
		}
		seen[from] = first{asked.Qtype, time.Now()}
		if !paired || before.kind == asked.Qtype || time.Since(before.at) > together {
			return false
		}
		pairs++
		return pairs%2 == 0
	}
}

func everyFourthPort() loss {
	var mu sync.Mutex
	dead, ports := make(map[string]bool), 0
	return func(from string, _ dns.Question) bool {
		mu.Lock()
		defer mu.Unlock()
		if _, known := dead[from]; !known {
			if len(dead) == mostPorts {
				clear(dead)
			}
			ports++
			dead[from] = ports%4 == 0
		}
		return dead[from]
	}
}

func everyFifth() loss {
	var count atomic.Int64
	return func(string, dns.Question) bool { return count.Add(1)%5 == 0 }
}
