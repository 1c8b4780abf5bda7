// Command carry is a proxy that opens a tunnel to wherever it is asked by CONNECT,
// RFC 9110 section 9.3.6, as Squid does where nothing forbids it. Its argument is the
// address to listen on.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s ADDRESS\n", os.Args[0])
		os.Exit(2)
	}
	server := http.Server{Addr: os.Args[1], Handler: http.HandlerFunc(carry), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

func carry(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "This is for CONNECT alone.", http.StatusMethodNotAllowed)
		return
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	server, err := dialer.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	relay(client, server)
}

// relay copies both ways until one ends.
func relay(client, server net.Conn) {
	var running sync.WaitGroup
	for _, way := range []struct{ to, from net.Conn }{{server, client}, {client, server}} {
		running.Go(func() {
			_, _ = io.Copy(way.to, way.from)
			_ = way.to.Close()
			_ = way.from.Close()
		})
	}
	running.Wait()
}
