package catalogue

import (
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	servedCertificate = inPod + `sh -c 'openssl s_client -connect "{host}:{port}" </dev/null 2>/dev/null | ` +
		`openssl x509 -noout -subject -issuer -dates -fingerprint -sha256 -ext subjectAltName,extendedKeyUsage,keyUsage'`
	servedChain      = inPod + `sh -c 'openssl s_client -connect "{host}:{port}" -showcerts </dev/null 2>&1 | grep -E "^ *[0-9]+ s:|^ *i:|^ *a:|^ *v:"'`
	handshake        = inPod + `sh -c 'openssl s_client -connect "{host}:{port}" -brief </dev/null'`
	checkExpiration  = "kubeadm certs check-expiration"
	renewSentence    = "Disruptive: writes a new certificate, on each control-plane node; kube-apiserver reads it within a minute:"
	renew            = "kubeadm certs renew apiserver"
	adminKubectl     = "kubectl --kubeconfig /etc/kubernetes/admin.conf "
	kubeadmConfig    = adminKubectl + clusterConfig
	clusterConfig    = "-n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' >kubeadm.yaml"
	reissueSentence  = "Disruptive: on each control-plane node, sets the old pair aside and issues another with the names of kubeadm.yaml:"
	setAside         = "mkdir -p /etc/kubernetes/pki-old && mv /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key /etc/kubernetes/pki-old/"
	reissue          = "kubeadm init phase certs apiserver --config kubeadm.yaml"
	reissueElsewhere = "On a cluster not made with kubeadm, have whoever issues the API server's certificate issue another."
	// sendLess is for a path of which the MTU is smaller than the pod believes.
	sendLessSentence   = "For the meantime, on the node {node}, as root, have the TCP of all its pods send less at a time (ip6tables for IPv6; -D in the place of -A undoes it):"
	sendLess           = "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1200"
	handshakesSentence = "A small first message, and a large one as newer Go programs send it (OpenSSL 3.5 or later); only the second failing " +
		"means that a middlebox or the way out cannot bear its size:"
	smallHandshake = inPod + `sh -c 'timeout 10 openssl s_client -connect "{host}:{port}" -groups X25519 -brief </dev/null'`
	largeHandshake = inPod + `sh -c 'timeout 10 openssl s_client -connect "{host}:{port}" -groups X25519MLKEM768 -brief </dev/null'`
	// wholePacket needs what the restricted profile drops, and no more than the runtime's own capabilities.
	wholePacketSentence = "Whether a packet of the pod's whole MTU that may not be cut arrives at one of them, for ENDPOINT (48 in the place of 28 with IPv6); " +
		"silence means that it is lost, and a refusal with the path's MTU that the notice of it arrives:"
	wholePacket = debugPod + "--profile=baseline -- sh -c 'ping -M do -c 3 -s $(( $(cat /sys/class/net/eth0/mtu) - 28 )) ENDPOINT'"
	smallHello  = setEnv + "GODEBUG=tlsmlkem=0"
	eachReplica = "Each connection may meet another API server; the subject alternative names tell which one is at fault."
	// unverifiedSentence leads to unverifiedConfig, for certificates that kubectl refuses as well.
	unverifiedSentence = "With kubeadm, on a control-plane node, as root, take the configuration, and see that apiServer.certSANs and networking.serviceSubnet are right in it. " +
		"As kubectl refuses this certificate too, it goes on without proving the server here, which only reads a ConfigMap, and sends no secret:"
	unverifiedConfig    = adminKubectl + "--insecure-skip-tls-verify " + clusterConfig
	interceptionSuspect = "Find out who holds the address: a proxy (HTTPS_PROXY), a mesh, a load balancer that ends TLS, a wrong " +
		"KUBERNETES_SERVICE_HOST, a hijacked DNS answer."
)

