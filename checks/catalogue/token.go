package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	// tokenFiles is the token as a file: whether it is one and a link into
	// ..data, when kubelet wrote it, and what is mounted there.
	tokenFiles    = freshLook + `'.checks[] | select(.name == "token") | .details | {directory, file, writtenAt, mounts}'`
	tokenClaims   = freshLook + `'.checks[] | select(.name == "token") | .details.claims'`
	podUsers      = "kubectl -n {namespace} get pod {pod} -o json | jq '.spec | {securityContext, containers: [(.initContainers + .containers)[] | {name, securityContext}]}'"
	kubeletLog    = "journalctl -u kubelet --since -2h --no-pager"
	groupSentence = "Give the pod a group that all its containers are in, where it has no fsGroup yet; kubelet gives all its volumes to that group, which some databases refuse " +
		"(this rolls the pods out anew):"
	giveGroup     = inTemplate + `{"securityContext":{"fsGroup":65532}}` + endOfTemplate
	oneUser       = "Or let all containers of the pod, init containers too, have the same runAsUser."
	useProjected  = "Let the program read " + directory + "/token itself, each time or at least every minute, and no copy of it."
	legacySecrets = "kubectl -n {namespace} get secrets --field-selector type=kubernetes.io/service-account-token " +
		"-L kubernetes.io/legacy-token-last-used -L kubernetes.io/legacy-token-invalid-since"
	// freshClaims asks for a token of ten minutes, the least there is, and
	// shows its claims and not the token.
	freshClaims = "kubectl -n {namespace} create token {serviceaccount} --duration=10m | " +
		`jq -R 'split(".")[1] | gsub("-";"+") | gsub("_";"/") | @base64d | fromjson | del(.["kubernetes.io"])'`
)

// wholeVolume has a volume of somebody's own bring what Kubernetes mounts, or takes
// it away so that Kubernetes does. Its name and the containers are among podMounts.
func wholeVolume() []string {
	return []string{
		"Where a volume of your own lies at " + directory + ", have it bring all three files as that of Kubernetes does, by its name for VOLUME; " +
			"what else it held is gone in every container that mounts it (this rolls the pods out anew):",
		inTemplate + `{"volumes":[{"name":"VOLUME","$retainKeys":["name","projected"],"projected":{"sources":[` +
			`{"serviceAccountToken":{"path":"token","expirationSeconds":3607}},` +
			`{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},` +
			`{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"fieldPath":"metadata.namespace"}}]}}]}}]}` + endOfTemplate,
		"Or take it out of each container that has it, so that Kubernetes mounts its own; for an init container with initContainers in the place of containers " +
			"(this rolls the pods out anew):",
		inTemplate + `{"automountServiceAccountToken":true,"containers":[{"name":"CONTAINER","volumeMounts":[` +
			`{"mountPath":"` + directory + `","$patch":"delete"}]}]}` + endOfTemplate,
	}
}

