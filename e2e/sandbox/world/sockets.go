package world

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

const (
	// The ports that the world listens on lie below those that systems give
	// to clients, so that none takes a port while a fault has it closed.
	firstPort, ports = 20000, 10000
	// bindPatience is how long a port is tried for that was closed before.
	bindPatience = 2 * time.Second
)

// sockets are open sockets of one port by what tells them apart.
type sockets[K comparable] map[K]io.Closer

// match closes the sockets that are not wanted and opens those that are not
// open yet.
func (s sockets[K]) match(wanted []K, open func(K) (io.Closer, error)) error {
	keep := make(map[K]bool)
	for _, key := range wanted {
		keep[key] = true
	}
	var failures []error
	for key, socket := range s {
		if !keep[key] {
			failures = append(failures, socket.Close())
			delete(s, key)
		}
	}
	for key := range keep {
		if _, ok := s[key]; ok {
			continue
		}
		socket, err := open(key)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		s[key] = socket
	}
	return errors.Join(failures...)
}

// onSomePort tries ports at random until one can be used.
func onSomePort(try func(port uint16) error) error {
	var err error
	for range 32 {
		if err = try(uint16(firstPort + rand.IntN(ports))); err == nil {
			return nil
		}
	}
	return fmt.Errorf("finding a free port on loopback: %w", err)
}

// patiently tries again for a while what is in the way of a socket for a
// moment, unless done is closed.
func patiently[T any](done <-chan struct{}, open func() (T, error)) (T, error) {
	start := time.Now()
	for {
		opened, err := open()
		if err == nil || time.Since(start) > bindPatience || !pause(done, 20*time.Millisecond) {
			return opened, err
		}
	}
}
