package checks

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Pod is the world that is observed. Nothing in this module reads an
// environment variable, a fixed path or the clock but through it, so a test
// or the sandbox hands in another one.
//
// The zero Pod has the paths that every container has, an empty environment
// and the real clock.
type Pod struct {
	// Environment is the process environment by name.
	Environment map[string]string
	// Hostname is what the kernel says; kubelet sets it to the pod's name,
	// cut to 63 characters, unless the pod is on the host's network.
	Hostname string
	// ServiceAccountDir holds token, ca.crt and namespace. Default
	// /var/run/secrets/kubernetes.io/serviceaccount, which InClusterConfig
	// fixes (client-go rest/config.go).
	ServiceAccountDir string
	// ResolvConf is the resolver configuration. Default /etc/resolv.conf.
	ResolvConf string
	// Hosts is the hosts file. Default /etc/hosts.
	Hosts string
	// MountInfo is the table of mounts, see proc_pid_mountinfo(5). Default
	// /proc/self/mountinfo.
	MountInfo string
	// Routes is the kernel's table of IPv4 routes, see proc_net(5). Default
	// /proc/net/route.
	Routes string
	// Neighbours is the kernel's table of hardware addresses, see proc_net(5).
	// Default /proc/net/arp.
	Neighbours string
	// ControlGroups is where the process' control groups are mounted, see
	// cgroups(7). Default /sys/fs/cgroup.
	ControlGroups string
	// DNSPort is the port that nameservers are asked on, since resolv.conf
	// cannot name one. Default 53.
	DNSPort uint16
	// Now tells the time. Default time.Now.
	Now func() time.Time
}

// ThisPod is the pod that the process runs in.
func ThisPod() Pod {
	environment := make(map[string]string)
	for _, entry := range os.Environ() {
		if name, value, ok := strings.Cut(entry, "="); ok {
			environment[name] = value
		}
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = environment["HOSTNAME"]
	}
	return Pod{Environment: environment, Hostname: hostname}.WithDefaults()
}

// WithDefaults returns the pod with every empty field at its default.
func (p Pod) WithDefaults() Pod {
	p.ServiceAccountDir = cmp.Or(p.ServiceAccountDir, "/var/run/secrets/kubernetes.io/serviceaccount")
	p.ResolvConf = cmp.Or(p.ResolvConf, "/etc/resolv.conf")
	p.Hosts = cmp.Or(p.Hosts, "/etc/hosts")
	p.MountInfo = cmp.Or(p.MountInfo, "/proc/self/mountinfo")
	p.Routes = cmp.Or(p.Routes, "/proc/net/route")
	p.Neighbours = cmp.Or(p.Neighbours, "/proc/net/arp")
	p.ControlGroups = cmp.Or(p.ControlGroups, "/sys/fs/cgroup")
	p.DNSPort = cmp.Or(p.DNSPort, 53)
	if p.Now == nil {
		p.Now = time.Now
	}
	return p
}

// TokenFile is the path of the service-account token.
func (p Pod) TokenFile() string { return filepath.Join(p.ServiceAccountDir, "token") }

// CAFile is the path of the bundle that proves the API server.
func (p Pod) CAFile() string { return filepath.Join(p.ServiceAccountDir, "ca.crt") }

// NamespaceFile is the path of the file that names the pod's namespace.
func (p Pod) NamespaceFile() string { return filepath.Join(p.ServiceAccountDir, "namespace") }
