// Package catalogue has the entry of every [checks.Reason]: what the fault is,
// how to confirm it, how to mend it. It is prose for people and decides
// nothing.
package catalogue

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// Entry is what there is to say of a reason.
//
// Each element of Confirm and Mend is either a sentence, which ends with a full
// stop or with a colon that leads to the next element, or a command of one
// line for a shell, which ends with neither. Commands in Confirm change
// nothing in the cluster but for the ephemeral container that kubectl debug
// adds to a pod. In Mend the ones that take something down come last, after a
// sentence that begins with "Disruptive:" or "Destructive:".
//
// Words in capitals are for the reader to fill in.
type Entry struct {
	Reason checks.Reason
	// Check is the one that watches what is at fault; empty where any check can
	// have the reason.
	Check checks.Name
	// Title states the fault, without a full stop.
	Title string
	// Means are two to four sentences: what it is, what an application in the
	// pod sees, why it comes about.
	Means string
	// Confirm is how to make sure of it.
	Confirm []string
	// Mend is what to do, the first to try first.
	Mend []string
	// Page is the official page to read; it may be empty.
	Page string
}

// Names are the pod's own values for the commands of an entry. One that is
// empty, or that would not be safe in a shell, leaves its name in capitals.
// The name of the pod tells of its workload, too.
type Names struct {
	Pod, Namespace, Node, ServiceAccount string
	// Host and Port are KUBERNETES_SERVICE_HOST and _PORT; an IPv6 host may
	// stand in brackets or not.
	Host, Port string
}

// Lookup returns the entry of a reason, false where there is none.
func Lookup(reason checks.Reason) (Entry, bool) {
	return (&Catalogue{rest: slices.Concat(links()...)}).find(reason)
}

// Catalogue has all entries with a pod's own values, for more look-ups than one.
// It is not safe for use by several goroutines at once.
type Catalogue struct {
	values *strings.Replacer
	made   [][]Entry
	// rest are the parts that no look-up has come to yet.
	rest []part
}

// Open begins a catalogue.
func Open(names Names) *Catalogue {
	return &Catalogue{values: names.values(), rest: slices.Concat(links()...)}
}

// Lookup returns the entry of a reason as Entry.For does, false where there is
// none.
func (c *Catalogue) Lookup(reason checks.Reason) (Entry, bool) {
	entry, found := c.find(reason)
	return entry.with(c.values), found
}

func (c *Catalogue) find(reason checks.Reason) (Entry, bool) {
	for i := 0; ; i++ {
		if i == len(c.made) {
			if len(c.rest) == 0 {
				return Entry{}, false
			}
			c.made, c.rest = append(c.made, c.rest[0].made()), c.rest[1:]
		}
		for _, entry := range c.made[i] {
			if entry.Reason == reason {
				return entry, true
			}
		}
	}
}

// All are the entries in the order of the links, those that any check can have
// last, and by code within a link.
func All() []Entry {
	var all []Entry
	for _, link := range links() {
		all = append(all, sorted(link)...)
	}
	return all
}

func sorted(link []part) []Entry {
	var entries []Entry
	for _, part := range link {
		entries = append(entries, part.made()...)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Reason, b.Reason) })
	return entries
}

// For returns the entry with the pod's own values in Confirm and Mend. What to do
// where kubectl debug does not start comes last in Confirm, so that it keeps nobody
// from the point.
func (e Entry) For(names Names) Entry { return e.with(names.values()) }

func (e Entry) with(values *strings.Replacer) Entry {
	e.Confirm = replaceEach(values, e.Confirm)
	e.Mend = replaceEach(values, e.Mend)
	if slices.ContainsFunc(e.Confirm, debugs) {
		e.Confirm = append(e.Confirm, debugImage)
	}
	return e
}

// values puts the names in the place of what stands for them in an entry.
func (n Names) values() *strings.Replacer {
	host := orPlaceholder(strings.Trim(n.Host, "[]"), "HOST")
	port := orPlaceholder(n.Port, "PORT")
	// Where a port follows, an IPv6 address has to stand in brackets.
	return strings.NewReplacer(
		"{host}:{port}", net.JoinHostPort(host, port),
		"{host}", host,
		"{hostrange}", rangeOf(host),
		"{port}", port,
		"{pod}", orPlaceholder(n.Pod, "POD"),
		"{namespace}", orPlaceholder(n.Namespace, "NAMESPACE"),
		"{node}", orPlaceholder(n.Node, "NODE"),
		"{serviceaccount}", orPlaceholder(n.ServiceAccount, "SERVICEACCOUNT"),
		"{workload}", cmp.Or(workloadOf(n.Pod, n.Node), "deployment/NAME"),
	)
}

