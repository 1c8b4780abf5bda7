package catalogue

import "github.com/kube-lifeline/lifeline/checks"

func pathModes() []Mode {
	modes := diagnosed(
		checks.TCPTimeoutNetworkPolicy,
		checks.TCPTimeoutKubeProxyNotProgrammed,
		checks.TCPTimeoutStartupRace,
		checks.TCPRefusedSidecarNotReady,
		checks.TCPHostUnreachable,
		checks.TCPNetworkUnreachable,
		checks.TCPIntermittentOneEndpoint,
		checks.TLSTimeoutMTUBlackHole,
		checks.TLSTimeoutLargeClientHello,
		checks.TLSTimeoutServerOverloaded,
		checks.TLSEOFOrReset,
		checks.TLSPlaintextOrWrongPort,
		checks.HTTP2DeadConnection,
	)
	return append(modes,
		toldAs("tcp-refused-service-no-endpoints", checks.TCPRefused,
			"What kube-proxy rejects for want of endpoints reaches the pod as the same refusal as that of a closed port. Whether there are endpoints stands in the API, which is away at that moment."),
		toldAs("tcp-refused-apiserver-down", checks.TCPRefused,
			"The refusal of a host on which nothing listens is the same as the one that kube-proxy makes up. That some API servers still answer is told as tcp-intermittent-one-endpoint."),
		toldAs("tcp-policy-pre-dnat-vs-post-dnat", checks.TCPTimeoutNetworkPolicy,
			"A policy that allows the one address and not the other drops the same packets as one that allows neither. Lifeline goes by the address that the environment gives, as applications do."),
		toldAs("tcp-timeout-policy-identity-flap", checks.TCPTimeoutNetworkPolicy,
			"That the network plugin no longer knows the API server by its identity is to be seen in the plugin on the node. To the pod it is one more policy that drops."),
		toldAs("tcp-no-return-path", checks.TCPTimeoutNetworkPolicy,
			"Whether the packet or the answer to it is lost can be seen only at the other end, and the pod hears nothing either way."),
		toldAs("mesh-transparent-intercept", checks.TLSEOFOrReset,
			"To prove that a sidecar takes connections for others, one has to be made to an address that nobody has, which Lifeline does not send packets to. What the sidecar does with the connection is told in the handshake."),
		toldAs("lb-idle-drop", checks.HTTP2DeadConnection,
			"The connection that Lifeline keeps is idle for a minute at a time, and how long it was stands in the evidence. What forgets connections after longer is not seen: a kube-apiserver itself ends those that were idle for 90 seconds, and a watch that says nothing for minutes is not Lifeline's to hold."),
		outOfScope("http2-goaway",
			"It is how an API server asks clients to connect anew, and clients do. On the connection that Lifeline keeps it is counted and another is made; where it hits the one request of a round, that is made again and told as http-passed-on-retry."),
		outOfScope("konnectivity-not-your-problem",
			"Konnectivity carries what the control plane sends into the cluster, and nothing of a pod's way to the API."),
	)
}

func httpModes() []Mode {
	modes := diagnosed(
		checks.HTTP401Unattributed,
		checks.HTTP403Anonymous,
		checks.HTTP403DiscoveryRBACRemoved,
		checks.HTTP403DuringStartup,
		checks.HTTP403NotFromKubernetes,
		checks.HTTP429APF,
		checks.HTTP429MaxInflight,
		checks.HTTP429ShuttingDown,
		checks.HTTP503Starting,
		checks.HTTP504Timeout,
		checks.HTTP502503LB,
		checks.HTTPRedirect,
		checks.HTTP200NotKubernetes,
		checks.HTTP404OnAPI,
		checks.HTTPWarningHeaders,
		checks.HTTPLatencyHigh,
	)
	return append(modes,
		diagnosedBy("http-500-internal", checks.HTTP500Internal, checks.APIServerNotReady),
		outOfScope("http-401-anonymous-disabled",
			"That requests without a token are refused is a choice of the cluster's operator and harms no pod: what Lifeline is told it is told by its token, as applications are."),
		outOfScope("http-503-aggregated-only",
			"Lifeline asks for /api, which the API server answers itself. An aggregated API that is down is a fault of what serves it and not of the pod's way."),
	)
}

func kubectlProxyModes() []Mode {
	modes := diagnosed(
		checks.KProxyDown,
		checks.KProxyLocalhost8080,
		checks.KProxyHostFilter,
		checks.KProxyIPv6HostQuirk,
		checks.KProxyPathOrMethodFilter,
		checks.KProxyAPIPrefix,
		checks.KProxyUpstreamError,
	)
	return append(modes,
		toldAs("kproxy-startup-order", checks.KProxyDown,
			"A sidecar that is not up yet refuses as one that is down does. When it is, the next round says so."),
		toldAs("kproxy-bind-address", checks.KProxyDown,
			"Lifeline asks at the loopback address that it is configured with, and a proxy that listens on another one refuses there. From outside of the pod nobody is to reach it."),
		outOfScope("kproxy-auth-passthrough",
			"The proxy lets an Authorization header of the application stand in place of its own. Lifeline sends it none, so that its answer says whether the proxy's own credential is well."),
	)
}

func probeModes() []Mode {
	return []Mode{
		outOfScope("probe-liveness-depends-on-api",
			"How an application is probed stands in its manifest, which a pod cannot read without rights. Lifeline's own /livez depends on nothing but its process."),
		outOfScope("probe-readiness-depends-on-shared-dependency",
			"That all replicas turn at once is seen from many pods and not from one. Lifeline's own /readyz is gated only by checks of its operator's choice, and not by DNS by default."),
		outOfScope("probe-timeouts-too-tight",
			"The time limit of a probe stands in the manifest. Lifeline answers probes from its last round, at once, whatever it is waiting for."),
		outOfScope("probe-exec-cost",
			"Which commands kubelet runs in other containers is not visible from beside them. Lifeline is asked over HTTP and starts no process for a probe."),
	}
}
