package server_test

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/observe"
	"github.com/kube-lifeline/lifeline/server"
)

// A service that watches its own way to the API and shows it at /lifeline/.
func Example() {
	ctx := context.Background()
	observer := &observe.Observer{Pod: checks.ThisPod()}
	surface := server.New(server.Options{Interval: 15 * time.Second})

	go func() {
		defer observer.Close()
		var report *checks.Report
		for ctx.Err() == nil {
			report = judge.Judge(observer.Observe(ctx), report)
			surface.Publish(report)
			time.Sleep(15 * time.Second)
		}
	}()

	http.Handle("/lifeline/", http.StripPrefix("/lifeline", surface.Handler()))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
