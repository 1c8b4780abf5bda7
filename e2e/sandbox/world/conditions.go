package world

import (
	"crypto/x509"
	"net/netip"
	"strings"
	"time"
)

// conditions are all of the world that a fault can change. The world is made
// to match them, so undoing a fault is to work them out again without it, and
// no fault has code that takes it back.
type conditions struct {
	// environment lies over the pod's own; an empty value unsets a variable.
	environment map[string]string
	resolvConf  file
	hosts       string
	nameserver  nameserverConditions
	volume      volume
	// token and bundle go into the volume by tokenFile and caFile.
	token     tokenShape
	tokenFile func(token string) file
	bundle    authorityShape
	caFile    func(bundle string) file
	serving   servingShape
	api       apiConditions
	// kubectlProxy is of the sidecar, with plain HTTP for a protocol.
	kubectlProxy apiConditions
	httpProxy    httpProxyConditions
}

const (
	day  = 24 * time.Hour
	year = 365 * day
	// defaultTokenLifetime is what the service-account admission plugin asks
	// for (plugin/pkg/admission/serviceaccount of kubernetes).
	defaultTokenLifetime = 3607 * time.Second
)

// healthy are the conditions without any fault.
func healthy(tokenLifetime time.Duration) conditions {
	return conditions{
		environment: map[string]string{},
		resolvConf:  file{content: resolvConf(searchList(), "ndots:5", loopback(1))},
		hosts:       hostsFile,
		nameserver: nameserverConditions{
			zone:    clusterZone,
			service: loopback(1),
			udp:     true,
			tcp:     true,
		},
		volume: volume{mounted: true, namespace: file{content: namespace}},
		token: tokenShape{
			issuer:    tokenIssuer,
			audience:  tokenIssuer,
			lifetime:  year,
			requested: tokenLifetime,
		},
		tokenFile: plainFile,
		bundle:    clusterAuthority(),
		caFile:    plainFile,
		serving: servingShape{
			issuer:     clusterAuthority(),
			from:       -day,
			to:         year - day,
			commonName: "kube-apiserver",
			names:      "kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local " + node,
			addresses:  loopback(1).String(),
			usage:      x509.ExtKeyUsageServerAuth,
			signature:  x509.ECDSAWithSHA256,
		},
		api:          apiConditions{addresses: []netip.Addr{loopback(1)}},
		kubectlProxy: healthyKubectlProxy(),
	}
}

func plainFile(content string) file { return file{content: content} }

// clusterAuthority has the subject and the lifetime of the one that kubeadm
// makes (cmd/kubeadm/app/constants).
func clusterAuthority() authorityShape {
	return authorityShape{subject: "kubernetes", key: "cluster", from: -day, to: 10*year - day, isCA: true}
}

const hostsFile = `# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
`

// searchList is the search list that kubelet gives under the policy
// ClusterFirst (pkg/kubelet/network/dns).
func searchList() string {
	zone := strings.TrimSuffix(clusterZone, ".")
	return namespace + ".svc." + zone + " svc." + zone + " " + zone
}

// resolvConf is the text of a resolv.conf(5).
func resolvConf(search, options string, nameservers ...netip.Addr) string {
	var text strings.Builder
	text.WriteString("search " + search + "\n")
	for _, nameserver := range nameservers {
		text.WriteString("nameserver " + nameserver.String() + "\n")
	}
	if options != "" {
		text.WriteString("options " + options + "\n")
	}
	return text.String()
}

// loopback is the address 127.0.0.n.
func loopback(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, n}) }
