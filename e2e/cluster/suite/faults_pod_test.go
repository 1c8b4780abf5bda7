//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/clients"
)

// serviceAccountFolder is where every client looks (client-go rest/config.go).
const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// podFaults are those that one pod has while its neighbours are well.
func podFaults() []fault {
	clusterSearch := []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	// The report speaks for the client's newest release.
	oldPython := map[string]string{"python-client": "Debian's is of version 22, and none before 34 heeds a proxy variable"}
	slowResolver := map[string]string{"rest": "it waits for a resolver that waits five seconds for the first nameserver, and here for three seconds at most"}
	return []fault{
		{name: "nothing is wrong"},

		// The environment.
		{name: "KUBERNETES_SERVICE_HOST is empty", alter: environment("KUBERNETES_SERVICE_HOST", ""), first: "env-service-vars-missing", unready: true, unhealthy: true},
		{name: "KUBERNETES_SERVICE_PORT is empty", rare: true, alter: environment("KUBERNETES_SERVICE_PORT", ""), first: "env-service-vars-missing", unready: true, unhealthy: true},
		{name: "the host is given by name", alter: environment("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc"), first: "env-service-host-overridden"},
		{name: "the host is that of another service", rare: true, alter: environment("KUBERNETES_SERVICE_HOST", cluster.DNSAddress), first: "env-service-host-overridden", unready: true, unhealthy: true},
		{name: "the port is one where nothing listens", alter: environment("KUBERNETES_SERVICE_PORT", "444"), first: "env-service-port-overridden", unready: true, unhealthy: true},
		{name: "a variable that no client reads has another address", rare: true, alter: environment("KUBERNETES_PORT_443_TCP_ADDR", "10.96.0.99")},
		{name: "a variable that no client reads has another port", rare: true, alter: environment("KUBERNETES_SERVICE_PORT_HTTPS", "444")},
		{name: "the host and port are kubelet's", alter: environment("KUBERNETES_SERVICE_HOST", cluster.NodeAddress, "KUBERNETES_SERVICE_PORT", "10250"), first: "env-service-host-overridden", unready: true, unhealthy: true},
		{name: "the host and port speak plain HTTP", alter: environment("KUBERNETES_SERVICE_HOST", "127.0.0.1", "KUBERNETES_SERVICE_PORT", "8080"), first: "env-service-host-overridden", unready: true, unhealthy: true},
		{name: "the host is a name that there is not", rare: true, alter: environment("KUBERNETES_SERVICE_HOST", "api.example.invalid"), first: "env-service-host-unresolvable", unready: true, unhealthy: true},
		{name: "the host is a URL", rare: true, alter: environment("KUBERNETES_SERVICE_HOST", "https://"+cluster.ServerAddress), first: "env-service-host-invalid", unready: true, unhealthy: true},
		{name: "the host is of a family that the pod has not", rare: true, alter: environment("KUBERNETES_SERVICE_HOST", "fd00:10:96::1"), first: "env-service-host-overridden", unready: true, unhealthy: true},
		{name: "the port is a word", rare: true, alter: environment("KUBERNETES_SERVICE_PORT", "https"), first: "env-service-port-invalid", unready: true, unhealthy: true},
		{name: "HTTPS_PROXY is dead", alter: environment("HTTPS_PROXY", "http://127.0.0.1:3128"), first: "env-http-proxy-intercepts-api", unready: true, unhealthy: true, own: "run kubectl proxy beside the agent", differs: oldPython},
		{name: "HTTPS_PROXY is dead but NO_PROXY has the service range", alter: environment("HTTPS_PROXY", "http://127.0.0.1:3128", "NO_PROXY", "10.96.0.0/16,.svc")},
		{name: "HTTPS_PROXY is dead and NO_PROXY has only the names", rare: true, alter: environment("HTTPS_PROXY", "http://127.0.0.1:3128", "NO_PROXY", ".svc,.cluster.local"), first: "env-http-proxy-intercepts-api", unready: true, unhealthy: true, own: "run kubectl proxy beside the agent", differs: oldPython},
		{name: "HTTPS_PROXY carries what it catches", rare: true, objects: carrier("10.96.0.64"), alter: environment("HTTPS_PROXY", "http://10.96.0.64:3128"), first: "env-http-proxy-intercepts-api", own: "give a Service its address"},

		// DNS.
		{name: "packets to port 53 are dropped", inject: filter(cluster.Before, "udp dport 53 drop", "tcp dport 53 drop"), first: "dns-egress-policy-blocks-53", unhealthy: true},
		{name: "UDP packets to port 53 are dropped", inject: filter(cluster.Before, "udp dport 53 drop"), first: "dns-udp-blocked-tcp-ok", unhealthy: true},
		{name: "packets to port 53 are rejected", rare: true, inject: filter(cluster.Before, "udp dport 53 reject with icmp admin-prohibited"), first: "dns-unreachable", unhealthy: true},
		{name: "UDP packets to port 53 are refused", rare: true, inject: filter(cluster.Before, "udp dport 53 reject"), first: "dns-udp-blocked-tcp-ok", unhealthy: true},
		{name: "TCP packets to port 53 are dropped and resolvers use TCP", rare: true, alter: overTCP, inject: filter(cluster.Before, "tcp dport 53 drop"), first: "dns-tcp-blocked-udp-ok", unhealthy: true},
		{name: "TCP packets to port 53 are reset and resolvers use TCP", rare: true, alter: overTCP, inject: filter(cluster.Before, "tcp dport 53 reject with tcp reset"), first: "dns-tcp-blocked-udp-ok", unhealthy: true},
		{name: "queries for AAAA are dropped", rare: true, objects: nameserver("10.96.0.70", withoutAAAA), alter: resolver("10.96.0.70", clusterSearch...), own: "give a Service its address", first: "dns-aaaa-broken", unhealthy: true},
		{name: "TCP packets to port 53 are dropped", rare: true, inject: unnoticed(filter(cluster.Before, "tcp dport 53 drop"))},
		// A shorter one would be over before the deep probes, which follow the round that met it.
		{name: "packets to port 53 are dropped for nine of sixteen seconds", rare: true, inject: flapping(16*time.Second, 9*time.Second, cluster.Before, "udp dport 53 drop", "tcp dport 53 drop"), first: "dns-egress-policy-blocks-53", wavers: true},
		{name: "packets of DNS are lost, two of ten", rare: true, inject: lose(20, "udp dport 53"), first: "network-packet-loss", wavers: true},
		{name: "one of two backends of DNS is dead", rare: true, objects: nameserver("10.96.0.60", forwarding, forwarding), alter: resolver("10.96.0.60", clusterSearch...), inject: dropBackend, first: "dns-one-backend-bad", wavers: true},
		{name: "one of two backends of DNS fails on every name", rare: true, objects: nameserver("10.96.0.61", forwarding), alter: resolver("10.96.0.61", clusterSearch...), inject: addBackend(servfail), first: "dns-one-backend-bad", wavers: true},
		{name: "one of two backends of DNS is another network's", rare: true, objects: nameserver("10.96.0.71", forwarding), alter: resolver("10.96.0.71", clusterSearch...), inject: addBackend(upstream), first: "dns-one-backend-bad", wavers: true},
		{name: "one of two backends of DNS listens elsewhere", rare: true, objects: nameserver("10.96.0.72", forwarding), alter: resolver("10.96.0.72", clusterSearch...), inject: addBackend(strings.Replace(forwarding, ":53", ":5353", 1)), first: "dns-one-backend-bad", wavers: true},
		{name: "a wildcard is searched before the cluster", rare: true, objects: nameserver("10.96.0.62", wildcard), alter: resolver("10.96.0.62", append([]string{"corp.example"}, clusterSearch...)...), own: "give a Service its address", first: "dns-search-wildcard-hijack"},
		{name: "the nameserver is link-local and packets to it vanish", rare: true, alter: resolver("169.254.20.10", clusterSearch...), own: "let packets to nowhere vanish", first: "dns-policy-misses-nodelocal-or-clouddns", unhealthy: true},
		{name: "the nameserver is link-local and nothing listens there", rare: true, objects: nodeAddress("169.254.25.10"), alter: resolver("169.254.25.10", clusterSearch...), own: "give its node an address", first: "dns-nodelocal-down", unhealthy: true},
		{name: "the pod is on the host's network and its dnsPolicy is ClusterFirst", rare: true, own: "run a pod on the host's network", objects: privileged, alter: func(p *corev1.Pod) { p.Spec.HostNetwork = true }, first: "dns-hostnetwork-without-clusterfirstwithhostnet", unhealthy: true},
		{name: "the nameserver is nobody's", rare: true, alter: resolver("192.0.2.53", clusterSearch...), own: "let packets to nowhere vanish", first: "dns-timeout", unhealthy: true},
		{name: "the nameserver is nobody's and without the cluster's search list", rare: true, alter: resolver("192.0.2.53", "corp.example"), own: "let packets to nowhere vanish", first: "dns-dnspolicy-default", unhealthy: true},
		{name: "dnsPolicy is Default", alter: func(p *corev1.Pod) { p.Spec.DNSPolicy = corev1.DNSDefault }, first: "dns-dnspolicy-default", unhealthy: true},
		{name: "dnsPolicy is None and without a search list", rare: true, alter: resolver(cluster.DNSAddress), first: "dns-policy-none-incomplete", unhealthy: true},
		{
			name: "dnsPolicy is None and without a search list, and DNS reaches nobody beyond the zone", rare: true, first: "dns-policy-none-incomplete", unhealthy: true, own: "give a Service its address",
			objects: nameserver("10.96.0.73", "cluster.local:53 in-addr.arpa:53 {\nforward . "+cluster.DNSAddress+"\n}\n"+servfail), alter: resolver("10.96.0.73"),
		},
		{
			name: "the first of two nameservers is dead", first: "dns-nameserver-failing",
			alter: resolver("127.0.0.1", append([]string{cluster.DNSAddress}, clusterSearch...)...),
		},
		{
			name: "UDP packets to the first of two nameservers are dropped", rare: true, first: "dns-udp-blocked-tcp-ok",
			objects: nameserver("10.96.0.55", forwarding), alter: resolver(cluster.DNSAddress, append([]string{"10.96.0.55"}, clusterSearch...)...),
			inject: filter(cluster.Before, "ip daddr "+cluster.DNSAddress+" udp dport 53 drop"), differs: slowResolver,
		},
		{
			name: "the first of two nameservers is shut off", rare: true, first: "dns-nameserver-failing",
			objects: nameserver("10.96.0.56", forwarding), alter: resolver(cluster.DNSAddress, append([]string{"10.96.0.56"}, clusterSearch...)...),
			inject: filter(cluster.Before, "ip daddr "+cluster.DNSAddress+" meta l4proto { tcp, udp } th dport 53 drop"), differs: slowResolver,
		},
		{
			name: "the first of two nameservers fails on every name", rare: true, first: "dns-nameserver-failing",
			objects: nameserver("10.96.0.57", servfail), alter: resolver("10.96.0.57", append([]string{cluster.DNSAddress}, clusterSearch...)...), own: "give a Service its address",
		},
		{name: "the nameserver is not the cluster's", objects: foreignDNS("10.96.0.53"), alter: resolver("10.96.0.53", clusterSearch...), own: "give a Service its address", first: "dns-nxdomain-foreign-resolver", unhealthy: true},
		{name: "one of two nameservers is not the cluster's", rare: true, objects: foreignDNS("10.96.0.54"), alter: resolver("10.96.0.54", append([]string{cluster.DNSAddress}, clusterSearch...)...), own: "give a Service its address", first: "dns-mixed-nameservers", unhealthy: true},
		{
			name: "resolv.conf has words that no resolver knows", rare: true, alter: ownResolvConf,
			objects: configMap("resolver", "resolv.conf", strings.Join([]string{
				"# by hand", "nameserver dns.corp.example", "nameserver " + cluster.DNSAddress, "nameserver " + cluster.DNSAddress, "search cluster.local",
				"options ndots:1 timeout:1 attempts:1 rotate edns0 trust-ad single-request-reopen no-such-option", "sortlist 10.0.0.0", "~~ end ~~",
			}, "\n")),
		},
		{
			name: "names are first asked for as they are and nobody answers for those", rare: true, first: "dns-servfail-upstream", unhealthy: true,
			objects: nameserver("10.96.0.64", "cluster.local:53 in-addr.arpa:53 {\nforward . "+cluster.DNSAddress+"\n}\n.:53 {\nforward . 192.0.2.53\n}"),
			alter:   withOneDot(resolver("10.96.0.64", clusterSearch...)), own: "let packets to nowhere vanish",
		},
		{
			name: "DNS says that no name has AAAA and that there is no such name", rare: true, first: "dns-aaaa-broken", own: "give a Service its address",
			objects: nameserver("10.96.0.65", ".:53 {\ntemplate IN AAAA . {\nrcode NXDOMAIN\n}\nforward . "+cluster.DNSAddress+"\n}"), alter: resolver("10.96.0.65", clusterSearch...),
		},
		{
			name: "DNS has a dead address beside the right one", rare: true, first: "dns-answer-disagrees-with-env", own: "give a Service its address",
			objects: nameserver("10.96.0.66", ".:53 {\ntemplate IN A . {\nmatch ^kubernetes[.]default[.]svc[.]cluster[.]local[.]$\nanswer \"{{ .Name }} 5 IN A 172.30.0.9\"\nanswer \"{{ .Name }} 5 IN A "+cluster.ServerAddress+"\"\nfallthrough\n}\nforward . "+cluster.DNSAddress+"\n}"),
			alter:   resolver("10.96.0.66", clusterSearch...),
		},
		{
			name: "the nameserver's process stands still", rare: true, first: "dns-timeout", unhealthy: true,
			objects: nameserver("10.96.0.67", forwarding), alter: resolver("10.96.0.67", clusterSearch...), inject: frozenNameserver,
		},
		{
			name: "DNS answers late", rare: true, first: "dns-slow", unhealthy: true, own: "give its node an address",
			objects: lateDNS("172.30.0.53", 450*time.Millisecond), alter: resolver("172.30.0.53", clusterSearch...),
			differs: map[string]string{"rest": "it waits for longer than a round may take"},
		},
		{
			name: "answers of DNS are cut and TCP is refused", rare: true, first: "dns-tcp-blocked-udp-ok", unhealthy: true, own: "give its node an address",
			objects: cutDNS("172.30.0.54"), alter: resolver("172.30.0.54", clusterSearch...),
		},
		{
			name: "queries with EDNS are dropped", rare: true, inject: filter(cluster.Before, "udp dport 53 @th,144,16 1 drop"), first: "dns-timeout", unhealthy: true,
			differs: map[string]string{"rest": "glibc asks without"},
		},
		{name: "DNS is allowed three packets a second", rare: true, inject: filter(cluster.Before, "udp dport 53 limit rate over 3/second burst 3 packets drop"), first: "network-packet-loss", wavers: true},
		{
			name: "the hosts file has another address", first: "dns-hosts-file-override",
			alter: func(p *corev1.Pod) {
				p.Spec.HostAliases = []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"kubernetes.default.svc"}}}
			},
		},
		{
			name: "the hosts file has another address for the name in full", rare: true, first: "dns-hosts-file-override",
			alter: func(p *corev1.Pod) {
				p.Spec.HostAliases = []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"kubernetes.default.svc.cluster.local"}}}
			},
		},

		// The token.
		{name: "automountServiceAccountToken is false", alter: func(p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = new(false) }, first: "token-not-mounted-automount-false", unready: true, unhealthy: true},
		{name: "the token is for another audience", alter: mount(projected(token("vault"), authority(), namespaceFile())), first: "token-audience-mismatch", unready: true, unhealthy: true},
		{name: "the volume has no token", alter: mount(projected(authority(), namespaceFile())), first: "token-file-missing-in-mounted-dir", unready: true, unhealthy: true},
		{name: "an empty volume lies over the files", rare: true, alter: mount(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}), first: "token-mount-shadowed", unready: true, unhealthy: true},
		{name: "the token is mounted by subPath", alter: mountBySubPath, first: "token-subpath-frozen"},
		{name: "the token file is empty", objects: secretFiles(func(string) string { return "" }), alter: mount(files()), first: "token-empty", unready: true, unhealthy: true},
		{name: "the token ends in a newline", objects: secretFiles(func(token string) string { return token + "\n" }), alter: mount(files()), first: "token-trailing-newline"},
		{name: "the token is cut short", rare: true, objects: secretFiles(func(token string) string { return token[:len(token)/2] }), alter: mount(files()), first: "token-malformed", unready: true, unhealthy: true},
		{name: "the token ends twenty characters early", rare: true, objects: secretFiles(func(token string) string { return token[:len(token)-20] }), alter: mount(files()), first: "token-malformed", unready: true, unhealthy: true},
		{name: "the token is an administrator's work and of no pod", rare: true, objects: secretFiles(func(token string) string { return token }), alter: mount(files()), first: "token-mount-shadowed"},
		{name: "the token's directory is mounted by subPath", rare: true, alter: mountDirectoryBySubPath, first: "token-subpath-frozen"},
		{name: "a variable has another pod's UID", rare: true, alter: environment("POD_UID", "3f8a2c6e-5d3b-4f0a-9a51-0d2a6c1b7e44")},
		{name: "the token is one of a Secret without expiry", objects: legacyToken, alter: mount(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "legacy"}}), first: "token-legacy-secret-no-exp"},
		{name: "the service account was deleted and made anew", inject: recreateServiceAccount, alter: func(p *corev1.Pod) { p.Spec.ServiceAccountName = "short-lived" }, objects: serviceAccount("short-lived"), first: "http-401-unattributed", unready: true, unhealthy: true},

		{name: "the service account is deleted", rare: true, inject: withoutServiceAccount, alter: func(p *corev1.Pod) { p.Spec.ServiceAccountName = "short-lived" }, objects: serviceAccount("short-lived"), first: "http-401-unattributed", unready: true, unhealthy: true},
		{name: "the token is that of another pod", rare: true, objects: tokenOfAnotherPod(false), alter: mount(files()), first: "token-pod-mismatch"},
		{name: "the token is that of a pod that is gone", rare: true, objects: tokenOfAnotherPod(true), alter: mount(files()), first: "token-pod-mismatch", unready: true, unhealthy: true},
		{name: "the namespace file is another pod's", rare: true, objects: configMap("elsewhere", "namespace", "elsewhere"), alter: mount(projected(token(""), authority(), configMapFile("elsewhere", "namespace"))), first: "token-namespace-file-mismatch"},
		{name: "kube-root-ca.crt is deleted", rare: true, inject: unnoticed(deleted("configmap/kube-root-ca.crt"))},

		{
			name: "the token was copied once and has expired", rare: true, first: "token-expired", unready: true, unhealthy: true, alter: mount(files()),
			objects: signedToken(func(claims map[string]any) { claims["exp"] = ago(1).Unix() }),
		},
		{
			name: "the token is issued by a clock that is ahead", rare: true, first: "token-not-yet-valid-after-clock-jump", unready: true, unhealthy: true, alter: mount(files()),
			objects: signedToken(func(claims map[string]any) {
				claims["iat"], claims["nbf"] = time.Now().Add(10*time.Minute).Unix(), time.Now().Add(10*time.Minute).Unix()
			}),
		},
		{
			name: "the files are for root alone", rare: true, first: "token-permission-denied", unready: true, unhealthy: true, alter: mount(filesForRoot()),
			objects: secretFiles(func(token string) string { return token }), differs: map[string]string{"go-client": asRoot, "python-client": asRoot, "rest": asRoot},
		},

		{name: "the token is one of a Secret that is marked as invalid", rare: true, objects: invalidLegacyToken, alter: mount(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "legacy"}}), first: "token-legacy-invalidated", unready: true, unhealthy: true},
		{name: "the token is one of a Secret that is gone", rare: true, objects: goneLegacyToken, alter: mount(files()), first: "token-legacy-invalidated", unready: true, unhealthy: true},
		{name: "the token is bound to a node that is gone", rare: true, objects: tokenOfNode, alter: mount(files()), first: "token-node-bound-invalid", unready: true, unhealthy: true},

		// Two at once.
		{
			name: "the token is for another audience and the nameserver is dead", first: "token-audience-mismatch", unready: true, unhealthy: true,
			alter: func(p *corev1.Pod) {
				mount(projected(token("vault"), authority(), namespaceFile()))(p)
				resolver("127.0.0.1", clusterSearch...)(p)
			},
		},
		{
			name: "ca.crt is of another cluster and the host is another's", rare: true, first: "env-service-host-overridden", unready: true, unhealthy: true,
			objects: otherAuthority,
			alter: func(p *corev1.Pod) {
				mount(projected(token(""), bundleFile(), namespaceFile()))(p)
				environment("KUBERNETES_SERVICE_HOST", cluster.DNSAddress)(p)
			},
		},

		{
			name: "the token is empty and the nameserver is not the cluster's", rare: true, first: "token-empty", unready: true, unhealthy: true, own: "give a Service its address",
			objects: func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
				t.Helper()
				foreignDNS("10.96.0.63")(ctx, t, s, namespace)
				return secretFiles(func(string) string { return "" })(ctx, t, s, namespace)
			},
			alter: func(p *corev1.Pod) {
				mount(files())(p)
				resolver("10.96.0.63", clusterSearch...)(p)
			},
		},
		{
			name: "ca.crt is of another cluster and the token for another audience", rare: true, first: "ca-rotated-same-name", unready: true, unhealthy: true,
			objects: otherAuthority, alter: mount(projected(token("vault"), bundleFile(), namespaceFile())),
		},
		{
			name: "HTTPS_PROXY is dead and the nameserver is not the cluster's", rare: true, first: "env-http-proxy-intercepts-api", unready: true, unhealthy: true,
			own: "run kubectl proxy beside the agent", differs: oldPython, objects: foreignDNS("10.96.0.58"),
			alter: func(p *corev1.Pod) {
				environment("HTTPS_PROXY", "http://127.0.0.1:3128")(p)
				resolver("10.96.0.58", clusterSearch...)(p)
			},
		},
		{
			name: "packets to the API are reset and the nameserver is replaced by another network's", rare: true, first: "tcp-refused", unready: true, unhealthy: true,
			objects: nameserver("10.96.0.59", forwarding), alter: resolver("10.96.0.59", clusterSearch...),
			inject: both(replaceBackend(upstream), filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" meta l4proto tcp reject with tcp reset")),
		},
		{
			name: "the host is nobody's and the token for another audience", rare: true, first: "env-service-host-overridden", unready: true, unhealthy: true,
			alter: func(p *corev1.Pod) {
				mount(projected(token("vault"), authority(), namespaceFile()))(p)
				environment("KUBERNETES_SERVICE_HOST", "172.30.0.9")(p)
			},
		},

		// ca.crt.
		{name: "the volume has no ca.crt", alter: mount(projected(token(""), namespaceFile())), first: "ca-file-missing", unready: true, unhealthy: true},
		{name: "ca.crt is empty", rare: true, objects: bundle(""), alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-file-empty-or-not-pem", unready: true, unhealthy: true},
		{name: "ca.crt holds no certificate", objects: bundle("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"), alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-file-empty-or-not-pem", unready: true, unhealthy: true},
		{name: "ca.crt is of another cluster", objects: otherAuthority, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-rotated-same-name", unready: true, unhealthy: true},
		{name: "ca.crt is the front proxy's", rare: true, objects: frontProxyAuthority, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-bundle-foreign", unready: true, unhealthy: true},
		{name: "ca.crt has the good certificate damaged beside another's", rare: true, objects: goodOneDamaged, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-bundle-partially-parsed", unready: true, unhealthy: true},
		{name: "ca.crt has the authority as it was until it expired beside another's", rare: true, objects: expiredBesideAnothers, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-expired", unready: true, unhealthy: true},
		{name: "ca.crt is replaced by another cluster's", rare: true, objects: sharedBundle, inject: replacedBundle, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-bundle-foreign", unready: true, unhealthy: true},
		{name: "ca.crt has a damaged certificate beside the good one", rare: true, objects: damagedBundle, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-bundle-partially-parsed", unhealthy: true, own: "run kubectl proxy beside the agent"},
		{name: "ca.crt has forty authorities and the right one is the last", rare: true, objects: manyAuthorities, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-weaker-trust-than-expected"},
		{name: "ca.crt has the line ends of Windows and a key in it", rare: true, objects: withKeyAndLineEnds, alter: mount(projected(token(""), bundleFile(), namespaceFile())), first: "ca-bundle-partially-parsed"},
		{name: "ca.crt has expired and the token is for another audience", rare: true, objects: expiredAuthority, alter: mount(projected(token("vault"), bundleFile(), namespaceFile())), first: "ca-expired", own: "sign with its key", unready: true, unhealthy: true},
		{name: "the volume has no namespace", alter: mount(projected(token(""), authority())), first: "env-namespace-file-missing"},

		// The agent itself.
		{name: "the agent has a hundredth of a processor", rare: true, alter: starved, first: "agent-starved", wavers: true, own: "start pods that are slow"},

		// The network.
		{name: "packets to the API are dropped", inject: filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" drop"), first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
		{name: "packets to the API vanish from the pod's start on", rare: true, objects: changesItsNetwork, alter: withoutWayToAPI, own: "let a pod change its network", first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
		{name: "packets to the API are dropped behind the service", rare: true, inject: filter(cluster.After, "tcp dport 6443 drop"), first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
		{name: "packets to the API are reset", inject: filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" meta l4proto tcp reject with tcp reset"), first: "tcp-refused", unready: true, unhealthy: true},
		{name: "packets to the API are prohibited", rare: true, inject: filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" reject with icmp host-prohibited"), first: "tcp-host-unreachable-firewall", unready: true, unhealthy: true},
		{
			name: "large packets to the API are lost", inject: losePacketsAbove(largestPacket), first: "tls-timeout-mtu-blackhole", unready: true, unhealthy: true,
			differs: map[string]string{"rest": "no packet of curl's handshake is as large as those of Go's"},
		},
		{name: "packets of half a kilobyte to the API are lost", rare: true, inject: losePacketsAbove(500), first: "tls-timeout-mtu-blackhole", unready: true, unhealthy: true},
		{
			// The filter sees as one packet what the pod's device is yet to cut.
			name: "large packets to the API are dropped before they are cut", rare: true, inject: filter(cluster.After, "tcp dport 6443 meta length > 1000 drop"), first: "tls-timeout-mtu-blackhole", unready: true, unhealthy: true,
			differs: map[string]string{"rest": "no packet of curl's handshake is as large as those of Go's"},
		},
		{name: "the network of the API is said to be unreachable", rare: true, inject: filter(cluster.Before, "ip daddr "+cluster.ServerAddress+" reject with icmp net-unreachable"), first: "tcp-host-unreachable-firewall", unready: true, unhealthy: true},
		{name: "a route of the pod swallows what is for the API", rare: true, inject: withinPod("ip route add blackhole "+cluster.ServerAddress, "ip route delete blackhole "+cluster.ServerAddress), first: "tcp-network-unreachable", unready: true, unhealthy: true},
		{name: "packets are lost, two of ten", rare: true, inject: lose(20, ""), first: "network-packet-loss", wavers: true},
		{name: "packets to the API are lost, three of ten", rare: true, inject: lose(30, "tcp dport 6443"), first: "network-packet-loss", wavers: true},
		{name: "packets to the API are reset for two of six seconds", rare: true, inject: flapping(6*time.Second, 2*time.Second, cluster.Before, "ip daddr "+cluster.ServerAddress+" meta l4proto tcp reject with tcp reset"), first: "tcp-refused", wavers: true},
		{name: "packets to the API are dropped for three of seven seconds", rare: true, inject: flapping(7*time.Second, 3*time.Second, cluster.Before, "ip daddr "+cluster.ServerAddress+" drop"), first: "tcp-timeout-networkpolicy", wavers: true},
		{name: "what the API server sends is dropped", rare: true, inject: filterTo(cluster.After, "tcp sport 6443 drop"), first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
		{name: "connections to the API are reset at the first data", rare: true, inject: filter(cluster.After, "tcp dport 6443 meta length > 200 reject with tcp reset"), first: "tls-eof-or-reset", unready: true, unhealthy: true},
		{name: "packets to all Services are prohibited", rare: true, inject: filter(cluster.Before, "ip daddr 10.96.0.0/16 reject with icmp admin-prohibited"), first: "tcp-host-unreachable-firewall", unready: true, unhealthy: true},
		{name: "packets to all Services are dropped", rare: true, inject: filter(cluster.Before, "ip daddr 10.96.0.0/16 drop"), first: "tcp-timeout-kube-proxy-not-programmed", unready: true, unhealthy: true},
		{
			name: "packets to all Services and to the API server itself are dropped", rare: true, first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true,
			inject: filter(cluster.Before, "ip daddr 10.96.0.0/16 drop", "ip daddr "+cluster.NodeAddress+" tcp dport 6443 drop"),
		},
		{name: "packets are lost, half of them", rare: true, inject: lose(50, ""), first: "network-packet-loss", wavers: true},
		{name: "what the pod sends after the handshake is dropped", rare: true, inject: filter(cluster.After, "tcp dport 6443 @th,256,8 23 drop"), first: "http-response-timeout", unready: true, unhealthy: true},
		{name: "the ends of connections to the API are dropped", rare: true, inject: unnoticed(both(filter(cluster.After, "tcp dport 6443 tcp flags & (fin | rst) != 0 drop"), filterTo(cluster.After, "tcp sport 6443 tcp flags & (fin | rst) != 0 drop")))},
		{name: "the pod's device has an MTU of 500", rare: true, inject: unnoticed(withinPod("ip link set eth0 mtu 500", "ip link set eth0 mtu 1500"))},
		{name: "the pod has no default route", rare: true, inject: withoutDefaultRoute, first: "tcp-network-unreachable", unready: true, unhealthy: true},
		{name: "the pod's gateway is nobody", rare: true, inject: withoutGateway, first: "tcp-network-unreachable", unready: true, unhealthy: true},
		{
			name: "the pod's own filter drops what it sends", rare: true, first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true,
			inject: ownTable("chain out { type filter hook output priority filter; oifname lo accept; tcp sport 8080 accept; drop; }"),
		},
		{
			name: "the pod's connections are led to a sidecar that is not there", rare: true, first: "tcp-refused-sidecar-not-ready", unready: true, unhealthy: true,
			inject: ownTable("chain out { type nat hook output priority -100; oifname lo accept; tcp sport 8080 accept; meta l4proto tcp redirect to :15001; }"),
		},
		{name: "the pod's connections are led to a sidecar that hangs", rare: true, inject: hungSidecar, first: "tls-handshake-timeout", unready: true, unhealthy: true},
		{name: "the Service leads to kubelet", rare: true, inject: leadTo(cluster.NodeAddress + ":10250"), first: "ca-mitm-or-wrong-endpoint", unready: true, unhealthy: true},
		{name: "a load balancer has no server for every second request", rare: true, inject: balanced, first: "http-502-503-lb", wavers: true},
		{name: "every connection that the pod begins is dropped", rare: true, inject: filter(cluster.After, "ct state new drop"), first: "tcp-timeout-networkpolicy", unready: true, unhealthy: true},
	}
}

// environment gives every container of the pod variables by name and value, in
// the place of kubelet's own.
func environment(variables ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for i := range p.Spec.Containers {
			for j := 0; j < len(variables); j += 2 {
				p.Spec.Containers[i].Env = append(p.Spec.Containers[i].Env, corev1.EnvVar{Name: variables[j], Value: variables[j+1]})
			}
		}
	}
}

// carrier is a proxy behind a Service of that address, which opens every tunnel.
func carrier(address string) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		if err := clients.ImportCarry(ctx, s.Cluster, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		const port = 3128
		metadata := metav1.ObjectMeta{Namespace: namespace, Name: "carry", Labels: map[string]string{"app": "carry"}}
		s.apply(ctx, t,
			corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metadata, Spec: corev1.ServiceSpec{
				ClusterIP: address, Selector: metadata.Labels, Ports: []corev1.ServicePort{{Port: port}},
			}},
			corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metadata, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: new(int64(0)),
				Containers: []corev1.Container{{
					Name: "carry", Image: clients.CarryImage, ImagePullPolicy: corev1.PullNever, Args: []string{fmt.Sprintf(":%d", port)},
					SecurityContext: restricted(),
					ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
						TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)},
					}},
				}},
			}},
		)
		if _, err := s.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=1m", "--namespace="+namespace, "pod/carry"); err != nil {
			t.Fatal(err)
		}
		return nil
	}
}

