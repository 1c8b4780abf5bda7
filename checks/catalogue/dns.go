package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	resolvConf = inPod + "cat /etc/resolv.conf"
	// resolvConfSeen is the file of Lifeline's own container, with what is
	// mounted or written over it there.
	resolvConfSeen = freshLook + `'.checks[] | select(.name == "dns") | .details.resolvConf'`
	lookupName     = inPod + "dig +search +showsearch +time=2 +tries=1 kubernetes.default.svc"
	dnsOfPod       = "kubectl -n {namespace} get pod {pod} " +
		"-o jsonpath='{.spec.dnsPolicy} {.spec.hostNetwork} {.spec.dnsConfig}'"
	dnsService    = "kubectl -n kube-system get service kube-dns"
	describeDNS   = "kubectl -n kube-system describe service kube-dns"
	coreDNSPods   = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide"
	coreDNSSlices = "kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns"
	coreDNSLog    = "kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50 --prefix"
	corefile      = "kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}'"
	nodeLocalDNS  = "kubectl -n kube-system get pods -l k8s-app=node-local-dns " +
		"--field-selector spec.nodeName={node} -o wide"
	coreDNSRestartSentence = "Disruptive: replaces the CoreDNS pods one by one:"
	coreDNSRestart         = "kubectl -n kube-system rollout restart deployment/coredns"
	clusterFirstSentence   = "Set the policy in the pod template (this rolls the pods out anew):"
	oneSocketEach          = inTemplate + `{"dnsConfig":{"options":[{"name":"single-request-reopen"}]}}` + endOfTemplate
	clusterFirst           = inTemplate + `{"dnsPolicy":"ClusterFirst"}` + endOfTemplate
	hostNetworkDNS         = inTemplate + `{"dnsPolicy":"ClusterFirstWithHostNet"}` + endOfTemplate
	// onlyClusterSentence leads to onlyCluster, which keeps the options and what is searched.
	onlyClusterSentence = "Leave the nameservers to kubelet in the pod template, whose server forwards what is not its own (this rolls the pods out anew); with " +
		"hostNetwork write ClusterFirstWithHostNet in the place of ClusterFirst:"
	onlyCluster  = inTemplate + `{"dnsPolicy":"ClusterFirst","dnsConfig":{"nameservers":null}}` + endOfTemplate
	noSearches   = inTemplate + `{"dnsConfig":{"searches":null}}` + endOfTemplate
	editCorefile = "kubectl -n kube-system edit configmap coredns"
	toDNS        = `{"to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}},"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}],` +
		dnsPorts + `}`
	fromAll        = `{` + dnsPorts + `}`
	patchDNSPolicy = `kubectl -n kube-system patch networkpolicy DNS-POLICY --type=json -p '[`
	toLinkLocal    = `{"to":[{"ipBlock":{"cidr":"169.254.0.0/16"}}],` + dnsPorts + `}`
	dnsPorts       = `"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"}]`
)

// allowDNS lets the pod through a policy that isolates it already.
func allowDNS() []string {
	return []string{
		"Where a policy isolates the pod, add a rule for the pods of the cluster's DNS to it, by its name for NAME; where the network add-on judges before DNAT, " +
			"add one with an ipBlock of the address of kube-dns too:",
		addRule + toDNS + endOfRule,
		noRuleYet,
		beginRules + toDNS + endOfRules,
	}
}

// letIntoDNS does for a policy that isolates CoreDNS. DNS is for all, so it says
// nothing of whom.
func letIntoDNS() []string {
	return []string{
		"Where a policy of kube-system isolates CoreDNS, add a rule to it, by its name for DNS-POLICY:",
		patchDNSPolicy + `{"op":"add","path":"/spec/ingress/-","value":` + fromAll + endOfRule,
		noRuleYet,
		patchDNSPolicy + `{"op":"test","path":"/spec/ingress","value":null},{"op":"add","path":"/spec/ingress","value":[` + fromAll + endOfRules,
	}
}