// tlsHandshake are the reasons of a handshake that did not come to its end, and
// of a chain that does not lead to the bundle.
func tlsHandshake() []Entry {
	return []Entry{
		{
			Reason: checks.TLSPlaintextOrWrongPort,
			Title:  "The other side does not speak TLS",
			Means: "TLS was begun and plain HTTP or something else came back; Go says \"server gave HTTP response to HTTPS client\". " +
				"KUBERNETES_SERVICE_PORT leads to a port without TLS, or a captive proxy or a mesh has taken the connection. " +
				"kube-apiserver has had no plain port since 1.20.",
			Confirm: []string{
				"What answers without TLS:",
				inPod + `curl -sv --max-time 5 "http://{host}:{port}/"`,
				"Where the variables lead, and what sets them:",
				apiService,
				environmentOfPod + " | grep -E 'KUBERNETES_|PROXY'",
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{overridden, dropHostAndPort, pastMeshSentence, pastMesh},
			Page: pageAccess,
		},
		{
			Reason: checks.TLSEOFOrReset,
			Title:  "The connection is ended within the handshake",
			Means: "TCP connects, and the other side closes or resets as soon as TLS begins; applications read \"EOF\" or " +
				"\"connection reset by peer\". Something between accepts connections that it cannot or may not pass on: a mesh " +
				"sidecar whose policy knows no such host, a load balancer without healthy API servers, a firewall that inspects.",
			Confirm: []string{
				"Does it close by itself, and only for one TLS version:",
				handshake,
				inPod + `sh -c 'openssl s_client -connect "{host}:{port}" -tls1_2 -brief </dev/null'`,
				"A sidecar, by the container's name:",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.spec.initContainers[*].name} {.spec.containers[*].name}'",
				"The API servers behind the Service; ask one of them directly:",
				apiSlices,
				askEndpoint,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				pastMeshSentence,
				pastMesh,
				"At a load balancer look at its health checks of the API servers.",
				"Where one API server alone does it, on its control-plane node, as root, see why:",
				apiServerLog,
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.TLSHandshakeTimeout,
			Title:  "The handshake does not come to its end",
			Means: "TCP connects at once and then nothing comes; Go says \"TLS handshake timeout\". Small packets pass and large " +
				"ones are lost, where the path's MTU is smaller than the pod's and the notice of it is filtered; or a middlebox " +
				"chokes on the large first message of newer Go programs; or the API server is too busy to answer; or a sidecar that " +
				"takes the pod's connections hangs.",
			Confirm: []string{
				handshakesSentence,
				smallHandshake,
				largeHandshake,
				"The pod's MTU, and the API servers' own addresses, as a Service's does not answer pings:",
				inPod + "ip link show eth0",
				apiSlices,
				wholePacketSentence,
				wholePacket,
				"Is the API server slow for others too:",
				"kubectl get --raw '/livez?verbose'",
				"A sidecar, by the container's name (istio-proxy, linkerd-proxy), and whether it is ready:",
				containersOfPod,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Where only new Go programs fail, have them offer the smaller message, beside what GODEBUG has already, with a comma between (this rolls the pods out anew), and have the middlebox mended:",
				smallHello,
				"Where large packets are lost, set the network add-on's MTU to the path's, less its own overhead: 50 bytes for VXLAN, 20 for IPIP, 60 to 80 for WireGuard.",
				sendLessSentence,
				sendLess,
				"Where the API server is overloaded, see http-latency-high.",
				pastMeshSentence,
				pastMesh,
				"Destructive: where the sidecar hangs, ends the pod; its owner makes another, but a bare pod does not come back:",
				deletePod,
			},
			Page: pageGodebug,
		},
		{
			Reason: checks.TLSHandshakeFailed,
			Title:  "The handshake fails",
			Means: "The two sides do not agree on TLS and one sends an alert: no common version or cipher suite, a client " +
				"certificate demanded, a name that the other side does not serve. kube-apiserver speaks TLS 1.2 and 1.3 to any " +
				"current client, so either its --tls-min-version or --tls-cipher-suites are very strict, or somebody else answers.",
			Confirm: []string{
				"By which version of TLS it comes to its end, and with whose certificate:",
				handshake,
				inPod + `sh -c 'openssl s_client -connect "{host}:{port}" -tls1_2 -brief </dev/null'`,
				servedCertificate,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				overridden,
				dropHostAndPort,
				"Widen what kube-apiserver takes to what its clients can do, on each control-plane node, as root, in its manifest, by which kubelet starts it anew; without these flags it has the defaults:",
				"grep -nE 'tls-min-version|tls-cipher-suites' " + serverFlags,
				interceptionSuspect,
			},
			Page: pageAPIServer,
		},
		{
			Reason: checks.CARotatedSameName,
			Title:  "The cluster's CA was made anew, and ca.crt is of the old one",
			Means: "The server's certificate names an issuer that is in ca.crt, but was signed with another key: a CA of the same " +
				"name. Go says \"possibly because of ... while trying to verify candidate authority certificate\". The cluster's " +
				"CA was generated anew and the pod's copy is stale, or the pod talks to another cluster, as every kubeadm CA is " +
				"called kubernetes. A running program may have kept the old file in memory as well.",
			Confirm: []string{
				"Who signed what the server presents:",
				servedChain,
				"The bundle in the pod, and the one that the cluster publishes now:",
				podBundle,
				publishedBundle,
				"When kubelet last wrote the pod's, as writtenAt:",
				tokenFiles,
				fromNodeSentence,
				fromNode,
			},
			Mend: slices.Concat(
				wholeVolume(),
				[]string{
					"Where the published bundle is new and the pod's is old, kubelet does not renew the volume; see token-rotation-stalled.",
				},
				publishCA(),
				[]string{
					"Programs whose library reads ca.crt only once, as client-go before v0.36 does, have to be started again:",
					restartSentence,
					restart,
				},
			),
			Page: pageCARotation,
		},
		{
			Reason: checks.CAMITMOrWrongEndpoint,
			Title:  "Somebody else's certificate is presented",
			Means: "The issuer of the certificate has nothing to do with any CA in ca.crt, so this is not the API server, or not " +
				"directly: a proxy or firewall that inspects TLS, a load balancer or mesh that ends it, or a wrong address; where some connections alone " +
				"meet it, an address that somebody put among the endpoints of the Service. " +
				"Applications read \"certificate signed by unknown authority\". Lifeline sends no token on such a connection; a " +
				"program that does not verify would hand its token over.",
			Confirm: []string{
				"The subject and issuer tell who it is:",
				servedCertificate,
				"The bundle in the pod, and the one that the cluster publishes, where the two should be alike:",
				podBundle,
				publishedBundle,
				"Where the variables lead, and what sets them:",
				apiService,
				environmentOfPod + " | grep -E 'KUBERNETES_|PROXY'",
				"The endpoints of the Service, of which the API servers keep those in the slice kubernetes and no other:",
				apiSlices,
			},
			Mend: []string{
				overridden,
				dropHostAndPort,
				interceptionSuspect,
				"Exempt the API server's address from inspection; do not add the inspector's CA to the bundle.",
				"Where programs ran without verification meanwhile, hold their tokens for leaked.",
				strangeSliceSentence,
				strangeSlice,
				"Destructive: revokes the token bound to this pod, by ending the pod:",
				deletePod,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.CABundleForeign,
			Title:  "The bundle is of another authority than the API server's",
			Means: "What the server presents is the API server's, as its names, its issuer or an earlier round tell, and nobody in ca.crt has signed it: the bundle " +
				"is another cluster's, another program's (the one of etcd, of the front proxy, or the image's roots), or was replaced before the API server had a " +
				"certificate of the new authority. Applications read \"certificate signed by unknown authority\" as soon as they read the file anew.",
			Confirm: slices.Concat([]string{"Who signed what the server presents:", servedChain}, bundlesAndVolumes()),
			Mend: slices.Concat(
				wholeVolume(),
				publishCA(),
				[]string{
					"While the authority is replaced, keep the old one in the published bundle beside the new, until each API server has its new certificate.",
					"Programs whose library reads ca.crt only once, as client-go before v0.36 does, have to be started again:",
					restartSentence,
					restart,
				},
			),
			Page: pageCARotation,
		},
		{
			Reason: checks.CAMissingIntermediate,
			Title:  "The server does not send its intermediate certificate",
			Means: "The server presents its own certificate alone, and that was issued by an intermediate CA which neither the server " +
				"sends nor ca.crt holds. Clients cannot build the chain and read \"certificate signed by unknown authority\". Browsers " +
				"and some libraries fetch the missing link by themselves, which hides the fault.",
			Confirm: []string{
				"What the server presents, and the bundle that it has to lead to:",
				servedChain,
				podBundle,
			},
			Mend: []string{
				"Add the intermediate certificate to the file of kube-controller-manager's --root-ca-file, or have the server send it:",
				"Disruptive: changes what kube-apiserver shows within a minute; on each control-plane node, as root, with a copy of the file kept and a line end at its end:",
				"openssl x509 -in INTERMEDIATE.crt >>/etc/kubernetes/pki/apiserver.crt",
			},
			Page: pageCertificates,
		},
		{
			Reason: checks.CertChainInvalid,
			Title:  "The certificate chain does not verify",
			Means: "The chain leads to a CA of the bundle and still does not verify, for a reason that has no code of its own here: a " +
				"chain too long, a CA that may sign no further CA, a policy. The message of the check has the words of the " +
				"verifier. Applications fail with the same words.",
			Confirm: []string{
				"What the server presents:",
				servedChain,
				"Another verifier's opinion, with the published bundle:",
				rootConfigMap + ` -o jsonpath='{.data.ca\.crt}' | kubectl -n {namespace} debug -i {pod} --image=nicolaka/netshoot --profile=restricted -- ` +
					`sh -c 'cat >/tmp/ca.crt; openssl s_client -connect "{host}:{port}" -CAfile /tmp/ca.crt -x509_strict -brief </dev/null'`,
			},
			Mend: []string{
				"Issue the server's certificate anew, directly from the cluster's CA.",
				reissueElsewhere,
				unverifiedSentence,
				unverifiedConfig,
				reissueSentence,
				setAside,
				reissue,
			},
			Page: pageCertificates,
		},
	}
}