// rangeOf has one address alone; of what is none, it is as for IPv4.
func rangeOf(host string) string {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return "HOST/32"
	}
	return netip.PrefixFrom(address, address.BitLen()).String()
}

// reasonsPage is where the generated page of all entries can be read.
const reasonsPage = "https://github.com/kube-lifeline/lifeline/blob/main/docs/reasons.md"

// References are pages to read about the reason, this project's own first.
func (e Entry) References() []string {
	pages := []string{reasonsPage + "#" + string(e.Reason)}
	if e.Page != "" {
		pages = append(pages, e.Page)
	}
	return pages
}

func debugs(step string) bool { return strings.Contains(step, " debug -i") }

func replaceEach(replacer *strings.Replacer, texts []string) []string {
	replaced := slices.Clone(texts)
	for i, text := range texts {
		// Most are sentences, and to look for nine names in each takes long.
		if strings.Contains(text, "{") {
			replaced[i] = replacer.Replace(text)
		}
	}
	return replaced
}

// longestName is the longest that a name in Kubernetes or in DNS can be.
const longestName = 253

// orPlaceholder returns the value where it can be pasted into a shell. Values
// come out of files and variables that anybody may have written, and a leading
// dash would make one an option.
func orPlaceholder(value, placeholder string) string {
	if value == "" || len(value) > longestName || value[0] == '-' || strings.ContainsFunc(value, unsafe) {
		return placeholder
	}
	return value
}

func unsafe(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune(".:-_", r)
	}
}

// links are the entries of each link in parts, and last those that any check can
// have.
func links() [][]part {
	return [][]part{
		of(checks.Environment, environment, environmentCauses),
		of(checks.DNS, dnsServers, dnsAnswers, dnsCauses),
		of(checks.Token, tokenFile, tokenContent),
		of(checks.CA, ca),
		of(checks.TLS, tlsHandshake, tlsCertificate, tlsCauses),
		of(checks.API, apiConnection, apiExchange, apiRefusal, apiStatus, apiCauses),
		of(checks.KubectlProxy, kubectlProxyItself, kubectlProxyUpstream),
		of("", anyCheck),
	}
}

// part makes some of the entries of a link.
type part struct {
	check   checks.Name
	entries func() []Entry
}

func of(check checks.Name, makers ...func() []Entry) []part {
	var parts []part
	for _, entries := range makers {
		parts = append(parts, part{check, entries})
	}
	return parts
}

func (p part) made() []Entry {
	entries := p.entries()
	for i := range entries {
		entries[i].Check = p.check
	}
	return entries
}

