package catalogue

import "github.com/kube-lifeline/lifeline/checks"

const (
	// auditID is that of the last request of a fresh look.
	auditID = freshLook + `'.checks[] | select(.name == "api") | .details.serviceHost.exchanges[-1].response.auditID'`
	// badToken is answered 401 where Authorization headers arrive.
	badToken = inPod + `curl -ski --max-time 5 -H "Authorization: Bearer not-a-token" "https://{host}:{port}/api"`
	// namesOfUIDs resolves the X-Kubernetes-PF headers.
	namesOfUIDs   = "kubectl get flowschemas,prioritylevelconfigurations -o custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid"
	bodyOfAPI     = inPod + `sh -c 'curl -ski --max-time 5 "https://{host}:{port}/api" | head -c 600'`
	bindDiscovery = "kubectl create clusterrolebinding system:discovery --clusterrole=system:discovery --group=system:authenticated"
	// webhooks are those of the API server's own configuration.
	webhookSentence = "Mend the slow or failing webhook for authentication or authorization, or take it out of what this shows, on a control-plane node, as root:"
	webhooks        = "grep -nE 'authentication-(token-webhook|config)|authorization-(webhook|config)' " + serverFlags
	auditSentence   = "Where no audit event can be stored, mend what these lead to, a full disk or a webhook, or take -strict off the mode, on a control-plane node, as root:"
	auditFlags      = "grep -nE 'audit-(log|webhook)-(path|mode|config-file)' " + serverFlags
	noAuditID       = "No Audit-Id header means that no kube-apiserver has seen the request; Server and Via tell who answered:"
)

