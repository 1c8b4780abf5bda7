//go:build linux

package suite_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// dropBackend drops what one of the two pods of the nameserver answers. A query
// that is dropped before it is sent on would find the other pod at its second try.
func dropBackend(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	backend, err := s.Pod(ctx, p.Namespace, "dns-1")
	if err != nil {
		t.Fatal(err)
	}
	return filterTo(cluster.After, "ip saddr "+backend.Address+" drop")(ctx, t, s, p)
}

// filter makes rules for the packets that the pod sends, and filterTo for those
// that it is sent.
func filter(hook cluster.Hook, rules ...string) injection {
	return filtered(hook, "ip saddr", rules)
}

func filterTo(hook cluster.Hook, rules ...string) injection {
	return filtered(hook, "ip daddr", rules)
}

func filtered(hook cluster.Hook, direction string, rules []string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		remove, err := s.Filter(ctx, hook, prefixed(direction+" "+p.Address+" ", rules)...)
		if err != nil {
			t.Fatal(err)
		}
		return remove
	}
}

func prefixed(prefix string, rules []string) []string {
	out := make([]string, len(rules))
	for i, rule := range rules {
		out[i] = prefix + rule
	}
	return out
}

// lose drops at random so many of a hundred packets in either direction: all of
// the pod's, or those to a port alone. What the test asks of the pod gets through.
func lose(percent int, to string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		drop := fmt.Sprintf(" numgen random mod 100 < %d drop", percent)
		// On every node, what goes from one to another would be lost twice.
		remove, err := s.nodeOf(t, p).Filter(ctx, cluster.After,
			fmt.Sprintf("ip saddr %s tcp sport %d accept", p.Address, port),
			fmt.Sprintf("ip daddr %s tcp dport %d accept", p.Address, port),
			"ip saddr "+p.Address+" "+to+drop,
			"ip daddr "+p.Address+" "+strings.ReplaceAll(to, "dport", "sport")+drop)
		if err != nil {
			t.Fatal(err)
		}
		return remove
	}
}

// flapping filters packets for so long in every period, until it is cured.
func flapping(period, lasts time.Duration, hook cluster.Hook, rules ...string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		return repeating(ctx, period, lasts, func() (func() error, error) {
			remove, err := s.Filter(context.WithoutCancel(ctx), hook, prefixed("ip saddr "+p.Address+" ", rules)...)
			return func() error { return remove(context.WithoutCancel(ctx)) }, err
		})
	}
}

// repeating begins something and ends it again in every period, until it is
// cured.
func repeating(ctx context.Context, period, lasts time.Duration, begin func() (end func() error, err error)) func(context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		for {
			end, err := begin()
			if err == nil {
				wait(ctx, lasts)
				err = end()
			}
			if err != nil || ctx.Err() != nil {
				ended <- err
				return
			}
			wait(ctx, period-lasts)
		}
	}()
	return func(context.Context) error {
		stop()
		return <-ended
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// unnoticed makes a fault of which nothing may be said, and waits for reports that
// could.
func unnoticed(fault injection) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		cure := fault(ctx, t, s, p)
		before, err := status(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		within(ctx, t, 10*interval, p, func(r report) bool { return r.Round > before.Round+1 })
		return cure
	}
}

// withinPod runs a line of words in the pod's own network, as root, and another that
// undoes it.
func withinPod(do, undo string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		if _, err := s.inNetworkOf(ctx, p, strings.Fields(do)...); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error {
			_, err := s.inNetworkOf(ctx, p, strings.Fields(undo)...)
			return err
		}
	}
}

func (s suite) inNetworkOf(ctx context.Context, p cluster.Pod, command ...string) (string, error) {
	container, err := s.Container(ctx, p.Namespace, p.Name, "lifeline")
	if err != nil {
		return "", err
	}
	out, err := container.Run(ctx, command[0], command[1:]...)
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("%s: %s", strings.Join(command, " "), out.Complaint)
	}
	return string(out.Out), err
}

// ownTable is a table of nftables in the pod's own network, as a sidecar's init
// container leaves one.
func ownTable(chain string) injection {
	return withinPod("nft table ip own { "+chain+"; }", "nft delete table ip own")
}

// hungSidecar has all that the pod dials at the API's port led to a program that takes
// connections and says nothing. The pod has no program to run for that, so it is on
// the node, which to the pod is the same.
func hungSidecar(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	node := s.nodeOf(t, p)
	// The kernel makes the connections.
	listener, err := node.Listen(ctx, node.Address+":0")
	if err != nil {
		t.Fatal(err)
	}
	back := ownTable("chain out { type nat hook output priority -100; tcp dport 443 dnat to "+listener.Addr().String()+"; }")(ctx, t, s, p)
	return func(ctx context.Context) error { return errors.Join(back(ctx), listener.Close()) }
}

func withoutDefaultRoute(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	route := s.defaultRouteOf(ctx, t, p)
	return withinPod("ip route delete "+route, "ip route add "+route)(ctx, t, s, p)
}

