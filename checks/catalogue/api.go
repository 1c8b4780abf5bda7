package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	apiSlices = "kubectl -n default get endpointslices -l kubernetes.io/service-name=kubernetes"
	// strangeSlice is of somebody who wanted to add an API server, or a Service of that
	// name.
	strangeSliceSentence = "Destructive: where the Service has a slice that is not called kubernetes, takes that way off it, by the name of the slice for SLICE:"
	strangeSlice         = "kubectl -n default delete endpointslice SLICE"
	askEndpoint          = inPod + `curl -sk --max-time 5 "https://ENDPOINT:6443/version"`
	askService           = inPod + `curl -sk --max-time 5 "https://{host}:{port}/version"`
	// askPhases gives the seconds to the TCP connection, to the end of the
	// handshake and to the first byte, of six connections.
	askPhases = inPod + `sh -c 'for i in 1 2 3 4 5 6; do curl -sk --max-time 10 -o /dev/null ` +
		`-w "%{time_connect} %{time_appconnect} %{time_starttransfer} %{errormsg}\n" "https://{host}:{port}/version"; done'`
	readyz           = "kubectl get --raw '/readyz?verbose'"
	apiServerProcess = "crictl ps -a --name kube-apiserver"
	apiServerLog     = `crictl logs --tail=50 "$(crictl ps -a -q --name kube-apiserver | head -n 1)"`
	headersAnonymous = inPod + `curl -skD - -o /dev/null --max-time 5 "https://{host}:{port}/api"`
	// addRule and beginRules have an egress rule of a NetworkPolicy between them and
	// their ends. The second only begins the list, so that it takes no rule away.
	addRule     = patchPolicy + `{"op":"add","path":"/spec/egress/-","value":`
	endOfRule   = `}]'`
	noRuleYet   = "Where that is refused as invalid, the policy has no rule yet, and this begins the list:"
	beginRules  = patchPolicy + `{"op":"test","path":"/spec/egress","value":null},{"op":"add","path":"/spec/egress","value":[`
	endOfRules  = `]}]'`
	patchPolicy = `kubectl -n {namespace} patch networkpolicy NAME --type=json -p '[`
	// toAPI is a rule for the way before and after the address is translated.
	toAPI = `{"to":[{"ipBlock":{"cidr":"{hostrange}"}},{"ipBlock":{"cidr":"ENDPOINT/32"}}],` +
		`"ports":[{"port":{port},"protocol":"TCP"},{"port":6443,"protocol":"TCP"}]}`
	apiServerMayBe      = "Find what it ended of; a certificate, etcd and a full disk are the usual causes. On its control-plane node, as root:"
	waitForMeshSentence = "With Istio let the containers wait for the sidecar, beside what its annotation has already (this rolls the pods out anew), or use native sidecars:"
	waitForMesh         = annotate + `{"proxy.istio.io/config":"holdApplicationUntilProxyStarts: true"}` + endOfAnnotation
	ciliumSentence      = "With Cilium, of which an ipBlock does not match nodes, add this to a CiliumNetworkPolicy of the pod, by its name for NAME:"
	cilium              = `kubectl -n {namespace} patch ciliumnetworkpolicy NAME --type=json -p '[{"op":"add","path":"/spec/egress/-","value":{"toEntities":["kube-apiserver"]}}]'`
	findAnswerer        = "Find who answers by the headers Server and Via, and take it off the way or correct the address that leads to it."
	// describeAPI shows what an API server makes when there is none of it, and leaves as
	// somebody changed it. Its port is always this one. To have the Service itself made
	// anew takes seconds, in which pods would start without its address.
	describeAPI         = "kubectl -n default describe service kubernetes"
	otherPortSentence   = "Where the Service has another port than https 443:"
	otherPort           = `kubectl -n default patch service kubernetes --type=json -p '[{"op":"replace","path":"/spec/ports/0/port","value":443},{"op":"replace","path":"/spec/ports/0/name","value":"https"}]'`
	localPolicySentence = "Where the Service's Internal Traffic Policy is Local, by which only servers on the pod's own node are asked:"
	localPolicy         = `kubectl -n default patch service kubernetes -p '{"spec":{"internalTrafficPolicy":"Cluster"}}'`
	// etcdLog is that of the store of a control-plane node.
	etcdLog      = `crictl logs --tail=50 "$(crictl ps -a -q --name etcd | head -n 1)"`
	busyClients  = "kubectl get --raw /metrics | grep '^apiserver_flowcontrol_current_inqueue_requests'"
	busySentence = "Find the client that asks too much by the flow schema of the full queue, and let it watch in place of list:"
)

// allowAPI lets the pod through a policy that isolates it already. A new policy
// might isolate others.
func allowAPI() []string {
	return []string{
		"Where a policy isolates the pod, add a rule to it, by its name for NAME, and for ENDPOINT the address of an API server itself, of which the port is 6443 as a " +
			"rule (/128 for /32 with IPv6), and that of the Service for HOST and PORT where they stand; it lets out every pod that the policy selects; add-ons differ in whether they judge before or after DNAT, and a podSelector never matches an API server on the host network:",
		addRule + toAPI + endOfRule,
		noRuleYet,
		beginRules + toAPI + endOfRules,
	}
}

