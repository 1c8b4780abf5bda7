// Package budget measures what the agent costs: the real binary as a process of
// its own, in a pretend pod, beside the least program that makes the same
// round trip.
package budget

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/observe"
	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
	"github.com/kube-lifeline/lifeline/server"
)

// bareClient, set in the environment, makes the test binary the floor that the
// agent is measured beside.
const bareClient = "LIFELINE_BUDGET_BARE_CLIENT"

// worldApart, set in the environment, makes the test binary a pretend pod, so
// that its processor time is not counted with that of its client.
const worldApart = "LIFELINE_BUDGET_WORLD"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(bareClient) != "":
		runBareClient()
	case os.Getenv(worldApart) != "":
		runWorld()
	default:
		os.Exit(m.Run())
	}
}

// runWorld prints the environment of a pretend pod as JSON and lasts until its
// standard input ends.
func runWorld() {
	pretend, err := world.Start(context.Background(), world.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(pretend.Environment())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := pretend.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// podApart is a pretend pod in a process of its own.
func podApart(b *testing.B) checks.Pod {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), worldApart+"=1")
	input, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	pod := checks.Pod{}
	if err := json.NewDecoder(output).Decode(&pod.Environment); err != nil {
		b.Fatal(err)
	}
	pod.ServiceAccountDir, pod.ResolvConf = pod.Environment["LIFELINE_SERVICE_ACCOUNT_DIR"], pod.Environment["LIFELINE_RESOLV_CONF"]
	pod.Hosts = pod.Environment["LIFELINE_HOSTS"]
	if _, err := fmt.Sscan(pod.Environment["LIFELINE_DNS_PORT"], &pod.DNSPort); err != nil {
		b.Fatal(err)
	}
	return pod
}

// runBareClient does every second what an application at the least does: read
// the token and the CA, connect, GET /api.
func runBareClient() {
	url := apiURL(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	for {
		if err := bareRoundTrip(url, os.Getenv("LIFELINE_SERVICE_ACCOUNT_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		time.Sleep(time.Second)
	}
}

func apiURL(host, port string) string { return "https://" + net.JoinHostPort(host, port) + "/api" }

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

// BenchmarkRound is a round in full, observed, judged and published, beside the
// round trip alone.
func BenchmarkRound(b *testing.B) {
	pod := podApart(b)
	url := apiURL(pod.Environment["KUBERNETES_SERVICE_HOST"], pod.Environment["KUBERNETES_SERVICE_PORT"])
	observer, surface := &observe.Observer{Pod: pod}, server.New(server.Options{})
	for _, program := range []struct {
		name string
		once func() error
	}{
		{"lifeline", func() error {
			report := judge.Judge(observer.Observe(b.Context()), nil)
			surface.Publish(report)
			if report.Status != checks.OK {
				return fmt.Errorf("the report is %s: %+v", report.Status, report.Diagnosis)
			}
			return nil
		}},
		{"bare-client", func() error { return bareRoundTrip(url, pod.ServiceAccountDir) }},
	} {
		b.Run(program.name, func(b *testing.B) {
			b.ReportAllocs()
			before := ownCPU(b)
			for b.Loop() {
				if err := program.once(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((ownCPU(b)-before).Seconds()*1e3/float64(b.N), "ms-cpu/op")
		})
	}
}

// ownCPU is the processor time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkProcess is what the processes cost at a round a second, between which
// they sleep and wake anew.
func BenchmarkProcess(b *testing.B) {
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
