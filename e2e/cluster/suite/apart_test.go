//go:build linux

package suite_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// leavesNoTrace fails the test where, at its end, there is something on this
// machine that was not there before, or where a packet of the cluster has been
// seen on one of the machine's interfaces.
func leavesNoTrace(t *testing.T) {
	t.Helper()
	before := traces(t)
	strays := watchForStrays(t)
	t.Cleanup(func() {
		if stray := strays(); len(stray) > 0 {
			t.Errorf("packets of the cluster were seen outside of it: %v", stray)
		}
		for kind, found := range traces(t) {
			for _, trace := range found {
				if !slices.Contains(before[kind], trace) {
					t.Errorf("the cluster left %s behind, one of the %s", trace, kind)
				}
			}
		}
		// One that was moved into the cluster's namespace would be missing.
		if diff := cmp.Diff(before["interfaces"], traces(t)["interfaces"]); diff != "" {
			t.Errorf("this machine's interfaces (-before +after):\n%s", diff)
		}
	})
}

// traces are what a cluster could leave on this machine.
func traces(t *testing.T) map[string][]string {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{"interfaces": {}}
	for _, device := range interfaces {
		found["interfaces"] = append(found["interfaces"], device.Name)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	found["mounts"] = strings.Split(string(mounts), "\n")
	for _, file := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"} {
		value, err := os.ReadFile(filepath.Join("/proc/sys", file))
		if err != nil {
			t.Fatal(err)
		}
		found["kernel settings"] = append(found["kernel settings"], file+" = "+string(value))
	}
	found["processes"] = componentProcesses(t)
	for _, pattern := range []string{
		"/sys/fs/cgroup/lifeline-*", "/sys/fs/cgroup/*/lifeline-*", filepath.Join(os.TempDir(), "lifeline-cluster-*"),
		"/etc/cni", "/opt/cni", "/opt/containerd", "/usr/libexec/kubernetes", "/var/lib/kubelet", "/run/containerd", "/run/netns/*",
	} {
		if found[pattern], err = filepath.Glob(pattern); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// componentProcesses are the running programs that came from the folder in
// which those of a cluster are kept, and the pods' own.
func componentProcesses(t *testing.T) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, link := range links {
		program, err := os.Readlink(link)
		if err == nil && (strings.HasPrefix(program, filepath.Join(cache, "lifeline", "cluster")) || program == "/lifeline" || program == "/pause") {
			found = append(found, link+" -> "+program)
		}
	}
	return found
}

// watchForStrays looks at every packet on every interface of this machine until
// the returned function is called, which tells those whose source or destination
// is an address that only a cluster has.
func watchForStrays(t *testing.T) func() []string {
	t.Helper()
	const everyProtocol = 0x0300 // ETH_P_ALL in network order
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, everyProtocol)
	if err != nil {
		t.Fatalf("open a socket that sees every packet: %v", err)
	}
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000}); err != nil {
		t.Fatal(err)
	}
	var seen []string
	var watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		packet := make([]byte, 64)
		for {
			select {
			case <-ended:
				return
			default:
			}
			n, _, err := unix.Recvfrom(socket, packet, 0)
			if err != nil {
				continue
			}
			if stray := clusterAddress(packet[:n]); stray != "" && len(seen) < 10 {
				seen = append(seen, stray)
			}
		}
	})
	return sync.OnceValue(func() []string {
		// A packet may be on its way to the socket still.
		time.Sleep(300 * time.Millisecond)
		close(ended)
		watching.Wait()
		_ = unix.Close(socket)
		return seen
	})
}

// clusterAddress tells source and destination of an IPv4 packet of which one is
// of a cluster; it is empty for any other packet.
func clusterAddress(packet []byte) string {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return ""
	}
	source, destination := netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20]))
	for _, prefix := range []string{"10.96.0.0/16", "10.244.0.0/24", "172.30.0.0/24"} {
		if ranges := netip.MustParsePrefix(prefix); ranges.Contains(source) || ranges.Contains(destination) {
			return source.String() + " to " + destination.String()
		}
	}
	return ""
}

func TestAPacketOfTheClusterIsTold(t *testing.T) {
	packet := func(source, destination string) []byte {
		header := make([]byte, 20)
		header[0] = 0x45
		copy(header[12:], netip.MustParseAddr(source).AsSlice())
		copy(header[16:], netip.MustParseAddr(destination).AsSlice())
		return header
	}
	for _, test := range []struct {
		name   string
		packet []byte
		want   string
	}{
		{"from a pod", packet("10.244.0.7", "127.0.0.1"), "10.244.0.7 to 127.0.0.1"},
		{"to a service", packet("127.0.0.1", "10.96.0.1"), "127.0.0.1 to 10.96.0.1"},
		{"of the machine alone", packet("127.0.0.1", "127.0.0.2"), ""},
		{"cut short", packet("10.244.0.7", "127.0.0.1")[:19], ""},
		{"IPv6", append([]byte{0x60}, make([]byte, 39)...), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := clusterAddress(test.packet); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
