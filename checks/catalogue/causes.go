package catalogue

import (
	"github.com/kube-lifeline/lifeline/checks"
)

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