// withoutGateway leads what leaves the pod to an address of its own network that nobody
// has, as if its cable were cut, and leaves the test its way to the pod.
func withoutGateway(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	route := strings.Fields(s.defaultRouteOf(ctx, t, p))
	if len(route) < 3 || route[1] != "via" {
		t.Fatalf("the pod's default route is %q, want one by a router", route)
	}
	own := netip.MustParseAddr(p.Address).As4()
	nobody := netip.AddrFrom4([4]byte{own[0], own[1], own[2], 251}).String()
	back := strings.Join(route, " ")
	route[2] = nobody
	// The pod has no network of its own but a route to its gateway, so that the kernel
	// has to be told that another one is beside it.
	return withinPod("ip route replace "+strings.Join(route, " ")+" onlink", "ip route replace "+back)(ctx, t, s, p)
}

func (s suite) defaultRouteOf(ctx context.Context, t *testing.T, p cluster.Pod) string {
	t.Helper()
	route, err := s.inNetworkOf(ctx, p, "ip", "route", "show", "default")
	if err != nil {
		t.Fatal(err)
	}
	return route
}

// leadTo has the node lead what the pod sends to Service kubernetes to another address
// and port, as rules do that somebody forgot.
func leadTo(target string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		node := s.nodeOf(t, p)
		table := "ip elsewhere-" + strings.ReplaceAll(p.Address, ".", "-")
		if _, err := node.Run(ctx, "nft", fmt.Sprintf("table %s { chain before { type nat hook prerouting priority mangle; ip saddr %s ip daddr %s tcp dport 443 dnat to %s; }; }",
			table, p.Address, cluster.ServerAddress, target)); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error {
			_, err := node.Run(ctx, "nft", "delete table "+table)
			return err
		}
	}
}

// balanced has the pod led to a load balancer that answers every second request
// itself, since it holds that there is no server for it.
func balanced(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	pair, err := s.ServingPair()
	if err != nil {
		t.Fatal(err)
	}
	node := s.nodeOf(t, p)
	listener, err := node.Listen(ctx, node.Address+":0")
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: cluster.NodeAddress + ":6443"})
	behind.Transport = &http.Transport{DialContext: node.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	behind.ErrorLog = log.New(io.Discard, "", 0)
	var requests atomic.Int64
	server := &http.Server{
		ErrorLog:  behind.ErrorLog,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1)%2 == 0 {
				behind.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Server", "nginx")
			http.Error(w, "<html><h1>503 Service Temporarily Unavailable</h1></html>", http.StatusServiceUnavailable)
		}),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	back := leadTo(listener.Addr().String())(ctx, t, s, p)
	return func(ctx context.Context) error {
		err := errors.Join(back(ctx), server.Close())
		if stopped := <-ended; !errors.Is(stopped, http.ErrServerClosed) {
			err = errors.Join(err, stopped)
		}
		return err
	}
}

const netToolsImage = "lifeline.test/busybox-as-root:1"

// changesItsNetwork lets the pods of a namespace change their network before they start.
func changesItsNetwork(ctx context.Context, t *testing.T, s suite, namespace string) []any {
	t.Helper()
	if err := s.Import(ctx, cluster.Image{Name: netToolsImage, Program: "/bin/busybox", Commands: []string{"arp", "ip"}}); err != nil {
		t.Fatal(err)
	}
	return privileged(ctx, t, s, namespace)
}

// withoutWayToAPI leads what the pod sends to the API to nobody before the agent starts,
// as a policy does that is older than the pod.
func withoutWayToAPI(p *corev1.Pod) {
	script := "arp -i eth0 -s " + cluster.ServerAddress + " 02:00:00:00:00:01 && ip route add " + cluster.ServerAddress + "/32 dev eth0"
	p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{
		Name: "route", Image: netToolsImage, ImagePullPolicy: corev1.PullNever, Args: []string{"sh", "-c", script},
		SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}},
	})
}

// largestPacket leaves room for what OpenSSL sends and is sent in a handshake, which is some 1040
// bytes and differs from one certificate to the next. Without it are the handshake
// of Go, whose key share is larger, and the Python client's request with the token.
const largestPacket = 1100

// losePacketsAbove stands for a path with a smaller MTU of which nothing tells.
// The pod's device must not hand on several packets as one, else the filter sees
// them before they are cut to size.
func losePacketsAbove(largest int) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		node := s.nodeOf(t, p)
		device, err := node.PodDevice(ctx, p.Address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := node.Run(ctx, "ip", "link", "set", device, "gso_max_segs", "1"); err != nil {
			t.Fatal(err)
		}
		remove, err := s.Filter(ctx, cluster.After,
			fmt.Sprintf("ip saddr %s tcp dport 6443 meta length > %d drop", p.Address, largest),
			fmt.Sprintf("ip daddr %s tcp sport 6443 meta length > %d drop", p.Address, largest))
		if err != nil {
			t.Fatal(err)
		}
		return remove
	}
}
