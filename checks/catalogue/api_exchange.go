package catalogue

import "github.com/kube-lifeline/lifeline/checks"

// apiExchange are the reasons about the HTTP exchange itself, whatever its
// status.
func apiExchange() []Entry {
	return []Entry{
		{
			Reason: checks.HTTP2DeadConnection,
			Title:  "A connection that was kept is dead, and a new one works",
			Means: "Nothing came back over an HTTP/2 connection that had answered before, while a new connection was answered: something on the way has " +
				"forgotten it without a word, as after a failover or an idle time of a load balancer, NAT or firewall, or the API server " +
				"that it leads to hangs. Applications that keep connections hang until their own time limits, or for a quarter of an hour until " +
				"TCP gives up, and then recover. client-go pings an idle connection after 30 s and closes it after 15 more.",
			Confirm: []string{
				"For how long it was silent before, and whether the packets of this pod arrive, stand in the evidence. Its latest state:",
				freshLook + `'.checks[] | select(.name == "api") | .details.longLived'`,
				"What the running agent says, by the address of the pod and the port of LIFELINE_LISTEN:",
				fromNode,
				"Which API servers are behind the Service, and whether each answers:",
				apiSlices,
				askEndpoint,
			},
			Mend: []string{
				"Give each request of the application a time limit, and leave HTTP/2's health checks on (HTTP2_READ_IDLE_TIMEOUT_SECONDS and HTTP2_PING_TIMEOUT_SECONDS of client-go not 0).",
				"Have what is on the way tell both sides when it forgets a connection: TCP reset on idle at the load balancer, or an idle time longer than the clients' pings.",
				"Applications that hang now recover when they connect anew.",
				restartSentence, restart,
			},
			Page: pageVirtualIPs,
		},
		{
			Reason: checks.HTTPResponseTimeout,
			Title:  "The API server takes the request and does not answer",
			Means: "The handshake was good, the request went out, and no response came in time; applications read \"context deadline " +
				"exceeded\". The API server or its etcd is overloaded, or the request waits in a queue of priority and fairness, up " +
				"to 15 s. Or the request, larger than all before it by its token, is lost on a path with too small an MTU.",
			Confirm: []string{
				"Which part of the API server is not well:",
				readyz,
				"Requests in the queues, by priority level:",
				"kubectl get --raw /debug/api_priority_and_fairness/dump_priority_levels",
				"A small request without token, against one of some 2 kB: only the latter hanging means the MTU:",
				askService,
				inPod + `sh -c 'curl -sk --max-time 5 -H "X-Filler: $(seq -s- 600)" "https://{host}:{port}/version"'`,
				onControlPlane,
				apiServerLog,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				busySentence,
				busyClients,
				"Give the API servers and etcd more CPU and faster disks, or add an API server.",
				"Where large packets are lost, set the network add-on's MTU to the path's less its own overhead.",
				sendLessSentence,
				sendLess,
			},
			Page: pageFlowControl,
		},
		{
			Reason: checks.HTTPResponseCut,
			Title:  "The response breaks off",
			Means: "The response began and the connection ended before it was whole; applications read \"unexpected EOF\". The API server " +
				"was stopped or killed in the midst of it, or a load balancer or proxy between closed the connection.",
			Confirm: []string{
				"Does it happen again, and does a kube-apiserver answer (Audit-Id):",
				headersAnonymous,
				"Has an API server just restarted:",
				"kubectl -n kube-system get pods -l component=kube-apiserver -o wide",
				onControlPlane,
				apiServerProcess,
			},
			Mend: []string{
				"Once only, while an API server rolls, it needs nothing: clients retry.",
				"Where it stays so, look for a proxy or load balancer on the way and for its limits of time and size.",
			},
			Page: pageDebugCluster,
		},
		{
			Reason: checks.HTTPResponseTooLarge,
			Title:  "The response is far too large for what was asked",
			Means: "GET /api answers in some hundred bytes, and what comes here, head or body, is more than Lifeline reads. It is not the " +
				"API server that answers but something else that sends a page or an endless stream.",
			Confirm: []string{
				"Who answers, and with what:",
				headersAnonymous,
				inPod + `sh -c 'curl -sk --max-time 5 "https://{host}:{port}/api" | head -c 300'`,
			},
			Mend: []string{findAnswerer, overridden, dropHostAndPort, pastMeshSentence, pastMesh},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTPMalformed,
			Title:  "The response is not HTTP",
			Means: "Bytes came back over TLS that do not parse as HTTP. The certificate proved the server, so something behind that " +
				"certificate answers in another protocol: a load balancer in the wrong mode, or one that puts a PROXY-protocol line " +
				"before what it passes on, or a wrong port of the right host.",
			Confirm: []string{
				"What is answered:",
				inPod + `sh -c 'printf "GET /version HTTP/1.1\r\nHost: kubernetes\r\nConnection: close\r\n\r\n" | ` +
					`timeout 5 openssl s_client -connect "{host}:{port}" -quiet 2>/dev/null | head -c 300'`,
				"The Service, and the API servers behind it:",
				apiService,
				apiSlices,
			},
			Mend: []string{
				overridden,
				dropHostAndPort,
				"Let the load balancer pass TCP through unchanged to the API servers' secure port.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTPRedirect,
			Title:  "The answer is a redirect, which no API server gives",
			Means: "kube-apiserver does not redirect GET /api, so a login portal, an ingress or an authenticating proxy answers in its " +
				"place. Clients that follow lose their Authorization header on the way to the other host, and end in a 403 or an " +
				"HTML page with 200. Lifeline never follows.",
			Confirm: []string{
				"The Location header tells who it is:",
				headersAnonymous,
				"The Service's address, which should be the one that was asked:",
				apiService,
			},
			Mend: []string{findAnswerer, overridden, dropHostAndPort, pastMeshSentence, pastMesh},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTP200NotKubernetes,
			Title:  "The answer is 200 but not a Kubernetes API's",
			Means: "The status is 200 and the body is not of kind APIVersions, so whatever answers is no API server: an ingress that takes " +
				"every path, a portal, another service at that address. Clients fail later, at decoding.",
			Confirm: []string{
				"What is answered:",
				inPod + `sh -c 'curl -ski --max-time 5 "https://{host}:{port}/api" | head -c 600'`,
				"A kube-apiserver sets the header Audit-Id on every response:",
				headersAnonymous,
				"The Service's address, which should be the one that was asked:",
				apiService,
			},
			Mend: []string{findAnswerer, overridden, dropHostAndPort, pastMeshSentence, pastMesh},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTPWarningHeaders,
			Title:  "The API server sends a warning with its answer",
			Means: "The request passed, and the response has a Warning header (RFC 7234, section 5.5) with advice of the API " +
				"server: an old kind of token, a badly written Authorization header, a deprecated API. Libraries drop it or only " +
				"log it, so applications seldom notice before the day it becomes an error.",
			Confirm: []string{
				"The warnings word for word:",
				freshLook + `'.checks[] | select(.name == "api") | .details.serviceHost.exchanges[-1].response.warnings'`,
			},
			Mend: []string{
				"Do as the text says.",
				"For auto-generated secret-based tokens, see token-legacy-secret-no-exp.",
			},
			Page: pageAuthentication,
		},
		{
			Reason: checks.HTTPLatencyHigh,
			Title:  "The API server answers slowly",
			Means: "The request passes but takes far longer than is usual within a cluster. A slow connection means lost packets, in steps " +
				"of 1 and 3 s; a slow handshake, a busy server or the MTU; a slow first byte, a queue of priority and fairness or a " +
				"slow etcd. Controllers and leader elections suffer before plain applications do.",
			Confirm: []string{
				"Seconds to the connection, the end of the handshake and the first byte:",
				askPhases,
				"Which part of the API server is not well, and which queue is full:",
				readyz,
				"kubectl get --raw /debug/api_priority_and_fairness/dump_priority_levels",
				"How busy the API servers are:",
				"kubectl -n kube-system top pods -l component=kube-apiserver",
			},
			Mend: []string{
				"Where connecting is slow, look for packet loss between the node {node} and the control plane.",
				"Where the first byte is slow, give API servers and etcd more CPU and faster disks, and mend what asks too much.",
				busySentence,
				busyClients,
			},
			Page: pageFlowControl,
		},
		{
			Reason: checks.HTTPPassedOnRetry,
			Title:  "The request passed only when tried again",
			Means: "A first try failed and a later one of the same round passed. Applications without retries have failed meanwhile. One of " +
				"several API servers is down or rolling, packets are lost, or the server asked for patience with Retry-After.",
			Confirm: []string{
				"What each try of a fresh look meets; one that passes at once shows a single try:",
				freshLook + `'.checks[] | select(.name == "api") | .details.serviceHost.exchanges[] | {stage, address, failure, status: .response.status}'`,
				"A part of six failing points to one bad server:",
				askPhases,
				"Each API server by itself:",
				apiSlices,
				askEndpoint,
			},
			Mend: []string{
				"Once only, while an API server rolls, it needs nothing.",
				"Where one server fails by itself, mend it or take it out, so that it leaves the EndpointSlice; on its control-plane node, as root, see why:",
				apiServerLog,
				stopServerSentence,
				stopServer,
			},
			Page: pageVirtualIPs,
		},
	}
}
