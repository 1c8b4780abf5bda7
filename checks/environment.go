package checks

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// EnvironmentFacts are what the process environment and the namespace file say
// about the way to the API.
type EnvironmentFacts struct {
	// ServiceHost is KUBERNETES_SERVICE_HOST, ServicePort _PORT; these two are
	// what InClusterConfig reads (client-go rest/config.go).
	ServiceHost string `json:"serviceHost"`
	ServicePort string `json:"servicePort"`
	// ServicePortHTTPS is KUBERNETES_SERVICE_PORT_HTTPS, the port of the
	// Service kubernetes, which clients reach by its name.
	ServicePortHTTPS string `json:"servicePortHTTPS,omitempty"`
	// ServiceAddress is KUBERNETES_PORT_443_TCP_ADDR, which kubelet sets to
	// the same address, so a difference shows an override.
	ServiceAddress string `json:"serviceAddress,omitempty"`
	// ServiceLink is KUBERNETES_PORT, which has the same address and port once more, as
	// tcp://ADDRESS:PORT, so that of two variables that differ the one that was
	// overridden is known.
	ServiceLink string `json:"serviceLink,omitempty"`
	// HTTPSProxy is HTTPS_PROXY or https_proxy, any password hidden, and
	// NoProxy is NO_PROXY or no_proxy.
	HTTPSProxy string `json:"httpsProxy,omitempty"`
	NoProxy    string `json:"noProxy,omitempty"`
	// ProxyVariables are those that are not empty among HTTPS_PROXY,
	// HTTP_PROXY, ALL_PROXY and NO_PROXY in upper and in lower case, passwords
	// hidden, since clients differ in which they heed.
	ProxyVariables map[string]string `json:"proxyVariables,omitempty"`
	// NamespaceFile is the file that names the pod's namespace, Namespace its
	// content without surrounding white space.
	NamespaceFile File    `json:"namespaceFile"`
	Namespace     string  `json:"namespace,omitempty"`
	Seconds       float64 `json:"seconds"`
}

// Linked are the host and the port of ServiceLink; both are empty where it is no such
// URL.
func (e *EnvironmentFacts) Linked() (host, port string) {
	link, err := url.Parse(e.ServiceLink)
	if err != nil || link.Scheme != "tcp" {
		return "", ""
	}
	return link.Hostname(), link.Port()
}

// EnvironmentDetails are the details of the environment check.
type EnvironmentDetails struct {
	EnvironmentFacts
	// ProxyForAPI is the proxy that a client which honours the environment
	// would send its requests to the API server by.
	ProxyForAPI string `json:"proxyForAPI,omitempty"`
}

// ProxyForAPI is the proxy that Go's clients send requests for the API server by
// (golang.org/x/net http/httpproxy); it is nil where they connect directly. The
// value of HTTPS_PROXY is an argument since that of the facts has no password.
func ProxyForAPI(env *EnvironmentFacts, httpsProxy string) *url.URL {
	if httpsProxy == "" || env.ServiceHost == "" {
		return nil
	}
	config := httpproxy.Config{HTTPSProxy: httpsProxy, NoProxy: env.NoProxy}
	proxy, err := config.ProxyFunc()(&url.URL{Scheme: "https", Host: net.JoinHostPort(env.ServiceHost, env.ServicePort)})
	if err != nil {
		return nil
	}
	return proxy
}

// HideUser puts "hidden" in the place of the user of a URL, who may have a password.
// All before the last @ is held for one, but for a scheme (RFC 3986 section 3.1).
func HideUser(value string) string {
	at := strings.LastIndex(value, "@")
	if at < 0 {
		return value
	}
	scheme, _, found := strings.Cut(value[:at], "://")
	letter := func(char rune) bool {
		return char|0x20 >= 'a' && char|0x20 <= 'z' || char >= '0' && char <= '9' || strings.ContainsRune("+-.", char)
	}
	if !found || strings.Trim(scheme, "+-.") == "" || strings.ContainsFunc(scheme, func(char rune) bool { return !letter(char) }) {
		return "hidden" + value[at:]
	}
	return scheme + "://hidden" + value[at:]
}

// IsHostName tells a DNS name that a certificate can name (RFC 1123) from an
// address and from other text. A last label of digits alone makes no name (RFC
// 3696 section 2), and some programs read it as an address.
func IsHostName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || len(host) > 253 {
		return false
	}
	last := ""
	for last = range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !IsLabel(strings.ToLower(last)) {
			return false
		}
	}
	return strings.Trim(last, "0123456789") != ""
}

// IsLabel tells a label of RFC 1123 in lower case, which is also the rule for
// names of namespaces: letters, digits and, within, hyphens; 63 at the most.
func IsLabel(text string) bool {
	if text == "" || len(text) > 63 || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for _, char := range []byte(text) {
		if (char < 'a' || char > 'z') && (char < '0' || char > '9') && char != '-' {
			return false
		}
	}
	return true
}
