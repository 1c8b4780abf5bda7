package catalogue

import "github.com/kube-lifeline/lifeline/checks"

// The causes that the rules across links name, most of them by what the deep
// probes saw.

const (
	coreDNSPolicies = "kubectl -n kube-system get networkpolicies"
	nodeLocalLog    = "kubectl -n kube-system logs NODE-LOCAL-DNS-POD --tail=50"
	deepConnections = "kubectl -n {namespace} exec {pod} -c lifeline -- /lifeline check -o facts | jq '.deep.path.fresh[] | {failure, seconds, tcp}'"
	deepNameservers = "kubectl -n {namespace} exec {pod} -c lifeline -- /lifeline check -o facts | jq '.deep.dns.nameservers[] | {address, paired, single}'"
	sixCertificates = inPod + `sh -c 'for i in 1 2 3 4 5 6; do curl -skv --max-time 5 -o /dev/null "https://{host}:{port}/version" 2>&1 | grep -E "subject:|expire date:"; done'`
)

func environmentCauses() []Entry {
	return []Entry{
		{
			Reason: checks.EnvServiceHostStale,
			Title:  "KUBERNETES_SERVICE_HOST is older than the Service",
			Means: "The environment is fixed when a container starts, and the DNS is not. The Service kubernetes has another address by now, " +
				"as after a change of the service range, and at the old one nothing answers. Clients that go by the environment fail " +
				"until the pod is replaced; those that go by the name work.",
			Confirm: []string{
				"The address of the Service now, and what the pod's manifest sets:",
				"kubectl -n default get service kubernetes -o jsonpath='{.spec.clusterIP}'",
				environmentOfPod + " | grep KUBERNETES_",
			},
			Mend: []string{restartSentence, restart, deleteSentence, deletePod},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvServicePortOverridden,
			Title:  "KUBERNETES_SERVICE_PORT is not what kubelet set",
			Means: "kubelet gives every container the port of the Service kubernetes twice, and the variable that clients read has another value: " +
				"a manifest, a webhook or an entry point has set it. In-cluster clients dial what it says; whether that is an API server " +
				"is for the other checks to tell.",
			Confirm: []string{
				"What the pod's manifest sets:",
				environmentOfPod + " | grep KUBERNETES_",
				"The Service's own port:",
				apiService,
			},
			Mend: []string{removeSetting, dropPort},
			Page: pageAccess,
		},
	}
}

