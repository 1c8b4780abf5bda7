package judge

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// The clients differ in which variables name a proxy and in what NO_PROXY
// leaves out. What is there is known of the proxy alone that the deep probes tried,
// which is that of Go's clients; one that is outside of the cluster does not reach
// the addresses of Services.

// detour is a proxy by which a client goes to the API server; the zero detour is
// none.
type detour struct {
	proxy string
	// url is how Go's clients would name it.
	url             string
	target, noProxy string
	// byName tells that the proxy has to find the address of ServiceName.
	byName bool
	// exception is of versions that go another way.
	exception string
}

// way is that of a client which takes the detour: it works where the deep probes got
// through by the very same proxy and direct, which has its ground in the answer to who
// goes by none, works. Where nobody had one, no line can be told.
func (d detour) way(direct way) way {
	return func(facts *checks.Facts) (known, works bool, why string) {
		taken := fmt.Sprintf("The client goes to %s by the proxy %s, since NO_PROXY (%q) does not leave it out%s.", d.target, d.proxy, cut(d.noProxy), d.exception)
		probed, passage := probedProxy(facts), throughProxy(facts)
		switch {
		case probed == nil || passage.told == "" || d.url != probed.Proxy:
			return true, false, taken
		case !passage.carries:
			return true, false, taken + " " + passage.told
		case d.byName && (probed.ByName == nil || becameOf(probed.ByName) == ""):
			return true, false, taken
		case d.byName && probed.ByName.Stage != checks.StageDone:
			return true, false, taken + " " + becameOf(probed.ByName)
		case facts.API == nil || facts.API.ServiceHost.Last().Stage != checks.StageDone:
			return false, false, ""
		}
		known, works, why = direct(facts)
		return known, works, fmt.Sprintf("The API server was reached by the proxy %s at %s. Without it: %s", d.proxy, moment(facts.Deep.Time), why)
	}
}

// proxyOfGo: net/http takes HTTPS_PROXY or https_proxy; client-go adds nothing
// to NO_PROXY that net/http does not have (apimachinery pkg/util/net).
func proxyOfGo(facts *checks.Facts) detour {
	env := facts.Environment
	proxy := proxyForAPI(env)
	if proxy == "" {
		return detour{}
	}
	return detour{proxy: proxy, url: proxy, target: env.ServiceHost, noProxy: env.NoProxy}
}

// proxyOfPython follows version 36.0.3 of the client: the last of four
// variables counts, http_proxy too (client/configuration.py), and requests
// decides on NO_PROXY. Up to version 33 it heeded none of them, and 34 and 35
// did not heed NO_PROXY.
func proxyOfPython(facts *checks.Facts) detour {
	env := facts.Environment
	proxy := oneOf(env, "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")
	noProxy := oneOf(env, "no_proxy", "NO_PROXY")
	if proxy == "" || requestsLeavesOut(env.ServiceHost, env.ServicePort, noProxy) {
		return detour{}
	}
	return detour{proxy: proxy, url: proxy, target: env.ServiceHost, noProxy: noProxy, exception: "; versions before 34 take none"}
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
func proxyOfCurl(facts *checks.Facts) detour {
	env := facts.Environment
	proxy := oneOf(env, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
	noProxy := oneOf(env, "no_proxy", "NO_PROXY")
	if proxy == "" || noProxy == "*" {
		return detour{}
	}
	for _, entry := range strings.FieldsFunc(noProxy, func(char rune) bool { return strings.ContainsRune(" \t,", char) }) {
		if within(checks.ServiceName, strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(entry, "."), "."))) {
			return detour{}
		}
	}
	return detour{proxy: proxy, url: urlOfCurl(proxy), target: checks.ServiceName, noProxy: noProxy, byName: true}
}

// urlOfCurl has what a proxy is by default: one of HTTP, at port 1080
// (lib/url.c, parse_proxy).
func urlOfCurl(proxy string) string {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	if parsed, err := url.Parse(proxy); err == nil && parsed.Scheme == "http" && parsed.Port() == "" {
		proxy += ":1080"
	}
	return proxy
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
