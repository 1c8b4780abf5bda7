package observe

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
)

// saved fails the test where facts cannot be written as JSON, or hold a
// character that could steer a terminal.
func saved(t *testing.T, facts any) {
	t.Helper()
	written, err := json.Marshal(facts)
	if err != nil {
		t.Fatalf("the facts %+v cannot be saved: %s", facts, err)
	}
	if strings.Contains(string(written), `\u001b`) {
		t.Errorf("the facts hold an escape character: %s", written)
	}
}

func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 10.0.0.1\nsearch a b\noptions ndots:5")
	f.Add("nameserver fe80::1%eth0\noptions attempts:-1 timeout:99999999999999999999")
	f.Fuzz(func(t *testing.T, content string) {
		conf := parseResolvConf(content)
		saved(t, conf)
		if len(conf.Nameservers) > 3 || conf.Ndots > 15 || conf.Attempts < 1 || conf.TimeoutSeconds < 1 || len(conf.Search) > maxSearch {
			t.Errorf("got %+v, which is out of bounds", conf)
		}
		candidates(checks.ServiceName, conf)
	})
}

func FuzzHosts(f *testing.F) {
	f.Add("10.0.0.1 kubernetes.default.svc # x")
	f.Fuzz(func(t *testing.T, content string) {
		if got := hostsAddresses(content, checks.ServiceName); len(got) > maxAddresses {
			t.Errorf("got %d addresses", len(got))
		}
	})
}

func FuzzMounts(f *testing.F) {
	f.Add(`22 21 8:1 /pods/x/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw`)
	f.Fuzz(func(t *testing.T, content string) {
		table := parseMounts(content)
		saved(t, table.below("/run"))
		saved(t, table.podUID("/etc/hosts"))
	})
}

func FuzzToken(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJhIiwiZXhwIjoxZTMwLCJpYXQiOi0xfQ." + strings.Repeat("c", 43))
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsiYSJdLCJrdWJlcm5ldGVzLmlvIjp7Indhcm5hZnRlciI6MX19." + strings.Repeat("c", 43))
	f.Add("...")
	f.Fuzz(func(t *testing.T, token string) {
		var facts checks.TokenFacts
		decodeToken(token, &facts)
		saved(t, facts)
		if (facts.Claims == nil) == (facts.DecodeError == "") {
			t.Errorf("got claims %v and error %q, want one of them", facts.Claims, facts.DecodeError)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(strings.Repeat("-----BEGIN A-----\n", 50)))
	f.Fuzz(func(t *testing.T, content []byte) {
		directory := t.TempDir()
		if err := os.WriteFile(filepath.Join(directory, "ca.crt"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		r := &round{pod: checks.Pod{ServiceAccountDir: directory}.WithDefaults(), facts: &checks.Facts{Certificates: map[string][]byte{}}}
		saved(t, r.authorities())
	})
}

func FuzzDNSReply(f *testing.F) {
	asked := question("kubernetes.default.svc.cluster.local.", dns.TypeA)
	asked.Id = 7
	sent, err := asked.Pack()
	if err != nil {
		f.Fatal(err)
	}
	packed, err := new(dns.Msg).SetReply(asked).Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte{0, 7, 0x80, 0})
	f.Fuzz(func(t *testing.T, content []byte) {
		reply := answer(sent, content)
		if reply == nil {
			return
		}
		query, _ := read(checks.Query{}, reply, dns.TypeA)
		saved(t, query)
		if len(query.Addresses) > maxAddresses {
			t.Errorf("got %d addresses", len(query.Addresses))
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add("Warning", "299 - \"x\"", []byte(`{"kind":"APIVersions","versions":["v1"]}`))
	f.Add("Date", "Mon, 23 Nov 2026 12:00:00 GMT", []byte("<html>\x1b[31m"))
	f.Add("Retry-After", "99999999999", []byte(`{"kind":1}`))
	f.Fuzz(func(t *testing.T, header, value string, body []byte) {
		response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
		response.Header.Set(header, value)
		saved(t, describe(response, body, time.Unix(1_800_000_000, 0), strings.ToLower))
	})
}
