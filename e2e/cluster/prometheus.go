//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

const (
	prometheus = "prometheus"
	// prometheusAddress is within the network of the first node.
	prometheusAddress = "127.0.0.1:9090"
	readyLimit        = 20 * time.Second
)

// prometheusAccess is what it needs of the cluster to find pods.
const prometheusAccess = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: prometheus}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: prometheus}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: kube-system}]
`

// PrometheusOptions are what an operator would configure.
type PrometheusOptions struct {
	// Scrape is the part of its configuration that begins with scrape_configs. It
	// finds the API server and its credentials as in a pod.
	Scrape string
	// Every is from one scrape of an agent to the next, and how long one may take.
	Every time.Duration
	// Rules is a file of rules.
	Rules string
}

// StartPrometheus starts Prometheus on the first node of an own cluster, and
// returns its API when it is ready. It evaluates rules once a second. Its log is
// beside those of the components; it ends with the cluster or with
// StopPrometheus.
func (c *Cluster) StartPrometheus(ctx context.Context, options PrometheusOptions) (promv1.API, error) {
	prometheusAPI, err := c.startPrometheus(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start Prometheus: %w", err)
	}
	return prometheusAPI, nil
}

func (c *Cluster) startPrometheus(ctx context.Context, options PrometheusOptions) (promv1.API, error) {
	if !c.Own() {
		return nil, errors.New("the cluster is somebody else's")
	}
	if err := c.lendServiceAccount(ctx); err != nil {
		return nil, err
	}
	file := filepath.Join(c.folder, "prometheus.yml")
	configuration := fmt.Sprintf("global: {scrape_interval: %[1]s, scrape_timeout: %[1]s, evaluation_interval: 1s}\nrule_files: [%[2]q]\n%[3]s",
		options.Every, options.Rules, options.Scrape)
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(server, "https://"), ":")
	// It is no pod, so the way to the API server that it is told is not that of a
	// Service, which a fault may take away.
	err := c.launchAs(prometheus, "", "/usr/bin/env",
		"KUBERNETES_SERVICE_HOST="+host,
		"KUBERNETES_SERVICE_PORT="+port,
		c.programs.path(prometheus, prometheus),
		"--config.file="+file,
		"--storage.tsdb.path=/var/lib/prometheus",
		"--web.listen-address="+prometheusAddress,
	)
	if err != nil {
		return nil, err
	}
	// One that does not like its configuration ends at once, and its log says why.
	ctx, cancel := context.WithTimeoutCause(ctx, readyLimit, fmt.Errorf("it was not ready within %s", readyLimit))
	defer cancel()
	if err := poll(ctx, func() error { return c.prometheusReady(ctx) }); err != nil {
		return nil, errors.Join(err, errors.New("its log ends\n"+tail(filepath.Join(c.logs, prometheus+".log"))), c.StopPrometheus())
	}
	client, err := api.NewClient(api.Config{Address: "http://" + prometheusAddress, Client: c.Client()})
	if err != nil {
		return nil, err
	}
	return promv1.NewAPI(client), nil
}

// StopPrometheus ends Prometheus. What it knew stays in the cluster's folder.
func (c *Cluster) StopPrometheus() error { return c.Kill(prometheus) }

// lendServiceAccount puts a service account's token and ca.crt where a pod has
// its own.
func (c *Cluster) lendServiceAccount(ctx context.Context) error {
	if err := c.Apply(ctx, prometheusAccess); err != nil {
		return err
	}
	token, err := c.Kubectl(ctx, "create", "token", "prometheus", "--namespace=kube-system", "--duration=24h")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(c.authority.path("ca.crt"))
	if err != nil {
		return err
	}
	return c.namespaces.within(2, func() error {
		return errors.Join(
			os.MkdirAll(ServiceAccountFolder, 0o755),
			os.WriteFile(filepath.Join(ServiceAccountFolder, "token"), []byte(strings.TrimSpace(token)), 0o600),
			os.WriteFile(filepath.Join(ServiceAccountFolder, "ca.crt"), authority, 0o600),
		)
	})
}

func (c *Cluster) prometheusReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+prometheusAddress+"/-/ready", nil)
	if err != nil {
		return err
	}
	response, err := c.Client().Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it is not ready: %s", response.Status)
	}
	return nil
}
