package checks

import "net/netip"

// ServiceName is the name of the API server within the cluster, as
// applications ask for it: relative to the search list.
const ServiceName = "kubernetes.default.svc"

// DNSFacts are what the pod's resolver configuration says and what its
// nameservers answered.
type DNSFacts struct {
	ResolvConf ResolvConf `json:"resolvConf"`
	// HostsFile is the hosts file as a file.
	HostsFile File `json:"hostsFile"`
	// HostsEntries are what the hosts file has for longer and shorter forms of
	// ServiceName, by which applications ask, too.
	HostsEntries []HostsEntry `json:"hostsEntries,omitempty"`
	// HostNetwork tells that kubelet wrote the hosts file for a pod on the
	// host's network, as its first line says (pkg/kubelet/kubelet_pods.go,
	// managedHostsHeaderWithHostNetwork).
	HostNetwork bool `json:"hostNetwork,omitempty"`
	// Lookup is the lookup of ServiceName.
	Lookup Lookup `json:"lookup"`
	// ServiceHost is the lookup of KUBERNETES_SERVICE_HOST where that is a
	// name; nil where it is an address.
	ServiceHost *Lookup `json:"serviceHost,omitempty"`
	Seconds     float64 `json:"seconds"`
}

// HostsEntry is an address that the hosts file has for a name.
type HostsEntry struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
}

// ResolvConf is a resolv.conf(5) as Go's resolver reads it (net/dnsconfig_unix.go).
type ResolvConf struct {
	File File `json:"file"`
	// Nameservers are the first three addresses.
	Nameservers []netip.Addr `json:"nameservers"`
	// Ignored are nameserver lines past the third and those with no address.
	Ignored []string `json:"ignored,omitempty"`
	// Search is the search list, rooted, or nothing.
	Search []string `json:"search,omitempty"`
	// Ndots, Attempts and TimeoutSeconds are by default 1, 2 and 5.
	Ndots          int `json:"ndots"`
	Attempts       int `json:"attempts"`
	TimeoutSeconds int `json:"timeoutSeconds"`
	// Rotate starts each lookup at the next nameserver; UseTCP is use-vc.
	Rotate bool `json:"rotate,omitempty"`
	UseTCP bool `json:"useTCP,omitempty"`
}

// Lookup is one lookup as an application makes it, A and AAAA at once.
type Lookup struct {
	Name string `json:"name"`
	// Candidates are the names that the search list makes of it, in order.
	Candidates []string `json:"candidates,omitempty"`
	// FromHosts tells that the hosts file answered and no server was asked.
	FromHosts bool `json:"fromHosts,omitempty"`
	// Answered is the candidate that had an address; empty where none had.
	Answered  string       `json:"answered,omitempty"`
	Addresses []netip.Addr `json:"addresses"`
	Queries   []Query      `json:"queries,omitempty"`
	Seconds   float64      `json:"seconds"`
	// Cut tells that the probe's time limit ended the lookup, where an
	// application would have gone on.
	Cut bool `json:"cut,omitempty"`
}

// Query is one question to one nameserver and what became of it.
type Query struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Nameserver netip.Addr `json:"nameserver"`
	// Transport is udp or tcp.
	Transport string `json:"transport"`
	// Rcode is the response code, as in NXDOMAIN; empty where Failure is set.
	Rcode string `json:"rcode,omitempty"`
	// Truncated tells that the reply had the TC bit, RFC 1035 section 4.1.1.
	Truncated bool         `json:"truncated,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// CNAMEs is how many aliases the answer followed without or before an
	// address.
	CNAMEs int `json:"cnames,omitempty"`
	// SOA is the primary server named in the authority section of a negative
	// answer; CoreDNS' kubernetes plugin names ns.dns.<zone>.
	SOA string `json:"soa,omitempty"`
	// Texts are the strings of a TXT answer, Names what a PTR or NS answer
	// names. Only deep probes ask for these types.
	Texts []string `json:"texts,omitempty"`
	Names []string `json:"names,omitempty"`
	// RecursionAvailable is the RA bit of the reply to a deep probe.
	RecursionAvailable bool `json:"recursionAvailable,omitempty"`
	// Unanswered is how often the question was sent over UDP with nothing coming
	// back to it: before the time that was answered, each having an id of its
	// own, or in all.
	Unanswered int `json:"unanswered,omitempty"`
	// Discarded is how many datagrams came back that do not answer the
	// question and were passed over, as resolvers do.
	Discarded int      `json:"discarded,omitempty"`
	Failure   *Failure `json:"failure,omitempty"`
	Seconds   float64  `json:"seconds"`
}

// DNSDetails are the details of the dns check.
type DNSDetails struct {
	DNSFacts
	// AgreesWithEnvironment tells whether the name leads, in its family alone, to the address of
	// KUBERNETES_SERVICE_HOST; nil where either is not known.
	AgreesWithEnvironment *bool `json:"agreesWithEnvironment,omitempty"`
}
