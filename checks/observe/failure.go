package observe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/kube-lifeline/lifeline/checks"
)

// failure sorts an error by what it means. It returns nil for no error.
func failure(err error) *checks.Failure {
	if err == nil {
		return nil
	}
	return &checks.Failure{Kind: failureKind(err), Message: clip(err.Error(), maxMessage)}
}

func failureKind(err error) checks.FailureKind {
	var (
		untrusted *tls.CertificateVerificationError
		invalid   x509.CertificateInvalidError
		timeout   net.Error
		record    tls.RecordHeaderError
	)
	if errors.Is(err, errInvalidReply) {
		return checks.Invalid
	}
	if kind := errnoKind(err); kind != "" {
		return kind
	}
	switch {
	case errors.As(err, &untrusted), errors.As(err, &invalid):
		return checks.Untrusted
	case errors.As(err, &record) && bytes.HasPrefix(record.RecordHeader[:], []byte("HTTP/")):
		return checks.Plaintext
	case errors.As(err, &record):
		return checks.Invalid
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return checks.TimedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return checks.Closed
	default:
		return checks.OtherFailure
	}
}

func errnoKind(err error) checks.FailureKind {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return ""
	}
	switch number {
	case syscall.ECONNREFUSED:
		return checks.Refused
	case syscall.ECONNRESET, syscall.EPIPE:
		return checks.Reset
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENOPROTOOPT:
		// The two last are other messages by which a host turns a packet away (icmp(7)).
		return checks.HostUnreachable
	case syscall.ENETUNREACH, syscall.EAFNOSUPPORT:
		return checks.NetworkUnreachable
	case syscall.EADDRNOTAVAIL:
		// A pod without an address of the family, or one that has used up its ports.
		if isToIPv6(err) {
			return checks.NetworkUnreachable
		}
		return ""
	case syscall.EPERM, syscall.EACCES:
		return checks.NotPermitted
	case syscall.EMFILE, syscall.ENFILE:
		return checks.OutOfFiles
	case syscall.ETIMEDOUT:
		return checks.TimedOut
	default:
		return ""
	}
}

func isToIPv6(err error) bool {
	var operation *net.OpError
	if !errors.As(err, &operation) || operation.Addr == nil {
		return false
	}
	address, parseErr := netip.ParseAddrPort(operation.Addr.String())
	return parseErr == nil && address.Addr().Unmap().Is6()
}
