package world

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

const (
	// The ports that the world listens on lie below those that systems give
	// to clients, so that none takes a port while a fault has it closed.
	firstPort, ports = 20000, 10000
	// claimsBelow is how far below a port its claim lies.
	claimsBelow = 10000
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

// onSomePort tries ports at random until one can be used. The claim is to be closed
// when the port is given up: until then no other world takes it, not even while a
// fault has it closed.
func onSomePort(try func(port uint16) error) (claim io.Closer, err error) {
	for range 32 {
		port := uint16(firstPort + rand.IntN(ports))
		if claim, err = net.ListenPacket("udp4", netip.AddrPortFrom(loopback(1), port-claimsBelow).String()); err != nil {
			continue
		}
		if err = try(port); err == nil {
			return claim, nil
		}
		_ = claim.Close()
	}
	return nil, fmt.Errorf("finding a free port on loopback: %w", err)
}

// FreeAddress is an address of loopback that a program is to listen on. Until the
// claim is closed, no world takes it and nobody else is given it.
func FreeAddress() (address string, claim io.Closer, err error) {
	claim, err = onSomePort(func(port uint16) error {
		address = netip.AddrPortFrom(loopback(1), port).String()
		listener, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		return listener.Close()
	})
	return address, claim, err
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
