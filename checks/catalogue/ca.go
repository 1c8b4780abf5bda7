package catalogue

import (
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	listCertificates = "openssl crl2pkcs7 -nocrl -certfile /dev/stdin | openssl pkcs7 -print_certs -text -noout | " +
		`grep -E "Subject:|Issuer:|Not Before|Not After|CA:|Signature Algorithm"`
	podBundle       = freshLook + `'.checks[] | select(.name == "ca") | .details | {file, headers, blocks}'`
	rootConfigMap   = "kubectl -n {namespace} get configmap kube-root-ca.crt"
	publishedBundle = rootConfigMap + ` -o jsonpath='{.data.ca\.crt}' | ` + listCertificates
	// clocksRight leads to timeService, which starts chrony or systemd-timesyncd by
	// whatever name its unit has.
	clocksRight = "Let NTP reach its servers (UDP port 123) and run on the node {node}, and on the control-plane nodes where these are the wrong ones " +
		"(where this says that NTP is not supported, install chrony first):"
	timeService = "timedatectl set-ntp true"
	// clockStepSentence leads to clockStep.
	clockStepSentence = "Disruptive: with chrony, sets the clock right in one step, which every process on the node sees, and which systemd-timesyncd takes by itself; on the node, as root:"
	clockStep         = "chronyc makestep"
	timeOnNode        = "timedatectl"
)

// bundlesAndVolumes tell whether ca.crt is what the cluster publishes, and who mounts it.
func bundlesAndVolumes() []string {
	return []string{
		"The bundle in the pod, and the one that the cluster publishes:",
		podBundle,
		publishedBundle,
		"The pod's volumes, and where they are mounted:",
		podMounts,
	}
}

// publishCA mends the ConfigMap that kube-controller-manager publishes to every
// namespace from a file that it reads when it starts.
func publishCA() []string {
	return []string{
		"Where the ConfigMap itself is wrong, on each control-plane node, as root, correct the file that this shows:",
		"grep root-ca-file /etc/kubernetes/manifests/kube-controller-manager.yaml",
		"Disruptive: on each of them, as root, has kubelet start kube-controller-manager anew, which writes the ConfigMap of every namespace, and kubelet the volumes within some two minutes:",
		`crictl stop "$(crictl ps -q --name kube-controller-manager)"`,
	}
}

