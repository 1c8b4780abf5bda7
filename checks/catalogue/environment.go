package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	environmentOfPod = "kubectl -n {namespace} set env pod/{pod} --list"
	apiService       = "kubectl -n default get service kubernetes -o wide"
	removeSetting    = "Take the setting out of the pod template, so that kubelet's own value stands (this rolls the pods out anew):"
	namespaceFile    = freshLook + `'.checks[] | select(.name == "environment") | .details | {namespaceFile, namespace}'`
	dropHost         = setEnv + "KUBERNETES_SERVICE_HOST-"
	dropPort         = setEnv + "KUBERNETES_SERVICE_PORT-"
	// overridden leads to dropHostAndPort.
	overridden      = "Where the pod template overrides KUBERNETES_SERVICE_HOST or _PORT, take that out (this rolls the pods out anew):"
	dropHostAndPort = setEnv + "KUBERNETES_SERVICE_HOST- KUBERNETES_SERVICE_PORT-"
)

func environment() []Entry {
	return []Entry{
		{
			Reason: checks.EnvServiceVarsMissing,
			Title:  "KUBERNETES_SERVICE_HOST or _PORT is not set",
			Means: "The official clients take the address of the API server from KUBERNETES_SERVICE_HOST and " +
				"KUBERNETES_SERVICE_PORT and from nothing else. Without them InClusterConfig says \"unable to load " +
				"in-cluster configuration\", the Python client \"Service host/port is not set\". Kubelet sets both in " +
				"every container of an ordinary pod, whatever enableServiceLinks says, so something has cleaned the " +
				"environment: env -i, sudo, a login shell, an init system. Only a static pod may lack them by right.",
			Confirm: []string{
				"What a new process in Lifeline's container has:",
				freshLook + `'.checks[] | select(.name == "environment") | .details | {serviceHost, servicePort, serviceAddress}'`,
				"Whether the first process of the application's container still has them; if so, its start script drops them.",
				inApplication,
				execInPod + `sh -c 'tr "\0" "\n" </proc/1/environ | grep ^KUBERNETES_'`,
				"This prints file or http for a static pod, and nothing or api for an ordinary one:",
				`kubectl -n {namespace} get pod {pod} -o jsonpath='{.metadata.annotations.kubernetes\.io/config\.source}'`,
			},
			Mend: []string{
				overridden,
				dropHostAndPort,
				"Start the application without env -i, sudo or a login shell, or have its script pass both variables on.",
				"In a shell within the container that has lost them:",
				`export $(tr "\0" "\n" </proc/1/environ | grep ^KUBERNETES_SERVICE_)`,
				"In a static pod's manifest write both, by the address that this shows:",
				apiService,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvServiceHostInvalid,
			Title:  "KUBERNETES_SERVICE_HOST is neither an address nor a name",
			Means: "The variable has to hold an IP address or a host name and nothing besides: no scheme, no port, no " +
				"path, no white space. An IPv6 address stands there without brackets, which clients add when they make " +
				"the URL of it. From anything else comes a URL that does not parse or leads elsewhere. Kubelet always " +
				"writes a plain address, so this value is of the pod's manifest, a webhook or a script.",
			Confirm: []string{
				"What the pod's manifest sets:",
				environmentOfPod + " | grep KUBERNETES_",
				"The address and the port of the Service, which the variables should have:",
				apiService,
			},
			Mend: []string{
				removeSetting,
				dropHost,
				"Where the address has to be given by hand, give the bare address or name.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvServiceHostUnresolvable,
			Title:  "KUBERNETES_SERVICE_HOST is a name that nobody knows",
			Means: "The variable holds a name in the place of an address, and the pod's nameservers say that it has none. " +
				"In-cluster clients dial what the variable says, so they fail with \"no such host\". Kubelet writes an " +
				"address; a name comes from the pod's manifest, a webhook, or a platform that prefers one, as AKS does on " +
				"request. Either it is misspelt, or the zone that it is in cannot be asked from here.",
			Confirm: []string{
				"Where the variable is set:",
				"kubectl -n {namespace} get pod {pod} -o yaml | grep -B 1 -A 1 KUBERNETES_SERVICE_HOST",
				"The address that kubelet would set:",
				apiService,
			},
			Mend: []string{
				removeSetting,
				dropHost,
				"Or correct the name where it is set (this rolls the pods out anew):",
				setEnv + "KUBERNETES_SERVICE_HOST=API-SERVER",
				"Where the name is right, let the cluster's DNS forward its zone to a nameserver that knows it, in a server block of its own:",
				editCorefile,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvServicePortInvalid,
			Title:  "KUBERNETES_SERVICE_PORT is not a port",
			Means: "The variable has to be a number from 1 to 65535; kubelet writes 443 on nearly every cluster. A value " +
				"such as tcp://10.96.0.1:443 belongs in KUBERNETES_PORT, which is another variable. Clients join host " +
				"and port to a URL that does not parse, and fail before anything is sent.",
			Confirm: []string{
				"What the pod's manifest sets:",
				environmentOfPod + " | grep KUBERNETES_",
				"The address and the port of the Service, which the variables should have:",
				apiService,
			},
			Mend: []string{
				removeSetting,
				dropPort,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvServiceHostOverridden,
			Title:  "KUBERNETES_SERVICE_HOST is not what kubelet set",
			Means: "Kubelet writes the address of the Service kubernetes into both KUBERNETES_SERVICE_HOST and " +
				"KUBERNETES_PORT_443_TCP_ADDR. Here the two differ, so the pod's manifest or a webhook has put " +
				"something else into the first, as AKS and some network add-ons do on purpose. All is well as long " +
				"as the replacement can be reached and its certificate names it; with a host name DNS is on the way " +
				"to the API too.",
			Confirm: []string{
				"What the pod's manifest sets:",
				environmentOfPod + " | grep KUBERNETES_SERVICE_HOST",
				"What kubelet sets, which is the CLUSTER-IP:",
				apiService,
				"Nothing in the manifest means that a webhook does it:",
				"kubectl get mutatingwebhookconfigurations",
			},
			Mend: []string{
				"Where it is meant, allow egress to the replacement, and DNS where it is a name, and leave it so.",
				removeSetting,
				dropHost,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvHTTPProxyInterceptsAPI,
			Title:  "HTTPS_PROXY catches the requests to the API server",
			Means: "A proxy is set in the environment and NO_PROXY does not name the API server's address, so clients " +
				"that honour the environment, the official ones among them, send their requests through the proxy. " +
				"Where it does not carry them, so that the check fails, they end in \"proxyconnect tcp\", in a bare \"Forbidden\" " +
				"or \"Service Unavailable\", or at the certificate of an inspecting proxy; where it does, the check warns, since " +
				"the API is then gone whenever the proxy is. Deep probes see which of the two it is by asking for a tunnel to the " +
				"API server every five to ten minutes, without the proxy's password and without the token. Suffixes such as .svc or " +
				".cluster.local never match an IP address, and kubernetes.default.svc does not end in .cluster.local.",
			Confirm: []string{
				"The proxy variables of the pod's manifest:",
				environmentOfPod + " | grep -i proxy",
				"A container without the proxy variables reaches the server directly:",
				inPod + `curl -skS --noproxy "*" --max-time 5 "https://{host}:{port}/version"`,
			},
			Mend: []string{
				"Find the range of the cluster's service addresses:",
				"kubectl get servicecidrs",
				"Add the API server and that range, which 10.96.0.0/12 stands for here, to what NO_PROXY has already, which goes in the place of PRESENT-LIST and would be lost " +
					"otherwise (this rolls the pods out anew):",
				setEnv + "NO_PROXY=PRESENT-LIST,{host},10.96.0.0/12,.svc,.cluster.local,kubernetes.default.svc",
				"Set no_proxy to the same, as some programs read only one of the two.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.EnvNamespaceFileMissing,
			Title:  "The file that names the pod's namespace is missing",
			Means: "The file namespace beside the token tells programs such as kubectl which namespace they are in; " +
				"without it they go by POD_NAMESPACE or take \"default\". InClusterConfig and the Python client do not " +
				"read it, so the way to the API stands. A projected volume of one's own without a downwardAPI source " +
				"leaves it out, and so does a pod without any service-account mount.",
			Confirm: []string{
				"What Lifeline's container has:",
				namespaceFile,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append(wholeVolume(), "Or give the program POD_NAMESPACE by fieldRef metadata.namespace."),
			Page: pageProjected,
		},
		{
			Reason: checks.EnvNamespaceFileUnreadable,
			Title:  "The file that names the pod's namespace cannot be read",
			Means: "The file is there but is no regular file, is too large, or may not be read by this user. Kubelet " +
				"writes it with the same owner and mode as the token, so look at the token check as well. Programs " +
				"that need their own namespace take \"default\" instead or stop.",
			Confirm: []string{
				"What Lifeline's container has:",
				namespaceFile,
				"The users and the modes that decide who may read it:",
				"kubectl -n {namespace} get pod {pod} -o yaml | grep -E 'runAsUser|runAsGroup|fsGroup|defaultMode'",
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append([]string{groupSentence, giveGroup, oneUser}, wholeVolume()...),
			Page: pageProjected,
		},
		{
			Reason: checks.EnvNamespaceFileNotANamespace,
			Title:  "The namespace file does not hold a namespace",
			Means: "A namespace is at most 63 lower-case letters, digits and dashes (RFC 1123), and the file holds " +
				"something else or nothing. Kubelet would not write that, so the file was made by hand or another " +
				"volume lies over it. Programs that read it ask for objects in a namespace that cannot be, and get 403 or 404.",
			Confirm: []string{
				"What Lifeline's container has:",
				namespaceFile,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: wholeVolume(),
			Page: pageProjected,
		},
	}
}
