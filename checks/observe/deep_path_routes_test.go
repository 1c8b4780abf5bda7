package observe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

// native is an address as this machine's kernel prints it.
func native(text string) string {
	address := netip.MustParseAddr(text).As4()
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(address[:]))
}

func TestTheGatewayIsThatOfTheDefaultRouteOfLeastMetric(t *testing.T) {
	const zero = "0.0.0.0"
	for name, test := range map[string]struct{ table, want string }{
		"a pod's":             {"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n" + entry(zero, "10.244.1.1", "0003", "0", zero) + entry("10.244.1.0", zero, "0001", "0", "255.255.255.0"), "10.244.1.1"},
		"Calico's":            {entry(zero, "169.254.1.1", "0003", "0", zero), "169.254.1.1"},
		"two":                 {entry(zero, "10.0.0.1", "0003", "100", zero) + entry(zero, "10.0.0.2", "0003", "50", zero) + entry(zero, "10.0.0.3", "0003", "50", zero), "10.0.0.2"},
		"without a router":    {entry(zero, zero, "0001", "0", zero), ""},
		"down":                {entry(zero, "10.0.0.1", "0002", "0", zero), ""},
		"of half the world":   {entry(zero, "10.0.0.1", "0003", "0", "128.0.0.0"), ""},
		"of a network only":   {entry("10.0.0.0", "10.0.0.1", "0003", "0", "255.0.0.0"), ""},
		"empty":               {"", ""},
		"cut":                 {strings.TrimSpace(entry(zero, "10.0.0.1", "0003", "0", zero))[:40], ""},
		"with a word as flag": {entry(zero, "10.0.0.1", "UG", "0", zero), ""},
		"with short numbers":  {"eth0 0 0101A8C0 3 0 0 0 0 0 0 0\n", ""},
		"with other words":    {"a b c d e f g h\n" + entry(zero, "10.0.0.1", "3", "0", zero), "10.0.0.1"},
		"with a huge metric":  {entry(zero, "10.0.0.1", "0003", "99999999999", zero), ""},
		"with no end of line": {strings.TrimSpace(entry(zero, "10.0.0.1", "0003", "0", zero)), "10.0.0.1"},
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

// entry is a line of a table of routes.
func entry(destination, gateway, flags, metric, mask string) string {
	return "eth0\t" + native(destination) + "\t" + native(gateway) + "\t" + flags + "\t0\t0\t" + metric + "\t" + native(mask) + "\t0\t0\t0   \n"
}

func TestTheGatewayToAnAddressIsThatOfTheMostSpecialRoute(t *testing.T) {
	const zero = "0.0.0.0"
	table := entry(zero, "10.244.1.1", "0003", "0", zero) + entry("10.244.1.0", zero, "0001", "0", "255.255.255.0") +
		entry("10.96.0.0", "10.244.1.2", "0003", "0", "255.240.0.0") + entry("10.96.0.0", "10.244.1.3", "0003", "5", "255.240.0.0") +
		entry("10.96.0.9", "10.244.1.4", "0007", "100", "255.255.255.255")
	for address, want := range map[string]string{
		"172.30.0.1":       "10.244.1.1",
		"10.244.1.9":       "invalid IP",
		"10.96.0.1":        "10.244.1.2",
		"::ffff:10.96.0.1": "10.244.1.2",
		"10.96.0.9":        "10.244.1.4",
		"fd00::1":          "invalid IP",
	} {
		if got := gatewayTo(table, netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("to %s: got the gateway %s, want %s", address, got, want)
		}
	}
}

func TestAGatewayIsSilentWhereNothingConnectsAndNobodyAnswersForIt(t *testing.T) {
	const zero, heading = "0.0.0.0", "IP address       HW type     Flags       HW address            Mask     Device\n"
	neighbour := func(address, flags, hardware string) string {
		return fmt.Sprintf("%-16s 0x1         %-11s %s     *        eth0\n", address, flags, hardware)
	}
	pods := entry(zero, "10.244.1.1", "0003", "0", zero) + entry("10.244.1.0", zero, "0001", "0", "255.255.255.0")
	known, unknown := neighbour("10.244.1.1", "0x2", "5e:7a:0c:11:22:33"), neighbour("10.244.1.1", "0x0", "00:00:00:00:00:00")
	for name, test := range map[string]struct {
		routes, neighbours, target string
		stage                      checks.Stage
		kind                       checks.FailureKind
		want                       string
	}{
		"nobody answers for it":               {pods, heading + unknown, "10.96.0.1:443", checks.StageConnect, checks.TimedOut, "10.244.1.1"},
		"nobody does, and the kernel says so": {pods, heading + unknown, "10.96.0.1:443", checks.StageConnect, checks.HostUnreachable, "10.244.1.1"},
		"it answers":                          {pods, heading + known, "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"it answers on another interface":     {pods, heading + unknown + known, "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"it is written by hand":               {pods, heading + neighbour("10.244.1.1", "0x6", "5e:7a:0c:11:22:33"), "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"nobody asked for it":                 {pods, heading, "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"there is no table":                   {pods, "", "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"the flags are a word":                {pods, heading + neighbour("10.244.1.1", "C", "00:00:00:00:00:00"), "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"another neighbour is gone":           {pods, heading + known + neighbour("10.244.1.7", "0x0", "00:00:00:00:00:00"), "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"the target is beside the pod":        {pods, heading + unknown, "10.244.1.9:6443", checks.StageConnect, checks.TimedOut, ""},
		"there is no route":                   {"", heading + unknown, "10.96.0.1:443", checks.StageConnect, checks.TimedOut, ""},
		"the target is of IPv6":               {pods, heading + unknown, "[fd00::1]:443", checks.StageConnect, checks.TimedOut, ""},
		"the connection is refused":           {pods, heading + unknown, "10.96.0.1:443", checks.StageConnect, checks.Refused, ""},
		"the handshake is silent":             {pods, heading + unknown, "10.96.0.1:443", checks.StageTLS, checks.TimedOut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			r := &round{pod: checks.Pod{Routes: filepath.Join(folder, "route"), Neighbours: filepath.Join(folder, "arp")}}
			for file, content := range map[string]string{r.pod.Routes: test.routes, r.pod.Neighbours: test.neighbours} {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			if silent := r.silentGateway(checks.Exchange{Stage: test.stage, Address: netip.MustParseAddrPort(test.target), Failure: &checks.Failure{Kind: test.kind}}); silent.IsValid() {
				got = silent.String()
			}
			if got != test.want {
				t.Errorf("got the silent gateway %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheRouteOfThePodIsToldWhereSomebodySaysThatThereIsNone(t *testing.T) {
	const zero = "0.0.0.0"
	pods := entry(zero, "10.244.1.1", "0003", "0", zero) + entry("10.244.1.0", zero, "0001", "0", "255.255.255.0")
	refusing := strings.Replace(entry("10.96.0.1", zero, "0201", "0", "255.255.255.255"), "eth0", "*", 1)
	blackhole := strings.Replace(entry("10.96.0.0", zero, "0001", "0", "255.255.0.0"), "eth0", "*", 1)
	for name, test := range map[string]struct {
		routes, target string
		kind           checks.FailureKind
		want           checks.Route
	}{
		"a router leads there":            {pods, "10.96.0.1:443", checks.NetworkUnreachable, checks.RouteLeads},
		"it is beside the pod":            {pods, "10.244.1.9:6443", checks.HostUnreachable, checks.RouteLeads},
		"the table refuses it":            {pods + refusing, "10.96.0.1:443", checks.HostUnreachable, checks.RouteRefuses},
		"the table swallows its network":  {pods + blackhole, "10.96.0.1:443", checks.OtherFailure, checks.RouteRefuses},
		"the table refuses another":       {pods + refusing, "10.96.0.2:443", checks.HostUnreachable, checks.RouteLeads},
		"there is none":                   {entry("10.244.1.0", zero, "0001", "0", "255.255.255.0"), "10.96.0.1:443", checks.NetworkUnreachable, checks.RouteMissing},
		"it was refused by somebody":      {pods, "10.96.0.1:443", checks.Refused, ""},
		"nobody answered":                 {pods, "10.96.0.1:443", checks.TimedOut, ""},
		"the target is of the new family": {pods, "[fd00::1]:443", checks.NetworkUnreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &round{pod: checks.Pod{Routes: filepath.Join(t.TempDir(), "route")}}
			if err := os.WriteFile(r.pod.Routes, []byte(test.routes), 0o600); err != nil {
				t.Fatal(err)
			}
			met := checks.Exchange{Stage: checks.StageConnect, Address: netip.MustParseAddrPort(test.target), Failure: &checks.Failure{Kind: test.kind}}
			if got := r.ownRoute(met); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			r.pod.Routes += ".gone"
			if got := r.ownRoute(met); got != "" {
				t.Errorf("got %q without a table, want nothing", got)
			}
		})
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add("eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n")
	f.Add("Iface Destination Gateway Flags RefCnt Use Metric Mask\n")
	f.Fuzz(func(t *testing.T, table string) {
		isUnresolved(table, netip.AddrFrom4([4]byte{10, 244, 1, 1}))
		if gateway := gatewayTo(table, netip.AddrFrom4([4]byte{10, 96, 0, 1})); gateway.IsValid() && (!gateway.Is4() || gateway.IsUnspecified()) {
			t.Errorf("got %s, which is no router of IPv4", gateway)
		}
		if gateway := defaultGateway(table); gateway.IsValid() && (!gateway.Is4() || gateway.IsUnspecified()) {
			t.Errorf("got %s, which is no router of IPv4", gateway)
		}
	})
}
