package observe

import (
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// maxNamespaceFile is far above the 63 bytes of a namespace's name.
	maxNamespaceFile = 4 << 10
	// maxNoProxy leaves room for the long lists that clusters have in NO_PROXY;
	// one that is cut would be judged wrongly.
	maxNoProxy = 4 << 10
)

func (r *round) environment() *checks.EnvironmentFacts {
	start := time.Now()
	variable := func(name string) string { return clip(r.variable(name), maxMessage) }
	facts := &checks.EnvironmentFacts{
		ServicePortHTTPS: variable("KUBERNETES_SERVICE_PORT_HTTPS"),
		ServiceHost:      variable("KUBERNETES_SERVICE_HOST"),
		ServicePort:      variable("KUBERNETES_SERVICE_PORT"),
		ServiceAddress:   variable("KUBERNETES_PORT_443_TCP_ADDR"),
		ServiceLink:      clip(withoutSecrets(r.variable("KUBERNETES_PORT")), maxMessage),
		HTTPSProxy:       clip(withoutSecrets(r.httpsProxy()), maxMessage),
		NoProxy:          clip(r.variable("NO_PROXY", "no_proxy"), maxNoProxy),
		ProxyVariables:   proxyVariables(r.pod.Environment),
	}
	var content []byte
	facts.NamespaceFile, content = readFile(r.pod.NamespaceFile(), maxNamespaceFile)
	facts.Namespace = clip(strings.TrimSpace(string(content)), maxMessage)
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// variable is the first of the names that has a value, as it stands in the
// environment.
func (r *round) variable(names ...string) string {
	for _, name := range names {
		if value := r.pod.Environment[name]; value != "" {
			return value
		}
	}
	return ""
}

// httpsProxy may hold a password.
func (r *round) httpsProxy() string { return r.variable("HTTPS_PROXY", "https_proxy") }

// proxyVariables are the variables by which some client goes through a proxy.
func proxyVariables(environment map[string]string) map[string]string {
	var found map[string]string
	for _, upper := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"} {
		for _, name := range []string{upper, strings.ToLower(upper)} {
			value := environment[name]
			if value == "" {
				continue
			}
			if found == nil {
				found = make(map[string]string)
			}
			if upper == "NO_PROXY" {
				found[name] = clip(value, maxNoProxy)
			} else {
				found[name] = clip(withoutSecrets(value), maxMessage)
			}
		}
	}
	return found
}

// withoutSecrets leaves of a proxy's URL its scheme, host and port; a user is
// told as hidden, and a path or query, which no proxy needs, not at all.
func withoutSecrets(proxy string) string {
	shown := checks.HideUser(proxy)
	start := 0
	if at := strings.Index(shown, "://"); at >= 0 {
		start = at + len("://")
	}
	if end := strings.IndexAny(shown[start:], "/?#"); end >= 0 {
		return shown[:start+end]
	}
	return shown
}
