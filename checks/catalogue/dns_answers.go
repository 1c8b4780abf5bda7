package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	dropAliasSentence = "Where hostAliases of the pod template have the name, take out all names of that address, for ADDRESS (this rolls the pods out anew):"
	dropAlias         = inTemplate + `{"hostAliases":[{"ip":"ADDRESS","$patch":"delete"}]}` + endOfTemplate
)

// dnsAnswers are the reasons about what nameservers and the hosts file answer.
func dnsAnswers() []Entry {
	return []Entry{
		{
			Reason: checks.DNSServfailCoreDNSUnsynced,
			Title:  "CoreDNS has not read the cluster's Services yet",
			Means: "The answer is SERVFAIL. CoreDNS gives it for a name of the cluster while its cache is not filled from the API " +
				"server: at its start it waits some seconds for the API and then serves without. Applications read \"server " +
				"misbehaving\". Neighbours: an upstream that fails for a search candidate outside the cluster's zone, and a " +
				"SERVFAIL kept in a cache for some seconds after the repair.",
			Confirm: []string{
				"A static record, under cluster.local or what the cluster's domain is, still answers from a CoreDNS that is not synced:",
				inPod + "dig +short dns-version.cluster.local. TXT",
				"SERVFAIL within the cluster's zone means CoreDNS, outside it alone the upstream:",
				lookupName,
				"What keeps CoreDNS from the API:",
				"kubectl -n kube-system logs -l k8s-app=kube-dns --tail=-1 --prefix | grep -iE 'unsynced|failed to (list|watch)|i/o timeout'",
			},
			Mend: []string{
				"Where this pod cannot reach the API either, mend that way first; CoreDNS catches up by itself.",
				"Where only CoreDNS cannot, look at its network policies and its rights:",
				"kubectl -n kube-system get networkpolicies",
				"kubectl auth can-i list endpointslices.discovery.k8s.io -A --as=system:serviceaccount:kube-system:coredns",
				"Where the upstream fails, mend the target of forward in the Corefile, or the node's own resolver.",
				coreDNSRestartSentence,
				coreDNSRestart,
			},
			Page: pageCoreDNS,
		},
		{
			Reason: checks.DNSRefusedNoZone,
			Title:  "The nameserver refuses to answer for the zone",
			Means: "The answer is REFUSED: the server is up but holds itself not responsible. CoreDNS does so where no " +
				"server block of its Corefile matches the name, or where its acl plugin forbids; a resolver that is not " +
				"the cluster's does so to strangers. Go applications read \"server misbehaving\", as for SERVFAIL.",
			Confirm: []string{
				"Is it the cluster's DNS that is asked:",
				resolvConf,
				dnsService,
				"Whether the Corefile has the zone, and what each name gets:",
				corefile,
				lookupName,
			},
			Mend: []string{
				"Where another server than the cluster's is asked:",
				onlyClusterSentence,
				onlyCluster,
				"Restore in the Corefile the server block with kubernetes and the cluster's zone; CoreDNS reloads it " +
					"within minutes where it has the reload plugin:",
				editCorefile,
			},
			Page: pageDNSServers,
		},
		{
			Reason: checks.DNSServerMisbehaving,
			Title:  "The nameserver answers with an error",
			Means: "The server answers, but with an error such as FORMERR or NOTIMP; Go reports these, SERVFAIL and REFUSED alike as " +
				"\"server misbehaving\". FORMERR points to a server or a middlebox that does not bear EDNS0, NOTIMP to something " +
				"that is hardly a DNS server. SERVFAIL on the cluster's names alone is dns-servfail-coredns-unsynced; on every name, its own version too, " +
				"or on that of the API server while its address is known, it is this: the server is broken, what it asks is, or its Corefile " +
				"has something before the cluster's data that fails. REFUSED is dns-refused-no-zone.",
			Confirm: []string{
				"Which candidate of the search list gets which code:",
				lookupName,
				"With EDNS0 and without it:",
				inPod + "dig +search +time=2 kubernetes.default.svc A",
				inPod + "dig +search +noedns +time=2 kubernetes.default.svc A",
				"Is it the cluster's DNS that is asked:",
				resolvConf,
				dnsService,
				"What CoreDNS says:",
				coreDNSLog,
			},
			Mend: []string{
				"Where another server than the cluster's is asked:",
				onlyClusterSentence,
				onlyCluster,
				"Where CoreDNS answers so, correct its Corefile; it reloads it within minutes where it has the reload plugin:",
				editCorefile,
				"Where only EDNS0 fails, take what inspects DNS between the pod and CoreDNS out of the way.",
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSNXDomainWrongClusterDomain,
			Title:  "The cluster's DNS zone is not the one that is asked for",
			Means: "The cluster's DNS answers NXDOMAIN because the search list ends in another domain than CoreDNS " +
				"serves: kubelet's clusterDomain and the Corefile disagree, or cluster.local is written somewhere by hand. " +
				"The name exists under the zone that CoreDNS does serve.",
			Confirm: []string{
				"The reverse name of the API server's address ends in the real zone:",
				inPod + "dig +short -x {host}",
				"The zone by the search list, by CoreDNS and by kubelet:",
				resolvConf,
				corefile,
				"kubectl get --raw /api/v1/nodes/{node}/proxy/configz | jq .kubeletconfig.clusterDomain",
			},
			Mend: []string{
				"In applications ask for kubernetes.default.svc and let the search list do the rest.",
				"Make clusterDomain in kubelet's configuration file and the zone of the kubernetes plugin in the Corefile the same:",
				editCorefile,
				"Where clusterDomain was changed, on each node where it was:",
				restartKubeletSentence,
				restartKubelet,
				restartSentence,
				restart,
			},
			Page: pageDNSPods,
		},
		{
			Reason: checks.DNSNXDomainForeignResolver,
			Title:  "A resolver that is not the cluster's is asked",
			Means: "NXDOMAIN comes quickly, and its authority is the root, a company or a cloud, not the cluster's zone: " +
				"the query went to a server that knows nothing of Services. External names resolve. A VPN, an entry " +
				"point that edits resolv.conf, dnsConfig.nameservers or a wrong clusterDNS of kubelet put it there.",
			Confirm: []string{
				"The nameserver that is asked, and the cluster's own:",
				resolvConf,
				dnsService,
				"Where the pod has it from:",
				dnsOfPod,
				"The cluster's DNS, asked by its own address, knows the name:",
				inPod + "dig +search +short @CLUSTERIP-OF-KUBE-DNS kubernetes.default.svc A",
			},
			Mend: []string{
				onlyClusterSentence,
				onlyCluster,
				"Stop what edits /etc/resolv.conf in the container.",
				"Where all pods of the node {node} have it, correct clusterDNS in kubelet's configuration file there, then:",
				restartKubeletSentence,
				restartKubelet,
				deleteSentence,
				deletePod,
			},
			Page: pageDNSServers,
		},
		{
			Reason: checks.DNSNXDomainServiceHidden,
			Title:  "The cluster's DNS does not know the kubernetes Service",
			Means: "CoreDNS serves the zone and still answers NXDOMAIN for kubernetes.default.svc. Either a namespaces, " +
				"labels or namespace_labels filter in its Corefile leaves the namespace default out, a template or the like stands before the " +
				"cluster's data and denies the name, or the Service was just deleted; the API server makes it again by itself. Clients that go by KUBERNETES_SERVICE_HOST are " +
				"not touched.",
			Confirm: []string{
				"Whether the Service is there, and what the Corefile makes of it:",
				apiService,
				corefile,
				"Another Service resolves:",
				inPod + "dig +search +short kube-dns.kube-system.svc A",
			},
			Mend: []string{
				"Take the filter out of the kubernetes block of the Corefile, or let it include the namespace default; take out a template, rewrite or " +
					"file that answers in place of kubernetes:",
				editCorefile,
			},
			Page: pageCoreDNS,
		},
		{
			Reason: checks.DNSNoData,
			Title:  "The name exists but has no address",
			Means: "The answer is NOERROR without a record: neither A nor AAAA, though the name is there. Resolvers report " +
				"it as they do NXDOMAIN, \"no such host\". The kubernetes Service has one address of the cluster's first " +
				"family only, so no address at all points to a rewrite or template in the Corefile, to a proxy that " +
				"captures DNS, or to an answer cached from before the Service was there.",
			Confirm: []string{
				"Each type by itself:",
				inPod + "dig +search kubernetes.default.svc A",
				inPod + "dig +search kubernetes.default.svc AAAA",
				"The address of the Service, and what the Corefile makes of it:",
				apiService,
				corefile,
			},
			Mend: []string{
				"Wait for the negative answer to leave the caches, 30 s as a rule, and look again.",
				"Take the template, rewrite or hosts plugin that answers in place of kubernetes out of the Corefile:",
				editCorefile,
			},
			Page: pageCoreDNS,
		},
		{
			Reason: checks.DNSReplyInvalid,
			Title:  "What comes back is no answer to the query",
			Means: "Datagrams come back that are not DNS, answer another question or do not parse. Resolvers pass over them " +
				"and go on waiting, so applications see a timeout. Something other than a DNS server holds port 53, or " +
				"a middlebox rewrites the packets.",
			Confirm: []string{
				"Who is asked, and what comes back:",
				resolvConf,
				lookupName,
				"Over TCP middleboxes interfere less:",
				inPod + "dig +search +tcp +time=3 kubernetes.default.svc A",
				"Who is behind the Service:",
				coreDNSSlices,
			},
			Mend: []string{
				onlyClusterSentence,
				onlyCluster,
				"Make sure that the endpoints of kube-dns are CoreDNS pods and nothing else.",
				"Take what inspects DNS between the pod and CoreDNS out of the way: a mesh, a firewall, a node-local proxy.",
			},
			Page: pageDNSDebugging,
		},
		{
			Reason: checks.DNSCNAMELoop,
			Title:  "The name is an alias that leads to no address",
			Means: "The answer is an alias (CNAME) without an address: the chain comes back to itself, is longer than resolvers follow, " +
				"or ends at a name that does not exist. kubernetes.default.svc has no alias in a plain cluster, so a rewrite or " +
				"template in the Corefile, or a wildcard record of a search domain, has made one. Applications read \"no such host\".",
			Confirm: []string{
				"Where the alias leads:",
				inPod + "dig +search +showsearch kubernetes.default.svc CNAME",
				"Whether the Corefile makes it, or a search domain has it:",
				corefile,
				resolvConf,
			},
			Mend: []string{
				"Take the rewrite or template that answers with the alias out of the Corefile:",
				editCorefile,
				"Where a search domain of the node has the wildcard, take that domain out of the node's resolv.conf.",
			},
			Page: pageDNSServers,
		},
		{
			Reason: checks.DNSAnswerDisagreesWithEnv,
			Title:  "DNS and the environment name different API servers",
			Means: "kubernetes.default.svc leads to another address than KUBERNETES_SERVICE_HOST. The environment is frozen " +
				"at the container's start while DNS is live, so the Service may have been made anew since, as when the " +
				"service range was moved. Or the variable was overridden on purpose, or a search domain, a hosts file or " +
				"a hijacked answer leads the name elsewhere.",
			Confirm: []string{
				"The true address, and what the pod's manifest sets:",
				apiService,
				environmentOfPod + " | grep KUBERNETES_",
				"What DNS answers:",
				lookupName,
			},
			Mend: []string{
				"Where DNS is wrong, mend what answers: a search domain with a wildcard, or the Corefile:",
				editCorefile,
				dropAliasSentence,
				dropAlias,
				"Where the override is meant, leave both; each is tried by itself in the api check.",
				"Where the environment is old, the container has to start again.",
				restartSentence,
				restart,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.DNSHostsFileOverride,
			Title:  "The hosts file answers for the API server's name",
			Means: "/etc/hosts has a line for kubernetes.default.svc, or a longer or shorter form of it, so resolvers never ask DNS for it and stay on that " +
				"address when the cluster's changes. hostAliases of the pod or an image wrote it.",
			Confirm: []string{
				"What Lifeline's container has:",
				freshLook + `'.checks[] | select(.name == "dns") | .details | {hostsFile, hostsEntries, fromHosts: .lookup.fromHosts, addresses: .lookup.addresses}'`,
				inApplication,
				execInPod + "grep kubernetes /etc/hosts",
				"Whether the pod's manifest writes it:",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.spec.hostAliases}'",
				"The true address:",
				apiService,
			},
			Mend: []string{
				dropAliasSentence,
				dropAlias,
				"Where a script or the image writes it, take it out there; where it is meant, keep its address the same as KUBERNETES_SERVICE_HOST.",
			},
			Page: pageHosts,
		},
	}
}
