package judge

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// The clients differ in which variables name a proxy and in what NO_PROXY
// leaves out. Nothing was sent through a proxy, so what is there is not known;
// one that is outside of the cluster does not reach the addresses of Services.

func goesByProxy(proxy, target, noProxy string) string {
	return fmt.Sprintf("The client goes to %s by the proxy %s, since NO_PROXY (%q) does not leave it out.", target, proxy, cut(noProxy))
}

// proxyOfGo: net/http takes HTTPS_PROXY or https_proxy; client-go adds nothing
// to NO_PROXY that net/http does not have (apimachinery pkg/util/net).
func proxyOfGo(facts *checks.Facts) string {
	env := facts.Environment
	if proxy := proxyForAPI(env); proxy != "" {
		return goesByProxy(proxy, env.ServiceHost, env.NoProxy)
	}
	return ""
}

// proxyOfPython follows version 36.0.3 of the client: the last of four
// variables counts, http_proxy too (client/configuration.py), and requests
// decides on NO_PROXY. Up to version 33 it heeded none of them, and 34 and 35
// did not heed NO_PROXY.
func proxyOfPython(facts *checks.Facts) string {
	env := facts.Environment
	proxy := oneOf(env, "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")
	noProxy := oneOf(env, "no_proxy", "NO_PROXY")
	if proxy == "" || requestsLeavesOut(env.ServiceHost, env.ServicePort, noProxy) {
		return ""
	}
	return sentencePart(goesByProxy(proxy, env.ServiceHost, noProxy)) + "; versions before 34 take none."
}

// requestsLeavesOut is should_bypass_proxies of requests/utils.py and
// proxy_bypass_environment of urllib/request.py, of which one is enough. The
// first takes every blank out of NO_PROXY; the second takes white space off its
// entries, and the asterisk only where nothing is around it.
func requestsLeavesOut(host, port, noProxy string) bool {
	host = strings.ToLower(host)
	address, err := netip.ParseAddr(host)
	isIPv4 := err == nil && address.Is4()
	for entry := range strings.SplitSeq(strings.ReplaceAll(noProxy, " ", ""), ",") {
		if entry == "" {
			continue
		}
		if network, err := netip.ParsePrefix(entry); err == nil && isIPv4 && network.Bits() > 0 && network.Contains(address) {
			return true
		}
		if isIPv4 && host == entry || !isIPv4 && (strings.HasSuffix(host, entry) || strings.HasSuffix(host+":"+port, entry)) {
			return true
		}
	}
	for entry := range strings.SplitSeq(noProxy, ",") {
		if within(host, strings.ToLower(strings.TrimLeft(strings.TrimSpace(entry), "."))) {
			return true
		}
	}
	return noProxy == "*"
}

// proxyOfCurl: curl reads the lower case first, and for https also ALL_PROXY,
// but never HTTP_PROXY (lib/url.c, detect_proxy; lib/noproxy.c). A name is left
// out by itself or by a domain above it, never by the address that it has.
func proxyOfCurl(facts *checks.Facts) string {
	env := facts.Environment
	proxy := oneOf(env, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
	noProxy := oneOf(env, "no_proxy", "NO_PROXY")
	if proxy == "" || noProxy == "*" {
		return ""
	}
	for _, entry := range strings.FieldsFunc(noProxy, func(char rune) bool { return strings.ContainsRune(" \t,", char) }) {
		if within(checks.ServiceName, strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(entry, "."), "."))) {
			return ""
		}
	}
	return goesByProxy(proxy, checks.ServiceName, noProxy)
}

// within tells whether a host is a domain or below it.
func within(host, domain string) bool {
	return domain != "" && (host == domain || strings.HasSuffix(host, "."+domain))
}

// oneOf is the first of the variables that has a value.
func oneOf(env *checks.EnvironmentFacts, names ...string) string {
	for _, name := range names {
		if value := env.ProxyVariables[name]; value != "" {
			return value
		}
	}
	return ""
}
