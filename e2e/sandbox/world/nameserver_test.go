package world_test

import (
	"context"
	"testing"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func TestTheNameserverAnswersAsCoreDNSDoes(t *testing.T) {
	client := newClient(t, start(t, world.Options{}))
	const (
		cluster = "SOA ns.dns.cluster.local. hostmaster.cluster.local."
		root    = "SOA a.root-servers.net. nstld.verisign-grs.com."
	)
	for _, test := range []struct{ name, rrtype, want string }{
		{"kubernetes.default.svc.cluster.local.", "A", "NOERROR, A 127.0.0.1"},
		{"KUBERNETES.default.svc.Cluster.Local.", "A", "NOERROR, A 127.0.0.1"},
		{"kubernetes.default.svc.cluster.local.", "AAAA", "NOERROR, " + cluster},
		{"kubernetes.default.svc.lifeline-sandbox.svc.cluster.local.", "A", "NXDOMAIN, " + cluster},
		{"kubernetes.default.svc.", "A", "NXDOMAIN, " + root},
		{"dns-version.cluster.local.", "TXT", `NOERROR, TXT "1.1.0"`},
		{"1.0.0.127.in-addr.arpa.", "PTR", "NOERROR, PTR kubernetes.default.svc.cluster.local."},
		{"2.0.0.127.in-addr.arpa.", "PTR", "NXDOMAIN, " + root},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(test.name+" "+test.rrtype+" by "+network, func(t *testing.T) {
				if got := answerInWords(client.ask(context.Background(), network, test.name, test.rrtype)); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		}
	}
}
