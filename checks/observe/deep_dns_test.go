package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

var probeOfCluster = nameserverProbe{zone: defaultZone, reverse: "1.0.96.10.in-addr.arpa.", limit: 4 * time.Second}

// told is what became of each query that was made, one a line.
func told(facts checks.NameserverFacts) string {
	var text strings.Builder
	for _, made := range []struct {
		name  string
		query *checks.Query
	}{
		{"udp", facts.UDP},
		{"tcp", facts.TCP},
		{"withoutEDNS", facts.WithoutEDNS},
		{"aaaa", facts.AAAA},
		{"version", facts.Version},
		{"root", facts.Root},
		{"reverse", facts.Reverse},
	} {
		if made.query == nil {
			continue
		}
		query := *made.query
		fmt.Fprintf(&text, "%s: %s %s %s", made.name, query.Transport, query.Type, query.Rcode)
		if query.Failure != nil {
			text.WriteString(string(query.Failure.Kind))
		}
		for _, address := range query.Addresses {
			text.WriteString(" " + address.String())
		}
		for _, found := range append(query.Texts, query.Names...) {
			text.WriteString(" " + found)
		}
		text.WriteString("\n")
	}
	if facts.RepliesFrom.IsValid() {
		text.WriteString("from " + facts.RepliesFrom.String() + "\n")
	}
	if paired := facts.Paired; paired != nil {
		fmt.Fprintf(&text, "pairs: %d, half %d, none %d\n", paired.Pairs, paired.Half, paired.None)
		if paired.Recovered > 0 {
			fmt.Fprintf(&text, "recovered: %d\n", paired.Recovered)
		}
	}
	if single := facts.Single; single != nil {
		fmt.Fprintf(&text, "singles: %d, lost %d, recovered %d\n", single.Queries, single.Lost, single.Recovered)
	}
	return text.String()
}

const (
	serviceByUDP = "udp: udp A NOERROR 10.96.0.1\n"
	serviceByTCP = "tcp: tcp A NOERROR 10.96.0.1\n"
	knownByUDP   = "version: udp TXT NOERROR 1.1.0\n" +
		"root: udp NS NOERROR a.root-servers.net.\n" +
		"reverse: udp PTR NOERROR kubernetes.default.svc.cluster.local.\n"
	noAAAA   = "aaaa: udp AAAA NOERROR\n"
	allPairs = "pairs: 20, half 0, none 0\n"
	// allSingles are made where pairs lack some replies.
	allSingles = "singles: 40, lost 0, recovered 0\n"
	noPair     = "pairs: 2, half 0, none 2\n"
)

var knownByTCP = strings.ReplaceAll(knownByUDP, "udp", "tcp")

