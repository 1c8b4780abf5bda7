// Package budget measures what the agent costs: the real binary as a process of
// its own, in a pretend pod, beside the least program that makes the same
// round trip.
package budget

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// bareClient, set in the environment, makes the test binary the floor that the
// agent is measured beside.
const bareClient = "LIFELINE_BUDGET_BARE_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(bareClient) != "" {
		runBareClient()
		return
	}
	os.Exit(m.Run())
}

// runBareClient does every second what an application at the least does: read
// the token and the CA, connect, GET /api.
func runBareClient() {
	url := "https://" + net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")) + "/api"
	for {
		if err := bareRoundTrip(url, os.Getenv("LIFELINE_SERVICE_ACCOUNT_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		time.Sleep(time.Second)
	}
}

func bareRoundTrip(url, directory string) error {
	token, err := os.ReadFile(filepath.Join(directory, "token"))
	if err != nil {
		return err
	}
	bundle, err := os.ReadFile(filepath.Join(directory, "ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// settled is how long a process runs before it is measured, and pulses how
// many rounds are.
const (
	settled = 5 * time.Second
	pulses  = 20
)

func BenchmarkBinarySize(b *testing.B) {
	info, err := os.Stat(agent.Build(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkStartToFirstReport(b *testing.B) {
	binary, pretend := agent.Build(b), agent.World(b, world.Options{})
	var whole, network time.Duration
	for range b.N {
		began := time.Now()
		process := agent.Start(b, pretend, binary)
		report := process.Report()
		for ; report.Round == 0; report = process.Report() {
			if time.Since(began) > 10*time.Second {
				b.Fatal("no report within 10 seconds")
			}
			time.Sleep(time.Millisecond)
		}
		whole += time.Since(began)
		network += time.Duration(report.DurationSeconds * float64(time.Second))
	}
	b.ReportMetric((whole-network).Seconds()*1e3/float64(b.N), "ms-beyond-network")
	b.ReportMetric(network.Seconds()*1e3/float64(b.N), "ms-network")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkPulseCPU(b *testing.B) {
	binary := agent.Build(b)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, program := range []struct {
		name        string
		command     *exec.Cmd
		environment string
	}{
		{"lifeline", exec.Command(binary), "LIFELINE_INTERVAL=1s"},
		{"bare-client", exec.Command(self), bareClient + "=1"},
	} {
		b.Run(program.name, func(b *testing.B) {
			process := agent.Run(b, agent.World(b, world.Options{}), program.command, program.environment)
			time.Sleep(settled)
			before := process.OnCPU()
			time.Sleep(pulses * time.Second)
			b.ReportMetric((process.OnCPU()-before).Seconds()*1e3/pulses, "ms/pulse")
			b.ReportMetric(process.Resident()/1e6, "MB-resident")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkResidentMemoryWhileScraped(b *testing.B) {
	process := agent.Start(b, agent.World(b, world.Options{}), agent.Build(b), "LIFELINE_INTERVAL=1s")
	for began := time.Now(); time.Since(began) < settled+pulses*time.Second; time.Sleep(time.Second) {
		process.Get("/metrics")
		process.Get("/healthz")
		process.Get("/status")
	}
	b.ReportMetric(process.Resident()/1e6, "MB-resident")
	b.ReportMetric(0, "ns/op")
}