func anyCheck() []Entry {
	return []Entry{
		{
			Reason: checks.AgentStarved,
			Title:  "Lifeline gets too little of a processor to tell",
			Means: "Its process was due to run and was not given a processor for so long that what took time in this round says nothing of the " +
				"network. Its container has used up its CPU limit, or other processes keep the node busy; one that is kept below memory.high waits for memory, which looks the same. Applications beside it, and " +
				"their probes, are slow for the same reason.",
			Confirm: []string{
				"The limit, and whether the container meets it:",
				"kubectl -n {namespace} get pod {pod} -o jsonpath='{.spec.containers[*].resources}'",
				"kubectl -n {namespace} top pod {pod} --containers",
				"kubectl top node {node}",
			},
			Mend: []string{
				"Raise the CPU limit of Lifeline's container, or leave it out; 50m is plenty for it (this rolls the pods out anew):",
				"kubectl -n {namespace} set resources {workload} -c lifeline --limits=cpu=50m --requests=cpu=10m",
				"Where the container has no limit, find what keeps the node busy, and give requests.cpu to what must not wait for it.",
			},
			Page: pageResources,
		},
		{
			Reason: checks.AgentOutOfFiles,
			Title:  "Lifeline may open no more files",
			Means: "Its process, or the whole node, has as many open files as it may have (RLIMIT_NOFILE, fs.file-max), and each connection is one. " +
				"What it could not read or dial says nothing of the pod's way to the API, and applications have a limit of their own. Lifeline needs " +
				"some thirty; the container runtime gives far more, so somebody has lowered the limit, or the node has run out.",
			Confirm: []string{
				"The limit of each Lifeline on the node {node}, and how many files it has open, as root:",
				`for p in $(pgrep -x lifeline); do grep "Max open files" /proc/$p/limits; ls /proc/$p/fd | wc -l; done`,
				"How many files the node has open, and, as the third number, may have:",
				"sysctl fs.file-nr",
			},
			Mend: []string{
				"Find what lowers the limit: the unit of the container runtime (LimitNOFILE), an entry point, prlimit.",
				"Where the limit of the process was lowered as it ran, a new container has the runtime's again:",
				restartSentence,
				restart,
			},
			Page: pageResources,
		},
		{
			Reason: checks.ClockJumped,
			Title:  "The pod's clock was put forward or back",
			Means: "From one round to the next the clock, which is the node's, went further than time did, and by the time as it would be " +
				"without that step everything is in order. Certificates and tokens seem to have expired or not to be valid yet, though " +
				"nobody changed them. Somebody set the node's clock, its time service did so in one step, or the machine was suspended " +
				"and has come back with a wrong time.",
			Confirm: []string{onNode, "chronyc tracking", timeOnNode},
			Mend: []string{
				clocksRight,
				timeService,
				clockStepSentence,
				clockStep,
			},
			Page: pageCertificates,
		},
		{
			Reason: checks.CheckPanicked,
			Title:  "The check's own code failed",
			Means: "A programming error in Lifeline ended this check; it says nothing of the pod's way to the API. " +
				"The other checks went on, and the next round tries this one again.",
			Confirm: []string{
				"The log names the place:",
				"kubectl -n {namespace} logs {pod} -c lifeline | grep check-panicked",
			},
			Mend: []string{
				"Report it to the project with the log line and the version.",
				"Until it is mended leave the check out, by its name for CHECK, beside what the variable has already (this rolls the pods out anew):",
				setEnv + "-c lifeline LIFELINE_SKIP=CHECK",
			},
		},
		{
			Reason: checks.NetworkLatencyHigh,
			Title:  "Packets take long on the way",
			Means: "A packet to the API server and back takes so long that a request over a new connection, which waits for three such trips, is slow " +
				"or runs out of time. The kernels of both sides measure that, and no program has a part in it, so the API server is not what is slow. " +
				"A link or a queue on the way is overloaded, the way is long, as over a VPN or to another region, or something delays packets " +
				"on purpose (tc netem, as Chaos Mesh does). Applications are slow with all that goes that way.",
			Confirm: []string{
				"The trips of several connections, as rttSeconds:",
				deepConnections,
				"From this pod, and from one of another node, to an address beyond the node:",
				inPod + "ping -c 20 -i 0.2 ENDPOINT",
				"Whether packets are delayed on purpose, which netem or tbf tells, in the pod and on the node {node}, as root:",
				inPod + "tc qdisc show",
				"tc qdisc show",
			},
			Mend: []string{
				"Where Chaos Mesh delays them, end that experiment.",
				"Where an interface of the node {node}, for DEVICE, has a netem that nobody meant, take it off, as root:",
				"tc qdisc del dev DEVICE root",
				"Where a link or a queue is full, take load from it, or give it more.",
				"Where the way is long by its nature, let applications keep their connections, and give them and Lifeline more time:",
				setEnv + "-c lifeline LIFELINE_INTERVAL=30s LIFELINE_TIMEOUT=10s",
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.NetworkPacketLoss,
			Title:  "Packets get lost on the way",
			Means: "Of packets of one kind and size some arrive and some do not, and what is sent again gets through. Everything works in the end " +
				"and takes long: a lookup waits for 5 s where one packet of it was lost, a connection for a second, and some run into a time " +
				"limit. A link or a queue on the way is overloaded or damaged, or the table of connections of a node is full.",
			Confirm: []string{
				"How much is lost on the way to the nameserver and to the API server:",
				deepNameservers,
				deepConnections,
				"On the node {node}, as root, what its interfaces drop, and whether its table of connections is full:",
				"ip -s link show",
				tableFull,
				tableCounts,
				"Whether it is this node, from a pod of another one, for OTHER-POD, to the address of the node {node}, for NODE-IP; where none is lost, it is not:",
				"kubectl -n {namespace} debug -it OTHER-POD --image=nicolaka/netshoot --profile=baseline -- ping -c 50 -i 0.2 NODE-IP",
			},
			Mend: []string{
				largerSentence,
				largerTable,
				"Where an interface counts drops or errors, mend its cable, its switch port, its driver or its queue lengths, or take load from it.",
				"Where it is one node alone, move what runs there to others while it is mended:",
				"Destructive: takes the pods from the node {node}, with what their emptyDir volumes hold (kubectl uncordon lets pods there again):",
				"kubectl drain {node} --ignore-daemonsets --delete-emptydir-data",
			},
			Page: pageDebugService,
		},
		{
			Reason: checks.WaitsFor,
			Title:  "The check waits for another one",
			Means: "What this check needs is not there: there is no handshake to judge where nothing connects, for one. " +
				"It is neither well nor ill, and runs again by itself as soon as the check that it waits for passes.",
			Confirm: []string{
				"The report names the check that it waits for:",
				freshLook + `'.checks[] | select(.status == "skip") | {name, waitsFor}'`,
			},
			Mend: []string{"Mend the check that it waits for; there is nothing to do here."},
		},
	}
}

// Paths and commands that many entries share.
const (
	directory = "/var/run/secrets/kubernetes.io/serviceaccount"

	// debugPod runs a command beside the containers of the pod, which may have
	// no shell. Any image with dig, curl and openssl serves.
	debugPod = "kubectl -n {namespace} debug -it {pod} --image=nicolaka/netshoot "
	// inPod does so for commands that need no privilege, in namespaces of every
	// Pod Security Standard. The profile sets runAsNonRoot, which kubelet
	// refuses for an image of root, as that one is, unless the pod names a user.
	inPod      = debugPod + "--profile=restricted -- "
	debugImage = "Where kubectl debug does not start: take another image that the nodes can pull, and leave out " +
		"--profile=restricted unless the pod or the image has a numbered user other than root."
	// freshLook is the report of a new look in Lifeline's container, by the
	// name that the chart and the README give it. The image has nothing but
	// /lifeline. A check that fails makes kubectl add, on stderr, that it
	// exited with 1.
	freshLook = "kubectl -n {namespace} exec {pod} -c lifeline -- /lifeline check -o json | jq "
	// inApplication leads to a command that Lifeline's own image does not have.
	inApplication = "In a container of the pod that has a shell, with -c CONTAINER:"
	execInPod     = "kubectl -n {namespace} exec {pod} -c CONTAINER -- "

	fromNodeSentence = "Where kubectl gets no answer either, on the node {node}, by the pod's address (crictl inspectp has it) " +
		"and the port of LIFELINE_LISTEN:"
	fromNode = "curl 'http://POD-IP:8080/status?format=text'"

	onNode         = "On the node {node}, as root:"
	onControlPlane = "On a control-plane node, as root:"

	// restartKubelet has it read its configuration file, which it does at its start alone.
	restartKubeletSentence = "Disruptive: restarts kubelet on the node, as root, which reads its configuration only then; containers go on, and pods get the new file only when made anew:"
	restartKubelet         = "systemctl restart kubelet"

	restartSentence = "Disruptive: replaces the pods of the workload, be it a Deployment, a DaemonSet or a StatefulSet:"
	restart         = "kubectl -n {namespace} rollout restart {workload}"
	deleteSentence  = "Destructive: ends the pod; its owner makes another, but a bare pod does not come back:"
	deletePod       = "kubectl -n {namespace} delete pod {pod}"

	// inTemplate and its end have between them what is merged into the spec of the
	// pod template. Lists of Kubernetes are merged there by the names of their items, but for those
	// of dnsConfig, which take the place of what was there.
	inTemplate      = `kubectl -n {namespace} patch {workload} -p '{"spec":{"template":{"spec":`
	endOfTemplate   = "}}}'"
	annotate        = `kubectl -n {namespace} patch {workload} -p '{"spec":{"template":{"metadata":{"annotations":`
	endOfAnnotation = "}}}}'"
	setEnv          = "kubectl -n {namespace} set env {workload} "

	pastMeshSentence = "Where a sidecar of Istio takes the connection, leave the API server's address, for HOST where that stands, out of what it takes, beside what the annotation " +
		"has already (this rolls the pods out anew):"
	pastMesh = annotate + `{"traffic.sidecar.istio.io/excludeOutboundIPRanges":"{hostrange}"}` + endOfAnnotation
	// serverFlags is the file of kubeadm.
	serverFlags = "/etc/kubernetes/manifests/kube-apiserver.yaml"

	stopServerSentence = "Disruptive: has kubelet start kube-apiserver anew, on its control-plane node, as root:"
	stopServer         = `crictl stop "$(crictl ps -q --name kube-apiserver)"`

	forwardSentence = "Where forwarding is off (0 above), turn it on, on the node {node}, as root, and keep it so in /etc/sysctl.d:"
	forward         = "sysctl -w net.ipv4.ip_forward=1"
	forwarding      = "sysctl net.ipv4.ip_forward"
	forwardRule     = "iptables -S FORWARD | head -n 1"
	// tableFull tells of a burst that the counts do not show any more.
	tableFull       = "dmesg | grep -i 'table full'"
	tableCounts     = "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"
	largerSentence  = "Where the table of connections is full, make it larger on the node {node}, as root, keep it so in /etc/sysctl.d, and find who fills it:"
	largerTable     = "sysctl -w net.netfilter.nf_conntrack_max=$(( $(sysctl -n net.netfilter.nf_conntrack_max) * 2 ))"
	networkPolicies = "kubectl -n {namespace} get networkpolicies"
	kubeProxyOnNode = "kubectl -n kube-system get pods -l k8s-app=kube-proxy --field-selector spec.nodeName={node} -o wide"
	// replaceKubeProxy is for one node, since those beside it work.
	replaceKubeProxySentence = "Disruptive: replaces kube-proxy on one node, whose Services are not updated meanwhile:"
	replaceKubeProxy         = "kubectl -n kube-system delete pod -l k8s-app=kube-proxy --field-selector spec.nodeName={node}"

	containersOfPod = "kubectl -n {namespace} get pod {pod} -o json | jq '.status | [(.initContainerStatuses // [])[], .containerStatuses[]] | map({name, ready, state})'"
	podEvents       = "kubectl -n {namespace} events --for pod/{pod}"
	podMounts       = "kubectl -n {namespace} get pod {pod} -o json | " +
		"jq '.spec | {volumes, mounts: [(.initContainers + .containers)[] | {name, volumeMounts}]}'"
)

// Official pages.
const (
	pageAccess          = "https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/"
	pageAPIServer       = "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/"
	pageAuthentication  = "https://kubernetes.io/docs/reference/access-authn-authz/authentication/"
	pageCARotation      = "https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/"
	pageCertificates    = "https://kubernetes.io/docs/setup/best-practices/certificates/"
	pageCoreDNS         = "https://coredns.io/plugins/kubernetes/"
	pageDebugCluster    = "https://kubernetes.io/docs/tasks/debug/debug-cluster/"
	pageDebugService    = "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/"
	pageDNSDebugging    = "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/"
	pageDNSPods         = "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/"
	pageDNSScaling      = "https://kubernetes.io/docs/tasks/administer-cluster/dns-horizontal-autoscaling/"
	pageDNSServers      = "https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/"
	pageDualStack       = "https://kubernetes.io/docs/concepts/services-networking/dual-stack/"
	pageFlowControl     = "https://kubernetes.io/docs/reference/debug-cluster/flow-control/"
	pageGodebug         = "https://go.dev/doc/godebug"
	pageHealth          = "https://kubernetes.io/docs/reference/using-api/health-checks/"
	pageHosts           = "https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/"
	pageKubeadmCerts    = "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/"
	pageNetworkPolicies = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
	pageNodeLocalDNS    = "https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/"
	pageProjected       = "https://kubernetes.io/docs/concepts/storage/projected-volumes/"
	pageRBAC            = "https://kubernetes.io/docs/reference/access-authn-authz/rbac/"
	pageResources       = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
	pageSecurityContext = "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"
	pageServiceAccount  = "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"
	pageServiceAccounts = "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/"
	pageSidecars        = "https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/"
	pageVirtualIPs      = "https://kubernetes.io/docs/reference/networking/virtual-ips/"
	pageVolumes         = "https://kubernetes.io/docs/concepts/storage/volumes/"
)
