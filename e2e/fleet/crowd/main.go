// Command crowd is many agents in one process, in the pod that it runs in: each
// with its own rounds and its own connections, by the agent's defaults. With -kept
// they are clients that do nothing but ask over a connection of their own, as often
// as an agent looks. It goes on until it is ended.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/observe"
)

// interval is the agent's default.
const interval = 15 * time.Second

func main() {
	agents := flag.Int("agents", 1, "how many there are")
	kept := flag.Bool("kept", false, "ask over connections that are kept, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pod := checks.ThisPod()
	run := runAgent
	if *kept {
		run = keepAsking
	}
	var running sync.WaitGroup
	for number := range *agents {
		running.Go(func() {
			if pause(ctx, time.Duration(number)*interval/time.Duration(*agents)) {
				run(ctx, pod, number)
			}
		})
	}
	running.Wait()
}

// pause tells whether there is still something to do after it.
func pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}

// runAgent is what the program does, without its surfaces.
func runAgent(ctx context.Context, pod checks.Pod, number int) {
	pod.Hostname = fmt.Sprintf("%s-%d", pod.Hostname, number)
	observer := &observe.Observer{Pod: pod}
	defer observer.Close()
	rounds.Loop{
		Observer: observer, Publisher: &failures{number: number},
		Interval: interval, Limit: 2*observe.DefaultTimeout + time.Second, Identity: pod.Identity(),
	}.Run(ctx)
}

// failures tells of reports that are not as they should be, since a crowd of agents
// in trouble measures something else.
type failures struct{ number int }

func (f *failures) Publish(report *checks.Report) {
	if report.Status == checks.OK {
		return
	}
	for _, finding := range report.Diagnosis {
		fmt.Fprintf(os.Stderr, "agent %d: %s %s\n", f.number, finding.Reason, strings.Join(finding.Evidence, " "))
	}
}

// keepAsking asks for /api over one HTTP/2 connection.
func keepAsking(ctx context.Context, pod checks.Pod, _ int) {
	if err := ask(ctx, pod); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func ask(ctx context.Context, pod checks.Pod) error {
	authorities, err := os.ReadFile(pod.CAFile())
	if err != nil {
		return err
	}
	token, err := os.ReadFile(pod.TokenFile())
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	server := net.JoinHostPort(pod.Environment["KUBERNETES_SERVICE_HOST"], pod.Environment["KUBERNETES_SERVICE_PORT"])
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+server+"/api", http.NoBody)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+string(token))
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("the API server answered %s: %w", response.Status, err)
		}
		if !pause(ctx, interval) {
			return nil
		}
	}
}
