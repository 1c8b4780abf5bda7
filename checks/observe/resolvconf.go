package observe

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// maxResolvConf is far above the 2048 characters of search list that
	// Kubernetes allows (pkg/apis/core/validation).
	maxResolvConf = 64 << 10
	// maxNameservers is MAXNS of resolv.conf(5); Go and glibc pass over more.
	maxNameservers = 3
	// maxSearch bounds a search list; Kubernetes allows 32.
	maxSearch = 1024
	// maxIgnored bounds what is told of lines without effect.
	maxIgnored = 8
)

// parseResolvConf reads a resolver configuration as Go's resolver does
// (net/dnsconfig_unix.go), which differs from glibc in no option that the
// lookup of the API server meets.
func parseResolvConf(content string) checks.ResolvConf {
	conf := checks.ResolvConf{Ndots: 1, Attempts: 2, TimeoutSeconds: 5, Nameservers: []netip.Addr{}}
	for line := range strings.Lines(content) {
		if strings.HasPrefix(line, ";") || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			addNameserver(&conf, fields[1])
		case "domain":
			conf.Search = searchList(fields[1:2])
		case "search":
			conf.Search = searchList(fields[1:])
		case "options":
			for _, option := range fields[1:] {
				setOption(&conf, option)
			}
		}
	}
	return conf
}

func addNameserver(conf *checks.ResolvConf, text string) {
	address, err := netip.ParseAddr(text)
	if err == nil && len(conf.Nameservers) < maxNameservers {
		conf.Nameservers = append(conf.Nameservers, address)
		return
	}
	if len(conf.Ignored) < maxIgnored {
		conf.Ignored = append(conf.Ignored, clip(text, maxNameLength))
	}
}

func searchList(domains []string) []string {
	var list []string
	for _, domain := range domains[:min(len(domains), maxSearch)] {
		if rooted := root(clip(domain, maxNameLength)); rooted != "." {
			list = append(list, rooted)
		}
	}
	return list
}

func setOption(conf *checks.ResolvConf, option string) {
	name, text, _ := strings.Cut(option, ":")
	number, err := strconv.Atoi(text)
	number = max(number, 0)
	switch name {
	case "ndots":
		if err == nil {
			conf.Ndots = min(number, 15)
		}
	case "timeout":
		if err == nil {
			conf.TimeoutSeconds = max(min(number, 300), 1)
		}
	case "attempts":
		if err == nil {
			conf.Attempts = max(min(number, 10), 1)
		}
	case "rotate":
		conf.Rotate = true
	case "use-vc", "usevc", "tcp":
		conf.UseTCP = true
	}
}

// candidates are the names that are asked for in order: with fewer dots than
// ndots the search list comes before the name as it stands.
func candidates(name string, conf checks.ResolvConf) []string {
	if strings.HasSuffix(name, ".") {
		return []string{name}
	}
	names := make([]string, 0, len(conf.Search)+1)
	asGiven := strings.Count(name, ".") >= conf.Ndots
	if asGiven {
		names = append(names, root(name))
	}
	for _, domain := range conf.Search {
		if candidate := name + "." + domain; len(candidate) <= 254 {
			names = append(names, candidate)
		}
	}
	if !asGiven {
		names = append(names, root(name))
	}
	return names
}

func root(name string) string {
	if strings.HasSuffix(name, ".") {
		return name
	}
	return name + "."
}

// hostsAddresses are the addresses that a hosts(5) file has for a name.
func hostsAddresses(content, name string) []netip.Addr {
	var found []netip.Addr
	readHosts(content, func(address netip.Addr, aliases []string) {
		if slices.ContainsFunc(aliases, func(alias string) bool { return strings.EqualFold(root(alias), root(name)) }) && len(found) < maxAddresses {
			found = append(found, address)
		}
	})
	return found
}

// hostsEntries are what it has for other forms of the API server's name: with the cluster
// domain, or without svc. The shortest is left out, since a node may be called so.
func hostsEntries(content string) []checks.HostsEntry {
	var found []checks.HostsEntry
	shorter, _ := strings.CutSuffix(checks.ServiceName, ".svc")
	readHosts(content, func(address netip.Addr, aliases []string) {
		for _, alias := range aliases {
			name := strings.ToLower(strings.TrimSuffix(alias, "."))
			if (name == shorter || strings.HasPrefix(name, checks.ServiceName+".")) && len(found) < maxAddresses {
				found = append(found, checks.HostsEntry{Name: clip(name, maxNameLength), Address: address})
			}
		}
	})
	return found
}

// readHosts calls for each line of a hosts file.
func readHosts(content string, each func(address netip.Addr, aliases []string)) {
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if address, err := netip.ParseAddr(fields[0]); err == nil {
			each(address.Unmap(), fields[1:])
		}
	}
}
