package world

import (
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

func environmentFaults() []Fault {
	return []Fault{
		{
			Name:   "env-service-vars-missing",
			Title:  "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set.",
			Check:  checks.Environment,
			Status: checks.Fail,
			Reason: checks.EnvServiceVarsMissing,
			Environment: map[string]string{
				"KUBERNETES_SERVICE_HOST": "",
				"KUBERNETES_SERVICE_PORT": "",
			},
		},
		{
			Name:        "env-service-host-invalid",
			Title:       "KUBERNETES_SERVICE_HOST holds a URL.",
			Check:       checks.Environment,
			Status:      checks.Fail,
			Reason:      checks.EnvServiceHostInvalid,
			Environment: map[string]string{"KUBERNETES_SERVICE_HOST": "https://127.0.0.1"},
		},
		proxyFault(string(checks.EnvHTTPProxyInterceptsAPI), "HTTPS_PROXY is set and dead, and NO_PROXY does not leave the API server out.",
			checks.Fail, "http://127.0.0.1:9", httpProxyConditions{}),
		proxyFault("env-http-proxy-refuses", "The proxy that HTTPS_PROXY names opens no tunnel to the API server.",
			checks.Fail, httpProxyURL, httpProxyConditions{refuses: true}),
		proxyFault("env-http-proxy-inspects-tls", "The proxy that HTTPS_PROXY names puts a certificate of its own before the API server's.",
			checks.Fail, httpProxyURL, httpProxyConditions{inspects: true}),
		proxyFault("env-http-proxy-carries", "The proxy that HTTPS_PROXY names carries the requests for the API server.",
			checks.Warn, httpProxyURL, httpProxyConditions{}),
	}
}

// proxyFault has requests for the API server go by a proxy, of which the deep probes
// tell whether it carries them.
func proxyFault(name, title string, status checks.Status, proxy string, present httpProxyConditions) Fault {
	return Fault{
		Name:   name,
		Title:  title,
		Check:  checks.Environment,
		Status: status,
		Reason: checks.EnvHTTPProxyInterceptsAPI,
		Cause:  checks.EnvHTTPProxyInterceptsAPI,
		Environment: map[string]string{
			"HTTPS_PROXY": proxy,
			// Go's clients reach an address of loopback without a proxy, so
			// here the API server is known by its name.
			"KUBERNETES_SERVICE_HOST":      strings.TrimSuffix(serviceName, "."),
			"KUBERNETES_PORT_443_TCP_ADDR": "",
		},
		change: func(c *conditions) { c.httpProxy = present },
	}
}