// apiRefusal are the reasons of a client that is not let in.
func apiRefusal() []Entry {
	return []Entry{
		{
			Reason: checks.HTTP401Unattributed,
			Title:  "The API server rejects the token, and does not say why",
			Means: "The answer is 401, which is the same for every cause, and all that can be seen from the pod is right: form, times, " +
				"audience, pod. What is left is known to the server alone: the service account was deleted or made anew, the " +
				"signing key or issuer was changed, one of several API servers has other keys; or the pod was deleted, and its container lives on " +
				"since kubelet does not end it.",
			Confirm: []string{
				"What the token says of itself; id is its credential id, and the token is not shown:",
				tokenClaims,
				"Was the service account made anew? Its UID now, against serviceAccountUID in the token:",
				"kubectl -n {namespace} get serviceaccount {serviceaccount} -o jsonpath='{.metadata.uid}'",
				"Is the pod still there? Its UID now, against podUID in the token:",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.metadata.uid}'",
				"Where it is not found or another one, whether the node {node} still runs the old one, and what kubelet there says, as root:",
				"crictl pods --namespace {namespace} --name {pod}",
				"journalctl -u kubelet --since -15m --no-pager | tail -n 20",
				"Was the issuer changed? What is issued now, against issuer in the token (an administrator may ask; the token is not shown):",
				freshClaims,
				"The Audit-Id of a refused request:",
				auditID,
				"Where audit logs are kept, at --audit-log-path of each control-plane node, the refusal by its Audit-Id, and by the " +
					"credential id when the token was issued and last accepted:",
				"grep -hE 'AUDIT-ID|JTI=CREDENTIAL-ID' AUDIT-LOG",
				"Why each API server refuses, on its control-plane node, as root:",
				`crictl logs "$(crictl ps -q --name kube-apiserver | head -n 1)" 2>&1 | grep "Unable to authenticate" | tail -n 20`,
			},
			Mend: []string{
				"Where the service account is gone, make it again, and then its pods:",
				"kubectl -n {namespace} create serviceaccount {serviceaccount}",
				"Where keys or issuer were changed, keep the old ones beside the new: each --service-account-key-file and " +
					"--service-account-issuer may be given more than once; on all API servers alike.",
				"A new pod has a token by the account and the key of today:",
				deleteSentence,
				deletePod,
				"Where the pod is gone and runs on, have kubelet end it:",
				"Disruptive: restarts kubelet on the node {node}, as root; containers of pods that are still there go on:",
				restartKubelet,
				"Destructive: ends it there without kubelet, as root, by the POD ID shown for POD-ID:",
				"crictl stopp POD-ID",
			},
			Page: pageServiceAccounts,
		},
		{
			Reason: checks.HTTP401NotFromKubernetes,
			Title:  "Something before the API server demands a login",
			Means: "The answer is 401 without the Audit-Id that a kube-apiserver sets on every response, so a proxy, gateway or load " +
				"balancer gave it. The token was not judged by Kubernetes at all. Applications cannot tell the difference and say " +
				"\"Unauthorized\".",
			Confirm: []string{
				noAuditID,
				bodyOfAPI,
				"The Service's address, which should be the one that was asked:",
				apiService,
			},
			Mend: []string{
				findAnswerer,
				overridden,
				dropHostAndPort,
				"Where a gateway is meant to be there, have it pass the Authorization header on untouched.",
			},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTP403Anonymous,
			Title:  "The API server sees the pod as anonymous",
			Means: "The answer is 403 for the user system:anonymous. A bad token gets 401, so none arrived: the file is empty or missing, " +
				"the header has another scheme than Bearer or two spaces after it, or a proxy strips it. An application reads " +
				"\"forbidden: User system:anonymous cannot get path\".",
			Confirm: []string{
				"A bad token on purpose: 401 means that headers arrive and the token was not sent, 403 that they are stripped on the way:",
				badToken,
				"Whether the token is there, and whether a proxy is set:",
				tokenFiles,
				environmentOfPod + " | grep -i proxy",
			},
			Mend: []string{
				"Where headers are stripped, take the proxy or gateway off the way, or have it pass Authorization on.",
				overridden,
				dropHostAndPort,
				"Where the token was not sent, mend what the token check says; in clients write one space after Bearer.",
				"The Python client 36.0.0 sends no header at all; take 36.0.2 or later.",
			},
			Page: pageAuthentication,
		},
		{
			Reason: checks.HTTP403DiscoveryRBACRemoved,
			Title:  "The service account may not read /api",
			Means: "The answer is 403 and names the service account, so the token is good and the way is whole. Every authenticated user " +
				"may read /api by the ClusterRoleBinding system:discovery; it was deleted or changed, or another authorizer " +
				"denies: a webhook, or one that an API server is started with and others are not. Applications that use known resources may work; discovery, as kubectl does it, fails.",
			Confirm: []string{
				"Whether the account may, and whether the binding and the role are as Kubernetes makes them:",
				"kubectl auth can-i get /api --as=system:serviceaccount:{namespace}:{serviceaccount}",
				"kubectl get clusterrolebinding system:discovery -o yaml",
				"kubectl get clusterrole system:discovery -o yaml",
				"Where both are in order, how each API server is started:",
				"kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -e authorization-",
			},
			Mend: []string{
				"Where the binding is missing, make it as Kubernetes does:",
				bindDiscovery,
				"Where it or the role was changed, allow the API server to mend it at its next start:",
				"kubectl annotate --overwrite clusterrolebinding/system:discovery clusterrole/system:discovery " +
					"rbac.authorization.kubernetes.io/autoupdate=true",
				"Where it is meant as hardening, leave the api check out by LIFELINE_SKIP, or bear its warning.",
			},
			Page: pageRBAC,
		},
		{
			Reason: checks.HTTP403DuringStartup,
			Title:  "The API server has just started and forbids what it will allow",
			Means: "The answer is 403 and names the service account, and the headers of priority and fairness are empty, which they are " +
				"until kube-apiserver has read its own objects after a start. Roles and bindings are among them, so it knows no " +
				"right of anybody yet. It lasts for a moment; an application that meets it should try again.",
			Confirm: []string{
				"Whether it is ready by now:",
				"kubectl get --raw /readyz",
				"Where the API server runs as a pod, see how often and when it started:",
				"kubectl -n kube-system get pods -l component=kube-apiserver",
			},
			Mend: []string{
				"Wait for the next round.",
				"Where it comes again and again, find out why the API server restarts:",
				"kubectl -n kube-system logs -l component=kube-apiserver --previous --tail=20 --prefix",
			},
			Page: pageRBAC,
		},
		{
			Reason: checks.HTTP403NotFromKubernetes,
			Title:  "Something before the API server forbids the request",
			Means: "The answer is 403 without the Audit-Id that a kube-apiserver sets on every response. A proxy, a mesh (\"RBAC: access " +
				"denied\" from envoy) or the filter of kubectl proxy (a bare \"Forbidden\") gave it, and Kubernetes' RBAC has nothing " +
				"to do with it.",
			Confirm: []string{
				noAuditID,
				bodyOfAPI,
				"Whether the pod's manifest names a proxy:",
				environmentOfPod + " | grep -i proxy",
			},
			Mend: []string{
				pastMeshSentence,
				pastMesh,
				findAnswerer,
				overridden,
				dropHostAndPort,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTP404OnAPI,
			Title:  "There is no /api at this address",
			Means: "The answer is 404 for a path that every API server has. With an Audit-Id it is one whose paths begin elsewhere, as " +
				"with a path prefix of Rancher or a virtual cluster; without, another server answers.",
			Confirm: []string{
				"What is answered, and by whom:",
				bodyOfAPI,
				headersAnonymous,
				"The Service's address, which should be the one that was asked:",
				apiService,
			},
			Mend: []string{
				"Where the API has a path prefix, clients need a kubeconfig with that path; KUBERNETES_SERVICE_HOST cannot hold one.",
				findAnswerer,
				overridden,
				dropHostAndPort,
			},
			Page: pageAccess,
		},
	}
}

