package catalogue

import "github.com/kube-lifeline/lifeline/checks"

// tlsCertificate are the reasons about the certificate that the server presents.
func tlsCertificate() []Entry {
	return []Entry{
		{
			Reason: checks.CertServingExpired,
			Title:  "The API server's certificate has expired",
			Means: "The validity of the certificate that the server presents is over, and every client that verifies ends in " +
				"\"certificate has expired or is not yet valid\". kubeadm issues it for a year and renews it only on an upgrade. " +
				"Where it was renewed and the old one still comes, a load balancer or one of several API servers presents it.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
				eachReplica,
				onControlPlane,
				checkExpiration,
				timeOnNode,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Renew the certificate, by the last of these steps. Where its file, as /etc/kubernetes/pki/apiserver.crt, is new already, restart what still presents the old one, load balancers included.",
				reissueElsewhere,
				renewSentence,
				renew,
			},
			Page: pageKubeadmCerts,
		},
		{
			Reason: checks.CertServingNotYetValid,
			Title:  "The API server's certificate is not valid yet",
			Means: "The certificate's validity begins later than now by this node's clock. A node clock that is behind is the usual " +
				"cause, or a control-plane clock that was ahead when the certificate was issued. Clients on this node read " +
				"\"certificate has expired or is not yet valid\" until the clock has passed that time.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
				onNode,
				timeOnNode,
			},
			Mend: []string{
				clocksRight,
				timeService,
				"Where the certificate is dated ahead, wait, or issue it anew by the last of these steps once the clocks are right.",
				clockStepSentence,
				clockStep,
				renewSentence,
				renew,
			},
			Page: pageKubeadmCerts,
		},
		{
			Reason: checks.CertExpiringSoon,
			Title:  "The API server's certificate comes to its end",
			Means: "Little is left of the lifetime of a certificate that the server presents. Nothing fails as yet; at its end every " +
				"client in the cluster does, kubelets among them. kubeadm renews only on an upgrade, so a cluster not upgraded for " +
				"a year meets it.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
				eachReplica,
				onControlPlane,
				checkExpiration,
			},
			Mend: []string{
				"Upgrade the cluster, which renews all certificates, or renew them by hand.",
				reissueElsewhere,
				renewSentence,
				renew,
			},
			Page: pageKubeadmCerts,
		},
		{
			Reason: checks.CertSANMissingServiceHost,
			Title:  "The certificate does not name KUBERNETES_SERVICE_HOST",
			Means: "The certificate is valid for other names and addresses, and not for the one that clients in pods go to; they read " +
				"\"certificate is valid for ..., not ...\". The service range was changed after it was issued, the variable was " +
				"overridden, or a load balancer's address was left out. Kubernetes promises this very name, so all official " +
				"clients fail.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
				"The address that it should name, and whether the manifest sets another:",
				apiService,
				environmentOfPod + " | grep KUBERNETES_SERVICE_HOST",
			},
			Mend: []string{
				overridden,
				dropHostAndPort,
				reissueElsewhere,
				"With kubeadm, on a control-plane node, as root, take the configuration and add the missing name to apiServer.certSANs, or correct " +
					"networking.serviceSubnet:",
				kubeadmConfig,
				reissueSentence,
				setAside,
				reissue,
			},
			Page: pageCertificates,
		},
		{
			Reason: checks.CertSANMissingDNSName,
			Title:  "The certificate does not name kubernetes.default.svc",
			Means: "The certificate proves KUBERNETES_SERVICE_HOST and not the name. Kubernetes promises only the former, so this is " +
				"allowed and the official clients work. Programs that go to https://kubernetes.default.svc, as many scripts do, " +
				"read \"certificate is valid for ..., not kubernetes.default.svc\".",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
			},
			Mend: []string{
				"In programs use KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, in place of the name.",
				"In a script, that is:",
				"curl --cacert " + directory + `/ca.crt "https://${KUBERNETES_SERVICE_HOST}:${KUBERNETES_SERVICE_PORT}/version"`,
				"With kubeadm, which puts that name into every certificate of an API server, on a control-plane node, as root, take the configuration:",
				kubeadmConfig,
				reissueSentence,
				setAside,
				reissue,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.CertNoIPSANOrCNOnly,
			Title:  "The certificate has no subject alternative name that fits",
			Means: "The certificate has no IP address, or no name at all, among its subject alternative names; an address written as a " +
				"DNS name or only as the common name does not count. Go says \"doesn't contain any IP SANs\" or \"relies on legacy " +
				"Common Name field\". Certificates made by hand with openssl are such.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
			},
			Mend: []string{
				"Issue it anew with subjectAltName = IP:{host}, DNS:kubernetes.default.svc and the other names that it had.",
				unverifiedSentence,
				unverifiedConfig,
				reissueSentence,
				setAside,
				reissue,
			},
			Page: pageCertificates,
		},
		{
			Reason: checks.CertWrongEKU,
			Title:  "The certificate is not meant for servers",
			Means: "The extended key usage of the certificate lacks serverAuth; it is a client's, as a rule, put into the wrong place. " +
				"Go says \"certificate specifies an incompatible key usage\". Every client that verifies refuses it.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
				onControlPlane,
				"grep -E 'tls-cert-file|tls-private-key-file' /etc/kubernetes/manifests/kube-apiserver.yaml",
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Let these two of kube-apiserver name the serving pair, on each control-plane node, as root; kubelet starts it anew when the file is saved:",
				"grep -nE 'tls-cert-file|tls-private-key-file' " + serverFlags,
				reissueElsewhere + " It needs extendedKeyUsage = serverAuth.",
				unverifiedSentence,
				unverifiedConfig,
				reissueSentence,
				setAside,
				reissue,
			},
			Page: pageCertificates,
		},
		{
			Reason: checks.CertNameConstraints,
			Title:  "A CA of the chain does not permit the certificate's names",
			Means: "A CA of the chain has name constraints, and a subject alternative name of the server's certificate lies outside " +
				"them. Go judges all names of the certificate, so one such as kubernetes, which belongs to no domain, spoils the " +
				"rest. It comes about where a company's CA with constraints signs for the cluster.",
			Confirm: []string{
				"The certificate that is presented:",
				servedCertificate,
				"The constraints stand in the CA's certificate, as the cluster publishes it to every pod's ca.crt:",
				rootConfigMap + ` -o jsonpath='{.data.ca\.crt}' | openssl crl2pkcs7 -nocrl -certfile /dev/stdin | ` +
					`openssl pkcs7 -print_certs -text -noout | grep -A8 "Name Constraints"`,
			},
			Mend: []string{
				"Have the company's CA issue a CA for the cluster without constraints, or with ones that permit kubernetes, " +
					"kubernetes.default.svc and the service range.",
				"Or give the cluster a CA of its own, as kubeadm does.",
			},
			Page: pageCertificates,
		},
		{
			Reason: checks.CertFailsPythonStrict,
			Title:  "Python 3.13 and later refuse the certificates, and Go does not",
			Means: "The chain and ca.crt lack what RFC 5280 asks for and OpenSSL only in its strict mode: a key usage, a subject key identifier or " +
				"critical basic constraints in the CA, an authority key identifier in the server's certificate. Python 3.13 sets that mode by " +
				"default, so its clients read \"certificate verify failed\" with the words that the report has, while Go programs, curl and older " +
				"Pythons work. Authorities made by hand or long ago are such.",
			Confirm: []string{
				"The certificate that is presented, and the CA in the pod:",
				servedCertificate,
				podBundle,
				"The same in OpenSSL's words, where the pod's ca.crt is at hand:",
				`openssl s_client -connect "{host}:{port}" -CAfile ca.crt -x509_strict -partial_chain -verify_return_error -brief </dev/null`,
			},
			Mend: []string{
				"Give the cluster a CA with keyUsage (keyCertSign), subjectKeyIdentifier and critical basicConstraints, as kubeadm and openssl 3 make " +
					"them, and certificates with authorityKeyIdentifier; to replace a CA touches every node, so plan it by the page below.",
				"For the meantime clear the flag in the Python client, which goes on verifying all else: give it an SSLContext of which verify_flags has " +
					"ssl.VERIFY_X509_STRICT taken out.",
				reissueElsewhere,
			},
			Page: pageCARotation,
		},
		{
			Reason: checks.CertWeakAlgorithm,
			Title:  "The certificate uses an algorithm that is no longer accepted",
			Means: "A signature with SHA-1 or MD5, or an RSA key below 1024 bits. Go refuses such signatures whatever the settings, since the switch " +
				"for SHA-1 went with Go 1.24, and such keys unless GODEBUG has rsa1024min=0. Other libraries draw the line elsewhere, so some " +
				"programs in the pod may still pass. Old certificate authorities and appliances that end TLS are where it comes from.",
			Confirm: []string{
				"What is presented, with the algorithms, and the CA in the pod:",
				servedChain,
				podBundle,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Issue the certificates anew with SHA-256 and RSA 2048 or ECDSA P-256, or better.",
				reissueElsewhere,
				"With kubeadm:",
				renewSentence,
				renew,
			},
			Page: pageGodebug,
		},
		{
			Reason: checks.CertUnparseable,
			Title:  "The certificate breaks the rules of X.509",
			Means: "The certificate does not parse, or has an extension marked critical that verifiers do not know, or a negative serial " +
				"number (RFC 5280). Go refuses the whole handshake, while more lenient libraries may accept it. It was made by " +
				"software that does not keep to the standard.",
			Confirm: []string{
				"What is presented, and its critical extensions:",
				servedChain,
				inPod + `sh -c 'openssl s_client -connect "{host}:{port}" </dev/null 2>/dev/null | openssl x509 -noout -serial -text | grep -A1 critical'`,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Issue it anew with other software; kubeadm, cfssl and openssl 3 keep to the standard.",
				reissueElsewhere,
				"With kubeadm, take for kubeadm.yaml the file that kubeadm init was given, as kubectl cannot read the configuration by such a certificate, " +
					"and see that apiServer.certSANs and networking.serviceSubnet are right in it. On a control-plane node, as root, what the API server was started with:",
				"grep -E 'advertise-address|service-cluster-ip-range' " + serverFlags,
				reissueSentence,
				setAside,
				reissue,
			},
			Page: pageCertificates,
		},
	}
}
