package server

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// limits bound what clients can stretch. All together hold 128 connections to
// some 36 KiB each at worst, its buffers and its largest header.
type limits struct {
	// header is the time for a request's head from its first byte, request for
	// all of the request, response for the answer from the end of the head,
	// idle for a connection between requests.
	header, request, response, idle time.Duration
	// shutdown is how long requests may go on once serving is to end.
	shutdown time.Duration
	// headerBytes is the size of a request's head.
	headerBytes int
	// connections is how many are held in all; further ones wait to be
	// accepted. A source, by its address, has at most perSource; further ones
	// are closed, so that no one client keeps kubelet's probes out.
	connections, perSource int
}

func defaultLimits() limits {
	return limits{
		header:      5 * time.Second,
		request:     5 * time.Second,
		response:    10 * time.Second,
		idle:        30 * time.Second,
		shutdown:    3 * time.Second,
		headerBytes: 16 << 10,
		connections: 128,
		perSource:   32,
	}
}

// Serve answers on the listener, which it closes, until ctx ends, and then lets
// requests finish for three seconds at most. It returns nil when ctx has ended
// and an error when the listener fails before. No goroutine outlives it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	connections := connections{perSource: s.limits.perSource}
	server := &http.Server{
		Handler:                      s.Handler(),
		ReadHeaderTimeout:            s.limits.header,
		ReadTimeout:                  s.limits.request,
		WriteTimeout:                 s.limits.response,
		IdleTimeout:                  s.limits.idle,
		MaxHeaderBytes:               s.limits.headerBytes,
		DisableGeneralOptionsHandler: true,
		ConnState:                    connections.changed,
		ErrorLog:                     log.New(s.options.ErrorLog, "", 0),
	}
	var failure error
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		failure = server.Serve(netutil.LimitListener(listener, s.limits.connections))
	}()

	select {
	case <-stopped:
		_ = server.Close()
		connections.wait()
		return fmt.Errorf("serving HTTP on %s: %w", listener.Addr(), failure)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.shutdown)
	defer cancel()
	if server.Shutdown(grace) != nil {
		// Some client is slow; it is cut off.
		_ = server.Close()
	}
	<-stopped
	connections.wait()
	return nil
}

// connections counts those that are open, in all and by source.
type connections struct {
	perSource int
	open      sync.WaitGroup
	mu        sync.Mutex
	bySource  map[string]int
}

// changed is called by net/http whenever a connection changes its state, before
// it does anything with a new one and after its last use of a closed one.
func (c *connections) changed(connection net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
		if c.add(source(connection), 1) > c.perSource {
			_ = connection.Close()
		}
	case http.StateClosed:
		c.add(source(connection), -1)
		c.open.Done()
	}
}

// add changes the number of a source's connections and returns it.
func (c *connections) add(source string, change int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySource == nil {
		c.bySource = make(map[string]int)
	}
	c.bySource[source] += change
	count := c.bySource[source]
	if count == 0 {
		delete(c.bySource, source)
	}
	return count
}

// wait returns when no connection is open. It is to be called when none is
// accepted any more.
func (c *connections) wait() { c.open.Wait() }

func source(connection net.Conn) string {
	address := connection.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
