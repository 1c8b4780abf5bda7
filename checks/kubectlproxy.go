package checks

// KubectlProxyFacts are what came of asking the kubectl proxy of the pod.
type KubectlProxyFacts struct {
	// Attempt is one GET of /api over plain HTTP, without the token: the proxy
	// adds its own.
	Attempt Attempt `json:"attempt"`
	Seconds float64 `json:"seconds"`
}

// KubectlProxyDetails are the details of the kubectl-proxy check.
type KubectlProxyDetails struct {
	KubectlProxyFacts
	// Answered tells that a Kubernetes API server answered through the proxy as
	// it should.
	Answered bool `json:"answered"`
}