// allowLinkLocal does what allowDNS does for a nameserver that is no pod.
func allowLinkLocal() []string {
	return []string{
		"Where a policy isolates the pod and the nameserver is in 169.254.0.0/16, which no podSelector matches, add a rule for that range to it, by its name for NAME:",
		addRule + toLinkLocal + endOfRule,
		noRuleYet,
		beginRules + toLinkLocal + endOfRules,
	}
}

// dnsServers are the reasons about the resolver configuration and about reaching
// nameservers.
func dnsServers() []Entry {
	return []Entry{
		{
			Reason: checks.DNSResolvConfMissingOrEmpty,
			Title:  "resolv.conf is missing or names no nameserver",
			Means: "Without a nameserver line that holds an address, resolvers ask 127.0.0.1 and ::1, where nothing " +
				"listens, and Go says \"lookup ... on [::1]:53 ... connection refused\". A line with a host name in place " +
				"of an address is passed over in silence. An image or an init container that overwrites the file, or " +
				"dnsPolicy None without nameservers, are the usual causes.",
			Confirm: []string{
				"What Lifeline's container has:",
				resolvConfSeen,
				"What kubelet gave the pod, without any mount or overwriting in its containers:",
				resolvConf,
				"What the pod asks for:",
				dnsOfPod,
			},
			Mend: []string{
				"Remove what is mounted or written over /etc/resolv.conf in the container.",
				clusterFirstSentence,
				clusterFirst,
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSResolvConfUnreadable,
			Title:  "resolv.conf cannot be read",
			Means: "The file is there, but this user may not read it, or it is a directory, a FIFO or far too large. " +
				"Resolvers then behave as if it were empty and ask 127.0.0.1. Kubelet writes it readable to all, so " +
				"something in the pod has replaced it or lies over it.",
			Confirm: []string{
				"What Lifeline's container has:",
				resolvConfSeen,
				"What is mounted over it:",
				podMounts,
				inApplication,
				execInPod + "ls -laL /etc/resolv.conf",
			},
			Mend: []string{
				"Remove the mount at /etc/resolv.conf, or the script that rewrites it, and use dnsConfig for what it was to do.",
				restartSentence,
				restart,
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSPolicyDefault,
			Title:  "The pod uses its node's DNS, not the cluster's",
			Means: "The resolv.conf is the node's: its search list has no svc entry and its nameserver does not know " +
				"the cluster's zone. External names resolve and every Service name is NXDOMAIN. Three causes: " +
				"dnsPolicy Default, which despite its name is not the default; hostNetwork with dnsPolicy " +
				"ClusterFirst, which degrades to Default; a kubelet without clusterDNS, where all pods of the node " +
				"are hit and have the event MissingClusterDNS.",
			Confirm: []string{
				"The nameservers and the search list:",
				resolvConf,
				"The policy and hostNetwork:",
				dnsOfPod,
				"Where kubelet knows no cluster DNS, it says so:",
				"kubectl get events -A --field-selector reason=MissingClusterDNS",
			},
			Mend: []string{
				"With dnsPolicy Default (this rolls the pods out anew):",
				clusterFirst,
				"With hostNetwork (this rolls the pods out anew):",
				hostNetworkDNS,
				"With a kubelet that knows no cluster DNS: set clusterDNS and clusterDomain in its configuration file on the " +
					"node {node}, then:",
				restartKubeletSentence,
				restartKubelet,
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSHostNetwork,
			Title:  "A pod on the host's network has its node's DNS",
			Means: "The pod has hostNetwork true, and for such a pod kubelet takes dnsPolicy ClusterFirst for Default without a word: " +
				"the resolv.conf is the node's, its search list has no svc entry, and its nameserver does not know the cluster's zone. " +
				"External names resolve and every Service name is NXDOMAIN. Clients that go by KUBERNETES_SERVICE_HOST work.",
			Confirm: []string{
				"The policy and hostNetwork:",
				dnsOfPod,
				"What Lifeline's container has:",
				resolvConfSeen,
			},
			Mend: []string{
				"Set the policy that is for such pods, in the pod template (this rolls the pods out anew):",
				hostNetworkDNS,
				"Where the pod does not need the node's network, leave hostNetwork out.",
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSPolicyNoneIncomplete,
			Title:  "The search list lacks the cluster's domains",
			Means: "The nameserver is the cluster's, but the search domains or ndots that make a short name whole are " +
				"not there, so kubernetes.default.svc is asked for as it stands and is NXDOMAIN. With dnsPolicy None a " +
				"pod has only what its dnsConfig says. The full name with the cluster domain still resolves.",
			Confirm: []string{
				"The policy and the dnsConfig:",
				dnsOfPod,
				"What comes of them:",
				resolvConf,
				"Each candidate of the search list, and what is answered:",
				lookupName,
			},
			Mend: []string{
				"Use ClusterFirst and leave in dnsConfig only what is to be added; kubelet merges the two.",
				clusterFirstSentence,
				clusterFirst,
				"Where None has to stay, have the cluster's domains searched, by its own for cluster.local (this rolls the pods out anew, and takes the place of all " +
					"options and searches that dnsConfig has; write those beside it):",
				inTemplate + `{"dnsConfig":{"searches":["{namespace}.svc.cluster.local","svc.cluster.local","cluster.local"],"options":[{"name":"ndots","value":"5"}]}}` + endOfTemplate,
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSTimeout,
			Title:  "No nameserver answers",
			Means: "Queries go out and nothing comes back in time; an application waits for some 10 s for each name and " +
				"then says \"i/o timeout\". Whoever refuses would answer at once, so packets are dropped: by an egress " +
				"NetworkPolicy without port 53, by a policy that allows the kube-dns pods while the nameserver is a " +
				"link-local one (169.254.0.0/16), by a Service datapath that is not programmed, or because CoreDNS is " +
				"gone and still listed. Where the nameserver takes connections all the same, its process stands still, and where it " +
				"answers what has no EDNS(0), a filter drops the rest; the evidence says so.",
			Confirm: []string{
				"Is it all DNS, or UDP only:",
				inPod + "dig +search +tcp +time=3 +tries=1 kubernetes.default.svc A",
				"Does the API answer by its address? If it does, only port 53 is dropped; if not, suspect the Service datapath:",
				inPod + `curl -skS --max-time 5 "https://{host}:{port}/version"`,
				"The nameserver that is asked, and the policies that select the pod:",
				resolvConf,
				networkPolicies,
				"CoreDNS, and kube-proxy on this node:",
				coreDNSPods,
				kubeProxyOnNode,
			},
			Mend: append(
				append(allowDNS(), allowLinkLocal()...),
				"Where the nameserver has neither an address of a Service nor a link-local one, nobody may be there:",
				onlyClusterSentence,
				onlyCluster,
				"Where the nameserver takes connections and answers nothing although it runs, see whether its Corefile has an acl that drops what this pod asks:",
				editCorefile,
				"Where only queries with EDNS(0) are silent, take the filter out of the way that inspects DNS between the pod and CoreDNS.",
				"Where every ClusterIP is silent from this node, read the log of kube-proxy or of what replaces it there.",
				coreDNSRestartSentence,
				coreDNSRestart,
			),
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.DNSServiceNoEndpoints,
			Title:  "The nameserver refuses: nothing serves DNS there",
			Means: "Queries are refused within milliseconds and applications read \"connection refused\". kube-proxy in " +
				"iptables and nftables mode rejects what goes to a Service without ready endpoints, so all CoreDNS pods " +
				"are gone or not ready, or the Service does not lead to them; other datapaths drop, and it is a timeout there. At a link-local nameserver it " +
				"means that NodeLocal DNSCache is down on this node.",
			Confirm: []string{
				"Whether CoreDNS runs and is ready, and whether its Service has its addresses as Endpoints, by a Selector that it has and a TargetPort that it serves:",
				coreDNSPods,
				describeDNS,
				"Whether it is that Service that is asked:",
				resolvConf,
				"For a nameserver in 169.254.0.0/16:",
				nodeLocalDNS,
				"Where CoreDNS is not ready, what it says, and where it restarts again and again, its last words:",
				coreDNSLog,
				"kubectl -n kube-system logs -l k8s-app=kube-dns --previous --tail=20 --prefix",
			},
			Mend: []string{
				"Where there are no pods at all, scale it up:",
				"kubectl -n kube-system scale deployment/coredns --replicas=2",
				"Where pods are Pending or killed for memory, give them nodes or a higher limit.",
				"Where the log names a line of the Corefile or a plugin that it does not know, correct it:",
				editCorefile,
				"Where the log says \"forbidden\", give CoreDNS the role that kubeadm gives it:",
				"kubectl create clusterrolebinding system:coredns --clusterrole=system:coredns --serviceaccount=kube-system:coredns",
				"Where the pods are ready and the Service has no Endpoints, give it the Selector that kubeadm gives it:",
				`kubectl -n kube-system patch service kube-dns --type=json -p '[{"op":"add","path":"/spec/selector","value":{"k8s-app":"kube-dns"}}]'`,
				"Where it has another port than 53, or Endpoints at another than CoreDNS listens at, 53 as a rule, correct port or targetPort:",
				"kubectl -n kube-system edit service kube-dns",
				"Where the Corefile has CoreDNS listen at another port, or at an address of its own (bind), correct that:",
				editCorefile,
				"Where resolv.conf has another address than that Service has, or the pod's own (127.0.0.0/8) with nobody to serve DNS in the pod:",
				onlyClusterSentence,
				onlyCluster,
				"Where the log says \"Loop ... detected\", let resolvConf in kubelet's configuration file, on the nodes where CoreDNS runs, point to a file " +
					"without a loopback nameserver, such as /run/systemd/resolve/resolv.conf, then:",
				restartKubeletSentence,
				restartKubelet,
				coreDNSRestartSentence,
				coreDNSRestart,
				"Where the Service has its Endpoints at the port that CoreDNS listens at, it is the rules on the node {node} that do not lead there:",
				replaceKubeProxySentence,
				replaceKubeProxy,
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSUnreachable,
			Title:  "There is no way to the nameserver",
			Means: "Sending a query fails at once with \"no route to host\", \"network is unreachable\" or \"operation not " +
				"permitted\". Silence would be dns-timeout and a closed port dns-service-no-endpoints; this one speaks " +
				"of the way: a host firewall that rejects, a pod without a default route or without an address of the " +
				"nameserver's family, a filter within the pod.",
			Confirm: []string{
				"The pod's addresses, and its route to the nameserver:",
				inPod + "ip address",
				inPod + "ip route get NAMESERVER",
				"The nameservers:",
				resolvConf,
				onNode,
				"nft list ruleset | grep -i reject",
			},
			Mend: []string{
				"Use a nameserver of a family that the pod has an address of.",
				"Where it is \"operation not permitted\", the filter is in the pod's own network: look at the init containers and sidecars that may set one (NET_ADMIN).",
				"Where a host firewall rejects (firewalld, ufw), put the pod network and its interfaces into a trusted zone.",
				"Where the pod has no route, its network was not set up: read kubelet's and the network add-on's log on the node {node}.",
				deleteSentence,
				deletePod,
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSTCPBlockedUDPOK,
			Title:  "DNS works over UDP and not over TCP",
			Means: "An answer too large for UDP comes cut short and has to be asked for again over TCP, and that fails: " +
				"small answers come, and large ones, such as those of headless Services, do not. In a plain cluster the " +
				"API server's name never needs it, unless the option use-vc has resolvers use TCP alone. A NetworkPolicy or firewall " +
				"that allows only 53/UDP is the usual cause.",
			Confirm: []string{
				"The lookup over TCP:",
				inPod + "dig +search +tcp +time=3 +tries=1 kubernetes.default.svc A",
				"The protocols that policies allow to port 53:",
				"kubectl -n {namespace} get networkpolicies -o yaml | grep -B3 -A3 'port: 53'",
			},
			Mend: append(
				[]string{
					"An egress rule for DNS needs a port with protocol TCP beside the one with UDP; without protocol a port means TCP.",
					"Where resolv.conf has the option use-vc and nothing needs it, take it out of dnsConfig in the pod template.",
				},
				allowDNS()...,
			),
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.DNSNameserverFailing,
			Title:  "One of the nameservers fails",
			Means: "The name resolves, but not by every nameserver of resolv.conf: one of them times out, refuses, or answers " +
				"only when it is asked again. Lookups that come to it first are slow, and NXDOMAIN from it is taken as final by glibc and " +
				"Go; musl asks all at once and takes the first answer. As a rule servers of the cluster and others are " +
				"mixed there.",
			Confirm: []string{
				"The nameservers:",
				resolvConf,
				"Ask each by itself:",
				inPod + "dig +search +time=2 +tries=1 @NAMESERVER kubernetes.default.svc A",
				"Where they come from:",
				dnsOfPod,
			},
			Mend: []string{
				onlyClusterSentence,
				onlyCluster,
				"Where each is a server of the cluster, mend the failing one: CoreDNS, or NodeLocal DNSCache on the node {node}.",
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSAAAABroken,
			Title:  "Queries for AAAA fail where those for A succeed",
			Means: "The IPv4 address comes and the question for an IPv6 one ends in an error, in a denial of the name or in silence, where an empty " +
				"answer is due. getaddrinfo asks for both and waits for both, so lookups are slow or fail altogether. A " +
				"forwarder, a template in the Corefile or a middlebox mistreats AAAA, or a filter drops it.",
			Confirm: []string{
				"Each type by itself:",
				inPod + "dig +search +time=3 +tries=1 kubernetes.default.svc A",
				inPod + "dig +search +time=3 +tries=1 kubernetes.default.svc AAAA",
				"With glibc, two queries from one socket can race in conntrack; then AAAA alone, as above, does not fail.",
				"What CoreDNS is told to do:",
				corefile,
			},
			Mend: []string{
				"Mend the upstream server or the Corefile plugin that answers AAAA wrongly:",
				editCorefile,
				"Where nothing comes back, take out what drops AAAA: an acl in the Corefile, or a filter on the node {node} or on the way.",
				"Where it is the race, run NodeLocal DNSCache, or have glibc take a socket for each query, which musl does not know (this rolls the pods out anew, " +
					"and takes the place of all options that dnsConfig has; write those beside it):",
				oneSocketEach,
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSSearchListOverLimit,
			Title:  "The search list is longer than resolvers bear",
			Means: "Kubernetes allows 32 search domains of 2,048 characters in all and cuts the rest off; glibc before 2.26 " +
				"takes six. More than three nameservers are dropped by kubelet, glibc and Go alike. Names then resolve in " +
				"some images and not in others, since the node's own domains fill the list.",
			Confirm: []string{
				"The search list:",
				resolvConf,
				"The event in which kubelet says what it left out:",
				"kubectl get events -A --field-selector reason=DNSConfigForming",
			},
			Mend: []string{
				"Where the pod template adds to the list, take that out (this rolls the pods out anew):",
				noSearches,
				"Shorten the search list in the resolv.conf that kubelet reads on the node {node} (resolvConf in its configuration).",
				restartSentence,
				restart,
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSSlow,
			Title:  "The lookup is slow",
			Means: "The name resolves, or would with more time, but takes much longer than the milliseconds that are usual within a cluster. All " +
				"names slow means a CoreDNS short of CPU; external names only, a slow upstream; a whole multiple of the " +
				"resolver's timeout, lost packets; many queries for one name, the search list with ndots 5.",
			Confirm: []string{
				"How many candidates are asked before one answers:",
				lookupName,
				"How busy CoreDNS is:",
				"kubectl -n kube-system top pods -l k8s-app=kube-dns",
				"Twenty lookups on fresh ports; one slow replica shows as two groups of times:",
				inPod + `sh -c 'for i in $(seq 20); do dig +search +time=5 kubernetes.default.svc | grep "Query time"; done'`,
			},
			Mend: []string{
				"Give CoreDNS more CPU, or more replicas than it has now:",
				"kubectl -n kube-system get deployment coredns",
				"With one more than now for REPLICAS:",
				"kubectl -n kube-system scale deployment/coredns --replicas=REPLICAS",
				"Run NodeLocal DNSCache, which also ends the conntrack race of glibc.",
				"In applications write names that are asked for often with a dot at the end.",
			},
			Page: pageDNSScaling,
		},
	}
}
