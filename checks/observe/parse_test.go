package observe

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kube-lifeline/lifeline/checks"
)

func addresses(texts ...string) []netip.Addr {
	parsed := []netip.Addr{}
	for _, text := range texts {
		parsed = append(parsed, netip.MustParseAddr(text))
	}
	return parsed
}

func TestResolvConfIsReadAsResolversReadIt(t *testing.T) {
	defaults := func(change func(*checks.ResolvConf)) checks.ResolvConf {
		conf := checks.ResolvConf{Ndots: 1, Attempts: 2, TimeoutSeconds: 5, Nameservers: addresses()}
		change(&conf)
		return conf
	}
	for _, test := range []struct {
		name, content string
		want          checks.ResolvConf
	}{
		{"as kubelet writes it", "search a.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n", defaults(func(c *checks.ResolvConf) {
			c.Search, c.Nameservers, c.Ndots = []string{"a.svc.cluster.local.", "svc.cluster.local.", "cluster.local."}, addresses("10.96.0.10"), 5
		})},
		{"empty", "", defaults(func(*checks.ResolvConf) {})},
		{"four nameservers", "nameserver 10.0.0.1\nnameserver fd00::2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n", defaults(func(c *checks.ResolvConf) {
			c.Nameservers, c.Ignored = addresses("10.0.0.1", "fd00::2", "10.0.0.3"), []string{"10.0.0.4"}
		})},
		{"a nameserver by name", "nameserver dns.example\n", defaults(func(c *checks.ResolvConf) { c.Ignored = []string{"dns.example"} })},
		{"comments", "# nameserver 10.0.0.1\n; search x\nnameserver 10.0.0.2 # trailing\n", defaults(func(c *checks.ResolvConf) { c.Nameservers = addresses("10.0.0.2") })},
		{"the last of domain and search holds", "domain one.example\nsearch two.example .\n", defaults(func(c *checks.ResolvConf) { c.Search = []string{"two.example."} })},
		{"options", "options ndots:99 timeout:0 attempts:3 rotate use-vc ndots:x\n", defaults(func(c *checks.ResolvConf) {
			c.Ndots, c.TimeoutSeconds, c.Attempts, c.Rotate, c.UseTCP = 15, 1, 3, true, true
		})},
		{"no end of the last line", "nameserver 10.0.0.1", defaults(func(c *checks.ResolvConf) { c.Nameservers = addresses("10.0.0.1") })},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, parseResolvConf(test.content), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("the configuration differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSearchListComesFirstForNamesWithFewDots(t *testing.T) {
	search := []string{"a.svc.cluster.local.", "svc.cluster.local."}
	for _, test := range []struct {
		name  string
		ndots int
		want  []string
	}{
		{"kubernetes.default.svc", 5, []string{"kubernetes.default.svc.a.svc.cluster.local.", "kubernetes.default.svc.svc.cluster.local.", "kubernetes.default.svc."}},
		{"kubernetes.default.svc", 2, []string{"kubernetes.default.svc.", "kubernetes.default.svc.a.svc.cluster.local.", "kubernetes.default.svc.svc.cluster.local."}},
		{"kubernetes.default.svc.", 5, []string{"kubernetes.default.svc."}},
		{strings.Repeat("a", 250), 5, []string{strings.Repeat("a", 250) + "."}},
	} {
		got := candidates(test.name, checks.ResolvConf{Search: search, Ndots: test.ndots})
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s with ndots:%d (-want +got):\n%s", test.name, test.ndots, diff)
		}
	}
}

func TestHostsFileNamesAnAddress(t *testing.T) {
	const content = "127.0.0.1 localhost\n10.0.0.1\tapi KUBERNETES.default.svc # kubernetes.default.svc\n# 10.0.0.2 kubernetes.default.svc\nfd00::1 kubernetes.default.svc.\nrubbish kubernetes.default.svc\n"
	got := hostsAddresses(content, "kubernetes.default.svc")
	if diff := cmp.Diff(addresses("10.0.0.1", "fd00::1"), got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("the addresses differ (-want +got):\n%s", diff)
	}
}

func TestTheHostsFileMayHaveOtherFormsOfTheName(t *testing.T) {
	const content = "127.0.1.1 kubernetes\n10.0.0.1 kubernetes.default.svc\n10.0.0.2 api Kubernetes.default kubernetes.default.svc.cluster.local. # kubernetes.default.svc.x\n" +
		"fd00::1 kubernetes.default.svc.cluster.example kubernetes.default.other kubernetes.docker.internal\nrubbish kubernetes.default\n"
	want := []checks.HostsEntry{
		{Name: "kubernetes.default", Address: netip.MustParseAddr("10.0.0.2")},
		{Name: "kubernetes.default.svc.cluster.local", Address: netip.MustParseAddr("10.0.0.2")},
		{Name: "kubernetes.default.svc.cluster.example", Address: netip.MustParseAddr("fd00::1")},
	}
	if diff := cmp.Diff(want, hostsEntries(content), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("the entries differ (-want +got):\n%s", diff)
	}
}

func TestMountsTellThePodsUID(t *testing.T) {
	const content = `1 0 0:1 / / rw - overlay overlay rw
22 21 8:1 /var/lib/kubelet/pods/3f8a2c6e-5d3b/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw
23 21 0:50 / /run/secrets/kubernetes.io/serviceaccount ro - tmpfs tmpfs rw
24 21 0:50 /..2026/tok\040en /run/secrets/kubernetes.io/serviceaccount/token ro - tmpfs tmpfs rw
25 21 0:51 / /run/secrets/kubernetes.io/serviceaccount-other ro - tmpfs tmpfs rw
broken line
`
	table := parseMounts(content)
	if got, want := table.podUID("/etc/hosts"), "3f8a2c6e-5d3b"; got != want {
		t.Errorf("got the UID %q, want %q", got, want)
	}
	want := []checks.Mount{
		{Root: "/", Point: "/run/secrets/kubernetes.io/serviceaccount"},
		{Root: "/..2026/tok en", Point: "/run/secrets/kubernetes.io/serviceaccount/token"},
	}
	if diff := cmp.Diff(want, table.below("/run/secrets/kubernetes.io/serviceaccount")); diff != "" {
		t.Errorf("the mounts differ (-want +got):\n%s", diff)
	}
	if got := table.podUID("/etc/resolv.conf"); got != "" {
		t.Errorf("got the UID %q from another file", got)
	}
}

func TestASignatureThatWasCutMakesNoToken(t *testing.T) {
	for _, test := range []struct {
		algorithm string
		bytes     int
		whole     bool
	}{
		{"RS256", 256, true},
		{"RS256", 384, true},
		{"RS256", 241, false},
		{"RS256", 0, false},
		{"ES256", 64, true},
		{"ES256", 61, false},
		{"ES384", 96, true},
		{"ES512", 132, true},
		{"EdDSA", 64, true},
		{"EdDSA", 32, false},
		{"HS256", 32, true},
	} {
		encode := base64.RawURLEncoding.EncodeToString
		header := encode(fmt.Appendf(nil, `{"alg":%q}`, test.algorithm))
		token := header + "." + encode([]byte(`{"sub":"system:serviceaccount:shop:web"}`)) + "." + encode(make([]byte, test.bytes))
		var facts checks.TokenFacts
		decodeToken(token, &facts)
		if got := facts.Claims != nil; got != test.whole {
			t.Errorf("a token by %s with a signature of %d bytes: taken for one is %t (%s), want %t", test.algorithm, test.bytes, got, facts.DecodeError, test.whole)
		}
	}
}

func TestAPasswordOfAProxyIsHidden(t *testing.T) {
	for proxy, want := range map[string]string{
		"http://user:secret@proxy.example:3128": "http://hidden@proxy.example:3128",
		"user:secret@proxy.example:3128":        "hidden@proxy.example:3128",
		"http://user:sec%zzret@proxy.example":   "http://hidden@proxy.example",
		"http://proxy.example:3128":             "http://proxy.example:3128",
		"http://proxy.example/?password=secret": "http://proxy.example",
		"http://a:b@c@proxy.example:3128/x":     "http://hidden@proxy.example:3128",
		"user:s3cr://et@proxy.example:3128":     "hidden@proxy.example:3128",
		"":                                      "",
	} {
		if got := withoutSecrets(proxy); got != want {
			t.Errorf("%q: got %q, want %q", proxy, got, want)
		}
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"5":                             5 * time.Second,
		"Mon, 23 Nov 2026 12:01:00 GMT": time.Minute,
		"Mon, 23 Nov 2026 11:00:00 GMT": 0,
		"-1":                            0,
		"soon":                          0,
		"99999999999999999999":          maxRetryAfter,
		"2147483648":                    maxRetryAfter,
		"":                              0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}

func TestATokenThatAServerRepeatsIsHidden(t *testing.T) {
	const (
		ours   = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ3ZWIiLCJleHAiOjE4MDB9.0123456789-signature-of-ours_ABCDEFGHIJKLMNOP"
		before = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ3ZWIiLCJleHAiOjE3MDB9.zyxwvutsrq-signature-of-before_QRSTUVWXYZ"
		opaque = "sesame/open+that=is;long:enough"
	)
	for _, test := range []struct {
		name, token, text string
		secrets           []string
	}{
		{"whole", ours, "you sent " + ours, strings.Split(ours, ".")},
		{"in a page", ours, "<html>Authorization: Bearer " + ours + "</html>", strings.Split(ours, ".")},
		{"its parts", ours, strings.ReplaceAll(ours, ".", " and "), strings.Split(ours, ".")},
		{"cut by a character at the end", ours, "got " + ours[:len(ours)-1], []string{"signature-of-ours"}},
		{"cut by a character at the beginning", ours, "got " + ours[1:], []string{"signature-of-ours"}},
		{"a part cut at both ends", ours, "got " + ours[60:len(ours)-1], []string{"signature-of-ours"}},
		{"the one before", ours, "got " + before + ", not that", []string{"signature-of-before"}},
		{"the one before, cut", ours, "got " + before[:len(before)-1], []string{"signature-of-before"}},
		{"one where there is none of ours", "", "got " + before, []string{"signature-of-before"}},
		{"an opaque one", opaque, "you sent " + opaque, []string{"open+that"}},
		{"an opaque one of somebody else", ours, `{"authorization":"Bearer s3cr3t/word+x"}`, []string{"s3cr3t", "word+x"}},
		{"in capitals, after two blanks", "", "BEARER  s3cr3t, and bearer\ts3cr3t", []string{"s3cr3t"}},
		{"several", "", "Bearer s3cr3t Bearer s3cr3t\nBearer s3cr3t", []string{"s3cr3t"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &round{token: test.token}
			response := &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}}
			for _, name := range []string{"Location", "Server", "Via", "Warning", "Audit-Id", "Content-Type"} {
				response.Header.Set(name, test.text)
			}
			object, err := json.Marshal(map[string]any{"kind": test.text, "message": test.text, "reason": test.text, "versions": []string{test.text}})
			if err != nil {
				t.Fatal(err)
			}
			for _, body := range []string{test.text, string(object)} {
				told, err := json.Marshal(describe(response, []byte(body), time.Unix(1_800_000_000, 0), r.scrub))
				if err != nil {
					t.Fatal(err)
				}
				for _, secret := range test.secrets {
					if strings.Contains(string(told), secret) {
						t.Errorf("%q is told: %s", secret, told)
					}
				}
				if !strings.Contains(string(told), hidden) {
					t.Errorf("nothing is marked as hidden: %s", told)
				}
			}
		})
	}
}

