package observe

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kube-lifeline/lifeline/checks"
)

// TestOfASilentServerTheKernelTellsThatItHasAll looks at a hello that arrives
// and is not answered.
func TestOfASilentServerTheKernelTellsThatItHasAll(t *testing.T) {
	silent := listen(t, func(_ int, conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	r, facts := deepPod(t, newIssuer(t), silent, handshakeMet(checks.TimedOut))
	path, target := &checks.DeepPathFacts{}, first(r.deepTarget(facts))
	r.handshakes(t.Context(), target, path)
	for name, test := range map[string]struct {
		got         *checks.Handshake
		least, most uint64
	}{"small": {path.SmallHello, 200, 536}, "full": {path.FullHello, 1461, 2000}, "clamped": {path.Clamped, 1461, 2000}} {
		told := test.got.TCP
		if told == nil {
			t.Fatalf("%s: the kernel told nothing of %+v", name, test.got)
		}
		if told.Unacked != 0 || told.Retransmits != 0 || told.BytesReceived != 0 {
			t.Errorf("%s: got %+v, want all acknowledged and nothing received", name, told)
		}
		if told.BytesAcked < test.least || told.BytesAcked > test.most {
			t.Errorf("%s: got %d bytes acknowledged, want %d to %d", name, told.BytesAcked, test.least, test.most)
		}
		if told.RTTSeconds <= 0 || told.RTTSeconds > 0.5 {
			t.Errorf("%s: got a round trip of %g s", name, told.RTTSeconds)
		}
		if small := told.SegmentSize <= checks.ClampedSegment; told.SegmentSize == 0 || small != (name == "clamped") {
			t.Errorf("%s: got segments of %d bytes", name, told.SegmentSize)
		}
	}
}

// TestTheKernelTellsOfEachConnection looks at connections that end well and that
// do not.
func TestTheKernelTellsOfEachConnection(t *testing.T) {
	authority := newIssuer(t)
	silent := listen(t, func(_ int, conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	for name, test := range map[string]struct {
		server netip.AddrPort
		told   bool
		failed bool
	}{
		"answered":       {startAPI(t, versions, authority.issue(t, "cp-0", later)).address, true, false},
		"not trusted":    {startAPI(t, versions, newIssuer(t).issue(t, "cp-0", later)).address, true, true},
		"no handshake":   {silent, true, true},
		"not connecting": {closedPort(t), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := deepPod(t, authority, test.server, responseMet(200))
			target, _ := r.deepTarget(facts)
			fresh, exchange := r.fresh(t.Context(), target)
			if (fresh.Failure != nil) != test.failed {
				t.Fatalf("got the failure %+v", fresh.Failure)
			}
			if fresh.TCP != exchange.TCP || (fresh.TCP != nil) != test.told {
				t.Fatalf("got %+v of the connection and %+v of the exchange, want something: %t", fresh.TCP, exchange.TCP, test.told)
			}
			if test.told && (fresh.TCP.BytesAcked < 1000 || fresh.TCP.TotalRetransmits > 0) {
				t.Errorf("got %+v, want that the hello was acknowledged and nothing sent again", fresh.TCP)
			}
		})
	}
}

// TestTheClampPassesWhatSwallowsLargeSegments has a server that is silent where
// either side may send more than the 576 bytes that every path of IPv4 takes (RFC 791).
func TestTheClampPassesWhatSwallowsLargeSegments(t *testing.T) {
	authority := newIssuer(t)
	server := helloServer(t, authority.issue(t, "cp-0", later), func(_ int, conn *net.TCPConn) bool {
		told := tcpFacts(conn)
		return told != nil && told.SegmentSize > 0 && told.SegmentSize <= 576-40
	}, make(chan string, 3*freshConnections))
	r, facts := deepPod(t, authority, server, handshakeMet(checks.TimedOut))
	path, target := &checks.DeepPathFacts{}, first(r.deepTarget(facts))
	r.handshakes(t.Context(), target, path)
	if path.FullHello.Done || !path.Clamped.Done {
		t.Errorf("got the full hello %+v and the clamped %+v, want the clamped done alone", path.FullHello, path.Clamped)
	}
}

// TestWhatIsClampedIsWrittenInPieces looks at the reads of the server, each of what has come
// by then, which is all of it where it was written at once.
func TestWhatIsClampedIsWrittenInPieces(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	go func() {
		defer server.Close()
		for range 2 {
			_, _ = inPieces(server).Write(make([]byte, 500))
		}
	}()
	largest, all := 0, 0
	buffer := make([]byte, 4096)
	for {
		n, err := client.Read(buffer)
		if largest, all = max(largest, n), all+n; err != nil {
			break
		}
	}
	if largest >= checks.ClampedSegment || all != 1000 {
		t.Errorf("got %d bytes, up to %d at once; want 1000 and less than %d", all, largest, checks.ClampedSegment)
	}
}

// fullListener has its backlog taken, so that the kernel passes over further
// connections in silence.
func fullListener(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	raw, err := listener.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(descriptor uintptr) { err = unix.Listen(int(descriptor), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		conn, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second)
		if err != nil {
			return netip.MustParseAddrPort(listener.Addr().String())
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the backlog takes every connection")
	return netip.AddrPort{}
}

func TestSilenceOnConnectingIsToldInTime(t *testing.T) {
	full := fullListener(t)
	r, facts := deepPod(t, newIssuer(t), full, handshakeMet(checks.TimedOut))
	r.timeout = time.Second
	controls := []checks.Control{{Address: full}, {Address: full}}
	var path *checks.DeepPathFacts
	var running sync.WaitGroup
	running.Go(func() { within(t, r.step()+slack, func() { r.tryControls(t.Context(), controls) }) })
	within(t, enoughUnconnected*r.step()+slack, func() { path = r.deepPath(t.Context(), facts, true) })
	running.Wait()
	if got, want := len(path.Fresh), enoughUnconnected; got != want {
		t.Errorf("got %d fresh connections, want %d", got, want)
	}
	failures := []*checks.Failure{path.SmallHello.Failure, path.Fresh[0].Failure, controls[0].Failure, controls[1].Failure}
	for _, failed := range failures {
		if failed == nil || failed.Kind != checks.TimedOut {
			t.Errorf("got %+v, want that it timed out", failed)
		}
	}
	if path.SmallHello.Connected || path.SmallHello.TCP != nil {
		t.Errorf("got %+v, want no connection", path.SmallHello)
	}
}
