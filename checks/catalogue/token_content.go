package catalogue

import "github.com/kube-lifeline/lifeline/checks"

// tokenContent are the reasons about what the token says.
func tokenContent() []Entry {
	return []Entry{
		{
			Reason: checks.TokenMalformed,
			Title:  "The token is not a JSON Web Token",
			Means: "The content is not three parts of base64url with JSON in the first two. The API server passes such a token " +
				"over, and answers 401. A copy that was cut short, a template that was not filled in, or another file (a " +
				"kubeconfig, a PEM file, JSON of a cloud) lies at this path.",
			Confirm: []string{
				"Why it is none, without showing it, and the size and origin of the file:",
				freshLook + `'.checks[] | select(.name == "token") | .details | {decodeError, file, mounts}'`,
				"Where it comes from:",
				podMounts,
			},
			Mend: append(wholeVolume(), useProjected),
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenExpired,
			Title:  "The token has expired",
			Means: "The token's exp is past by the API server's clock, and 60 s of leeway with it; every request gets 401. Kubelet " +
				"replaces a token at 80 % of its lifetime, so either rotation has stalled for long, or this file is a copy, a " +
				"subPath mount or a Secret that kubelet does not renew.",
			Confirm: []string{
				"The time of kubelet's last write is writtenAt, which a copy or a subPath mount has not:",
				tokenFiles,
				"From when to when it was valid:",
				tokenClaims,
				"Whether it is a copy, or mounted by subPath:",
				podMounts,
			},
			Mend: append(
				wholeVolume(),
				"Where a single file is mounted by subPath, see token-subpath-frozen.",
				"Where ..data is old, see token-rotation-stalled: kubelet on the node {node} cannot renew the volume.",
				deleteSentence,
				deletePod,
			),
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenPastWarnAfter,
			Title:  "The token lives on only by the API server's grace",
			Means: "The token is past its kubernetes.io.warnafter, the end that kubelet asked for; it still works because the API " +
				"server extends default tokens to a year (90 days on EKS). Clients see nothing. It should have been replaced at " +
				"some 48 minutes, so rotation has stopped or an old copy is read, and when the grace ends all is 401.",
			Confirm: []string{
				"When it should have been replaced, which is warnAfter, and when kubelet last wrote it:",
				tokenClaims,
				tokenFiles,
				"The API server counts such requests:",
				"kubectl get --raw /metrics | grep '^serviceaccount_stale_tokens_total'",
			},
			Mend: []string{
				"See token-rotation-stalled for kubelet, token-subpath-frozen for the mount.",
				useProjected,
				restartSentence,
				restart,
			},
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenRotationStalled,
			Title:  "The token was not rotated in time",
			Means: "Kubelet replaces a token at 80 % of the lifetime it asked for, 48 minutes for a default one, and at 24 hours at " +
				"the latest; this one is older. It works until it expires: a default token for a year, since the API server " +
				"extends it, one with a lifetime of its own much sooner; applications see nothing before. Kubelet is down, cannot " +
				"reach the API server or may not ask for tokens, or another source of the same volume fails: without the ConfigMap kube-root-ca.crt the token is not written either.",
			Confirm: []string{
				"The time of kubelet's last write is writtenAt, and it is as old:",
				tokenFiles,
				"What keeps kubelet from it: the node, the volume, the ConfigMap in it:",
				"kubectl get node {node}",
				podEvents,
				"kubectl -n {namespace} get configmap kube-root-ca.crt",
				onNode,
				kubeletLog + " | grep -E \"Couldn't update token|expired and refresh failed|kube-api-access\"",
			},
			Mend: []string{
				"Where the ConfigMap is missing, kube-controller-manager publishes it anew within seconds; where it does not, " +
					"check its --root-ca-file and what deletes the ConfigMap (GitOps pruning, a policy).",
				"Where kubelet cannot reach the API server, mend that first, and its client certificate where this, on the node, " +
					"shows it expired:",
				"openssl x509 -noout -enddate -in /var/lib/kubelet/pki/kubelet-client-current.pem",
				"Disruptive: restarts kubelet on the node {node}; containers go on:",
				"systemctl restart kubelet",
			},
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenPodMismatch,
			Title:  "The token was issued to another pod",
			Means: "The pod that the token names is not this one: it was copied, by a shared volume, an image or a build. While " +
				"that other pod lives, requests pass under its identity; soon after it is deleted they get 401. Kubelet's own " +
				"volume always has the token of its own pod.",
			Confirm: []string{
				"The pod that it names, and the UID of this one:",
				tokenClaims,
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.metadata.uid}'",
				"Where it comes from:",
				podMounts,
			},
			Mend: append(
				wholeVolume(),
				useProjected,
				"Find out how it came here: a token in an image or on a shared volume is a leaked one.",
				"Destructive: revokes the leaked token by ending the pod that it is bound to:",
				"kubectl -n NAMESPACE-OF-TOKEN delete pod POD-OF-TOKEN",
			),
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenLegacySecretNoExp,
			Title:  "The token is a Secret's and never ends",
			Means: "The token comes from a Secret of type kubernetes.io/service-account-token: it has no end, is not bound to a " +
				"pod, and is revoked only by deleting the Secret. It works, with a Warning header where it was made " +
				"automatically. kube-controller-manager marks such automatic ones invalid when they were not used for a year, and " +
				"deletes them after another.",
			Confirm: []string{
				"The Secret that it names:",
				tokenClaims,
				"When it and others were last used:",
				legacySecrets,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append(
				wholeVolume(),
				useProjected,
				"Destructive: when nothing uses it any more (see last-used above), revokes the token for good:",
				"kubectl -n {namespace} delete secret SECRET",
			),
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenLegacyInvalidated,
			Title:  "The API server no longer takes the token of a Secret",
			Means: "The token is one of a Secret, without an end, and the API server answers 401, so what revokes such a token has come about: " +
				"the Secret was deleted or its token replaced, or kube-controller-manager marked it as invalid since nobody had used it for a " +
				"year. A service account that was deleted, or a new signing key, looks the same. Applications read \"Unauthorized\".",
			Confirm: []string{
				"The Secret stands among the claims:",
				tokenClaims,
				"Whether it is there, and has a date under LEGACY-TOKEN-INVALID-SINCE:",
				legacySecrets,
				"Whether its service account is there:",
				"kubectl -n {namespace} get serviceaccount {serviceaccount}",
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append(
				wholeVolume(),
				useProjected,
				"To have it accepted for the meantime, where the Secret is there and marked, take the mark away:",
				"kubectl -n {namespace} label secret SECRET kubernetes.io/legacy-token-invalid-since-",
			),
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenNodeBoundInvalid,
			Title:  "The node that the token is bound to is gone",
			Means: "The token is bound to a node and to no pod, and the API server answers 401 though its times and its audience are right. " +
				"It wants a Node of that name and that UID; one that was deleted and registered anew has another UID. A service account that " +
				"was deleted, or a new signing key, looks the same. Kubelet's own volumes have tokens that are bound to the pod.",
			Confirm: []string{
				"The node that it names, with its UID, and the UID of the node now:",
				tokenClaims,
				"kubectl get node {node} -o jsonpath='{.metadata.uid}'",
				"Whether its service account is there:",
				"kubectl -n {namespace} get serviceaccount {serviceaccount}",
				"Where it comes from:",
				podMounts,
			},
			Mend: append(
				wholeVolume(),
				useProjected,
				"Or have whoever made the token make another, bound to the node as it is now, as an administrator can:",
				"kubectl -n {namespace} create token {serviceaccount} --bound-object-kind=Node --bound-object-name={node}",
			),
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenNotYetValidAfterClockJump,
			Title:  "The token was issued in the API server's future",
			Means: "The token's iat or nbf lies more than 60 s after the Date that the API server now sends, and it answers 401. " +
				"The API server itself stamps these, so its clock has gone back since, or two API servers disagree. Kubelet has " +
				"no rule for this and keeps the token until its ordinary renewal.",
			Confirm: []string{
				"When it was issued and from when on it is valid:",
				tokenClaims,
				"The server's clock, several times, since each connection may meet another server:",
				inPod + `sh -c 'for i in 1 2 3 4 5 6; do curl -skD - -o /dev/null --max-time 5 "https://{host}:{port}/version" | grep -i ^date; done; date -u'`,
				onControlPlane,
				timeOnNode,
			},
			Mend: []string{
				"Set the clocks of the control-plane nodes right, by NTP on each; waiting until the server's clock has passed nbf mends it too.",
				"Where no time service runs there, on that node, as root:",
				timeService,
				deleteSentence,
				deletePod,
			},
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.TokenAudienceMismatch,
			Title:  "The token is made out to another audience",
			Means: "The token's aud does not have the API server's audience, so the API server answers 401 though all else is " +
				"right. It is meant for something else, as sts.amazonaws.com, vault or istio-ca are: the projected volume sets " +
				"audience, or the program reads the token of another volume. A changed --api-audiences has the same effect.",
			Confirm: []string{
				"For whom it is:",
				tokenClaims,
				"What the API server issues for itself (an administrator may ask; the token is not shown):",
				freshClaims,
				"Which volume asks for that audience:",
				podMounts,
			},
			Mend: append(
				wholeVolume(),
				"Where the program needs the other token too, mount that one at another path.",
				"Where --api-audiences was changed, keep the old audience in its list until all tokens are new; on each control-plane node, as root, it stands in:",
				"grep -E 'api-audiences|service-account-issuer' "+serverFlags,
			),
			Page: pageServiceAccounts,
		},
	}
}
