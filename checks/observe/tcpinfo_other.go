//go:build !linux

package observe

import (
	"net"
	"syscall"

	"github.com/kube-lifeline/lifeline/checks"
)

// segmentClamp is nil: only Linux is known to announce the limit.
func segmentClamp() func(network, address string, conn syscall.RawConn) error { return nil }

// tcpFacts is nil: TCP_INFO is Linux's.
func tcpFacts(net.Conn) *checks.TCPFacts { return nil }
