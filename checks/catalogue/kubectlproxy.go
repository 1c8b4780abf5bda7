package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	sidecarState = "kubectl -n {namespace} get pod {pod} -o json | " +
		"jq '.status | (.initContainerStatuses // []) + .containerStatuses | map({name, ready, restartCount, state, lastState})'"
	sidecarArguments = "kubectl -n {namespace} get pod {pod} -o json | " +
		"jq '.spec | (.initContainers // []) + .containers | map({name, command, args, ports, restartPolicy})'"
	sidecarLogSentence = "What kubectl says, with the name of its container for PROXY:"
	sidecarLog         = "kubectl -n {namespace} logs {pod} -c PROXY --tail=50"
	proxyFacts         = freshLook + `'.checks[] | select(.name == "kubectl-proxy") | .details.attempt'`
	directAnswer       = freshLook + `'.access[] | {path, works, why}'`
	// plainProxySentence leads to plainProxy.
	plainProxySentence = "Leave kubectl proxy its defaults, which takes away all its flags among the arguments, those that restrict it too, by the name of its container for PROXY and with initContainers in the place of containers for a native " +
		"sidecar (this rolls the pods out anew):"
	plainProxy           = inTemplate + `{"containers":[{"name":"PROXY","args":["proxy"]}]}` + endOfTemplate
	askByLoopback        = setEnv + "-c lifeline LIFELINE_KUBECTL_PROXY_URL=http://127.0.0.1:8001"
	mountAccountSentence = "Mount the service account in the container of kubectl proxy too, and nothing of your own over it, by its name for PROXY and with initContainers in " +
		"the place of containers for a native sidecar (this rolls the pods out anew):"
	mountAccount = inTemplate + `{"automountServiceAccountToken":true,"containers":[{"name":"PROXY","volumeMounts":[` +
		`{"mountPath":"` + directory + `","$patch":"delete"}]}]}` + endOfTemplate
	dropProxyEnvironment = setEnv + "-c PROXY HTTPS_PROXY- https_proxy- HTTP_PROXY- http_proxy- KUBERNETES_SERVICE_HOST- KUBERNETES_SERVICE_PORT-"
	nativeSidecar        = "Make it a native sidecar: an init container with restartPolicy Always and a startupProbe, so that it serves " +
		"before the application starts and is started again when it ends."
)