func TestEachWayOfFailingLeavesItsOwnTrace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		address          string
		overUDP, overTCP dns.HandlerFunc
		want             string
	}{
		{
			name: "all is answered", overUDP: cluster, overTCP: cluster,
			want: serviceByUDP + serviceByTCP + noAAAA + knownByUDP + allPairs,
		},
		{
			name: "all is answered by an IPv6 address", address: "::1", overUDP: cluster, overTCP: cluster,
			want: serviceByUDP + serviceByTCP + noAAAA + knownByUDP + allPairs,
		},
		{
			name: "TCP is closed", overUDP: cluster,
			want: serviceByUDP + "tcp: tcp A refused\n" + noAAAA + knownByUDP + allPairs,
		},
		{
			name: "UDP is closed", overTCP: cluster,
			want: "udp: udp A refused\n" + serviceByTCP + knownByTCP,
		},
		{
			name: "UDP is silent", overUDP: mute, overTCP: cluster,
			want: "udp: udp A timeout\n" + serviceByTCP + "withoutEDNS: udp A timeout\n" + knownByTCP + noPair,
		},
		{
			name: "both are closed, and no more is asked",
			want: "udp: udp A refused\ntcp: tcp A refused\n",
		},
		{
			name: "both are silent, and nobody is asked who he is", overUDP: mute, overTCP: mute,
			want: "udp: udp A timeout\ntcp: tcp A timeout\nwithoutEDNS: udp A timeout\n" + noPair,
		},
		{
			name: "queries with EDNS(0) are lost", overUDP: unless(hasEDNS, mute), overTCP: cluster,
			want: "udp: udp A timeout\n" + serviceByTCP + "withoutEDNS: udp A NOERROR 10.96.0.1\n" + noAAAA + knownByUDP + allPairs,
		},
		{
			name: "queries with EDNS(0) are not understood", overUDP: unless(hasEDNS, formatError), overTCP: cluster,
			want: "udp: udp A FORMERR\n" + serviceByTCP + "withoutEDNS: udp A NOERROR 10.96.0.1\n" + noAAAA + knownByUDP + allPairs,
		},
		{
			name: "AAAA is never answered", overUDP: unless(asksAAAA, mute), overTCP: cluster,
			want: serviceByUDP + serviceByTCP + "aaaa: udp AAAA timeout\n" + knownByUDP + "pairs: 20, half 20, none 0\n" + allSingles,
		},
		{
			name: "every other AAAA is lost", overUDP: unless(everyOther(asksAAAA), mute), overTCP: cluster,
			want: serviceByUDP + serviceByTCP + noAAAA + knownByUDP + "pairs: 20, half 10, none 0\nrecovered: 5\n" + allSingles,
		},
		{
			name: "every other port is dead", overUDP: deafToEveryOtherPort(), overTCP: cluster,
			want: serviceByUDP + serviceByTCP + noAAAA + knownByUDP + "pairs: 20, half 0, none 10\nsingles: 40, lost 20, recovered 0\n",
		},
		{
			name: "the replies come from another address", overUDP: from(t, "127.0.0.2"), overTCP: mute,
			want: "udp: udp A timeout\ntcp: tcp A timeout\nwithoutEDNS: udp A timeout\nfrom 127.0.0.2\n" + noPair,
		},
		{
			name: "the replies to AAAA come from another address", overUDP: unless(asksAAAA, from(t, "127.0.0.2")), overTCP: cluster,
			want: serviceByUDP + serviceByTCP + "aaaa: udp AAAA timeout\n" + knownByUDP + "from 127.0.0.2\npairs: 20, half 20, none 0\n" + allSingles,
		},
		{
			name: "the replies come from another port", overUDP: from(t, "127.0.0.1"), overTCP: mute,
			want: "udp: udp A timeout\ntcp: tcp A timeout\nwithoutEDNS: udp A timeout\n" + noPair,
		},
		{
			name: "the replies are garbage", overUDP: garbage, overTCP: garbage,
			want: "udp: udp A invalid\ntcp: tcp A invalid\n" + noPair,
		},
		{
			name: "one late answer and no other", overUDP: unless(not(firstWithoutEDNS()), mute), overTCP: mute,
			want: "udp: udp A timeout\ntcp: tcp A timeout\nwithoutEDNS: udp A NOERROR 10.96.0.1\naaaa: udp AAAA timeout\n" +
				"version: udp TXT timeout\nroot: udp NS timeout\nreverse: udp PTR timeout\npairs: 20, half 0, none 20\n",
		},
		{
			name:    "everything is refused by a nameserver that has no such zone",
			overUDP: func(w dns.ResponseWriter, asked *dns.Msg) { _ = w.WriteMsg(rcode(dns.RcodeRefused)(asked)) },
			want: "udp: udp A REFUSED\ntcp: tcp A refused\naaaa: udp AAAA REFUSED\nversion: udp TXT REFUSED\n" +
				"root: udp NS REFUSED\nreverse: udp PTR REFUSED\n" + allPairs,
		},
	}
	// They wait for what does not come, so they wait together.
	got := make([]checks.NameserverFacts, len(tests))
	took := make([]time.Duration, len(tests))
	servers := make([]netip.AddrPort, len(tests))
	var asking []func()
	for i, test := range tests {
		servers[i] = serveDNS(t, cmp.Or(test.address, "127.0.0.1"), test.overUDP, test.overTCP)
		asking = append(asking, func() {
			began := time.Now()
			got[i] = probeOfCluster.observe(t.Context(), servers[i])
			took[i] = time.Since(began)
		})
	}
	together(asking...)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := gocmp.Diff(test.want, told(got[i])); diff != "" {
				t.Errorf("what was told of the nameserver differs (-want +got):\n%s", diff)
			}
			if got, want := got[i].Address, servers[i].Addr(); got != want {
				t.Errorf("got the address %s, want %s", got, want)
			}
			if all := deepSteps * probeOfCluster.limit; took[i] > all+slack {
				t.Errorf("it took %s, more than the %s of all deep probes", took[i], all)
			}
			saved(t, got[i])
		})
	}
}

