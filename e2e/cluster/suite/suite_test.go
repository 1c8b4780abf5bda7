//go:build linux

// Package suite_test looks at the shipped image, installed by the shipped
// chart, in pods of a real Kubernetes. All tests share one cluster: their order
// is that of TestLifeline.
package suite_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/clients"
)

var (
	kubeconfig = flag.String("kubeconfig", "", "`file` of a cluster that runs already, in which the tests then run that need no cluster of their own")
	image      = flag.String("image", "", "`reference` of an image of Lifeline that the cluster of -kubeconfig can pull")
	long       = flag.Bool("long", false, "run the tests too that wait for kubelet to rotate a token, and have alerts wait as long as they do")
	every      = flag.Bool("every", false, "try every fault, the rare ones too, and hold all to the score that is wanted")
	fleetSize  = flag.Int("fleet", 0, "how many agents to measure the API server with")
	watch      = flag.Duration("watch", 0, "how long to watch a healthy cluster to which things happen")
)

// suite is what the tests share.
type suite struct {
	*cluster.Cluster
	// root is the folder of the repository.
	root string
	// repository and tag are the image of Lifeline.
	repository, tag string
	// goClient is the file of the official Go client's program.
	goClient string
	// monitoring says that the cluster has the kinds of prometheus-operator.
	monitoring bool
}

func TestLifeline(t *testing.T) {
	ctx, s := start(t)
	for _, part := range []struct {
		name string
		test func(context.Context, *testing.T, suite)
	}{
		{"chart", chart},
		{"examples", examples},
		{"life", life},
		{"nodes", nodes},
		{"alerts", alerts},
		{"faults", faults},
		{"remedies", remedies},
		{"watch", watchCluster},
		{"fleet", fleet},
		{"network", noWayOut},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(ctx, t, s) })
	}
}

// start starts a cluster that ends with the test, or attaches to the one of the
// flags. The context ends on an interrupt, so that the test then fails and clears
// away.
func start(t *testing.T) (context.Context, suite) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: a cluster takes longer than a short test")
	}
	// Where only "go test" is killed, this program hears of it with the next line
	// that it prints.
	ctx, stop := cluster.NotifyContext(context.Background())
	t.Cleanup(stop)
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s := suite{root: root}
	if *kubeconfig != "" {
		s.Cluster, s.repository, s.tag = attach(ctx, t)
		return ctx, s
	}
	if os.Geteuid() != 0 {
		t.Skip("skipped: a cluster needs root, or -kubeconfig and -image")
	}
	s.Cluster = startOwn(ctx, t)
	s.repository, s.tag = "lifeline.test/lifeline", "e2e"
	s.importImage(ctx, t)
	if err := clients.ImportProxy(ctx, s.Cluster); err != nil {
		t.Fatal(err)
	}
	if s.goClient, err = clients.Build(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

func attach(ctx context.Context, t *testing.T) (c *cluster.Cluster, repository, tag string) {
	t.Helper()
	colon := strings.LastIndex(*image, ":")
	if colon < strings.LastIndex(*image, "/") || colon < 1 {
		t.Fatalf("-image is %q, which is not REPOSITORY:TAG; -kubeconfig needs one", *image)
	}
	c, err := cluster.Attach(ctx, *kubeconfig, cluster.Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, (*image)[:colon], (*image)[colon+1:]
}

func startOwn(ctx context.Context, t *testing.T) *cluster.Cluster {
	t.Helper()
	var c *cluster.Cluster
	unchanged := leavesNoTrace(t, func() []string {
		if c == nil {
			return nil
		}
		return traces(t, c)
	})
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			c.KeepLogs(os.Stderr)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	unchanged()
	if traces(t, c) == nil {
		t.Fatal("nothing is to be seen of a cluster that runs, so nothing would be seen of what it leaves")
	}
	// What the tests put in temporary folders goes with the cluster even where
	// this program is killed.
	t.Setenv("TMPDIR", c.Folder())
	return c
}

// needsOwn skips the test by its name where the cluster is somebody's.
func (s suite) needsOwn(t *testing.T, why string) {
	t.Helper()
	if !s.Own() {
		t.Skipf("skipped: %s needs a cluster of its own, to %s", t.Name(), why)
	}
}
