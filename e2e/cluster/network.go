//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mount gives the namespaces folders of the node in the places where its
// components write.
func (n *Node) mount() error {
	for _, mount := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV},
		{filepath.Join(n.folder, "lib"), "/var/lib", "", unix.MS_BIND},
		{n.logs, "/var/log", "", unix.MS_BIND},
	} {
		if err := unix.Mount(mount.source, mount.target, mount.kind, mount.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", mount.target, err)
		}
	}
	return nil
}

// startNetwork gives the namespaces a /proc of their own processes, which only a
// process in them can mount, and the node an address and, since kubelet wants
// one, a default route. It leads to a neighbour that does not exist, so that a packet to
// nowhere vanishes, as in a real network, rather than failing at once.
func (n *Node) startNetwork(ctx context.Context) error {
	err := n.namespaces.script(ctx, `
		mount -t proc proc /proc
		ip link set lo up
		ip link add node0 type bridge
		ip link add port0 type veth peer name port1
		ip link set port0 master node0
		ip link set port0 up
		ip link set port1 up
		ip link set node0 up
		ip address add `+n.Address+`/24 dev node0
		ip neighbour add `+gateway+` lladdr 02:00:00:00:00:01 dev node0 nud permanent
		ip route add default via `+gateway)
	if err != nil {
		return err
	}
	for _, address := range n.addresses()[1:] {
		if err := n.namespaces.script(ctx, "ip address add "+address+"/24 dev node0"); err != nil {
			return err
		}
	}
	return n.namespaces.within(2, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
			return err
		}
		return n.shieldKernel()
	})
}

// addresses are those of the node itself.
func (n *Node) addresses() []string {
	if n.number == 1 {
		return []string{n.Address, SecondAddress}
	}
	return []string{n.Address}
}

// join lays a cable between two nodes, which goes with either of them. They share no
// bridge: a kernel may have the rules of the node that it is on apply to what passes
// through it from another.
func (n *Node) join(ctx context.Context, other *Node) error {
	if err := n.namespaces.cable(ctx, other.Name, other.namespaces, n.Name); err != nil {
		return err
	}
	return errors.Join(n.leadTo(ctx, other), other.leadTo(ctx, n))
}

// leadTo leads to the other node and its pods by the cable.
func (n *Node) leadTo(ctx context.Context, other *Node) error {
	script := "ip link set " + other.Name + " up\n"
	for _, address := range other.addresses() {
		script += "ip route add " + address + " dev " + other.Name + " src " + n.Address + "\n"
	}
	script += "ip route add " + other.PodRange + " via " + other.Address + " src " + n.Address
	return n.namespaces.script(ctx, script)
}

// shieldKernel shows kubelet the kernel settings that it wants. They have no
// namespace of their own, so it would else change them for the whole machine.
func (n *Node) shieldKernel() error {
	for setting, value := range map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	} {
		shield := filepath.Join(n.folder, strings.ReplaceAll(setting, "/", "."))
		if err := os.WriteFile(shield, []byte(value+"\n"), 0o600); err != nil {
			return err
		}
		if err := unix.Mount(shield, "/proc/sys/"+setting, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("shield the kernel's %s: %w", setting, err)
		}
	}
	return nil
}
