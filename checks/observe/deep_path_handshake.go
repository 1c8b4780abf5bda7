package observe

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// sizeMayMatter tells a handshake that failed as it does where segments of some
// size, or a ClientHello of two, do not get through.
func sizeMayMatter(met checks.Exchange) bool {
	if met.Stage != checks.StageTLS || met.Failure == nil {
		return false
	}
	return slices.Contains([]checks.FailureKind{checks.TimedOut, checks.Reset, checks.Closed}, met.Failure.Kind)
}

// handshakes tries handshakes of several sizes at once.
func (r *round) handshakes(ctx context.Context, target target, path *checks.DeepPathFacts) {
	tries := []func(){
		func() { path.SmallHello = r.handshake(ctx, r.dial, target, hello(target.host, smallGroups), whole) },
		func() { path.FullHello = r.handshake(ctx, r.dial, target, hello(target.host, nil), whole) },
	}
	if r.clamped != nil {
		tries = append(tries, func() { path.Clamped = r.handshake(ctx, r.clamped, target, hello(target.host, nil), inPieces) })
	}
	together(tries...)
}

// smallGroups are without X25519MLKEM768, whose key share of 1184 bytes makes
// Go's ClientHello one of two segments. P-256 takes two bytes, its share being
// sent only to a server that asks for it, and lets a server in that has no other.
var smallGroups = []tls.CurveID{tls.X25519, tls.CurveP256}

// hello is the configuration of a handshake with whoever the server is. Without
// groups its ClientHello is the pulse's own.
func hello(host string, groups []tls.CurveID) *tls.Config {
	return &tls.Config{
		ServerName:       host,
		CurvePreferences: groups,
		MinVersion:       tls.VersionTLS12,
		//nolint:gosec // nothing is said over the connection: whether its handshake gets through is all that it is for
		InsecureSkipVerify: true,
	}
}

// whole writes as it comes.
func whole(conn net.Conn) net.Conn { return conn }

// inPieces writes what fits into one clamped segment at a time. A kernel hands what it is
// given at once to the device at once too, for that to cut it, and a filter on the way may
// see one large packet where small ones are to be tried.
func inPieces(conn net.Conn) net.Conn { return pieces{conn} }

// pieces leave room for the options of TCP, 40 bytes at the most.
type pieces struct{ net.Conn }

func (p pieces) Write(content []byte) (written int, err error) {
	for piece := range slices.Chunk(content, checks.ClampedSegment-40) {
		n, err := p.Conn.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// handshake makes one handshake, written in a way, and closes the connection without
// another byte.
func (r *round) handshake(ctx context.Context, dial dial, target target, config *tls.Config, written func(net.Conn) net.Conn) *checks.Handshake {
	start := time.Now()
	told := &checks.Handshake{}
	deadline := start.Add(r.step())
	dialing, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := dial(dialing, tcp, netip.AddrPortFrom(target.addresses[0], target.port).String())
	if err == nil {
		defer conn.Close()
		told.Connected = true
		err = shakeHands(ctx, written(conn), deadline, config)
		told.TCP = tcpFacts(conn)
	}
	told.Done = err == nil
	told.Failure = failure(err)
	told.Seconds = time.Since(start).Seconds()
	return told
}

// shakeHands leaves the connection open whatever comes of it, so that the kernel
// can still be asked about it; HandshakeContext would close it when ctx ends.
func shakeHands(ctx context.Context, conn net.Conn, deadline time.Time, config *tls.Config) error {
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return tls.Client(conn, config).HandshakeContext(context.WithoutCancel(ctx))
}

// handshakeByName is one with whoever shows a certificate for ServiceName at the target,
// and has to prove it by ca.crt.
func (r *round) handshakeByName(ctx context.Context, target target) *checks.TLSFacts {
	if target.host == checks.ServiceName {
		return nil
	}
	dialer := &dialer{dial: r.dial, target: target, deadline: time.Now().Add(r.step())}
	defer dialer.close()
	conn, err := dialer.connect(ctx)
	if err != nil {
		return nil
	}
	secured := tls.Client(conn, r.trust(checks.ServiceName))
	met := seen{tlsStart: time.Now()}
	met.tlsErr = secured.HandshakeContext(ctx)
	met.tlsDone = time.Now()
	if met.tlsErr == nil {
		met.state = secured.ConnectionState()
	}
	recorder := &recorder{round: r, serverName: checks.ServiceName}
	return recorder.handshake(met, between(met.tlsStart, met.tlsDone))
}
