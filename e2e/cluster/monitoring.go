//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The module of prometheus-operator has the definitions of its kinds as files.
const prometheusOperator = "github.com/prometheus-operator/prometheus-operator@v0.94.1"

// DefineMonitoring gives the cluster the kinds of prometheus-operator that have
// Prometheus scrape pods and load rules, as the operator's own release defines
// them. There is no operator that would act on their objects.
func (c *Cluster) DefineMonitoring(ctx context.Context) error {
	cache, err := programsCache()
	if err != nil {
		return err
	}
	out, err := runGo(ctx, cache, []string{"GOFLAGS="}, "mod", "download", "-json", prometheusOperator)
	if err != nil {
		return fmt.Errorf("download %s: %w", prometheusOperator, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return fmt.Errorf("read where %s is: %w", prometheusOperator, err)
	}
	for _, kind := range []string{"podmonitors", "servicemonitors", "prometheusrules"} {
		definition, err := os.ReadFile(filepath.Join(module.Dir, "example", "prometheus-operator-crd", "monitoring.coreos.com_"+kind+".yaml"))
		if err != nil {
			return err
		}
		if err := c.Apply(ctx, string(definition)); err != nil {
			return fmt.Errorf("define %s: %w", kind, err)
		}
		if _, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "customresourcedefinition/"+kind+".monitoring.coreos.com"); err != nil {
			return fmt.Errorf("wait for %s to be defined: %w", kind, err)
		}
	}
	return nil
}
