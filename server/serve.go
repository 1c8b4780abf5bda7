package server

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
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
	// connections is how many are held in all, perSource of one address.
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
	connections := connections{limits: s.limits}
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
		failure = server.Serve(listener)
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

// connections knows those that are open, so that there are never more than the
// limits say. A new one past a limit takes the place of the one that has waited
// longest with no request, of the same source where that has too many; where
// all are being answered the new one is closed. So clients that hold on to
// connections, or dawdle over a request, keep nobody out.
type connections struct {
	limits limits
	open   sync.WaitGroup

	mu       sync.Mutex
	held     int
	bySource map[string]int
	// waiting are the connections of which no whole request head has come
	// since the last answer, the longest waiting first.
	waiting []net.Conn
}

// changed is called by net/http whenever a connection changes its state, before
// it does anything with a new one and after its last use of a closed one.
func (c *connections) changed(connection net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(other net.Conn) bool { return other == connection })
	switch state {
	case http.StateNew:
		c.open.Add(1)
		c.count(connection, 1)
		c.makeRoom(connection)
		c.waiting = append(c.waiting, connection)
	case http.StateIdle:
		c.waiting = append(c.waiting, connection)
	case http.StateClosed:
		c.count(connection, -1)
		c.open.Done()
	}
}

func (c *connections) count(connection net.Conn, change int) {
	if c.bySource == nil {
		c.bySource = make(map[string]int)
	}
	c.held += change
	c.bySource[source(connection)] += change
	if c.bySource[source(connection)] == 0 {
		delete(c.bySource, source(connection))
	}
}

func (c *connections) makeRoom(added net.Conn) {
	crowded := c.bySource[source(added)] > c.limits.perSource
	if !crowded && c.held <= c.limits.connections {
		return
	}
	gone := added
	for _, connection := range c.waiting {
		if !crowded || source(connection) == source(added) {
			gone = connection
			break
		}
	}
	_ = gone.Close()
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
