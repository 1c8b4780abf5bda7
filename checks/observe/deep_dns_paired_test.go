package observe

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestEndingTheContextEndsTheQueriesAndCountsNoPairAsLost(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		server := serveDNS(t, "127.0.0.1", cluster, cluster)
		if diff := cmp.Diff("", told(probeOfCluster.observe(ctx, server))); diff != "" {
			t.Errorf("what was told of the nameserver differs (-want +got):\n%s", diff)
		}
	})
	t.Run("within the first query", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var transports atomic.Int32
		endAtBoth := func() dns.HandlerFunc {
			arrive := sync.OnceFunc(func() {
				if transports.Add(1) == 2 {
					cancel()
				}
			})
			return func(dns.ResponseWriter, *dns.Msg) { arrive() }
		}
		facts := probeOfCluster.observe(ctx, serveDNS(t, "127.0.0.1", endAtBoth(), endAtBoth()))
		if diff := cmp.Diff("udp: udp A timeout\ntcp: tcp A timeout\n", told(facts)); diff != "" {
			t.Errorf("what was told of the nameserver differs (-want +got):\n%s", diff)
		}
	})
	t.Run("within the pairs", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := func(dns.ResponseWriter, *dns.Msg) { cancel() }
		paired, elsewhere := probeOfCluster.pairs(ctx, serveDNS(t, "127.0.0.1", end, nil), pairCount)
		if paired != nil || elsewhere.IsValid() {
			t.Errorf("got %+v from %s, want nothing counted", paired, elsewhere)
		}
	})
}

func TestRepliesThatCameInTimeAreReadLate(t *testing.T) {
	server := serveDNS(t, "127.0.0.1", cluster, nil)
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	questions, err := questionsOf(found, []uint16{dns.TypeA, dns.TypeAAAA})
	if err != nil {
		t.Fatal(err)
	}
	exchange := &datagramExchange{conn: conn, target: server, questions: questions}
	if err := exchange.send(); err != nil {
		t.Fatal(err)
	}
	// Nothing tells that a reply lies in a socket without reading it.
	for began := time.Now(); !exchange.done() && time.Since(began) < patience; {
		if err := conn.SetDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		exchange.collect()
	}
	if !exchange.done() {
		t.Errorf("got the replies %+v %+v, want one to each question", *questions[0], *questions[1])
	}
}
