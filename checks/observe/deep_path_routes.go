package observe

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// Bounds on the kernel's tables: a pod's have a few lines of 128 bytes, a node's a few
// hundred.
const (
	maxRoutes     = 256 << 10
	maxNeighbours = 256 << 10
)

// The flags of a route, linux/route.h.
const (
	routeUp      = 0x1
	routeGateway = 0x2
)

// noInterface stands in the place of one where a route has none (net/ipv4/fib_trie.c).
const noInterface = "*"

// route is one by which packets of IPv4 leave.
type route struct {
	to netip.Prefix
	// router is where they are handed to; the zero Addr where they go to whom they
	// are for.
	router netip.Addr
	metric uint64
	// refuses tells that they go nowhere.
	refuses bool
}

// readRoutes reads a table as in /proc/net/route. Lines that are no routes, or of
// routes that are down, are passed over.
func readRoutes(table string) (routes []route) {
	for line := range strings.Lines(table) {
		// Interface, destination, gateway, flags, references, use, metric, mask.
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		destination, mask, router := routeAddress(fields[1]), routeAddress(fields[7]), routeAddress(fields[2])
		flags, err := strconv.ParseUint(fields[3], 16, 32)
		if err != nil || flags&routeUp == 0 || !destination.IsValid() || !mask.IsValid() {
			continue
		}
		metric, err := strconv.ParseUint(fields[6], 10, 32)
		if err != nil {
			continue
		}
		if flags&routeGateway == 0 {
			router = netip.Addr{}
		} else if !router.IsValid() || router.IsUnspecified() {
			continue
		}
		bytes := mask.As4()
		ones := bits.OnesCount32(binary.BigEndian.Uint32(bytes[:]))
		routes = append(routes, route{to: netip.PrefixFrom(destination, ones).Masked(), router: router, metric: metric, refuses: fields[0] == noInterface})
	}
	return routes
}

// routeTo is the route that a packet to an address takes: the most special one, and of the
// least metric among these; nil where there is none of IPv4.
func routeTo(table string, address netip.Addr) (best *route) {
	for _, route := range readRoutes(table) {
		if !route.to.Contains(address.Unmap()) {
			continue
		}
		if best == nil || route.to.Bits() > best.to.Bits() || route.to.Bits() == best.to.Bits() && route.metric < best.metric {
			best = &route
		}
	}
	return best
}

// gatewayTo is the router that a packet to an address is handed to first. It is the zero
// Addr where the address is on the pod's own network, or where there is no route of IPv4.
func gatewayTo(table string, address netip.Addr) netip.Addr {
	if best := routeTo(table, address); best != nil {
		return best.router
	}
	return netip.Addr{}
}

// ownRoute is what the pod's table has for what an exchange tried to connect to, where
// somebody said that there is no way: be it this pod's own kernel or another.
func (r *round) ownRoute(met checks.Exchange) checks.Route {
	address := met.Address.Addr().Unmap()
	if met.Stage != checks.StageConnect || met.Failure == nil || met.Failure.Kind == checks.TimedOut || met.Failure.Kind == checks.Refused || !address.Is4() {
		return ""
	}
	file, table := readFile(r.pod.Routes, maxRoutes)
	switch best := routeTo(string(table), address); {
	case file.Problem != "":
		return ""
	case best == nil:
		return checks.RouteMissing
	case best.refuses:
		return checks.RouteRefuses
	default:
		return checks.RouteLeads
	}
}

// defaultGateway is the router by which a packet leaves that no other route takes.
func defaultGateway(table string) netip.Addr {
	var (
		gateway netip.Addr
		least   uint64
	)
	for _, route := range readRoutes(table) {
		if route.to.Bits() == 0 && route.router.IsValid() && (!gateway.IsValid() || route.metric < least) {
			gateway, least = route.router, route.metric
		}
	}
	return gateway
}

// silentGateway is the router on the way to what an exchange tried to connect to, where
// there was no connection for want of an answer and the router has none to ARP (RFC
// 826) either. A kernel that is to send it a packet asks for it at once.
func (r *round) silentGateway(met checks.Exchange) netip.Addr {
	if met.Stage != checks.StageConnect || met.Failure == nil || met.Failure.Kind != checks.TimedOut && met.Failure.Kind != checks.HostUnreachable {
		return netip.Addr{}
	}
	_, routes := readFile(r.pod.Routes, maxRoutes)
	gateway := gatewayTo(string(routes), met.Address.Addr())
	_, neighbours := readFile(r.pod.Neighbours, maxNeighbours)
	if !gateway.IsValid() || !isUnresolved(string(neighbours), gateway) {
		return netip.Addr{}
	}
	return gateway
}

// isUnresolved tells that a table as in /proc/net/arp has an address and nowhere its
// hardware address (ATF_COM, linux/if_arp.h).
func isUnresolved(table string, address netip.Addr) bool {
	const complete = 0x2
	found := false
	for line := range strings.Lines(table) {
		// Address, type of hardware, flags, hardware address, mask, interface.
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[0] != address.String() {
			continue
		}
		flags, err := strconv.ParseUint(fields[2], 0, 32)
		if err != nil || flags&complete != 0 {
			return false
		}
		found = true
	}
	return found
}

// routeAddress reads an address as the kernel prints it there: as one number,
// which it read out of the bytes in its own order (net/ipv4/fib_trie.c).
func routeAddress(text string) netip.Addr {
	content, err := hex.DecodeString(text)
	if err != nil || len(content) != 4 {
		return netip.Addr{}
	}
	var address [4]byte
	binary.NativeEndian.PutUint32(address[:], binary.BigEndian.Uint32(content))
	return netip.AddrFrom4(address)
}