func ca() []Entry {
	return []Entry{
		{
			Reason: checks.CAFileMissing,
			Title:  "The bundle that proves the API server is missing",
			Means: "There is no ca.crt in the service-account directory. InClusterConfig only logs that and goes on with the " +
				"image's own roots, so that every request ends in \"certificate signed by unknown authority\"; the Python " +
				"client stops with \"Service certification file does not exist\". A projected volume of one's own without the " +
				"ConfigMap kube-root-ca.crt leaves it out.",
			Confirm: []string{
				"What Lifeline's container has:",
				podBundle,
				"The pod's volumes, and where they are mounted:",
				podMounts,
				"Whether the cluster publishes it:",
				rootConfigMap,
			},
			Mend: wholeVolume(),
			Page: pageAccess,
		},
		{
			Reason: checks.CAFileUnreadable,
			Title:  "The bundle that proves the API server cannot be read",
			Means: "ca.crt is there but may not be read by this user, is no regular file, or reading it fails. Clients behave as " +
				"if it were missing. It has the same owner and mode as the token, so look at the token check as well.",
			Confirm: []string{
				"What Lifeline's container has:",
				podBundle,
				"Lifeline's image runs as 65532 where the pod names no user:",
				podUsers,
				inApplication,
				execInPod + "sh -c 'id; ls -lanL " + directory + "/'",
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append([]string{groupSentence, giveGroup, oneUser}, wholeVolume()...),
			Page: pageSecurityContext,
		},
		{
			Reason: checks.CAFileEmptyOrNotPEM,
			Title:  "The bundle holds no certificate in PEM",
			Means: "ca.crt is empty, cut short, in DER or something else altogether: not one certificate can be read from it. Go's " +
				"client goes on without it and ends in \"certificate signed by unknown authority\"; the Python client refuses an " +
				"empty file, and fails in its TLS library for others.",
			Confirm: []string{
				"What Lifeline's container has:",
				podBundle,
				"The one that the cluster publishes:",
				publishedBundle,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: slices.Concat(
				wholeVolume(),
				[]string{"Where the source is DER, turn it into PEM:", "openssl x509 -inform der -in CA.der -out ca.crt"},
				publishCA(),
			),
			Page: pageCertificates,
		},
		{
			Reason: checks.CAFileTooLarge,
			Title:  "The bundle is far too large for one",
			Means: "A cluster's bundle has one certificate, or a few while the CA is rotated, and this file is larger than is read. " +
				"A ConfigMap cannot hold more than 1 MiB, so it is not kubelet's projection of one. Clients read it whole at " +
				"their start, with the memory that this takes.",
			Confirm: []string{
				"What Lifeline's container has:",
				podBundle,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: wholeVolume(),
			Page: pageAccess,
		},
		{
			Reason: checks.CABundlePartiallyParsed,
			Title:  "Part of the bundle is passed over in silence",
			Means: "Some blocks of ca.crt cannot be used: damaged, cut short at the end, of another type, with a negative serial " +
				"number. Go takes the others and says nothing, other languages may refuse the whole file. Where the API server's " +
				"own CA is among those passed over, clients read \"certificate signed by unknown authority\" though it is in the " +
				"file. Files joined without a newline between them are the usual cause.",
			Confirm: []string{
				"So many begin, so many are read, and why the others are not:",
				freshLook + `'.checks[] | select(.name == "ca") | .details | {headers, read: ([.blocks[]? | select(.error == null)] | length), ` +
					`errors: [.blocks[]?.error | values]}'`,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: slices.Concat(
				wholeVolume(),
				[]string{
					"Or build the bundle anew from whole PEM files, each with a newline at its end:",
					"for f in OLD-CA.crt NEW-CA.crt; do openssl x509 -in \"$f\"; done >bundle.crt",
				},
				publishCA(),
			),
			Page: pageCARotation,
		},
		{
			Reason: checks.CAExpired,
			Title:  "The cluster's CA has expired",
			Means: "By this node's clock no CA certificate in ca.crt is valid any longer, or none of those that signed what the server presents. Every client that verifies ends in " +
				"\"certificate has expired or is not yet valid\", the very words that an expired server certificate gets. kubeadm " +
				"makes CAs for ten years; a clock that is years ahead looks the same.",
			Confirm: []string{
				"The bundle in the pod, and the one that the cluster publishes:",
				podBundle,
				publishedBundle,
				onNode,
				timeOnNode,
				fromNodeSentence,
				fromNode,
			},
			Mend: slices.Concat(
				[]string{
					clocksRight,
					timeService,
					"Where the published bundle is valid and the pod's is not, the volume is not renewed, see token-rotation-stalled, or it is one of your own.",
				},
				wholeVolume(),
				[]string{
					"Where the CA has truly ended, it and all that it signed have to be issued anew; follow the page step by step, and " +
						"keep a copy of /etc/kubernetes/pki of every control-plane node before.",
					clockStepSentence,
					clockStep,
				},
			),
			Page: pageCARotation,
		},
		{
			Reason: checks.CANotYetValid,
			Title:  "The cluster's CA is not valid yet",
			Means: "By this node's clock the validity of the CA in ca.crt is still to begin. As a rule the clock is behind, on a node " +
				"just started; seldom was a new CA published ahead of its time. Clients read \"certificate has expired or is not " +
				"yet valid\".",
			Confirm: []string{
				"From when on each certificate is valid:",
				podBundle,
				onNode,
				timeOnNode,
			},
			Mend: []string{
				clocksRight,
				timeService,
				"Where the CA is dated ahead, wait, or keep the old CA in the bundle until then.",
				clockStepSentence,
				clockStep,
			},
			Page: pageCARotation,
		},
		{
			Reason: checks.CAExpiringSoon,
			Title:  "The cluster's CA comes to its end",
			Means: "Little is left of the lifetime of the CA in ca.crt, of the longest-lived one where there are several. All is well " +
				"today; on its last day every client in the cluster stops trusting the API server at once, kubelets among them. " +
				"To rotate a CA takes two rounds of restarts, so begin in time.",
			Confirm: []string{
				"Until when each certificate is valid:",
				podBundle,
				onControlPlane,
				"kubeadm certs check-expiration",
			},
			Mend: []string{
				"Plan the rotation by the page: both CAs in the bundle first, then new certificates, then the old CA out.",
				"With kubeadm it is done by hand, as its renewal leaves CAs alone; a managed cluster has a command of its provider.",
			},
			Page: pageCARotation,
		},
		{
			Reason: checks.CANotACA,
			Title:  "A certificate of the bundle is not a CA",
			Means: "A certificate in ca.crt says of itself that it may not sign others (basicConstraints CA:FALSE, or none, or a keyUsage without keyCertSign). What it " +
				"signed does not verify, and Go says \"parent certificate cannot sign this kind of certificate\". As a rule the " +
				"server's own certificate was published in place of its CA; Go accepts that while it is the very same one, and " +
				"no longer after its renewal.",
			Confirm: bundlesAndVolumes(),
			Mend: slices.Concat(
				wholeVolume(),
				[]string{"Put the CA that signed the server's certificate into the bundle in its place."},
				publishCA(),
			),
			Page: pageCertificates,
		},
		{
			Reason: checks.CAWeakerTrust,
			Title:  "The bundle trusts more than the cluster's own CA",
			Means: "ca.crt holds public or company roots, or far more CAs than a rotation needs. Clients then take a certificate of " +
				"any of these for the API server's, and send it their token. It works, which is why nobody notices; as a rule it " +
				"was done to get through an inspecting proxy.",
			Confirm: bundlesAndVolumes(),
			Mend: slices.Concat(
				wholeVolume(),
				[]string{"Leave only the cluster's CA in the bundle, and give roots for other servers to the programs that need them in a file of their own."},
				publishCA(),
			),
			Page: pageCertificates,
		},
	}
}
