//go:build linux

package clients

import (
	"context"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

const proxyImage = "lifeline.test/kubectl:1"

// ProxyContainer is a container, in JSON, that runs kubectl proxy beside those of
// a pod. It conforms to the restricted Pod Security Standard. It has no readiness
// probe, since kubectl proxy serves on the pod's loopback address only and has no
// path of its own. Its image comes with ImportProxy.
const ProxyContainer = `{"name": "kubectl-proxy", "image": "` + proxyImage + `", "imagePullPolicy": "Never",
	"args": ["proxy", "--port=8001"],
	"securityContext": {"runAsNonRoot": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
		"capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}}`

// ImportProxy makes the image of ProxyContainer and imports it.
func ImportProxy(ctx context.Context, c *cluster.Cluster) error {
	return c.Import(ctx, c.KubectlImage(proxyImage))
}
