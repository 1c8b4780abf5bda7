package world

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// resolverFaults are wrong in the pod's own files.
func resolverFaults() []Fault {
	return []Fault{
		{
			Name:   "dns-resolvconf-missing-or-empty",
			Title:  "There is no resolv.conf.",
			Check:  checks.DNS,
			Status: checks.Fail,
			Reason: checks.DNSResolvConfMissingOrEmpty,
			change: func(c *conditions) { c.resolvConf = file{kind: missing} },
		},
		{
			Name:   "dns-dnspolicy-default",
			Title:  "resolv.conf is the node's: a company's search list, and a nameserver that knows no cluster.",
			Check:  checks.DNS,
			Status: checks.Fail,
			Reason: checks.DNSPolicyDefault,
			change: func(c *conditions) {
				c.resolvConf = plainFile(resolvConf("corp.example", "", loopback(1)))
				c.nameserver.answers = append(c.nameserver.answers, foreign())
			},
		},
		{
			Name:   "dns-hostnetwork-without-clusterfirstwithhostnet",
			Title:  "The pod is on its node's network, and has the node's hosts file and resolv.conf.",
			Check:  checks.DNS,
			Status: checks.Fail,
			Reason: checks.DNSHostNetwork,
			change: func(c *conditions) {
				c.hosts = strings.Replace(c.hosts, "hosts file.", "hosts file (host network).", 1)
				c.resolvConf = plainFile(resolvConf("corp.example", "", loopback(1)))
				c.nameserver.answers = append(c.nameserver.answers, foreign())
			},
		},
		{
			Name:   "dns-hosts-file-override",
			Title:  "The hosts file leads kubernetes.default.svc to another address.",
			Check:  checks.DNS,
			Status: checks.Warn,
			Reason: checks.DNSHostsFileOverride,
			change: func(c *conditions) {
				listenAlso(c, loopback(2))
				c.hosts += loopback(2).String() + "\tkubernetes.default.svc\n"
			},
		},
		{
			Name:   "dns-nameserver-failing",
			Title:  "The first of two nameservers never answers.",
			Check:  checks.DNS,
			Status: checks.Warn,
			Reason: checks.DNSNameserverFailing,
			change: func(c *conditions) {
				// A timeout of a second is the shortest there is, and the search
				// list is turned round to need only one, so that a lookup ends
				// within a probe's time limit.
				c.resolvConf = plainFile(resolvConf(reversed(searchList()), "ndots:5 timeout:1", loopback(3), loopback(1)))
				c.nameserver.silent = append(c.nameserver.silent, loopback(3))
			},
		},
	}
}

func reversed(list string) string {
	domains := strings.Fields(list)
	slices.Reverse(domains)
	return strings.Join(domains, " ")
}

// listenAlso has the API server answer at a second address, with a certificate
// for it.
func listenAlso(c *conditions, address netip.Addr) {
	if slices.Contains(c.api.addresses, address) {
		return
	}
	c.api.addresses = append(c.api.addresses, address)
	c.serving.addresses += " " + address.String()
}

// nameserverFaults are wrong in what the nameserver answers.
func nameserverFaults() []Fault {
	fail := func(name checks.Reason, title string, change func(*nameserverConditions)) Fault {
		return Fault{
			Name:   string(name),
			Title:  title,
			Check:  checks.DNS,
			Status: checks.Fail,
			Reason: name,
			change: func(c *conditions) { change(&c.nameserver) },
		}
	}
	warn := func(name checks.Reason, title string, change func(*conditions)) Fault {
		return Fault{Name: string(name), Title: title, Check: checks.DNS, Status: checks.Warn, Reason: name, change: change}
	}
	return []Fault{
		fail(checks.DNSTimeout, "The nameserver never answers.", answering(silence())),
		fail(checks.DNSServiceNoEndpoints, "The nameserver's port is closed.", func(n *nameserverConditions) {
			n.udp, n.tcp = false, false
		}),
		fail(checks.DNSServfailCoreDNSUnsynced, "The nameserver answers SERVFAIL for names of the cluster.", answering(unsynced())),
		fail(checks.DNSRefusedNoZone, "The nameserver answers REFUSED.", answering(refuse())),
		fail(checks.DNSNXDomainServiceHidden, "The cluster's zone has no kubernetes.default.svc.", func(n *nameserverConditions) {
			n.service = netip.Addr{}
		}),
		fail(checks.DNSNXDomainWrongClusterDomain, "The nameserver's zone is cluster.example, and the pod asks for cluster.local.", func(n *nameserverConditions) {
			n.zone = "cluster.example."
			n.answers = append(n.answers, denyCluster())
		}),
		fail(checks.DNSNXDomainForeignResolver, "The nameserver is not the cluster's: it asks the root and knows no name of the cluster.", answering(foreign())),
		fail(checks.DNSNoData, "The name of the API server has no address.", answering(withoutAddress())),
		fail(checks.DNSReplyInvalid, "The nameserver answers with garbage, with another id and to another question.", answering(garble())),
		fail(checks.DNSCNAMELoop, "The name of the API server is an alias of an alias of itself.", answering(circle())),
		fail(checks.DNSTCPBlockedUDPOK, "Answers by UDP are truncated, and the port is closed to TCP.", func(n *nameserverConditions) {
			n.tcp = false
			n.answers = append(n.answers, truncate)
		}),
		warn(checks.DNSAnswerDisagreesWithEnv, "The name leads to another address than KUBERNETES_SERVICE_HOST.", func(c *conditions) {
			listenAlso(c, loopback(2))
			c.nameserver.service = loopback(2)
		}),
		warn(checks.DNSSearchWildcardHijack, "A company's domain comes first in the search list, and a wildcard record in it leads to a host where nobody listens.", func(c *conditions) {
			c.resolvConf = plainFile(resolvConf("corp.example "+searchList(), "ndots:5", loopback(1)))
			c.nameserver.answers = append(c.nameserver.answers, wildcard("corp.example.", loopback(2)))
		}),
		warn(checks.DNSAAAABroken, "The nameserver answers SERVFAIL when it is asked for AAAA.", func(c *conditions) {
			c.nameserver.answers = append(c.nameserver.answers, failAAAA())
		}),
		warn(checks.DNSSlow, "The nameserver takes 600 ms for an answer.", func(c *conditions) {
			c.nameserver.answers = append(c.nameserver.answers, delay)
		}),
	}
}

func answering(with answer) func(*nameserverConditions) {
	return func(n *nameserverConditions) { n.answers = append(n.answers, with) }
}

// always answers every question alike.
func always(reply func(w dns.ResponseWriter, question *dns.Msg)) answer {
	return func(<-chan struct{}, dns.Handler) dns.Handler { return dns.HandlerFunc(reply) }
}

// where answers those questions that are chosen, and leaves the others be.
func where(chosen func(dns.Question) bool, reply func(w dns.ResponseWriter, question *dns.Msg)) answer {
	return func(_ <-chan struct{}, next dns.Handler) dns.Handler {
		return dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
			if chosen(question.Question[0]) {
				reply(w, question)
				return
			}
			next.ServeDNS(w, question)
		})
	}
}

func silence() answer { return always(func(dns.ResponseWriter, *dns.Msg) {}) }

func delay(done <-chan struct{}, next dns.Handler) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		if pause(done, 600*time.Millisecond) {
			next.ServeDNS(w, question)
		}
	})
}