func dnsCauses() []Entry {
	return []Entry{
		{
			Reason: checks.DNSEgressPolicyBlocks53,
			Title:  "Packets to port 53 are dropped",
			Means: "Every nameserver is silent over UDP and over TCP, while the API server answers, so the pod has a way and DNS has none. " +
				"The usual cause is a NetworkPolicy that denies egress by default and leaves DNS out; one that lets nobody in to CoreDNS is another. Applications say \"i/o timeout\" " +
				"for names and work by address. A Service of DNS that is gone or has another traffic policy, CoreDNS pods that died with their node and are still in it, and a kube-proxy that stands still look the same.",
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
				forwardSentence, forward,
				"Where the CoreDNS pods are on a node that is gone:",
				coreDNSRestartSentence, coreDNSRestart,
				"Where kube-proxy leads elsewhere:",
				replaceKubeProxySentence, replaceKubeProxy,
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
			Means: "Queries from some ports are never answered, or always with SERVFAIL, however often they are sent, and those from others always are as they should. All packets from one " +
				"port go to one server behind the Service, so one of them takes queries and does not answer: a CoreDNS pod that hangs, or a " +
				"node that packets from here do not reach. Applications meet a timeout at times, and the next try works.",
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
				"Destructive: ends the one that is silent; its Deployment makes another:",
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

func tlsCauses() []Entry {
	return []Entry{
		{
			Reason: checks.CertDiffersByReplica,
			Title:  "One API server shows another certificate than the rest",
			Means: "Some connections meet a certificate that is accepted and some one that is not, so of several API servers behind the address " +
				"one was left out when certificates were renewed or made. Applications fail at times, with x509 errors.",
			Confirm: []string{
				"The certificates that six connections meet:",
				sixCertificates,
				"The API servers behind the Service:",
				apiSlices,
			},
			Mend: []string{
				"The names and addresses in the certificate tell which control-plane node it is. On that node, as root:",
				"kubeadm certs check-expiration",
				"Disruptive: writes a new certificate; kube-apiserver reads it within a minute:",
				"kubeadm certs renew apiserver",
			},
			Page: pageKubeadmCerts,
		},
		{
			Reason: checks.CertDiffersBySNI,
			Title:  "By its name the API server shows a certificate that is not accepted",
			Means: "Who connects to the address of the API server is shown a certificate that ca.crt proves, and who asks for kubernetes.default.svc (SNI) another " +
				"one that it does not, as where --tls-sni-cert-key has an old pair for that name or a load balancer goes by names. The official clients go by the address " +
				"and work; curl and scripts that go by the name fail with x509 errors. Deep probes alone see it, of a one-shot look or where something else is wrong.",
			Confirm: []string{
				"The certificate by the name, and by the address:",
				inPod + `sh -c 'openssl s_client -connect "{host}:{port}" -servername kubernetes.default.svc </dev/null 2>/dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName'`,
				servedCertificate,
				"On a control-plane node, as root, which pairs the API server has for names:",
				"grep -n tls-sni-cert-key " + serverFlags,
			},
			Mend: []string{
				"Issue the pair for that name anew, or take it out of the flags on each control-plane node, after which kubelet starts kube-apiserver anew, as root:",
				"grep -n tls-sni-cert-key " + serverFlags,
				"Where a load balancer goes by names, correct it there.",
				"In the meantime let programs use KUBERNETES_SERVICE_HOST in place of the name.",
			},
			Page: pageAPIServer,
		},
		{
			Reason: checks.TLSTimeoutLargeClientHello,
			Title:  "Something on the way cannot take a ClientHello of two packets",
			Means: "Go 1.24 and later offer a post-quantum key exchange, which makes the first TLS message 1.5 kB and two packets. A firewall or " +
				"load balancer that looks at the first packet only stalls or resets the connection. New Go programs fail, and all " +
				"with OpenSSL 3.5 or later, which do the same; older ones work.",
			Confirm: []string{
				handshakesSentence,
				smallHandshake,
				largeHandshake,
			},
			Mend: []string{
				"Have Go programs offer the smaller message, beside what GODEBUG has already, with a comma between (this rolls the pods out anew):",
				smallHello,
				"Mend or update what looks into TLS on the way.",
			},
			Page: pageGodebug,
		},
		{
			Reason: checks.TLSTimeoutMTUBlackHole,
			Title:  "Large packets are lost on the way",
			Means: "Small packets get through and those of full size do not, and nothing tells the sender: the path has a smaller MTU than the pod " +
				"believes, and the ICMP message that would say so is filtered. A connection comes about and then stands still, " +
				"mostly in the TLS handshake, and applications say \"TLS handshake timeout\".",
			Confirm: []string{
				"The API servers' own addresses, as a Service's does not answer pings:",
				apiSlices,
				wholePacketSentence,
				wholePacket,
				onNode,
				"ip link show",
			},
			Mend: []string{
				"Set the MTU of the network plugin to that of the path less its overhead: 50 bytes for VXLAN, 60 to 80 for WireGuard, 20 for IPIP.",
				"Let ICMP \"fragmentation needed\" and \"packet too big\" pass the firewalls.",
				sendLessSentence,
				sendLess,
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.TLSTimeoutServerOverloaded,
			Title:  "The API server takes connections and does not answer",
			Means: "All that this pod sends is acknowledged, whatever its size, and no TLS message comes back: the kernel of the control-plane node " +
				"works and the API server's process does not. It is stopped, starved of CPU or memory, or waits for its storage. " +
				"After a while the kernel has as many connections for it as it keeps, and no other comes about. " +
				"Applications say \"TLS handshake timeout\", and \"i/o timeout\" then.",
			Confirm: []string{
				"Whether it answers others:",
				"kubectl get --raw /livez --request-timeout=10s",
				onControlPlane,
				apiServerProcess,
				"uptime",
				"dmesg | grep -i -E 'oom|hung' | tail",
			},
			Mend: []string{
				onControlPlane, apiServerLog,
				"Give kube-apiserver and etcd the CPU, memory and disk that they need, and find the client that loads it.",
				stopServerSentence,
				stopServer,
			},
			Page: pageDebugCluster,
		},
	}
}

func apiCauses() []Entry {
	return []Entry{
		{
			Reason: checks.TCPIntermittentOneEndpoint,
			Title:  "One of the API servers cannot be reached",
			Means: "Some connections come to an answer and some do not, so one of several API servers behind the Service is down, hangs or is shut off and still among " +
				"its endpoints. Applications fail at times, and a second try succeeds.",
			Confirm: []string{
				"The API servers behind the Service:",
				apiSlices,
				"Some of six connections fail:",
				askPhases,
			},
			Mend: []string{
				"Find the address among the endpoints that does not answer:", askEndpoint,
				"Start kube-apiserver there, or let traffic to it through; an API server that is gone for good leaves the slice kubernetes by itself, and no other.",
				strangeSliceSentence,
				strangeSlice,
			},
			Page: pageDebugCluster,
		},
		{
			Reason: checks.TCPRefusedSidecarNotReady,
			Title:  "All TCP of this pod is refused, as by a sidecar that is not up",
			Means: "Every TCP connection is refused, whatever it goes to, while DNS over UDP is answered. A service mesh has the pod's TCP led to a " +
				"sidecar on loopback, and where that has not started yet, or has ended, the kernel refuses in its place. Applications read " +
				"\"connection refused\" for the first seconds of a pod. A policy that rejects all TCP of the pod looks the same.",
			Confirm: []string{
				"A sidecar, by the container's name (istio-proxy, linkerd-proxy), and whether it is ready:",
				containersOfPod,
				"What it says, and the policies of the namespace:",
				"kubectl -n {namespace} logs {pod} -c istio-proxy --tail=20",
				networkPolicies,
			},
			Mend: []string{
				waitForMeshSentence,
				waitForMesh,
				pastMeshSentence,
				pastMesh,
				"Retry with a growing pause in the application.",
				"Where the sidecar has ended and does not come back, look at why its container ended.",
			},
			Page: pageSidecars,
		},
		{
			Reason: checks.TCPTimeoutStartupRace,
			Title:  "The pod is new, and its way to the API may not be there yet",
			Means: "No connection to the API server has come about since the process began, less than half a minute ago, in a pod that was made just before, " +
				"and nothing else answers it but, at most, its node. " +
				"Network plugins let a new pod's packets through only when they know its identity and policies, and Service rules come later " +
				"still, so the first seconds may be silent and all after them well. What lasts for longer is something else, which the next " +
				"finding names.",
			Confirm: []string{
				"Wait half a minute and look again:",
				freshLook + `'.diagnosis[] | {reason, evidence}'`,
				"The policies that have to come into force, and how far the pod is:",
				networkPolicies,
				podEvents,
			},
			Mend: []string{
				"Retry in the application, with a growing pause, and do not end it for the first failing.",
				"Or start it once the API answers, by an init container of the image that the container lifeline has, for IMAGE (this rolls the pods out anew):",
				inTemplate + `{"initContainers":[{"name":"wait-for-api","image":"IMAGE","args":["wait","-timeout","2m"],"securityContext":{"runAsNonRoot":true,` +
					`"runAsUser":65532,"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}}]}` + endOfTemplate,
			},
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.TCPTimeoutKubeProxyNotProgrammed,
			Title:  "No Service can be reached from this node",
			Means: "Nothing at the address of a Service answers, neither the API nor DNS, while the node itself does. The rules that lead from Services to " +
				"pods are missing on the node: kube-proxy, or what the network plugin has in its place, does not run or cannot " +
				"work. Where nothing is known of an API server's own address, a policy that denies all egress of the pod looks the same, and so does a node that does not forward.",
			Confirm: []string{
				"Whether kube-proxy runs on this node:",
				kubeProxyOnNode,
				"Whether a policy may be the cause instead:",
				networkPolicies,
				"On the node {node}, as root, the rules in nftables mode and in iptables mode (in each of the two the other has none), and whether it hands packets on at all (1, and ACCEPT):",
				"nft list table ip kube-proxy | head",
				"iptables -t nat -n -L KUBE-SERVICES | head",
				forwarding,
				forwardRule,
			},
			Mend: append(
				append([]string{
					forwardSentence,
					forward,
					"Look at what kube-proxy says on that node, by the name of its pod there for KUBE-PROXY-POD:",
					"kubectl -n kube-system logs KUBE-PROXY-POD --tail=50",
				}, allowAPI()...),
				replaceKubeProxySentence,
				replaceKubeProxy,
			),
			Page: pageVirtualIPs,
		},
		{
			Reason: checks.TCPTimeoutNetworkPolicy,
			Title:  "Packets to the API server are dropped",
			Means: "The API server is silent, and the evidence says whether others are reached: where they are, what drops the packets is about the API server " +
				"alone, and where nobody is, about this pod. Mostly it is a NetworkPolicy that denies egress and has no rule for the API server, else a firewall before the " +
				"control plane, a control plane without a route back to the pods, a node whose table of connections is full, or a filter that an init container set in the pod's own network. Applications say \"i/o timeout\".",
			Confirm: []string{
				"The policies of the namespace, and the addresses that they have to allow:",
				networkPolicies,
				apiSlices,
				"Whether the Service has its port, https 443, and the Internal Traffic Policy Cluster:",
				describeAPI,
				"On the node {node}, as root, whether its table of connections is full, and whether it hands packets on at all (1, and ACCEPT):",
				tableFull,
				tableCounts,
				forwarding,
				forwardRule,
				"The filter of the pod's own network, in a namespace that lets NET_ADMIN in:",
				debugPod + "--profile=netadmin -- nft list ruleset",
			},
			Mend: append(
				allowAPI(),
				ciliumSentence,
				cilium,
				"Where no policy is about the pod, look at the firewall and the routes between the nodes and the control plane.",
				largerSentence,
				largerTable,
				forwardSentence,
				forward,
				localPolicySentence,
				localPolicy,
				otherPortSentence,
				otherPort,
				"Where the filter is in the pod's own network, look at the init containers and sidecars that may set one (NET_ADMIN).",
			),
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.TokenIntermittentByAPIServer,
			Title:  "Some API servers reject the token that others accept",
			Means: "With the same token some connections are answered and some get a 401, so the API servers behind the address do not have the same " +
				"keys, issuers or clocks. Applications see \"Unauthorized\" at times.",
			Confirm: []string{onControlPlane, "sha256sum /etc/kubernetes/pki/sa.pub", "grep -E 'service-account-(issuer|key-file)' /etc/kubernetes/manifests/kube-apiserver.yaml", timeOnNode},
			Mend: []string{
				"Give all API servers the same --service-account-issuer, on each control-plane node, as root, where this shows another:",
				"grep -n service-account " + serverFlags,
				clocksRight,
				timeService,
				"Destructive: puts the keys of this control-plane node in the place of another one's, whose tokens are refused from then on; keep a copy of its own, as root:",
				"scp /etc/kubernetes/pki/sa.key /etc/kubernetes/pki/sa.pub root@CONTROL-PLANE-NODE:/etc/kubernetes/pki/",
				"Disruptive: has kubelet there start kube-apiserver anew with them, as root:",
				stopServer,
			},
			Page: pageServiceAccounts,
		},
	}
}