// tokenFile are the reasons about the token as a file.
func tokenFile() []Entry {
	return []Entry{
		{
			Reason: checks.TokenNotMountedAutomountFalse,
			Title:  "No service-account token is mounted",
			Means: "There is no service-account directory in this container at all. InClusterConfig says \"no such file or " +
				"directory\", the Python client \"Service token file does not exist\", and kubectl falls back to " +
				"localhost:8080. automountServiceAccountToken is false on the pod or on its service account, the pod's field " +
				"going before the account's; it may well be meant so. Static pods never have one, nor have ephemeral containers of " +
				"kubectl debug unless they are given it.",
			Confirm: []string{
				"From kubectl debug this says nothing of the pod; README.md has under \"From a shell\" how to give its container the pod's.",
				"The setting of the pod, and of its service account, which counts where the pod has none:",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.spec.automountServiceAccountToken}'",
				"kubectl -n {namespace} get serviceaccount {serviceaccount} -o jsonpath='{.automountServiceAccountToken}'",
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: []string{
				"Where the pod does not use the API, leave it so.",
				"Otherwise mount it for this workload alone (this rolls the pods out anew):",
				inTemplate + `{"automountServiceAccountToken":true}` + endOfTemplate,
			},
			Page: pageServiceAccount,
		},
		{
			Reason: checks.TokenFileMissingInMountedDir,
			Title:  "The directory is mounted but has no token",
			Means: "The service-account directory is there and the file token in it is not. A projected volume of one's own " +
				"that lists only the ConfigMap and the namespace leaves it out, and a subPath mount can vanish when the volume " +
				"is written anew. Clients fail as if nothing were mounted.",
			Confirm: []string{
				"What Lifeline's container has:",
				tokenFiles,
				"The pod's volumes, and where they are mounted:",
				podMounts,
				"What kubelet says of the volume:",
				podEvents,
			},
			Mend: wholeVolume(),
			Page: pageProjected,
		},
		{
			Reason: checks.TokenMountShadowed,
			Title:  "Another volume lies at the service-account directory",
			Means: "The token is a plain file and not a link into ..data, as kubelet makes it, or is bound to no pod, as kubelet's are: a mount of the container's own at " +
				"this path keeps Kubernetes from mounting its default volume there, or the image brings the directory along. The " +
				"token may be a Secret's, an old one or somebody else's, and nothing renews it.",
			Confirm: []string{
				"The pod's volumes, and where they are mounted:",
				podMounts,
				"What Lifeline's container has:",
				tokenFiles,
			},
			Mend: append(wholeVolume(), "Where the image brings the directory along, let it have another path there."),
			Page: pageProjected,
		},
		{
			Reason: checks.TokenPermissionDenied,
			Title:  "The token may not be read by this user",
			Means: "The file is there, and reading it ends in \"permission denied\". Kubelet writes the token 0600 for the user " +
				"where all containers run as one runAsUser, 0640 for the group where fsGroup is set, and 0644 otherwise; " +
				"defaultMode does not change the first two. A container with another user, or a process that drops its group " +
				"after the start, is left outside.",
			Confirm: []string{
				"What Lifeline's container has:",
				tokenFiles,
				"Lifeline's image runs as 65532 where the pod names no user:",
				podUsers,
				inApplication,
				execInPod + "sh -c 'id; ls -lanL " + directory + "/'",
			},
			Mend: []string{
				groupSentence,
				giveGroup,
				oneUser,
				"Where the process changes its user, let it keep its supplementary groups.",
			},
			Page: pageSecurityContext,
		},
		{
			Reason: checks.TokenNotAFile,
			Title:  "The token is a directory or another special file",
			Means: "Where the token should be there is a directory, a FIFO, a socket or a device; a FIFO makes clients hang at " +
				"their start. Kubelet only ever writes a regular file. A hostPath or subPath whose source did not exist " +
				"becomes an empty directory of that name, which is the usual cause.",
			Confirm: []string{
				"What Lifeline's container has:",
				tokenFiles,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append(wholeVolume(), useProjected),
			Page: pageProjected,
		},
		{
			Reason: checks.TokenTooLarge,
			Title:  "The token file is far too large for a token",
			Means: "A service-account token has some 1,000 characters, and this file has so many that it is not read. Were it " +
				"sent, the API server would answer 431 or close the connection, since request headers are limited. Another " +
				"file lies at this path, or something appends to it.",
			Confirm: []string{
				"What Lifeline's container has:",
				tokenFiles,
				"The pod's volumes, and where they are mounted:",
				podMounts,
			},
			Mend: append(wholeVolume(), useProjected),
			Page: pageProjected,
		},
		{
			Reason: checks.TokenUnreadable,
			Title:  "Reading the token fails",
			Means: "The file is there and reading it ends in an error other than a missing permission, such as an input/output " +
				"error or a stale handle. The projected volume is a tmpfs in the node's memory, where that does not happen, so " +
				"the token comes from another file system or the node is in trouble.",
			Confirm: []string{
				"What Lifeline's container has:",
				tokenFiles,
				"What kubelet says of the volume:",
				podEvents,
				"The pod's volumes, and where they are mounted:",
				podMounts,
				onNode,
				"dmesg --ctime --level=err,crit | tail -n 30",
			},
			Mend: append(wholeVolume(), deleteSentence, deletePod),
			Page: pageProjected,
		},
		{
			Reason: checks.TokenEmpty,
			Title:  "The token file is empty",
			Means: "The file is there and holds nothing but white space. A Go client fails with \"read empty token from file\", " +
				"the Python client with \"Token file exists but empty\"; others send an empty Authorization header and get 403 " +
				"as system:anonymous. Kubelet never writes an empty token, so a script or a Secret without data did.",
			Confirm: []string{
				"What Lifeline's container has:",
				tokenFiles,
				"The pod's volumes, and where they are mounted:",
				podMounts,
				"Whether a Secret of the old kind may be its source:",
				"kubectl -n {namespace} get secrets --field-selector type=kubernetes.io/service-account-token",
			},
			Mend: append(wholeVolume(), useProjected),
			Page: pageServiceAccount,
		},
		{
			Reason: checks.TokenSubPathFrozen,
			Title:  "The token is mounted by subPath and never renewed",
			Means: "The file itself is a mount point, or the directory is one within a volume: a subPath mount binds one as it was at the container's start. Kubelet " +
				"renews the volume by swapping the link ..data, which such a mount never sees. With a file everything works until the first " +
				"token ends, and then every request gets 401; of a directory all files are gone as soon as kubelet writes the next token.",
			Confirm: []string{
				"A mount point that ends in /token shows it, or a root that begins with /..2:",
				tokenFiles,
				"Which container's mount has a subPath:",
				podMounts,
			},
			Mend: []string{
				"Let Kubernetes mount its whole volume there, in the place of single files or of a part of a volume, in each container that has these; for an init container with " +
					"initContainers in the place of containers (this rolls the pods out anew):",
				inTemplate + `{"automountServiceAccountToken":true,"containers":[{"name":"CONTAINER","volumeMounts":[` +
					`{"mountPath":"` + directory + `/token","$patch":"delete"},{"mountPath":"` + directory + `/ca.crt","$patch":"delete"},` +
					`{"mountPath":"` + directory + `/namespace","$patch":"delete"},{"mountPath":"` + directory + `","$patch":"delete"}]}]}` + endOfTemplate,
				"Where a path is prescribed, mount a volume as a directory, without subPath, and let a symbolic link lead there.",
				"Until then a new container begins with a fresh token:",
				restartSentence,
				restart,
			},
			Page: pageVolumes,
		},
		{
			Reason: checks.TokenTrailingNewline,
			Title:  "The token has white space around it",
			Means: "Kubelet never writes any, so this file is not its projection but a copy or a Secret made with echo. Go's " +
				"client takes the space away; the Python client sends the content as it is, and raw clients fail with \"invalid " +
				"header field value\". So some programs in the pod work and others do not.",
			Confirm: []string{
				"This prints true where there is white space, and null where there is none:",
				freshLook + `'.checks[] | select(.name == "token") | .details.surroundingSpace'`,
				"Where it comes from:",
				podMounts,
			},
			Mend: append(wholeVolume(), "Where a Secret has to serve, make it of the token without a newline, by printf in place of echo."),
			Page: pageServiceAccount,
		},
		{
			Reason: checks.TokenNamespaceFileMismatch,
			Title:  "The namespace file and the token name different namespaces",
			Means: "The token speaks for a service account of one namespace, and the file beside it names another. GET /api works, " +
				"but programs that take their namespace from the file ask in the wrong one and get 403 or 404. Kubelet writes " +
				"both of one pod, so at least one of them was put there by hand.",
			Confirm: []string{
				"What the file says, and what the token says:",
				namespaceFile,
				tokenClaims,
				"Where each comes from:",
				podMounts,
			},
			Mend: wholeVolume(),
			Page: pageProjected,
		},
	}
}