// set gives the agent a setting in the place of the one that it has.
func set(p *corev1.Pod, name, value string) {
	for i, variable := range p.Spec.Containers[0].Env {
		if variable.Name == name {
			p.Spec.Containers[0].Env[i].Value = value
		}
	}
}

// starved throttles the agent.
func starved(p *corev1.Pod) {
	p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}}
	bearWithSlow(p)
}

// withoutRequests leaves the agent what others do not take.
func withoutRequests(p *corev1.Pod) {
	p.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
	bearWithSlow(p)
}

// bearWithSlow keeps kubelet from ending an agent that answers late.
func bearWithSlow(p *corev1.Pod) {
	container := p.Spec.Containers[0]
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		probe.TimeoutSeconds, probe.FailureThreshold = 5, 12
	}
}

// resolver gives the pod a resolver configuration of its own: addresses are
// nameservers and all else is searched.
func resolver(first string, more ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.DNSPolicy = corev1.DNSNone
		p.Spec.DNSConfig = &corev1.PodDNSConfig{Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: new("5")}}}
		for _, word := range append([]string{first}, more...) {
			if word[0] >= '0' && word[0] <= '9' {
				p.Spec.DNSConfig.Nameservers = append(p.Spec.DNSConfig.Nameservers, word)
			} else {
				p.Spec.DNSConfig.Searches = append(p.Spec.DNSConfig.Searches, word)
			}
		}
	}
}

// overTCP has resolvers ask over TCP alone.
func overTCP(p *corev1.Pod) {
	p.Spec.DNSConfig = &corev1.PodDNSConfig{Options: []corev1.PodDNSConfigOption{{Name: "use-vc"}}}
}

// withOneDot has resolvers ask for a name with a dot in it as it is first.
func withOneDot(alter func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		alter(p)
		p.Spec.DNSConfig.Options = []corev1.PodDNSConfigOption{{Name: "ndots", Value: new("1")}}
	}
}

// ownResolvConf puts a file of the ConfigMap "resolver" in the place of kubelet's.
func ownResolvConf(p *corev1.Pod) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "resolver", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "resolver"}},
	}})
	for i := range p.Spec.Containers {
		p.Spec.Containers[i].VolumeMounts = append(p.Spec.Containers[i].VolumeMounts,
			corev1.VolumeMount{Name: "resolver", MountPath: "/etc/resolv.conf", SubPath: "resolv.conf", ReadOnly: true})
	}
}
