package checks

// EnvironmentFacts are what the process environment and the namespace file say
// about the way to the API.
type EnvironmentFacts struct {
	// ServiceHost is KUBERNETES_SERVICE_HOST, ServicePort _PORT; these two are
	// what InClusterConfig reads (client-go rest/config.go).
	ServiceHost string `json:"serviceHost"`
	ServicePort string `json:"servicePort"`
	// ServiceAddress is KUBERNETES_PORT_443_TCP_ADDR, which kubelet sets to
	// the same address, so a difference shows an override.
	ServiceAddress string `json:"serviceAddress,omitempty"`
	// HTTPSProxy is HTTPS_PROXY or https_proxy, any password hidden, and
	// NoProxy is NO_PROXY or no_proxy.
	HTTPSProxy string `json:"httpsProxy,omitempty"`
	NoProxy    string `json:"noProxy,omitempty"`
	// NamespaceFile is the file that names the pod's namespace, Namespace its
	// content without surrounding white space.
	NamespaceFile File    `json:"namespaceFile"`
	Namespace     string  `json:"namespace,omitempty"`
	Seconds       float64 `json:"seconds"`
}

// EnvironmentDetails are the details of the environment check.
type EnvironmentDetails struct {
	EnvironmentFacts
	// ProxyForAPI is the proxy that a client which honours the environment
	// would send its requests to the API server by.
	ProxyForAPI string `json:"proxyForAPI,omitempty"`
}