func TestPairsThatHaveAnAddressAreCountedApart(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler dns.HandlerFunc
		want    checks.PairedFacts
	}{
		{"all", cluster, checks.PairedFacts{Pairs: 20, Known: 20}},
		{"none, since the name is denied", func(w dns.ResponseWriter, asked *dns.Msg) { _ = w.WriteMsg(rcode(dns.RcodeNameError)(asked)) }, checks.PairedFacts{Pairs: 20}},
		{"none, since AAAA fails", unless(asksAAAA, func(w dns.ResponseWriter, asked *dns.Msg) { _ = w.WriteMsg(rcode(dns.RcodeServerFailure)(asked)) }), checks.PairedFacts{Pairs: 20, Failing: 20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := probeOfCluster.observe(t.Context(), serveDNS(t, "127.0.0.1", test.handler, nil))
			if diff := gocmp.Diff(&test.want, facts.Paired); diff != "" {
				t.Errorf("pairs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReplyTellsWhetherRecursionIsAvailable(t *testing.T) {
	lame := func(w dns.ResponseWriter, asked *dns.Msg) {
		reply := clusterReply(asked)
		reply.RecursionAvailable = false
		_ = w.WriteMsg(reply)
	}
	for name, test := range map[string]struct {
		handler dns.HandlerFunc
		want    bool
	}{"available": {cluster, true}, "not available": {lame, false}} {
		t.Run(name, func(t *testing.T) {
			facts := probeOfCluster.observe(t.Context(), serveDNS(t, "127.0.0.1", test.handler, nil))
			if got := facts.Root.RecursionAvailable; got != test.want {
				t.Errorf("got recursion available: %t, want %t", got, test.want)
			}
		})
	}
}

// TestHugeAndHostileAnswersAreCut answers all questions with as many records of
// each type as a message can hold, full of characters that steer a terminal.
func TestHugeAndHostileAnswersAreCut(t *testing.T) {
	t.Parallel()
	hostile := strings.Repeat("\x1b[31m\"\\", 20)
	huge := func(w dns.ResponseWriter, asked *dns.Msg) {
		reply := clusterReply(asked)
		name := asked.Question[0].Name
		header := func(kind uint16) dns.RR_Header {
			return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 5}
		}
		target := strings.Repeat(strings.Repeat(`\027[31m`, 12)+".", 4)
		reply.Compress = true
		for i := range byte(100) {
			reply.Answer = append(reply.Answer,
				&dns.A{Hdr: header(dns.TypeA), A: net.IPv4(10, 0, 0, i)},
				&dns.TXT{Hdr: header(dns.TypeTXT), Txt: []string{hostile, strings.Repeat("x", 255)}},
				&dns.PTR{Hdr: header(dns.TypePTR), Ptr: target},
				&dns.NS{Hdr: header(dns.TypeNS), Ns: target})
		}
		if err := w.WriteMsg(reply); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	facts := probeOfCluster.observe(t.Context(), serveDNS(t, "127.0.0.1", nil, huge))
	saved(t, facts)
	for _, query := range []*checks.Query{facts.TCP, facts.Version, facts.Root, facts.Reverse} {
		if query.Failure != nil {
			t.Fatalf("%s failed: %s", query.Type, query.Failure.Message)
		}
		if len(query.Texts) != maxNames || len(query.Names) != maxNames {
			t.Errorf("%s: got %d texts and %d names, want %d of each", query.Type, len(query.Texts), len(query.Names), maxNames)
		}
		for _, text := range append(query.Texts, query.Names...) {
			if len(text) > maxNameLength+len("…") {
				t.Errorf("%s: got a text of %d bytes", query.Type, len(text))
			}
		}
	}
	if got := len(facts.TCP.Addresses); got != maxAddresses {
		t.Errorf("got %d addresses, want %d", got, maxAddresses)
	}
}

func TestADatagramThatDoesNotFitIsPassedOver(t *testing.T) {
	t.Parallel()
	tooLarge := func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write(make([]byte, 60_000)) }
	facts := probeOfCluster.observe(t.Context(), serveDNS(t, "127.0.0.1", tooLarge, nil))
	if diff := gocmp.Diff("udp: udp A invalid\ntcp: tcp A refused\n"+noPair, told(facts)); diff != "" {
		t.Errorf("what was told of the nameserver differs (-want +got):\n%s", diff)
	}
}

func TestTheClusterZoneIsFoundInTheSearchList(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 60)+".", 4)
	for _, test := range []struct {
		name   string
		search []string
		want   string
	}{
		{"none", nil, defaultZone},
		{"a company's", []string{"corp.example.", "example."}, defaultZone},
		{"kubelet's", []string{"default.svc.cluster.example.", "svc.cluster.example.", "cluster.example.", "corp.example."}, "cluster.example."},
		{"of a namespace that is called svc", []string{"svc.svc.cluster.example.", "svc.cluster.example."}, "cluster.example."},
		{"the namespace's entry alone", []string{"corp.example.", "default.svc.cluster.example."}, "cluster.example."},
		{"the entry of all namespaces alone", []string{"corp.example.", "svc.k8s."}, "k8s."},
		{"in upper case", []string{"Default.SVC.Cluster.Example."}, "cluster.example."},
		{"not rooted", []string{"svc.cluster.example"}, "cluster.example."},
		{"svc and nothing more", []string{"svc.", "default.svc.", "a.b.svc.cluster.example."}, defaultZone},
		{"one that makes the name too long", []string{"svc." + long, "svc.cluster.example."}, "cluster.example."},
		{"one with a label that is too long", []string{"svc." + strings.Repeat("x", 64) + "."}, defaultZone},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := clusterZone(test.search); got != test.want {
				t.Errorf("got the zone %q, want %q", got, test.want)
			}
		})
	}
}

