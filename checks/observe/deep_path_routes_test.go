package observe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// native is an address as this machine's kernel prints it.
func native(text string) string {
	address := netip.MustParseAddr(text).As4()
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(address[:]))
}

func TestTheGatewayIsThatOfTheDefaultRouteOfLeastMetric(t *testing.T) {
	route := func(destination, gateway, flags, metric, mask string) string {
		return "eth0\t" + native(destination) + "\t" + native(gateway) + "\t" + flags + "\t0\t0\t" + metric + "\t" + native(mask) + "\t0\t0\t0   \n"
	}
	const zero = "0.0.0.0"
	for name, test := range map[string]struct{ table, want string }{
		"a pod's":             {"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n" + route(zero, "10.244.1.1", "0003", "0", zero) + route("10.244.1.0", zero, "0001", "0", "255.255.255.0"), "10.244.1.1"},
		"Calico's":            {route(zero, "169.254.1.1", "0003", "0", zero), "169.254.1.1"},
		"two":                 {route(zero, "10.0.0.1", "0003", "100", zero) + route(zero, "10.0.0.2", "0003", "50", zero) + route(zero, "10.0.0.3", "0003", "50", zero), "10.0.0.2"},
		"without a router":    {route(zero, zero, "0001", "0", zero), ""},
		"down":                {route(zero, "10.0.0.1", "0002", "0", zero), ""},
		"of half the world":   {route(zero, "10.0.0.1", "0003", "0", "128.0.0.0"), ""},
		"of a network only":   {route("10.0.0.0", "10.0.0.1", "0003", "0", "255.0.0.0"), ""},
		"empty":               {"", ""},
		"cut":                 {strings.TrimSpace(route(zero, "10.0.0.1", "0003", "0", zero))[:40], ""},
		"with a word as flag": {route(zero, "10.0.0.1", "UG", "0", zero), ""},
		"with short numbers":  {"eth0 0 0101A8C0 3 0 0 0 0 0 0 0\n", ""},
		"with other words":    {"a b c d e f g h\n" + route(zero, "10.0.0.1", "3", "0", zero), "10.0.0.1"},
		"with a huge metric":  {route(zero, "10.0.0.1", "0003", "99999999999", zero), ""},
		"with no end of line": {strings.TrimSpace(route(zero, "10.0.0.1", "0003", "0", zero)), "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if gateway := defaultGateway(test.table); gateway.IsValid() {
				got = gateway.String()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add("eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n")
	f.Add("Iface Destination Gateway Flags RefCnt Use Metric Mask\n")
	f.Fuzz(func(t *testing.T, table string) {
		if gateway := defaultGateway(table); gateway.IsValid() && (!gateway.Is4() || gateway.IsUnspecified()) {
			t.Errorf("got %s, which is no router of IPv4", gateway)
		}
	})
}
