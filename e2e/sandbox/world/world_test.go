package world_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start makes a world that ends with the test.
func start(t testing.TB, options world.Options) *world.World {
	t.Helper()
	w, err := world.Start(context.Background(), options)
	if err != nil {
		t.Fatalf("starting a world: %v", err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("closing the world: %v", err)
		}
	})
	return w
}

func TestTheEnvironmentIsThatOfAPod(t *testing.T) {
	w := start(t, world.Options{PodName: "web-0"})
	pod := w.Pod()
	port := pod.Environment["KUBERNETES_SERVICE_PORT"]
	if number := netip.MustParseAddrPort("127.0.0.1:" + port).Port(); number < 1024 {
		t.Errorf("the API server listens on port %d, want one that needs no privilege", number)
	}
	want := map[string]string{
		"KUBERNETES_SERVICE_HOST":       "127.0.0.1",
		"KUBERNETES_SERVICE_PORT":       port,
		"KUBERNETES_SERVICE_PORT_HTTPS": port,
		"KUBERNETES_PORT":               "tcp://127.0.0.1:" + port,
		"KUBERNETES_PORT_443_TCP":       "tcp://127.0.0.1:" + port,
		"KUBERNETES_PORT_443_TCP_PROTO": "tcp",
		"KUBERNETES_PORT_443_TCP_PORT":  port,
		"KUBERNETES_PORT_443_TCP_ADDR":  "127.0.0.1",
	}
	got := w.Environment()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreMapEntries(func(name, _ string) bool {
		return len(name) > 9 && name[:9] == "LIFELINE_"
	})); diff != "" {
		t.Errorf("the environment of the API server (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, pod.Environment); diff != "" {
		t.Errorf("Environment and Pod differ (-Environment +Pod):\n%s", diff)
	}
	if pod.Hostname != "web-0" {
		t.Errorf("the hostname is %q, want that of the pod", pod.Hostname)
	}
	for variable, path := range map[string]string{
		"LIFELINE_SERVICE_ACCOUNT_DIR": pod.ServiceAccountDir,
		"LIFELINE_RESOLV_CONF":         pod.ResolvConf,
		"LIFELINE_HOSTS":               pod.Hosts,
	} {
		if got[variable] != path {
			t.Errorf("%s is %q, want %q", variable, got[variable], path)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s leads nowhere: %v", variable, err)
		}
	}
}

func TestCloseRemovesWhatStartMade(t *testing.T) {
	w, err := world.Start(context.Background(), world.Options{})
	if err != nil {
		t.Fatal(err)
	}
	directory := filepath.Dir(w.Pod().ResolvConf)
	if err := w.Close(); err != nil {
		t.Errorf("closing the world: %v", err)
	}
	if _, err := os.Stat(directory); !os.IsNotExist(err) {
		t.Errorf("after Close, stat of the directory gives %v, want that it does not exist", err)
	}
}

func TestCloseLeavesAGivenDirectory(t *testing.T) {
	directory := t.TempDir()
	w, err := world.Start(context.Background(), world.Options{Dir: directory})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("closing the world: %v", err)
	}
	if _, err := os.Stat(filepath.Join(directory, "resolv.conf")); err != nil {
		t.Errorf("after Close the given directory has lost its files: %v", err)
	}
}

func TestStartFailsWithoutItsDirectory(t *testing.T) {
	_, err := world.Start(context.Background(), world.Options{Dir: filepath.Join(t.TempDir(), "none")})
	if err == nil {
		t.Error("Start succeeded in a directory that does not exist")
	}
}

func TestCloseDoesNotWaitForHangingHandlers(t *testing.T) {
	for _, fault := range []string{
		"dns-timeout", "tls-handshake-timeout", "http-response-timeout", "http-response-drip",
		"http-response-too-large", "http-header-endless", "http-latency-high", "dns-slow",
	} {
		t.Run(fault, func(t *testing.T) {
			w, err := world.Start(context.Background(), world.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Inject(fault); err != nil {
				t.Fatal(err)
			}
			client := newClient(t, w)
			client.timeout = brief
			ctx, cancel := context.WithCancel(context.Background())
			var clients sync.WaitGroup
			clients.Go(func() { _, _ = client.get(ctx, "/api", client.token(t)) })
			clients.Go(func() { _, _ = client.ask(ctx, "udp", "kubernetes.default.svc.cluster.local.", "A") })
			time.Sleep(20 * time.Millisecond) // let them get to where they hang
			start := time.Now()
			if err := w.Close(); err != nil {
				t.Errorf("closing the world: %v", err)
			}
			if took := time.Since(start); took >= client.timeout {
				t.Errorf("Close took %v, want it not to wait for clients", took)
			}
			cancel()
			clients.Wait()
		})
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		w, err := world.Start(context.Background(), world.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