func TestOnlyAnAddressHasAReverseName(t *testing.T) {
	for host, want := range map[string]string{
		"10.96.0.1":             "1.0.96.10.in-addr.arpa.",
		"::ffff:10.96.0.1":      "1.0.96.10.in-addr.arpa.",
		"fd00::1":               "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
		"fe80::1%eth0":          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa.",
		"api.cluster.example":   "",
		"":                      "",
		"10.96.0.1/32; rm -r /": "",
	} {
		if got := reverseName(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

// deeply asks the nameservers of a resolv.conf with the limits that hold in a
// pod.
func deeply(ctx context.Context, resolvConf string, port uint16) *checks.DeepDNSFacts {
	r := &round{pod: checks.Pod{DNSPort: port}, timeout: DefaultTimeout, facts: &checks.Facts{}}
	return r.deepDNS(ctx, &checks.Facts{DNS: &checks.DNSFacts{ResolvConf: parseResolvConf(resolvConf)}})
}

func TestWithoutANameserverNobodyIsAsked(t *testing.T) {
	want := &checks.DeepDNSFacts{Zone: defaultZone, Nameservers: []checks.NameserverFacts{}}
	if diff := gocmp.Diff(want, deeply(t.Context(), "", 0)); diff != "" {
		t.Errorf("the facts differ (-want +got):\n%s", diff)
	}
	if got := new(round).deepDNS(t.Context(), &checks.Facts{}); got != nil {
		t.Errorf("got %+v for facts without a resolver configuration, want nothing", got)
	}
}

// TestTheNameserversAreAskedAtOnceAndEachOnce has two that answer when both are asked.
func TestTheNameserversAreAskedAtOnceAndEachOnce(t *testing.T) {
	var asked atomic.Int32
	both := make(chan struct{})
	answersBoth := func() func(*dns.Msg) *dns.Msg {
		arrive := sync.OnceFunc(func() {
			if asked.Add(1) == 2 {
				close(both)
			}
		})
		return func(question *dns.Msg) *dns.Msg {
			arrive()
			select {
			case <-both:
				return clusterReply(question)
			case <-t.Context().Done():
				return nil
			}
		}
	}
	port, servers := startNameservers(t, map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": answersBoth(), "127.0.0.2": answersBoth(), "127.0.0.3": clusterReply})
	deep := deeply(t.Context(), "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.1\nnameserver 127.0.0.3\nsearch svc.example\n", port)
	got := []string{}
	for _, nameserver := range deep.Nameservers {
		got = append(got, strings.Join([]string{nameserver.Address.String(), nameserver.UDP.Name, nameserver.UDP.Rcode}, " "))
	}
	want := []string{"127.0.0.1 kubernetes.default.svc.example. NOERROR", "127.0.0.2 kubernetes.default.svc.example. NOERROR"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the nameservers differ (-want +got):\n%s", diff)
	}
	// One over each transport, and twenty in pairs. What is not answered at once is
	// asked again.
	if got, want := len(servers["127.0.0.1"].questions()), 2+pairCount; got < want || got >= 2*want {
		t.Errorf("127.0.0.1 was asked for A %d times, want %d", got, want)
	}
	if got := servers["127.0.0.3"].questions(); len(got) > 0 {
		t.Errorf("127.0.0.3, past the third nameserver, was asked %v", got)
	}
}
