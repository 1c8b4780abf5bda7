package observe

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// maxRoutes bounds the table of routes; a pod's has a few lines of 128 bytes, a
// node's a few hundred.
const maxRoutes = 256 << 10

// The flags of a route, linux/route.h.
const (
	routeUp      = 0x1
	routeGateway = 0x2
)

// defaultGateway is the router by which an IPv4 packet leaves that no other
// route of a table as in /proc/net/route takes; the zero Addr where there is
// none. Lines that are no routes are passed over.
func defaultGateway(table string) netip.Addr {
	var (
		gateway netip.Addr
		least   uint64
	)
	for line := range strings.Lines(table) {
		// Interface, destination, gateway, flags, references, use, metric, mask.
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		destination, mask, router := routeAddress(fields[1]), routeAddress(fields[7]), routeAddress(fields[2])
		flags, err := strconv.ParseUint(fields[3], 16, 32)
		if err != nil || flags&routeUp == 0 || flags&routeGateway == 0 {
			continue
		}
		metric, err := strconv.ParseUint(fields[6], 10, 32)
		if err != nil || destination != netip.IPv4Unspecified() || mask != netip.IPv4Unspecified() {
			continue
		}
		if router.IsValid() && !router.IsUnspecified() && (!gateway.IsValid() || metric < least) {
			gateway, least = router, metric
		}
	}
	return gateway
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
