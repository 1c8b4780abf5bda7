package budget

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/agent"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

const (
	// pagesInterval is the default of the agent, and of the pages that follow it.
	pagesInterval = 15 * time.Second
	// pagesWatched is how long open pages are watched: two rounds.
	pagesWatched = 2 * pagesInterval
)

// BenchmarkOpenPages is what the agent costs while the status page is open in
// fifty browsers, beside an agent at which nobody looks.
func BenchmarkOpenPages(b *testing.B) {
	binary := agent.Build(b)
	for _, pages := range []int{0, 50} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			process := agent.Start(b, agent.World(b, world.Options{}), binary, "LIFELINE_INTERVAL="+pagesInterval.String())
			time.Sleep(settled)
			before, began := process.OnCPU(), time.Now()
			watchPages(b, process.URL+"/status", pages)
			busy, passed := process.OnCPU()-before, time.Since(began)
			b.ReportMetric(100*busy.Seconds()/passed.Seconds(), "%-of-a-core")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// watchPages asks as the script of each open page does, once an interval for
// what is new.
func watchPages(b *testing.B, url string, pages int) {
	b.Helper()
	over := time.After(pagesWatched)
	done := make(chan struct{})
	var open sync.WaitGroup
	for page := range pages {
		open.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			// People do not open their pages all at once.
			pause := pagesInterval * time.Duration(page) / time.Duration(pages)
			var tag string
			for {
				select {
				case <-done:
					return
				case <-time.After(pause):
				}
				var err error
				if tag, err = poll(client, url, tag); err != nil {
					b.Error(err)
					return
				}
				pause = pagesInterval
			}
		})
	}
	<-over
	close(done)
	open.Wait()
}

// poll asks for the page, if it is another than that of the tag, and returns its
// tag.
func poll(client *http.Client, url, tag string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", "text/html")
	if tag != "" {
		request.Header.Set("If-None-Match", tag)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotModified {
		return "", fmt.Errorf("the page answers %s", response.Status)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", err
	}
	return response.Header.Get("ETag"), nil
}
