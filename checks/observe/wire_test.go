package observe

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// firstOf chooses so many questions, the first that come.
func firstOf(count int64) func(*dns.Msg) bool {
	var seen atomic.Int64
	return func(*dns.Msg) bool { return seen.Add(1) <= count }
}

func TestAQuestionIsSentAgainWhereNothingComesBack(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	late := func(w dns.ResponseWriter, asked *dns.Msg) {
		time.Sleep(limit / 2)
		cluster(w, asked)
	}
	for _, test := range []struct {
		name    string
		handler dns.HandlerFunc
		// want is how many sends nothing came back to, and kind how the query failed.
		want int
		kind checks.FailureKind
	}{
		{"all is answered", cluster, 0, ""},
		{"the first packet is lost", unless(firstOf(1), mute), 1, ""},
		{"two packets are lost", unless(firstOf(2), mute), 2, ""},
		{"all packets are lost", mute, maxSends, checks.TimedOut},
		{"the answer comes late, to the first", late, 0, ""},
		{"garbage comes first", unless(firstOf(1), garbage), 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serveDNS(t, "127.0.0.1", test.handler, nil)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			query, _ := exchange(ctx, udp, server, found, dns.TypeA)
			if query.Unanswered != test.want {
				t.Errorf("got %d sends without a reply, want %d", query.Unanswered, test.want)
			}
			if !failedBy(&query, test.kind) && (test.kind != "" || query.Failure != nil) {
				t.Errorf("got the failure %+v, want %q", query.Failure, test.kind)
			}
			if took := time.Since(began); took > limit+slack {
				t.Errorf("it took %s, more than its limit of %s", took, limit)
			}
		})
	}
}
