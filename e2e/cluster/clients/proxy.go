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

// CarryImage is that of a proxy which opens a tunnel to wherever it is asked by
// CONNECT. Its argument is the address to listen on. It comes with ImportCarry.
const CarryImage = "lifeline.test/carry:1"

// ImportCarry builds the program of CarryImage in the folder and imports it.
func ImportCarry(ctx context.Context, c *cluster.Cluster, folder string) error {
	program, err := build(ctx, folder, carryPackage)
	if err != nil {
		return err
	}
	return c.Import(ctx, cluster.Image{Name: CarryImage, Program: program, User: "65532:65532"})
}