// apiStatus are the reasons of a server that cannot, or not now.
func apiStatus() []Entry {
	return []Entry{
		{
			Reason: checks.HTTP429APF,
			Title:  "Priority and fairness turns the request away",
			Means: "The answer is 429 with the X-Kubernetes-PF headers: the priority level of the request is full and so is its queue. As " +
				"Kubernetes makes the flow schemas, a service account's GET /api is judged in the level of its reads (workload-low, or " +
				"workload-high in kube-system), so the application's own requests are turned away too. The probes' paths are exempt and stay 200.",
			Confirm: []string{
				"Which level is full:",
				"kubectl get --raw /debug/api_priority_and_fairness/dump_priority_levels",
				"The names of the UIDs in its X-Kubernetes-PF headers:",
				namesOfUIDs,
				"Who is turned away:",
				"kubectl get --raw /metrics | grep '^apiserver_flowcontrol_rejected_requests_total'",
			},
			Mend: []string{
				"Let clients obey Retry-After; the official ones do.",
				"Find the client that fills the level and let it ask less.",
				"Where it is rightly so busy, give its FlowSchema a level of its own, or the level more shares:",
				"kubectl edit prioritylevelconfiguration NAME",
			},
			Page: pageFlowControl,
		},
		{
			Reason: checks.HTTP429MaxInflight,
			Title:  "The API server has too many requests in flight",
			Means: "The answer is 429 from a kube-apiserver without the X-Kubernetes-PF headers: priority and fairness is off there, and " +
				"--max-requests-inflight is reached. All clients share the one limit, so any of them can starve the others.",
			Confirm: []string{
				"No X-Kubernetes-PF header means that priority and fairness is off:",
				headersAnonymous,
				"How many requests are under way:",
				"kubectl get --raw /metrics | grep '^apiserver_current_inflight_requests'",
				onControlPlane,
				"grep -E 'enable-priority-and-fairness|max-requests-inflight' /etc/kubernetes/manifests/kube-apiserver.yaml",
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Let clients obey Retry-After, and find the one that asks too much.",
				"Disruptive: turns priority and fairness on again, for which kubelet starts kube-apiserver anew, on each control-plane node, as root:",
				"sed -i '/--enable-priority-and-fairness=false/d' " + serverFlags,
				"Or raise --max-requests-inflight there.",
			},
			Page: pageFlowControl,
		},
		{
			Reason: checks.HTTP429ShuttingDown,
			Title:  "The API server is shutting down",
			Means: "The answer is 429 with \"The apiserver is shutting down\" and Retry-After of 5 s: this server ends in good order " +
				"(--shutdown-send-retry-after) and sends its clients to another. It is part of every roll-out of a control plane, and " +
				"official clients retry by themselves.",
			Confirm: []string{
				"Whether it has left the Service, and whether another has come:",
				apiSlices,
				"kubectl -n kube-system get pods -l component=kube-apiserver -o wide",
			},
			Mend: []string{
				"Wait for the roll-out to end; retry on a new connection.",
				"Where it lasts for minutes, see on its control-plane node, as root, what it does not come to the end of:",
				apiServerLog,
			},
			Page: pageAPIServer,
		},
		{
			Reason: checks.HTTP429NotFromKubernetes,
			Title:  "Something before the API server limits requests",
			Means: "The answer is 429 without the Audit-Id that a kube-apiserver sets on every response: a gateway, load balancer or proxy " +
				"counts requests and turns this one away. Kubernetes' priority and fairness has nothing to do with it.",
			Confirm: []string{
				noAuditID,
				headersAnonymous,
			},
			Mend: []string{
				"Raise the limit where it is set, or take pods inside the cluster past that gateway.",
				overridden,
				dropHostAndPort,
				findAnswerer,
			},
			Page: pageAccess,
		},
		{
			Reason: checks.HTTP500Internal,
			Title:  "The API server fails within itself",
			Means: "The answer is 500 from a kube-apiserver. GET /api needs hardly anything but the server itself, so it is a fault of the " +
				"server, of its authentication or authorization webhooks, of where it keeps its audit log (\"failed to store audit event\"), or of etcd behind it. The Audit-Id of the response finds " +
				"the request in its logs.",
			Confirm: []string{
				"Which part of the API server is not well:",
				readyz,
				"The Audit-Id to look for:",
				auditID,
				onControlPlane,
				apiServerLog,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Where readyz shows etcd failing, mend that first: its disk, its quorum, its certificates. On a control-plane node, as root, what it says:",
				etcdLog,
				webhookSentence,
				webhooks,
				auditSentence,
				auditFlags,
			},
			Page: pageHealth,
		},
		{
			Reason: checks.APIServerNotReady,
			Title:  "The API server answers and is not ready",
			Means: "GET /api is answered as it should be, and needs nothing but the server itself; /readyz, where the API server tells of " +
				"itself, says that a part of it fails. Where that is etcd, the way to the API server is in order, and requests that " +
				"read or write objects wait until they fail: applications meet timeouts, 500 and 504. A part named informer-sync or " +
				"poststarthook fails while the server starts, and for longer where it cannot read what it needs.",
			Confirm: []string{
				"Which part of the API server is not well:",
				readyz,
				"Where etcd is, on a control-plane node, as root, whether it runs and what it says:",
				"crictl ps -a --name etcd",
				etcdLog,
			},
			Mend: []string{
				"Where readyz shows etcd failing, mend that first: its disk, its quorum, its certificates. What it ended or waits for stands in its log; where it does not run, see why kubelet does not start it:",
				"journalctl -u kubelet --since -15m --no-pager | grep -i etcd | tail -n 20",
				"Where it runs elsewhere, see by which addresses the API server looks for it, on a control-plane node, as root:",
				"grep -- --etcd-servers /etc/kubernetes/manifests/kube-apiserver.yaml",
				"Where another part fails, what the API server says of it:",
				apiServerLog,
			},
			Page: pageHealth,
		},
		{
			Reason: checks.HTTP503Starting,
			Title:  "The API server is starting",
			Means: "The answer is 503 and says that the request came before all paths were installed: this kube-apiserver began seconds " +
				"ago. Official clients retry by themselves. Where it lasts, the start does not come to its end.",
			Confirm: []string{
				"What is not up yet, and since when it starts:",
				readyz,
				"kubectl -n kube-system get pods -l component=kube-apiserver -o wide",
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Wait for some seconds and retry.",
				"Where it lasts for minutes, see on its control-plane node, as root, what the start waits for:",
				apiServerLog,
			},
			Page: pageHealth,
		},
		{
			Reason: checks.HTTP504Timeout,
			Title:  "The API server gave the request up",
			Means: "The answer is 504 with the reason Timeout: a kube-apiserver took the request and did not end it within " +
				"--request-timeout, 60 s by default. An overloaded server, a slow etcd or a slow webhook for authentication or " +
				"authorization is behind it. A 504 of a load balancer, which has no Audit-Id, is http-502-503-lb.",
			Confirm: []string{
				"Which part of the API server is not well, which queue is full, and how long webhooks take:",
				readyz,
				"kubectl get --raw /debug/api_priority_and_fairness/dump_priority_levels",
				"kubectl get --raw /metrics | grep -E '^(authentication_duration_seconds|apiserver_authorization_webhook_duration_seconds)_(sum|count)'",
				onControlPlane,
				apiServerLog,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				webhookSentence,
				webhooks,
				"Give API servers and etcd more CPU and faster disks.",
				busySentence,
				busyClients,
			},
			Page: pageHealth,
		},
		{
			Reason: checks.HTTP502503LB,
			Title:  "A load balancer has no API server to pass the request to",
			Means: "The answer is 502, 503 or 504 without the Audit-Id that a kube-apiserver sets on every response; envoy, nginx or a " +
				"cloud's load balancer gave it. It holds no API server behind it for healthy, or could not reach the one that it " +
				"chose. Its health check may be wrong while the servers are well.",
			Confirm: []string{
				noAuditID,
				headersAnonymous,
				"The API servers themselves, past the load balancer:",
				apiSlices,
				askEndpoint,
				fromNodeSentence,
				fromNode,
			},
			Mend: []string{
				"Where the servers answer by themselves, mend the load balancer's health check (HTTPS GET /readyz, 200) or its way to them.",
				"Where they do not, mend them; on a control-plane node, as root:",
				apiServerLog,
			},
			Page: pageHealth,
		},
		{
			Reason: checks.HTTPUnexpectedStatus,
			Title:  "The answer has a status that is not expected",
			Means: "The status of GET /api is none of those that have a code of their own here. With an Audit-Id a kube-apiserver gave it " +
				"and its body says why; without, something between did.",
			Confirm: []string{
				"What is answered, and by whom:",
				bodyOfAPI,
				headersAnonymous,
				"The Service's address, which should be the one that was asked:",
				apiService,
			},
			Mend: []string{
				"Where a kube-apiserver answers, look for the Audit-Id in its log, on a control-plane node, as root:",
				apiServerLog,
				findAnswerer,
			},
			Page: pageAccess,
		},
	}
}
