package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/server"
)

// runAgent serves and runs rounds until ctx ends.
func runAgent(ctx context.Context, p program) int {
	config, ok := p.configure()
	if !ok {
		return exitUsage
	}
	log := newLogger(config, p.err)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", config.Listen)
	if err != nil {
		log.Error().Err(err).Msg("cannot listen on " + config.Listen)
		return exitFailing
	}
	build := currentBuild()
	log.Info().Str("version", build.Version).Str("listen", listener.Addr().String()).
		Stringer("interval", config.Interval).Stringer("timeout", config.Timeout).Msg("lifeline started")

	for _, name := range unknownSettings(p.pod.Environment) {
		log.Warn().Str("variable", name).Msg("no setting has this name, so it is ignored; lifeline help lists them")
	}

	surface := server.New(server.Options{
		Interval: config.Interval,
		Ready:    config.ready(),
		Version:  build.Version,
		Revision: build.Revision,
		ErrorLog: complaints{log},
	})
	pod := config.watched(p.pod)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var owned sync.WaitGroup
	changed := make(chan struct{}, 1)
	owned.Go(func() { watch(ctx, log, pod.ServiceAccountDir, config.Interval, changed) })
	owned.Go(func() {
		observer := config.observer(p.pod, log)
		defer observer.Close()
		rounds.Loop{
			Observer:  observer,
			Publisher: &logged{Publisher: surface, log: log},
			Interval:  config.Interval,
			Limit:     config.roundLimit(),
			Identity:  pod.Identity(),
			Changed:   changed,
		}.Run(ctx)
	})
	err = surface.Serve(ctx, listener)
	cancel()
	waitAtMost(&owned, 2*time.Second)
	if err != nil {
		log.Error().Err(err).Msg("serving ended")
		return exitFailing
	}
	log.Info().Msg("lifeline stopped")
	return exitHealthy
}

// keepSmall bounds what the process takes of its node, unless the operator set the
// variables of the Go runtime. There is nothing to do at once that one processor
// would not do as well. With several, each message of a round wakes another thread
// to look for work, and a collection one for every processor of the node. Garbage
// is collected sooner than by default, since a round allocates about 0.2 MB and
// keeps almost nothing, which saves 3 MB of resident memory.
func (p program) keepSmall() {
	if p.pod.Environment["GOMAXPROCS"] == "" {
		runtime.GOMAXPROCS(1)
	}
	if p.pod.Environment["GOGC"] == "" {
		debug.SetGCPercent(40)
	}
}

// waitAtMost returns when all is done, or when a read that nothing can interrupt,
// as from a file system that hangs, would keep the process from ending.
func waitAtMost(owned *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() {
		owned.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// configure reads the configuration and prints what is wrong with it.
func (p program) configure() (config, bool) {
	config, err := configure(p.pod.Environment)
	if err != nil {
		fmt.Fprintf(p.err, "lifeline: the configuration cannot be used:\n%s\n", err)
		return config, false
	}
	return config, true
}
