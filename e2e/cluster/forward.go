//go:build linux

package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Forward listens on 127.0.0.1, at the port or at any free one for 0, and hands
// every connection on to an address within an own cluster, until the context
// ends. It returns the port, and a function that waits until all is closed.
func (c *Cluster) Forward(ctx context.Context, port int, to string) (listens int, wait func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0, nil, fmt.Errorf("forward to %s: %w", to, err)
	}
	var connections sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	connections.Go(func() {
		defer stop()
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { c.hand(ctx, connection, to) })
		}
	})
	return listener.Addr().(*net.TCPAddr).Port, connections.Wait, nil
}

func (c *Cluster) hand(ctx context.Context, near net.Conn, to string) {
	defer near.Close()
	dialling, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	far, err := c.namespaces.dial(dialling, "tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })
	defer stop()
	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		copying.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].(*net.TCPConn).CloseWrite()
		})
	}
	copying.Wait()
}

// Kubeconfig is that of an administrator who reaches the API server of an own
// cluster at a port of 127.0.0.1.
func (c *Cluster) Kubeconfig(port int) ([]byte, error) {
	content, err := os.ReadFile(c.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	return []byte(strings.ReplaceAll(string(content), server, fmt.Sprintf("https://127.0.0.1:%d", port))), nil
}
