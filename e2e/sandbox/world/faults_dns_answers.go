package world

import (
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// serviceName is the rooted name of the API server in the pod's cluster.
const serviceName = checks.ServiceName + "." + clusterZone

func ofCluster(asked dns.Question) bool {
	return dns.IsSubDomain(clusterZone, strings.ToLower(asked.Name))
}

func ofService(asked dns.Question) bool {
	return strings.EqualFold(asked.Name, serviceName)
}

// failing answers with a response code and nothing else.
func failing(rcode int) func(w dns.ResponseWriter, question *dns.Msg) {
	return func(w dns.ResponseWriter, question *dns.Msg) {
		reply := replyTo(question)
		reply.Authoritative = false
		reply.Rcode = rcode
		send(w, reply)
	}
}

// unsynced is CoreDNS before it has heard from the API server: what it does
// not know it cannot deny, names or addresses, and only dns-version is answered.
func unsynced() answer {
	return where(func(asked dns.Question) bool {
		return asked.Qtype == dns.TypePTR || ofCluster(asked) && !strings.HasPrefix(asked.Name, "dns-version.")
	}, failing(dns.RcodeServerFailure))
}

func refuse() answer {
	return always(failing(dns.RcodeRefused))
}

func failAAAA() answer {
	return where(func(asked dns.Question) bool {
		return asked.Qtype == dns.TypeAAAA
	}, failing(dns.RcodeServerFailure))
}

// foreign denies everything as the root does.
func foreign() answer {
	return always(func(w dns.ResponseWriter, question *dns.Msg) {
		reply := replyTo(question)
		denyAsRoot(reply)
		send(w, reply)
	})
}

// wildcard answers for every name in a domain with one address.
func wildcard(domain string, address netip.Addr) answer {
	return where(func(asked dns.Question) bool {
		return dns.IsSubDomain(domain, strings.ToLower(asked.Name))
	}, func(w dns.ResponseWriter, question *dns.Msg) {
		reply := replyTo(question)
		if asked := question.Question[0]; asked.Qtype == dns.TypeA {
			reply.Answer = append(reply.Answer, addressRecord(asked.Name, address))
		}
		send(w, reply)
	})
}

// denyCluster denies names of cluster.local in the name of another zone.
func denyCluster() answer {
	return where(ofCluster, func(w dns.ResponseWriter, question *dns.Msg) {
		reply := replyTo(question)
		deny(reply, "cluster.example.", "ns.dns.cluster.example.", "hostmaster.cluster.example.")
		send(w, reply)
	})
}

// withoutAddress answers NOERROR with no record, RFC 2308 section 2.2.
func withoutAddress() answer {
	return where(ofService, func(w dns.ResponseWriter, question *dns.Msg) {
		reply := replyTo(question)
		zone{name: clusterZone}.settle(reply)
		send(w, reply)
	})
}

// garble answers three times, and never to the question.
func garble() answer {
	return always(func(w dns.ResponseWriter, question *dns.Msg) {
		_, _ = w.Write([]byte("this is not DNS"))

		other := replyTo(question)
		other.Id++
		send(w, other)

		elsewhere := replyTo(question)
		elsewhere.Question = []dns.Question{{Name: "elsewhere.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}}
		send(w, elsewhere)
	})
}

// circle makes the service's name and another one aliases of each other.
func circle() answer {
	const alias = "alias." + serviceName
	return where(func(asked dns.Question) bool {
		return ofService(asked) || strings.EqualFold(asked.Name, alias)
	}, func(w dns.ResponseWriter, question *dns.Msg) {
		reply := replyTo(question)
		reply.Answer = []dns.RR{
			&dns.CNAME{Hdr: header(serviceName, dns.TypeCNAME), Target: alias},
			&dns.CNAME{Hdr: header(alias, dns.TypeCNAME), Target: serviceName},
		}
		send(w, reply)
	})
}

// truncate has all who ask by UDP come again by TCP, RFC 1035 section 4.2.1.
func truncate(_ <-chan struct{}, next dns.Handler) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		if _, udp := w.LocalAddr().(*net.UDPAddr); !udp {
			next.ServeDNS(w, question)
			return
		}
		reply := replyTo(question)
		reply.Truncated = true
		send(w, reply)
	})
}
