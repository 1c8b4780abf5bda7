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
		{
			Name:   "env-http-proxy-intercepts-api",
			Title:  "HTTPS_PROXY is set, and NO_PROXY does not leave the API server out.",
			Check:  checks.Environment,
			Status: checks.Warn,
			Reason: checks.EnvHTTPProxyInterceptsAPI,
			Environment: map[string]string{
				"HTTPS_PROXY": "http://127.0.0.1:9",
				// Go's clients reach an address of loopback without a proxy, so
				// here the API server is known by its name.
				"KUBERNETES_SERVICE_HOST":      strings.TrimSuffix(serviceName, "."),
				"KUBERNETES_PORT_443_TCP_ADDR": "",
			},
		},
	}
}
