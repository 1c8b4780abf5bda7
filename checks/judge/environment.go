package judge

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/kube-lifeline/lifeline/checks"
)

func judgeEnvironment(facts *checks.Facts) verdict {
	env := facts.Environment
	details := &checks.EnvironmentDetails{EnvironmentFacts: *env, ProxyForAPI: proxyForAPI(env)}
	v := verdict{details: details, seconds: env.Seconds}
	v.problems = append(v.problems, serviceVariables(env)...)
	v.problems = append(v.problems, proxyVariables(facts, details)...)
	v.problems = append(v.problems, namespaceFile(facts)...)
	v.well = fmt.Sprintf("The environment names the API server as %s.", net.JoinHostPort(env.ServiceHost, env.ServicePort))
	return v
}

// serviceVariables judges the two variables that every official client reads.
func serviceVariables(env *checks.EnvironmentFacts) (problems []problem) {
	const expected = "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which kubelet sets in every container"
	switch {
	case env.ServiceHost == "" && env.ServicePort == "":
		return []problem{failing(checks.EnvServiceVarsMissing,
			"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so in-cluster clients hold that they run outside of a cluster.", expected, "neither")}
	case env.ServiceHost == "":
		return []problem{failing(checks.EnvServiceVarsMissing,
			"KUBERNETES_SERVICE_HOST is not set, so in-cluster clients hold that they run outside of a cluster.", expected, "only KUBERNETES_SERVICE_PORT")}
	case env.ServicePort == "":
		problems = append(problems, failing(checks.EnvServiceVarsMissing,
			"KUBERNETES_SERVICE_PORT is not set, so in-cluster clients hold that they run outside of a cluster.", expected, "only KUBERNETES_SERVICE_HOST"))
	default:
		if port, err := strconv.ParseUint(env.ServicePort, 10, 16); err != nil || port == 0 {
			problems = append(problems, failing(checks.EnvServicePortInvalid,
				fmt.Sprintf("KUBERNETES_SERVICE_PORT is %q, which is no port.", env.ServicePort), "a number from 1 to 65535", strconv.Quote(env.ServicePort)))
		}
	}
	if !isHost(env.ServiceHost) {
		return append(problems, failing(checks.EnvServiceHostInvalid,
			fmt.Sprintf("KUBERNETES_SERVICE_HOST is %q, which is neither an address nor a DNS name.", env.ServiceHost), "an address without brackets, or a DNS name", strconv.Quote(env.ServiceHost)))
	}
	if hostOverridden(env) {
		problems = append(problems, overridden(checks.EnvServiceHostOverridden, "KUBERNETES_SERVICE_HOST", env.ServiceHost, "KUBERNETES_PORT_443_TCP_ADDR", env.ServiceAddress,
			linkedHost(env) == env.ServiceAddress || checks.IsHostName(env.ServiceHost)))
	}
	if portOverridden(env) {
		problems = append(problems, overridden(checks.EnvServicePortOverridden, "KUBERNETES_SERVICE_PORT", env.ServicePort, "KUBERNETES_SERVICE_PORT_HTTPS", env.ServicePortHTTPS,
			linkedPort(env) == env.ServicePortHTTPS))
	}
	return problems
}

// overridden judges two variables that kubelet sets to the same, where a third, or what
// kubelet never writes, may make it certain that it is the first which is another's.
func overridden(reason checks.Reason, name, value, other, kubelets string, certain bool) problem {
	if certain {
		return warning(reason, fmt.Sprintf("%s is %s while kubelet set %s to %s: somebody overrode the first.", name, value, other, kubelets), kubelets, value)
	}
	return warning(reason, fmt.Sprintf("%s is %s and %s is %s, which kubelet sets to the same: somebody overrode one of them, most likely the first, which clients read.", name, value, other, kubelets), kubelets, value).likely()
}

// hostOverridden tells that KUBERNETES_SERVICE_HOST is not what kubelet set. Where
// KUBERNETES_PORT has the same address it is, and the third, which hardly anything
// reads, is the one that somebody overrode.
func hostOverridden(env *checks.EnvironmentFacts) bool {
	return env.ServiceAddress != "" && env.ServiceAddress != env.ServiceHost && linkedHost(env) != env.ServiceHost
}

// portOverridden does so of KUBERNETES_SERVICE_PORT.
func portOverridden(env *checks.EnvironmentFacts) bool {
	return env.ServicePortHTTPS != "" && env.ServicePort != "" && env.ServicePortHTTPS != env.ServicePort && linkedPort(env) != env.ServicePort
}

func linkedHost(env *checks.EnvironmentFacts) string {
	host, _ := env.Linked()
	return host
}

func linkedPort(env *checks.EnvironmentFacts) string {
	_, port := env.Linked()
	return port
}

// isHost tells an address or a DNS name from other text. An address with a zone
// leads nowhere from another host.
func isHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == ""
	}
	return checks.IsHostName(host)
}

// proxyForAPI is empty where Go's clients connect directly.
func proxyForAPI(env *checks.EnvironmentFacts) string {
	proxy := checks.ProxyForAPI(env, env.HTTPSProxy)
	if proxy == nil {
		return ""
	}
	return proxy.Redacted()
}

// proxyVariables warns of a proxy in the way; one that the deep probes did not get
// through fails.
func proxyVariables(facts *checks.Facts, env *checks.EnvironmentDetails) []problem {
	if env.ProxyForAPI == "" {
		return nil
	}
	found := warning(checks.EnvHTTPProxyInterceptsAPI,
		fmt.Sprintf("Clients that honour HTTPS_PROXY send requests for the API server %s to the proxy %s, since NO_PROXY (%q) does not leave it out.", env.ServiceHost, env.ProxyForAPI, env.NoProxy),
		"NO_PROXY to cover "+env.ServiceHost, fmt.Sprintf("NO_PROXY=%q", env.NoProxy)).likely()
	if passage := throughProxy(facts); passage.told != "" {
		found.Message += " " + passage.told
		found.Status, found.certainty = passage.status, passage.certainty
	}
	return []problem{found}
}

// namespaceFile judges the file that kubectl and clientcmd read. Where the
// whole directory is gone the token check says so.
func namespaceFile(facts *checks.Facts) []problem {
	env := facts.Environment
	if facts.Token != nil && facts.Token.Directory.Problem != "" {
		return nil
	}
	path := env.NamespaceFile.Path
	switch {
	case env.NamespaceFile.Problem == checks.FileMissing:
		return []problem{warning(checks.EnvNamespaceFileMissing,
			fmt.Sprintf("The file %s does not exist; kubectl in the pod would work in the namespace default.", path), "a file with the pod's namespace", "no file")}
	case env.NamespaceFile.Problem != "":
		return []problem{warning(checks.EnvNamespaceFileUnreadable,
			fmt.Sprintf("The file %s cannot be read: %s.", path, fileTrouble(env.NamespaceFile)), "a file with the pod's namespace", fileTrouble(env.NamespaceFile))}
	case !checks.IsLabel(env.Namespace):
		return []problem{warning(checks.EnvNamespaceFileNotANamespace,
			fmt.Sprintf("The file %s holds %q, which is no namespace's name.", path, cut(env.Namespace)), "the pod's namespace", strconv.Quote(cut(env.Namespace)))}
	default:
		return nil
	}
}
