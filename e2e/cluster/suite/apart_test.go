//go:build linux

package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
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

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// leavesNoTrace fails the test where, at its end, there is something on this
// machine that the cluster left, or where a packet of a cluster was seen on one
// of the machine's interfaces. What is left is asked for only then, when the
// cluster's name is known. It returns a function that fails the test where this machine is not as it was.
func leavesNoTrace(t *testing.T, left func() []string) (unchanged func()) {
	t.Helper()
	before := settings(t)
	strays := watchForStrays(t)
	unchanged = func() {
		t.Helper()
		if diff := cmp.Diff(before, settings(t)); diff != "" {
			t.Errorf("the cluster changed this machine (-before +after):\n%s", diff)
		}
	}
	t.Cleanup(func() {
		if stray := strays(); len(stray) > 0 {
			t.Errorf("packets of the cluster were seen outside of it: %v", stray)
		}
		unchanged()
		if left := left(); len(left) > 0 {
			t.Errorf("the cluster left behind:\n%s", strings.Join(left, "\n"))
		}
	})
	return unchanged
}

// settings are what is the machine's own, which a cluster must leave as it is.
func settings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	// An interface that was moved into the cluster's namespace would be missing.
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range interfaces {
		found["interface "+device.Name] = device.Flags.String()
	}
	for _, file := range []string{
		// Those of the thread, and not of the process, since its first thread may be
		// one of those that have entered the cluster's namespaces.
		"/proc/thread-self/mountinfo", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops", "/proc/sys/net/ipv4/ip_forward",
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[file] = string(content)
	}
	for _, folder := range []string{"/etc/cni", "/opt/cni", "/opt/containerd", "/usr/libexec/kubernetes", "/var/lib/kubelet", "/run/containerd", "/run/netns"} {
		_, err := os.Stat(folder)
		found[folder] = fmt.Sprintf("is there: %t", err == nil)
	}
	return found
}

// traces are the folder and the cgroups of the cluster, or of the node of it that is
// named, and its processes, which have the folder in their environment.
func traces(t *testing.T, c *cluster.Cluster, node ...string) []string {
	t.Helper()
	name := filepath.Join(append([]string{c.Name()}, node...)...)
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/" + name, "/sys/fs/cgroup/*/" + name, filepath.Join(filepath.Dir(c.Folder()), name)} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range environments {
		// One that cannot be read is of a process that has just ended.
		if content, err := os.ReadFile(file); err == nil && strings.Contains(string(content), name) {
			found = append(found, file)
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
	if !isOfCluster(source) && (!isOfCluster(destination) || isUnreachable(packet)) {
		return ""
	}
	return source.String() + " to " + destination.String()
}

func isOfCluster(address netip.Addr) bool {
	return slices.ContainsFunc([]string{"10.96.0.0/16", cluster.PodRange, "172.30.0.0/24"}, func(prefix string) bool {
		return netip.MustParsePrefix(prefix).Contains(address)
	})
}

// isUnreachable tells an ICMP message (RFC 792, type 3). Linux (seen with 6.18) sends one
// from the machine's first network where a route of another is deleted while packets wait
// on it for ARP, as at the end of a pod: the route is one of blackhole_netdev from then on,
// which belongs to the first network. Where a packet that did leave the cluster is answered
// so, that one comes before and is told.
func isUnreachable(packet []byte) bool {
	const protocol, kind = 1, 3
	header := int(packet[0]&0xf) * 4
	return packet[9] == protocol && len(packet) > header && packet[header] == kind
}

func TestAPacketOfTheClusterIsTold(t *testing.T) {
	packet := func(source, destination string) []byte {
		header := make([]byte, 20)
		header[0] = 0x45
		copy(header[12:], netip.MustParseAddr(source).AsSlice())
		copy(header[16:], netip.MustParseAddr(destination).AsSlice())
		return header
	}
	icmp := func(source, destination string, kind byte) []byte {
		message := append(packet(source, destination), kind, 1, 0, 0, 0, 0, 0, 0)
		message[9] = 1
		return message
	}
	for _, test := range []struct {
		name   string
		packet []byte
		want   string
	}{
		{"from a pod", packet("10.244.0.7", "127.0.0.1"), "10.244.0.7 to 127.0.0.1"},
		{"to a service", packet("127.0.0.1", "10.96.0.1"), "127.0.0.1 to 10.96.0.1"},
		{"of the machine alone", packet("127.0.0.1", "127.0.0.2"), ""},
		{"to a pod, of a kernel that finds no way", icmp("127.0.0.1", "10.244.0.7", 3), ""},
		{"to a pod, an echo", icmp("127.0.0.1", "10.244.0.7", 8), "127.0.0.1 to 10.244.0.7"},
		{"from a pod that finds no way", icmp("10.244.0.7", "127.0.0.1", 3), "10.244.0.7 to 127.0.0.1"},
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

// noWayOut looks at the cluster's network from within, when all else has been tried.
func noWayOut(ctx context.Context, t *testing.T, s suite) {
	s.needsOwn(t, "look into its network")
	for _, node := range s.Nodes() {
		leadsNowhere(ctx, t, node)
	}
}

// leadsNowhere demands that every device of the node leads to another one of it, to
// a pod or to another node, and that what is sent to addresses outside ends at a
// device that nobody reads.
func leadsNowhere(ctx context.Context, t *testing.T, node *cluster.Node) {
	t.Helper()
	out, err := node.Run(ctx, "ip", "-json", "-details", "-statistics", "link", "show")
	if err != nil {
		t.Fatal(err)
	}
	type counters struct{ Packets, Bytes int }
	var devices []struct {
		Name string `json:"ifname"`
		Kind struct {
			Kind string `json:"info_kind"`
		} `json:"linkinfo"`
		Type     string                    `json:"link_type"`
		Peer     string                    `json:"link"`
		Pod      *int                      `json:"link_netnsid"`
		Counters struct{ RX, TX counters } `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(out), &devices); err != nil {
		t.Fatalf("read what ip says: %v: %s", err, out)
	}
	for _, device := range devices {
		within := device.Type == "loopback" || device.Kind.Kind == "bridge" || device.Kind.Kind == "veth" && (device.Peer != "" || device.Pod != nil)
		if !within {
			t.Errorf("the device %s of %s (%s %s) leads out of the cluster's network", device.Name, node.Name, device.Type, device.Kind.Kind)
		}
		if device.Name == "port1" {
			t.Logf("%d packets (%d bytes) were sent to addresses outside, and went no further", device.Counters.RX.Packets, device.Counters.RX.Bytes)
		}
	}
	if len(devices) < 4 {
		t.Errorf("ip shows %d devices, want the loopback device, the bridge and its cable at the least: %s", len(devices), out)
	}
	routes, err := node.Run(ctx, "ip", "route", "show", "default")
	if err != nil {
		t.Fatal(err)
	}
	if want := "default via 172.30.0.1 dev node0"; strings.TrimSpace(routes) != want {
		t.Errorf("the way out of %s is %q, want %q, which leads nowhere", node.Name, strings.TrimSpace(routes), want)
	}
}
