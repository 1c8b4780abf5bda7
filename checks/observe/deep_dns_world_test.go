package observe

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// TestTheFaultsOfTheSandboxAreToldByTheirNameserver looks at the pretend cluster
// DNS, which answers as CoreDNS does.
func TestTheFaultsOfTheSandboxAreToldByTheirNameserver(t *testing.T) {
	t.Parallel()
	const (
		byUDP    = "udp: udp A NOERROR 127.0.0.1\n"
		byTCP    = "tcp: tcp A NOERROR 127.0.0.1\n"
		version  = "version: udp TXT NOERROR 1.1.0\n"
		rootless = "root: udp NS NXDOMAIN\n"
		reverse  = "reverse: udp PTR NOERROR kubernetes.default.svc.cluster.local.\n"
	)
	for _, test := range []struct{ fault, want string }{
		{"", byUDP + byTCP + noAAAA + version + rootless + reverse + allPairs},
		{string(checks.DNSServiceNoEndpoints), "udp: udp A refused\ntcp: tcp A refused\n"},
		{
			string(checks.DNSServfailCoreDNSUnsynced),
			"udp: udp A SERVFAIL\ntcp: tcp A SERVFAIL\naaaa: udp AAAA SERVFAIL\n" + version + rootless + "reverse: udp PTR SERVFAIL\n" + allPairs,
		},
		{
			string(checks.DNSNXDomainWrongClusterDomain),
			"udp: udp A NXDOMAIN\ntcp: tcp A NXDOMAIN\naaaa: udp AAAA NXDOMAIN\nversion: udp TXT NXDOMAIN\n" + rootless +
				"reverse: udp PTR NOERROR kubernetes.default.svc.cluster.example.\n" + allPairs,
		},
		{
			string(checks.DNSNXDomainServiceHidden),
			"udp: udp A NXDOMAIN\ntcp: tcp A NXDOMAIN\naaaa: udp AAAA NXDOMAIN\n" + version + rootless + "reverse: udp PTR NXDOMAIN\n" + allPairs,
		},
		{string(checks.DNSAAAABroken), byUDP + byTCP + "aaaa: udp AAAA SERVFAIL\n" + version + rootless + reverse + allPairs},
		{string(checks.DNSTCPBlockedUDPOK), "udp: udp A NOERROR\ntcp: tcp A refused\n" + noAAAA + "version: udp TXT NOERROR\nroot: udp NS NOERROR\nreverse: udp PTR NOERROR\n" + allPairs},
		{string(checks.DNSSlow), byUDP + byTCP + noAAAA + version + rootless + reverse + allPairs},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			pretend, err := world.Start(t.Context(), world.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := pretend.Close(); err != nil {
					t.Error(err)
				}
			})
			if test.fault != "" {
				if err := pretend.Inject(test.fault); err != nil {
					t.Fatal(err)
				}
			}
			r := (&Observer{Pod: pretend.Pod()}).newRound()
			r.facts.Environment = r.environment()
			deep := r.deepDNS(t.Context(), &checks.Facts{DNS: r.lookups(t.Context())})
			if got, want := deep.Zone, "cluster.local."; got != want {
				t.Errorf("got the zone %s, want %s", got, want)
			}
			if diff := cmp.Diff(test.want, told(deep.Nameservers[0])); diff != "" {
				t.Errorf("what was told of the nameserver differs (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzDeepDNSReply(f *testing.F) {
	asked := way{udp, false}.question("dns-version.cluster.local.", dns.TypeTXT)
	asked.Id = 7
	sent, err := asked.Pack()
	if err != nil {
		f.Fatal(err)
	}
	packed, err := clusterReply(asked).Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, content []byte) {
		reply := answer(sent, content)
		if reply == nil {
			return
		}
		query := readDeep(checks.Query{}, reply, dns.TypeTXT)
		saved(t, query)
		if len(query.Texts) > maxNames || len(query.Names) > maxNames {
			t.Errorf("got %d texts and %d names", len(query.Texts), len(query.Names))
		}
	})
}