func TestWhatIsNoCredentialIsToldAsItIs(t *testing.T) {
	for _, text := range []string{
		"APIVersions", "application/json; charset=utf-8", "3f8a2c6e-5d3b-4f0a-9a51-0d2a6c1b7e44", "",
		`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`, "the bearer", "bearer", "Bearer ",
		"https://kubernetes.default.svc.cluster.local/eyJ", "1.1 ingress.example.com (a-proxy/2.4.58)",
	} {
		for _, token := range []string{"", "APIVersions", "x.APIVersions.y", "a-long-beginning.APIVersions.y"} {
			if got := (&round{token: token}).scrub(text); got != text {
				t.Errorf("with the token %q got %q, want %q", token, got, text)
			}
		}
	}
}

func TestThePartsOfAnAPIServerThatFailAreNamed(t *testing.T) {
	const head = "[+]ping ok\n[+]log ok\n"
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"ready", "ok", nil},
		{"one", head + "[-]etcd failed: reason withheld\n[+]informer-sync ok\nreadyz check failed\n", []string{"etcd"}},
		{"several, far behind", head + strings.Repeat("[+]poststarthook/start-x ok\n", 40) + "[-]a failed: x\n[-]poststarthook/b failed: reason withheld\n", []string{"a", "poststarthook/b"}},
		{"more than are told", strings.Repeat("[-]a failed: x\n", 9), []string{"a", "a", "a", "a", "a"}},
		{"without a reason", "[-]etcd failed", []string{"etcd"}},
		{"without a name", "[-] failed: x\n[-]failed\n", nil},
		{"within a line", "x [-]etcd failed: x", nil},
		{"a name without end", "[-]" + strings.Repeat("x", 2*maxNameLength) + " failed", []string{strings.Repeat("x", maxNameLength) + "…"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := describe(&http.Response{StatusCode: http.StatusInternalServerError}, []byte(test.body), time.Time{}, strings.Clone)
			if diff := cmp.Diff(test.want, response.FailedParts); diff != "" {
				t.Errorf("the parts differ (-want +got):\n%s", diff)
			}
		})
	}
}
