package observe

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kube-lifeline/lifeline/checks"
)

// segmentClamp is a [net.Dialer.Control] that has both sides of a connection
// keep to small segments: Linux also announces to the other side what is set
// before it connects (tcp(7), TCP_MAXSEG). It is nil where that is not known.
func segmentClamp() func(network, address string, conn syscall.RawConn) error {
	return func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(descriptor uintptr) {
			failed = unix.SetsockoptInt(int(descriptor), unix.IPPROTO_TCP, unix.TCP_MAXSEG, checks.ClampedSegment)
		})
		if err != nil {
			return err
		}
		return failed
	}
}

// tcpFacts asks the kernel about a connection; nil where it does not tell.
func tcpFacts(conn net.Conn) *checks.TCPFacts {
	const microsecond = 1e-6
	open, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := open.SyscallConn()
	if err != nil {
		return nil
	}
	var info *unix.TCPInfo
	err = raw.Control(func(descriptor uintptr) {
		info, _ = unix.GetsockoptTCPInfo(int(descriptor), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil || info == nil {
		return nil
	}
	return &checks.TCPFacts{
		Unacked:          info.Unacked,
		Retransmits:      uint32(info.Retransmits),
		TotalRetransmits: info.Total_retrans,
		BytesAcked:       info.Bytes_acked,
		BytesReceived:    info.Bytes_received,
		RTTSeconds:       float64(info.Rtt) * microsecond,
		SegmentSize:      info.Snd_mss,
	}
}
