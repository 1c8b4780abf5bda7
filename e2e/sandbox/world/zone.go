package world

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// zone answers for the cluster's zone as CoreDNS' kubernetes plugin does, and
// for all other names as the root does where they do not exist.
type zone struct {
	name string
	// service is the address of kubernetes.default.svc.
	service netip.Addr
}

const rootPrimary = "a.root-servers.net."

// ServeDNS answers one question.
func (z zone) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	reply := replyTo(question)
	asked := question.Question[0]
	name := strings.ToLower(asked.Name)
	switch {
	case name == z.serviceName() && z.service.IsValid():
		if asked.Qtype == dns.TypeA {
			reply.Answer = append(reply.Answer, addressRecord(asked.Name, z.service))
		}
		z.settle(reply)
	case name == "dns-version."+z.name:
		if asked.Qtype == dns.TypeTXT {
			reply.Answer = append(reply.Answer, &dns.TXT{Hdr: header(asked.Name, dns.TypeTXT), Txt: []string{"1.1.0"}})
		}
		z.settle(reply)
	case z.service.IsValid() && name == reverseName(z.service):
		if asked.Qtype == dns.TypePTR {
			reply.Answer = append(reply.Answer, &dns.PTR{Hdr: header(asked.Name, dns.TypePTR), Ptr: z.serviceName()})
		}
		z.settle(reply)
	case dns.IsSubDomain(z.name, name):
		deny(reply, z.name, "ns.dns."+z.name, "hostmaster."+z.name)
	default:
		denyAsRoot(reply)
	}
	send(w, reply)
}

func (z zone) serviceName() string { return checks.ServiceName + "." + z.name }

// settle adds the SOA of a name that has no record of the type.
func (z zone) settle(reply *dns.Msg) {
	if len(reply.Answer) == 0 {
		reply.Ns = append(reply.Ns, startOfAuthority(z.name, "ns.dns."+z.name, "hostmaster."+z.name))
	}
}

// replyTo is an empty reply, with EDNS0 where the question has it.
func replyTo(question *dns.Msg) *dns.Msg {
	reply := new(dns.Msg).SetReply(question)
	reply.Authoritative = true
	if option := question.IsEdns0(); option != nil {
		reply.SetEdns0(option.UDPSize(), false)
	}
	return reply
}

// deny makes the reply NXDOMAIN.
func deny(reply *dns.Msg, zone, primary, mailbox string) {
	reply.Rcode = dns.RcodeNameError
	reply.Ns = append(reply.Ns, startOfAuthority(zone, primary, mailbox))
}

func denyAsRoot(reply *dns.Msg) {
	reply.Authoritative = false
	deny(reply, ".", rootPrimary, "nstld.verisign-grs.com.")
}

func startOfAuthority(zone, primary, mailbox string) *dns.SOA {
	return &dns.SOA{
		Hdr:     header(zone, dns.TypeSOA),
		Ns:      primary,
		Mbox:    mailbox,
		Serial:  1,
		Refresh: 7200,
		Retry:   1800,
		Expire:  86400,
		Minttl:  5,
	}
}

func addressRecord(name string, address netip.Addr) *dns.A {
	return &dns.A{Hdr: header(name, dns.TypeA), A: address.AsSlice()}
}

// header has the TTL of CoreDNS' kubernetes plugin, five seconds.
func header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: 5}
}

func reverseName(address netip.Addr) string {
	name, err := dns.ReverseAddr(address.String())
	if err != nil {
		return ""
	}
	return name
}

// send writes a reply. One that cannot be written is lost, as on any network.
func send(w dns.ResponseWriter, reply *dns.Msg) {
	_ = w.WriteMsg(reply)
}