// apiConnection are the reasons about connecting to the API server.
func apiConnection() []Entry {
	return []Entry{
		{
			Reason: checks.TCPRefused,
			Title:  "The connection to the API server is refused",
			Means: "The connection is refused within milliseconds, by a reset or an ICMP message, and applications read \"connection " +
				"refused\". Four neighbours look alike: the Service kubernetes has no endpoint, and kube-proxy rejects (iptables " +
				"and nftables mode); no kube-apiserver listens behind an endpoint; a port is wrong, of the pod or of the Service; or a mesh sidecar of the pod is " +
				"not up yet, which heals within seconds.",
			Confirm: []string{
				"Which API servers are listed, and whether the Service has its port, https 443, and Endpoints at its TargetPort:",
				apiSlices,
				describeAPI,
				"One listed that refuses by itself is down, or its lease (15 s) has not run out yet:",
				askEndpoint,
				"A sidecar, by the container's name (istio-proxy, linkerd-proxy):",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.spec.initContainers[*].name} {.spec.containers[*].name}'",
				"Where kubectl is refused as well, on a control-plane node, as root:",
				apiServerProcess,
				apiServerLog,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				apiServerMayBe,
				apiServerLog,
				"Where it has no container there, see why kubelet does not start one:",
				"journalctl -u kubelet --since -15m --no-pager | grep -i apiserver | tail -n 20",
				otherPortSentence,
				otherPort,
				overridden,
				dropHostAndPort,
				waitForMeshSentence,
				waitForMesh,
				"Retry with a growing pause in the application: an API server that rolls refuses for some seconds.",
				"Disruptive: where its Endpoints have another port than TargetPort, has the API server make them anew, within ten seconds:",
				"kubectl -n default delete endpoints kubernetes",
			},
			Page: pageDebugCluster,
		},
		{
			Reason: checks.TCPTimeout,
			Title:  "The API server does not answer the connection",
			Means: "The first packet goes out and nothing comes back: it is dropped, and applications wait and read \"i/o timeout\". " +
				"Neighbours, told apart below: a NetworkPolicy or firewall that drops; a Service datapath not programmed on this " +
				"node, when all ClusterIPs are silent; an API server that has no way back to the pod; one dead server among several, " +
				"when only some connections fail; or, in the first seconds of a pod, policies not in force yet.",
			Confirm: []string{
				"Does another ClusterIP answer? If so, the datapath works and the API alone is dropped:",
				inPod + "dig +search +tcp +time=3 +tries=1 kubernetes.default.svc A",
				"The Service against an API server itself: only the latter answering means a policy before DNAT or no datapath, " +
					"only the former a policy after it:",
				askService,
				apiSlices,
				askEndpoint,
				"Some of six failing means one bad server:",
				askPhases,
				"The policies of the namespace, and kube-proxy on this node:",
				networkPolicies,
				kubeProxyOnNode,
				onNode,
				tableCounts,
				fromNodeSentence,
				fromNode,
			},
			Mend: append(
				allowAPI(),
				ciliumSentence,
				cilium,
				"Where every ClusterIP is silent on the node {node}, read the log of kube-proxy, or of what replaces it, there.",
				"Where nothing from pods arrives at the API servers, or no answer leaves, give their network a route to the pods' "+
					"addresses, or masquerade them, and look for overlapping ranges.",
				largerSentence,
				largerTable,
				replaceKubeProxySentence,
				replaceKubeProxy,
			),
			Page: pageNetworkPolicies,
		},
		{
			Reason: checks.TCPHostUnreachable,
			Title:  "A firewall or router reports no way to the API server",
			Means: "An ICMP message comes back at once and applications read \"no route to host\", or \"network is unreachable\" although the pod has a route. A host firewall that rejects where " +
				"others drop, firewalld or ufw with rules before those of Kubernetes, is the usual cause; a router or a neighbour " +
				"that does not answer ARP is another. As a rule all pods of the node are hit.",
			Confirm: []string{
				"How it fails:",
				askService,
				onNode,
				"nft list ruleset | grep -iE 'reject|admin-prohibited|host-prohibited'",
				forwarding,
				"ip neighbour show nud failed",
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				forwardSentence,
				forward,
				"Where firewalld runs on the node, put the pod network into its trusted zone, by its range for POD-CIDR:",
				"firewall-cmd --permanent --zone=trusted --add-source=POD-CIDR",
				"Disruptive: with firewalld's iptables backend, rules of kube-proxy may be gone until it writes them anew:",
				"firewall-cmd --reload",
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.TCPNetworkUnreachable,
			Title:  "The pod's own network does not lead to the API server",
			Means: "Connecting fails at once with \"network is unreachable\": the pod's own network namespace has no default route, or " +
				"no address of the family of KUBERNETES_SERVICE_HOST. Or the gateway of that route does not answer, and connecting waits and ends in \"i/o timeout\" or " +
				"\"no route to host\". Or the pod's own table of routes refuses the address. The network add-on failed while it set the pod up or took its interface on the node away since, or the " +
				"address is IPv6 and the pod has IPv4 only.",
			Confirm: []string{
				"The pod's addresses, and its route to the API server:",
				inPod + "ip address",
				inPod + "ip route get {host}",
				"Whether its gateway answers, which is FAILED or INCOMPLETE where it does not:",
				inPod + "ip neighbour show",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.status.podIPs}'",
				"What kubelet and the network add-on say of the pod:",
				podEvents,
			},
			Mend: []string{
				"Where the route to the API server is of the type unreachable, prohibit or blackhole, see which init container or sidecar sets routes (NET_ADMIN).",
				"Where the family is wrong, let the Service kubernetes and the pods share one; do not override the variable.",
				"Read the log of the network add-on on the node {node}.",
				"Where the gateway does not answer, see on the node {node}, as root, whether the pod's interface there is up:",
				"ip -br link show",
				deleteSentence,
				deletePod,
			},
			Page: pageDualStack,
		},
		{
			Reason: checks.TCPReset,
			Title:  "The connection to the API server is reset",
			Means: "Connecting, or a connection that stood already, ends in a reset: \"connection reset by peer\". Something between " +
				"refuses the session, as a mesh, a load balancer or a firewall does, or a server or a node has lost it. Within the " +
				"TLS handshake it is tls-eof-or-reset.",
			Confirm: []string{
				"Does it happen each time, or to some:",
				askPhases,
				"Whether one API server alone does it:",
				apiSlices,
				askEndpoint,
				"The policies of the namespace:",
				networkPolicies,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				pastMeshSentence,
				pastMesh,
				"Where one API server alone does it, on its control-plane node, as root, see why; where all do, look at what stands between:",
				apiServerLog,
				"At a load balancer look at its idle timeout and health checks; in the application retry on a new connection.",
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.TCPFailed,
			Title:  "Connecting to the API server fails",
			Means: "Connecting fails with an error of the operating system that has no code of its own here; the check's message has its " +
				"words. \"Operation not permitted\" is a filter within the pod or on the node, \"cannot assign requested address\" " +
				"means that all local ports are in use, \"too many open files\" a limit of this process.",
			Confirm: []string{
				"How it fails, and how many sockets the pod has open:",
				askService,
				inPod + "ss -s",
				"The policies of the namespace:",
				networkPolicies,
			},
			Mend: []string{
				"Where a local filter forbids it, let it pass {host} at {port}.",
				"Where ports are exhausted, find the program in the pod that opens a new connection for each request.",
				deleteSentence,
				deletePod,
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.APIByNameFailing,
			Title:  "The API server cannot be reached by its name",
			Means: "kubernetes.default.svc leads to another address than KUBERNETES_SERVICE_HOST, and there the API does not answer as it " +
				"should, while it does at the other. The official clients are not touched; curl and scripts that go by the name " +
				"are. A hosts entry, a search domain with a wildcard, or an override of the variable parts the two.",
			Confirm: []string{
				"Where the name leads, and where it should:",
				lookupName,
				apiService,
				"What answers there:",
				inPod + `curl -skv --max-time 5 "https://kubernetes.default.svc/version"`,
				"Whether the manifest writes the name into the hosts file:",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.spec.hostAliases}'",
			},
			Mend: []string{
				dropAliasSentence,
				dropAlias,
				"Mend what else leads the name elsewhere; see dns-answer-disagrees-with-env.",
				"In programs use KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, in place of the name.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.TokenLocalClockSkew,
			Title:  "The node's clock differs from the API server's",
			Means: "The Date of the API server is more than a minute off the pod's clock, which is its node's. Tokens are judged by the " +
				"server's clock and go on working, certificates by the node's: it is they that fail first, as expired or not valid " +
				"yet. Which of the two is wrong, a third clock tells.",
			Confirm: []string{
				"The server's clock and the pod's:",
				inPod + `sh -c 'curl -skD - -o /dev/null --max-time 5 "https://{host}:{port}/version" | grep -i ^date; date -u'`,
				onNode,
				"chronyc tracking",
				timeOnNode,
			},
			Mend: []string{
				clocksRight,
				timeService,
				clockStepSentence,
				clockStep,
			},
		},
		{
			Reason: checks.TokenRejectedWhileRotating,
			Title:  "The token was replaced while it was being used",
			Means: "The request got 401, and the token file has changed since it was read for it. As a rule the old token had just " +
				"ended and the next round, with the new one, passes. Where it does not pass, the 401 has another cause.",
			Confirm: []string{
				"Is the check well by now:",
				freshLook + `'.checks[] | select(.name == "api") | {status, reason, message}'`,
				"When kubelet wrote the new one, as writtenAt:",
				tokenFiles,
			},
			Mend: []string{
				"Wait for one more round; once only, it needs nothing.",
				"In applications read the token again after a 401 and retry once.",
			},
			Page: pageServiceAccount,
		},
	}
}