// kubectlProxyItself are the reasons that the proxy, its flags and its URL give.
func kubectlProxyItself() []Entry {
	return []Entry{
		{
			Reason: checks.KProxyDown,
			Title:  "No kubectl proxy listens",
			Means: "Nothing accepts a connection where LIFELINE_KUBECTL_PROXY_URL has the proxy, and applications read \"connection " +
				"refused\" on loopback. The containers of a pod share loopback, so the address is right as a rule and the sidecar " +
				"is not: it has not started yet, has ended, or listens on another port or address. In the first seconds of a pod " +
				"this heals by itself.",
			Confirm: []string{
				"Whether its container runs:",
				sidecarState,
				"The port and the address that it was told to take; without flags 8001 and 127.0.0.1:",
				sidecarArguments,
				sidecarLogSentence,
				sidecarLog,
			},
			Mend: []string{
				plainProxySentence,
				plainProxy,
				"Ask it where it then listens (this rolls the pods out anew):",
				askByLoopback,
				"Where the container ends again and again, mend what the last line of its log says.",
				nativeSidecar,
				"Let the application try again with a growing pause, since the sidecar may be started anew at any time.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyTimeout,
			Title:  "The kubectl proxy does not answer",
			Means: "The proxy took the request and nothing came back in time, while the API server answers without it. It waits for an " +
				"answer on its own way to the API, by another connection than Lifeline's, and sets itself no time limit for that. A " +
				"connection that died, or a container that is starved of processor time, looks like this.",
			Confirm: []string{
				sidecarLogSentence,
				sidecarLog,
				"Whether its container was started again:",
				sidecarState,
				"Whether the API server answers without the proxy:",
				directAnswer,
			},
			Mend: []string{
				"Give the sidecar no limit of processor time, or a higher one.",
				"Give it a livenessProbe on a path of which the answer does not depend on the API server, or none.",
				restartSentence,
				restart,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyHostFilter,
			Title:  "The filter of the kubectl proxy refuses the host",
			Means: "kubectl proxy compares the Host header, without the port, with --accept-hosts and answers 403 and the one word " +
				"Forbidden to what does not match. By default it accepts localhost and 127.0.0.1, and no other address of " +
				"loopback. The filter keeps web pages from using the proxy by a name of their own, and does not look at who asks.",
			Confirm: []string{
				"What Lifeline gets of it:",
				proxyFacts,
				"The hosts that it was told to accept:",
				sidecarArguments,
			},
			Mend: []string{
				"Ask by localhost or 127.0.0.1, in the application and here, with the port of the proxy for 8001 (this rolls the pods out anew):",
				askByLoopback,
				"Where another host has to be accepted, name just that in --accept-hosts, and never use --disable-filter.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyIPv6HostQuirk,
			Title:  "The filter of the kubectl proxy does not know [::1]",
			Means: "The default of --accept-hosts has ::1 in brackets, and kubectl proxy takes the brackets off the Host header before it " +
				"compares, so that http://[::1]:PORT is refused with 403 and the word Forbidden. Only without a port would it match.",
			Confirm: []string{
				"What Lifeline gets of it:",
				proxyFacts,
				"The hosts that it was told to accept:",
				sidecarArguments,
			},
			Mend: []string{
				"Ask by localhost or 127.0.0.1, where the proxy listens by default, with its port for 8001 (this rolls the pods out anew):",
				askByLoopback,
				"Where it has to be IPv6, give kubectl proxy --accept-hosts='^localhost$,^127\\.0\\.0\\.1$,^::1$' as well.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyPathOrMethodFilter,
			Title:  "The filter of the kubectl proxy refuses /api",
			Means: "The proxy answers 403 and the one word Forbidden although the host is one that it accepts by default. Then " +
				"--accept-paths, --reject-paths or --reject-methods refuses GET of /api, or --accept-hosts was narrowed. By default " +
				"the filter rejects only exec and attach.",
			Confirm: []string{
				"The paths and methods that it was told to accept:",
				sidecarArguments,
				"What Lifeline gets of it:",
				proxyFacts,
			},
			Mend: []string{
				"Let the flags accept what the application needs, and GET of /api where Lifeline is to see that it works.",
				plainProxySentence,
				plainProxy,
				"Where /api is refused on purpose, have Lifeline not ask (this rolls the pods out anew):",
				setEnv + "-c lifeline LIFELINE_KUBECTL_PROXY_URL-",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyAPIPrefix,
			Title:  "The kubectl proxy serves the API under another prefix",
			Means: "The proxy has no such path and answers 404. With --api-prefix it serves the API below that prefix alone, and " +
				"applications have to ask there too.",
			Confirm: []string{
				"The --api-prefix that it was given:",
				sidecarArguments,
				"What Lifeline gets of it:",
				proxyFacts,
			},
			Mend: []string{
				"Give the prefix in the URL, in the application and here (this rolls the pods out anew):",
				askByLoopback + "/PREFIX",
				"Or start kubectl proxy without --api-prefix.",
				plainProxySentence,
				plainProxy,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyNotAKubectlProxy,
			Title:  "Something other than a kubectl proxy answers",
			Means: "What listens at LIFELINE_KUBECTL_PROXY_URL neither passes on an answer of an API server nor refuses as kubectl " +
				"proxy does. Another container of the pod may have taken the port first, in which case kubectl proxy ends with " +
				"\"address already in use\"; or the URL has the port of another program.",
			Confirm: []string{
				"What answers:",
				proxyFacts,
				"Which container was told to take the port:",
				sidecarArguments,
				sidecarLogSentence,
				sidecarLog,
			},
			Mend: []string{
				"Give each program of the pod a port of its own, and kubectl proxy its by --port.",
				"Ask at the port of kubectl proxy, for 8001 (this rolls the pods out anew):",
				askByLoopback,
			},
			Page: pageAccess,
		},
	}
}

// kubectlProxyUpstream are the reasons on the proxy's own way to the API.
func kubectlProxyUpstream() []Entry {
	return []Entry{
		{
			Reason: checks.KProxyLocalhost8080,
			Title:  "The kubectl proxy has no service account",
			Means: "kubectl takes the in-cluster configuration only where KUBERNETES_SERVICE_HOST and _PORT are set and the token is a " +
				"file, in its own container. Without these it asks http://localhost:8080, which in a pod is nobody or another " +
				"program. The proxy listens all the same and answers 500 to everything.",
			Confirm: []string{
				"Whether a service account is mounted in its container:",
				podMounts,
				sidecarLogSentence,
				sidecarLog,
			},
			Mend: []string{
				mountAccountSentence,
				mountAccount,
				"Where the pod template empties the variables of its container (this rolls the pods out anew):",
				setEnv + "-c PROXY KUBERNETES_SERVICE_HOST- KUBERNETES_SERVICE_PORT-",
				"Start kubectl without env -i or a login shell, so that it keeps the variables of its container.",
			},
			Page: pageServiceAccount,
		},
		{
			Reason: checks.KProxyUpstreamError,
			Title:  "The kubectl proxy does not reach the API server",
			Means: "The proxy answers 500 with the error of its own way to the API server, while the API server answers Lifeline " +
				"without it. Both share the pod's network, so the difference is in the container: its environment with a proxy " +
				"variable or another KUBERNETES_SERVICE_HOST, or its copy of ca.crt and token. The error in the answer is read as " +
				"one of any Go client.",
			Confirm: []string{
				"What it says, and whether the API server answers without it:",
				proxyFacts,
				directAnswer,
				sidecarLogSentence,
				sidecarLog,
				"The environment and the mounts of its container, beside those of Lifeline's:",
				environmentOfPod,
				podMounts,
			},
			Mend: []string{
				"Give the container of kubectl proxy the environment and the mounts that Lifeline's has, by its name for PROXY (this rolls the pods out anew):",
				dropProxyEnvironment,
				mountAccountSentence,
				mountAccount,
				"Where it needs HTTPS_PROXY, add KUBERNETES_SERVICE_HOST's address to its NO_PROXY.",
				restartSentence,
				restart,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.KProxyUpstreamStatus,
			Title:  "The API server turns the kubectl proxy's request away",
			Means: "The proxy reaches the API server and passes on its refusal, which is neither about who asks nor about what it may. " +
				"Lifeline's own request had another answer: another API server behind the same address gave it, or the moment was " +
				"another. A 429 asks to wait, a 5xx is the server's own trouble.",
			Confirm: []string{
				"What Lifeline gets of it:",
				proxyFacts,
				"An Audit-Id in it leads to the request in the API server's audit log.",
				"Which part of the API server is not well:",
				readyz,
			},
			Mend: []string{
				"Wait for the next rounds; one that starts or shuts down does this for some seconds.",
				"Where it stays, look at each API server by itself:",
				apiSlices,
			},
			Page: pageHealth,
		},
		{
			Reason: checks.KProxyCredentialRejected,
			Title:  "The API server rejects the kubectl proxy's credential",
			Means: "The proxy adds the token of its own container, and the API server does not accept that one while it accepts Lifeline's. " +
				"The mount in that container may be frozen (subPath), a copy, or shadowed, or kubectl was given a kubeconfig or a " +
				"token by flag. A client that sends an Authorization header of its own through the proxy has the same: the proxy " +
				"then adds none. Lifeline sends none.",
			Confirm: []string{
				"What Lifeline gets of it:",
				proxyFacts,
				"What is mounted in its container, and what it was told:",
				podMounts,
				sidecarArguments,
			},
			Mend: []string{
				mountAccountSentence,
				mountAccount,
				"Give kubectl no credential by flag.",
				plainProxySentence,
				plainProxy,
				restartSentence,
				restart,
			},
			Page: pageServiceAccount,
		},
		{
			Reason: checks.KProxyForbidden,
			Title:  "The kubectl proxy may not GET /api",
			Means: "The API server accepts the proxy's credential and forbids it GET of /api, which every authenticated user may by " +
				"default, and which Lifeline's own request was allowed or did not come to. The way through the proxy works.",
			Confirm: []string{
				"What Lifeline gets of it:",
				proxyFacts,
				"Whether all who log in may read /api, as Kubernetes makes it:",
				"kubectl get clusterrolebinding system:discovery -o yaml",
			},
			Mend: []string{
				"Give the group system:authenticated the ClusterRole system:discovery again; kube-apiserver does so itself when it starts:",
				bindDiscovery,
			},
			Page: pageRBAC,
		},
	}
}
