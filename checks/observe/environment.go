package observe

import (
	"net/url"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxNamespaceFile is far above the 63 bytes of a namespace's name.
const maxNamespaceFile = 4 << 10

func (r *round) environment() *checks.EnvironmentFacts {
	start := time.Now()
	variable := func(names ...string) string {
		for _, name := range names {
			if value := r.pod.Environment[name]; value != "" {
				return clip(value, maxMessage)
			}
		}
		return ""
	}
	facts := &checks.EnvironmentFacts{
		ServiceHost:    variable("KUBERNETES_SERVICE_HOST"),
		ServicePort:    variable("KUBERNETES_SERVICE_PORT"),
		ServiceAddress: variable("KUBERNETES_PORT_443_TCP_ADDR"),
		HTTPSProxy:     withoutPassword(variable("HTTPS_PROXY", "https_proxy")),
		NoProxy:        variable("NO_PROXY", "no_proxy"),
	}
	var content []byte
	facts.NamespaceFile, content = readFile(r.pod.NamespaceFile(), maxNamespaceFile)
	facts.Namespace = clip(strings.TrimSpace(string(content)), maxMessage)
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// withoutPassword hides what stands between the scheme and the host of a proxy.
func withoutPassword(proxy string) string {
	at := strings.LastIndex(proxy, "@")
	if at < 0 {
		return proxy
	}
	if parsed, err := url.Parse(proxy); err == nil && parsed.User != nil && parsed.Host != "" {
		parsed.User = url.User("hidden")
		return parsed.String()
	}
	scheme, _, found := strings.Cut(proxy[:at], "://")
	if !found {
		return "hidden" + proxy[at:]
	}
	return scheme + "://hidden" + proxy[at:]
}
