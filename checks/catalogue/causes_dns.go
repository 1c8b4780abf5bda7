package catalogue

import (
	"github.com/kube-lifeline/lifeline/checks"
)

func dnsCauses() []Entry {
	return []Entry{
		{
			Reason: checks.DNSEgressPolicyBlocks53,
			Title:  "Packets to port 53 are dropped",
			Means: "Every nameserver is silent over UDP and over TCP, while the API server answers, so the pod has a way and DNS has none. " +
				"The usual cause is a NetworkPolicy that denies egress by default and leaves DNS out; one that lets nobody in to CoreDNS is another. Applications say \"i/o timeout\" " +
				"for names and work by address. A Service of DNS that is gone or has another address or traffic policy, CoreDNS pods that died with their node and are still in it, and a kube-proxy that stands still look the same.",
			Confirm: []string{
				"The policies of the pod's namespace, and of CoreDNS's:",
				networkPolicies,
				coreDNSPolicies,
				"Whether CoreDNS runs:",
				coreDNSPods,
				"Whether the Service is there, with the address of resolv.conf and the Internal Traffic Policy Cluster:",
				describeDNS,
				resolvConf,
				"Each CoreDNS pod past the Service, by its address above; one that answers means that no policy drops it, and the Service leads elsewhere:",
				inPod + "dig +search +time=2 +tries=1 @COREDNS-POD-IP kubernetes.default.svc A",
				"Where kube-proxy leads queries on the node {node}, as root, in nftables mode and in iptables mode; other addresses than those above mean that it stands still:",
				"nft list table ip kube-proxy | grep kube-dns",
				"iptables -t nat -n -L | grep kube-dns",
				"Where the API server runs on that same node, whether the node hands packets on at all (1, and ACCEPT):",
				forwarding,
				forwardRule,
			},
			Mend: append(
				append(allowDNS(), letIntoDNS()...),
				"Where the Service's Internal Traffic Policy is Local, by which only CoreDNS on the pod's own node is asked:",
				`kubectl -n kube-system patch service kube-dns -p '{"spec":{"internalTrafficPolicy":"Cluster"}}'`,
				"Where the Service is gone, make it again, by the address in resolv.conf for NAMESERVER:",
				"kubectl -n kube-system expose deployment/coredns --name=kube-dns --cluster-ip=NAMESERVER",
				"Where the Service has another address than resolv.conf:",
				onlyClusterSentence, onlyCluster,
				forwardSentence, forward,
				"Where the CoreDNS pods are on a node that is gone:",
				coreDNSRestartSentence, coreDNSRestart,
				"Where kube-proxy leads elsewhere:",
				replaceKubeProxySentence, replaceKubeProxy,
				"Where all pods of the node {node} have another address than the Service, correct clusterDNS in kubelet's configuration file there, then:",
				restartKubeletSentence, restartKubelet,
			),
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.DNSMixedNameservers,
			Title:  "The nameservers do not know the same names",
			Means: "One nameserver of resolv.conf knows the cluster's names, another says that there are none. Resolvers hold an NXDOMAIN for " +
				"final and ask no other, and musl takes whichever answer comes first. So names fail at times, or in some images only.",
			Confirm: []string{
				"What Lifeline's container has:",
				resolvConfSeen,
				"Where the pod has them from:",
				dnsOfPod,
			},
			Mend: []string{onlyClusterSentence, onlyCluster},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSNodeLocalDown,
			Title:  "NodeLocal DNSCache is down on this node",
			Means: "The nameserver is a link-local address, as NodeLocal DNSCache has on each node, and refuses over UDP and TCP. The node has " +
				"the address, and no process serves it: the cache was killed, mostly for memory, and its interface and rules outlived it. " +
				"All pods of this node fail, at once and with \"connection refused\", and those of other nodes do not.",
			Confirm: []string{
				"Its pod on this node:",
				nodeLocalDNS,
				"Its log, by that name for NODE-LOCAL-DNS-POD:",
				nodeLocalLog,
				onNode,
				"ip address show nodelocaldns",
				"dmesg | grep -i 'killed process.*node-cache'",
			},
			Mend: []string{
				"Where it was killed for memory, raise the limit in the DaemonSet:",
				"kubectl -n kube-system edit daemonset/node-local-dns",
				"Where the node has no pod of it, see what keeps it from there: tolerations, a node selector, an image that cannot be pulled.",
				"Destructive: ends its pod on this node; the DaemonSet makes another:",
				"kubectl -n kube-system delete pod -l k8s-app=node-local-dns --field-selector spec.nodeName={node}",
			},
			Page: pageNodeLocalDNS,
		},
		{
			Reason: checks.DNSConntrackRace,
			Title:  "One of two DNS queries from a socket is lost",
			Means: "A and AAAA asked for from one socket at the same time, as glibc and musl do, at times lack one of the two replies, while " +
				"single queries lose none. Both packets are translated to a server behind the Service at once, and the kernel drops the one " +
				"that comes second to its table of connections. Applications wait exactly 5 s for some lookups; Go takes two sockets and never does.",
			Confirm: []string{
				"Insertions that failed (insert_failed, in hexadecimal), on the node {node}, as root; the count grows with each loss, and conntrack -S has it where there is no such file:",
				"grep . /proc/net/stat/nf_conntrack",
				"The look of Lifeline with its counts of pairs:",
				deepNameservers,
				"Whether NodeLocal DNSCache runs, which ends it:",
				nodeLocalDNS,
			},
			Mend: []string{
				"Run NodeLocal DNSCache: queries to it are not translated, and it asks CoreDNS over TCP.",
				"For the meantime have glibc take a socket for each query, which musl does not know (this rolls the pods out anew, and takes the place of all " +
					"options that dnsConfig has; write those beside it):",
				oneSocketEach,
			},
			Page: pageNodeLocalDNS,
		},
		{
			Reason: checks.DNSOneBackendBad,
			Title:  "One of the servers behind the nameserver answers badly",
			Means: "Queries from some ports are never answered, refused, or always answered with SERVFAIL or NXDOMAIN, however often they are sent, and those from others always are as they should. All packets from one " +
				"port go to one server behind the Service, so one of them answers badly or not at all: a CoreDNS pod that hangs or has another Corefile, a " +
				"node that packets from here do not reach, or an address that is no CoreDNS. Applications meet a failure at times, and the next try works.",
			Confirm: []string{
				"The servers, and on which nodes they are:",
				coreDNSSlices,
				coreDNSPods,
				"Each of them by itself:",
				inPod + "dig +search +time=2 +tries=1 @COREDNS-POD-IP kubernetes.default.svc A",
				"How many of a fresh look's queries each address answers:",
				deepNameservers,
			},
			Mend: []string{
				"Where all the servers of one node are silent from here, mend the way between the nodes: the network add-on there, and UDP between nodes.",
				"Give CoreDNS a readiness probe that fails when it does not answer (the ready plugin), so that it leaves the Service.",
				"Where the Service leads to an address that no CoreDNS pod has, see who has written that slice, by its labels, and take the address out there:",
				"kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns --show-labels",
				"Where the pods have not all read the same Corefile:",
				coreDNSRestartSentence,
				coreDNSRestart,
				"Destructive: ends the one that answers badly; its Deployment makes another:",
				"kubectl -n kube-system delete pod COREDNS-POD",
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSPolicyMissesNodeLocal,
			Title:  "Packets to the link-local nameserver are dropped",
			Means: "The nameserver is a link-local address, such as 169.254.20.10 of NodeLocal DNSCache or 169.254.169.254 of a cloud, and is silent " +
				"while the API server answers. The usual cause is a NetworkPolicy that allows DNS by the labels of the kube-dns pods, which " +
				"match no address that is not a pod's. Applications say \"i/o timeout\" although DNS seems to be allowed.",
			Confirm: []string{
				"The nameserver that is asked:",
				resolvConfSeen,
				"The policies of the pod's namespace, and of CoreDNS's:",
				networkPolicies,
				coreDNSPolicies,
				"Whether its pod runs on this node:",
				nodeLocalDNS,
				"The lookup over TCP:",
				inPod + "dig +time=2 +tries=1 +tcp +search kubernetes.default.svc",
			},
			Mend: append(
				allowLinkLocal(),
				"Where no policy selects the pod, see whether the cache of the node {node} runs, and what its firewall says of port 53.",
			),
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.DNSReplyFromUnexpectedSource,
			Title:  "DNS replies come from another address than was asked",
			Means: "A reply arrives, but from a pod's address and not from the Service's, so resolvers throw it away and wait until their time is " +
				"over. The address is not translated back where a bridge hands packets between pods of one node past the node's " +
				"firewall.",
			Confirm: []string{
				onNode,
				"sysctl net.bridge.bridge-nf-call-iptables",
				"What dig says of the reply:",
				inPod + "dig +time=2 +tries=1 +search kubernetes.default.svc",
			},
			Mend: []string{onNode, "modprobe br_netfilter", "sysctl -w net.bridge.bridge-nf-call-iptables=1", "Make both permanent, in /etc/modules-load.d and /etc/sysctl.d."},
			Page: pageDebugService,
		},
		{
			Reason: checks.DNSSearchWildcardHijack,
			Title:  "A search domain answers in the cluster's place",
			Means: "The search list makes kubernetes.default.svc a name in a domain outside of the cluster before it comes to the cluster's own, and a " +
				"wildcard record there answers, mostly with the address of a public load balancer. Applications that go by the name reach a " +
				"stranger, and say \"certificate signed by unknown authority\" or \"certificate is valid for\" another name; those that go by " +
				"the address of the environment work.",
			Confirm: []string{
				"What Lifeline's container has:",
				resolvConfSeen,
				"Which candidate of the search list is answered:",
				lookupName,
				"The name in the cluster's zone, by the cluster's own domain:",
				inPod + "dig +time=2 +tries=1 kubernetes.default.svc.cluster.local. A",
			},
			Mend: []string{
				"Where dnsConfig of the pod template has the other domain, leave all that it adds out, so that the cluster's domains alone are searched (this rolls the pods out anew); " +
					"with hostNetwork write ClusterFirstWithHostNet in the place of ClusterFirst:",
				inTemplate + `{"dnsPolicy":"ClusterFirst","dnsConfig":{"nameservers":null,"searches":null}}` + endOfTemplate,
				"Where kubelet adds it, leave it out of the resolv.conf that it reads on the node {node}.",
				"Let applications ask with a full stop at the end: kubernetes.default.svc.cluster.local.",
				"Have the wildcard record taken out of that domain.",
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSServfailUpstream,
			Title:  "CoreDNS cannot answer for names outside of the cluster",
			Means: "The cluster's own names are answered, and other ones are not (SERVFAIL, or silence), since the resolver that CoreDNS forwards to fails. " +
				"The search list makes such names out of short ones, and a resolver that stops at the failure, as musl's does, never " +
				"comes to the right one.",
			Confirm: []string{
				"To whom CoreDNS passes such names on, and what it says of it:",
				corefile,
				coreDNSLog,
			},
			Mend: []string{
				"Correct the addresses behind \"forward\" in the Corefile, or let CoreDNS reach them:",
				editCorefile,
				"Let applications ask with a full stop at the end: kubernetes.default.svc.cluster.local.",
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSUDPBlockedTCPOK,
			Title:  "DNS works over TCP only",
			Means: "The nameserver answers over TCP and is silent over UDP, or refuses there. A policy or a firewall allows TCP port 53 alone, the overlay drops " +
				"UDP packets, for example for their checksums, or the Service has nobody behind its UDP port. Applications say \"i/o timeout\" or " +
				"\"connection refused\", as they ask over UDP first.",
			Confirm: []string{
				"The policies of the pod's namespace, and of CoreDNS's:",
				networkPolicies,
				coreDNSPolicies,
				"The same lookup over UDP and over TCP:",
				inPod + "dig +time=2 +tries=1 +search kubernetes.default.svc",
				inPod + "dig +time=2 +tries=1 +tcp +search kubernetes.default.svc",
				"Where UDP is refused, whether the Service and what is behind it have port 53 for both:",
				dnsService,
				coreDNSSlices,
			},
			Mend: append(
				allowDNS(),
				"For the meantime have glibc and Go use TCP, which musl does not know, by dnsConfig in the pod template (this rolls the pods out anew, and takes the place of all options that it has; "+
					"write those beside it):",
				inTemplate+`{"dnsConfig":{"options":[{"name":"use-vc"}]}}`+endOfTemplate,
			),
			Page: pageNetworkPolicies,
		},
	}
}
