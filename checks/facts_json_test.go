package checks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
)

// filled are facts in which every field has a value of its own.
func filled() *checks.Facts {
	facts := &checks.Facts{}
	(&filler{}).fill(reflect.ValueOf(facts).Elem())
	facts.Version = checks.FactsVersion
	for _, attempt := range []*checks.Attempt{facts.API.ServiceHost, facts.API.ByName, &facts.KubectlProxy.Attempt} {
		for i := range attempt.Exchanges {
			attempt.Exchanges[i].Stage = checks.StageDone
		}
	}
	for i := range facts.Deep.DNS.Nameservers {
		server := &facts.Deep.DNS.Nameservers[i]
		server.Paired = &checks.PairedFacts{Pairs: 20, Half: 3, None: 2, Recovered: 4, Failing: 1, Known: 14}
		server.Single = &checks.SingleFacts{Queries: 40, Lost: 2, Recovered: 1}
	}
	return facts
}

type filler struct{ count int }

func (f *filler) fill(v reflect.Value) {
	f.count++
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 12, 0, 0, f.count, time.FixedZone("", 3600))))
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 96, byte(f.count >> 8), byte(f.count)})))
		return
	case reflect.TypeFor[netip.AddrPort]():
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.MustParseAddr("fd00::1"), uint16(f.count))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%d <&> \" \\ ü 𝛼 \u2028", f.count))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(f.count) / 3)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.count) << 20)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.count))
	case reflect.Uint8:
		v.SetUint(uint64(f.count % 256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	default:
		panic(fmt.Sprintf("fill knows no %s", v.Type()))
	}
}

func written(t testing.TB, facts *checks.Facts) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := checks.WriteFacts(&out, facts); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFactsAreReadAsTheyWereWritten(t *testing.T) {
	for name, facts := range map[string]*checks.Facts{
		"every field": filled(),
		"a round that left all out": {
			Version: checks.FactsVersion, Skipped: checks.Names(),
			Environment: &checks.EnvironmentFacts{}, Token: &checks.TokenFacts{}, CA: &checks.CAFacts{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checks.ReadFacts(bytes.NewReader(written(t, facts)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(facts, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("got other facts (-written +read):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoFactsIsToldByName(t *testing.T) {
	whole := string(written(t, filled()))
	with := func(fields string) string {
		return `{"version": "lifeline.facts/v1", "environment": {}, "token": {}, "ca": {}, ` + fields + `}`
	}
	nameservers := func(servers string) string {
		return with(`"skipped": ["dns", "tls", "api"], "deep": {"dns": {"nameservers": [` + servers + `]}}`)
	}
	for _, test := range []struct{ name, input, want string }{
		{"nothing", " \n", "the input is empty"},
		{"the first half", whole[:len(whole)/2], "their JSON ends in the middle"},
		{"all but the last brace", strings.TrimRight(whole, "}\n"), "their JSON ends in the middle"},
		{"two of them", whole + whole, "no facts in JSON: invalid character '{' after top-level value"},
		{"text", "lifeline: not found", "no facts in JSON: invalid character 'l'"},
		{"gzip", "\x1f\x8b\x08\x00\x00", "no facts in JSON"},
		{"a list", "[]", "an array stands where the whole is to be"},
		{"null", "null", "they name no version"},
		{"another object", `{"kind": "Pod"}`, "they name no version"},
		{"a report", `{"apiVersion": "lifeline/v1", "checks": []}`, "this is a report and no facts"},
		{"a newer version, of another shape", `{"version": "lifeline.facts/v2", "dns": []}`, `of the version "lifeline.facts/v2", and this program knows "lifeline.facts/v1"`},
		{"a version without end", `{"version": "` + strings.Repeat("v", 1<<20) + `"}`, `of the version "vvvv`},
		{"a number for a version", `{"version": 1}`, "a number stands where version is to be"},
		{"a part of another type", `{"version": "lifeline.facts/v1", "dns": 7}`, "a number stands where dns is to be"},
		{"an address that is none", `{"version": "lifeline.facts/v1", "dns": {"lookup": {"addresses": ["x"]}}}`, `ParseAddr("x")`},
		{"a certificate that is no base64", `{"version": "lifeline.facts/v1", "certificates": {"00": "!"}}`, "illegal base64 data"},
		{"nothing of the token", `{"version": "lifeline.facts/v1", "environment": {}, "skipped": ["dns", "token"]}`, "nothing of token is in them"},
		{"nothing of a check that another is judged with", with(`"skipped": ["dns", "api"]`), "nothing of api is in them"},
		{"nothing of the name that the environment gives", with(`"environment": {"serviceHost": "api.example"}, "skipped": ["dns"], "api": {}`), "nothing of dns is in them"},
		{"an attempt without a try", with(`"skipped": ["dns"], "api": {"serviceHost": {"url": "https://x"}}`), `the attempt at "https://x" has no exchange`},
		{"a handshake of which nothing was seen", with(`"skipped": ["dns"], "api": {"serviceHost": {"exchanges": [{"stage": "tls"}]}}`), "came to a handshake of which it tells nothing"},
		{"an answer without a response", with(`"skipped": ["dns"], "api": {"byName": {"exchanges": [{"stage": "done"}]}}`), "was answered with no response"},
		{"a stage that there is not", with(`"skipped": ["dns", "tls", "api"], "kubectlProxy": {"attempt": {"exchanges": [{"stage": "lunch"}]}}`), `the stage "lunch"`},
		{"more rounds than an observer keeps", with(`"skipped": ["dns", "tls", "api"], "history": {"lately": [` + strings.Repeat("{},", 64) + `{}]}`), "they hold 65 earlier rounds"},
		{"more nameservers than there are", nameservers(strings.Repeat(`{"address": "10.96.0.10"},`, 64) + `{"address": "10.96.0.10"}`), "they hold 65 nameservers"},
		{"a nameserver without an address", nameservers(`{}`), "a nameserver has no address"},
		{"pairs without end", nameservers(`{"address": "10.96.0.10", "paired": {"pairs": 2000000000, "half": 1999999999}}`), "the pairs of queries to 10.96.0.10 do not add up"},
		{"more pairs that failed than were made", nameservers(`{"address": "10.96.0.10", "paired": {"pairs": 20, "half": 12, "none": 9}}`), "do not add up"},
		{"pairs that are a debt", nameservers(`{"address": "10.96.0.10", "paired": {"pairs": 20, "half": -1}}`), "do not add up"},
		{"more pairs that were answered than came back", nameservers(`{"address": "10.96.0.10", "paired": {"pairs": 20, "half": 12, "known": 9}}`), "do not add up"},
		{"pairs that came back and were never away", nameservers(`{"address": "10.96.0.10", "paired": {"pairs": 20, "half": 1, "recovered": 2}}`), "do not add up"},
		{"more queries lost than made", nameservers(`{"address": "10.96.0.10", "single": {"queries": 40, "lost": 41}}`), "the single queries to 10.96.0.10 do not add up"},
		{"8 MiB of spaces and more", strings.Repeat(" ", checks.MaxFactsSize+1), "more than the 8 MiB"},
		{"nesting without end", strings.Repeat("[", 1<<20), "exceeded max depth"},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts, err := checks.ReadFacts(strings.NewReader(test.input))
			if err == nil {
				t.Fatalf("got facts %+v and no error", facts)
			}
			if !strings.Contains(err.Error(), test.want) || len(err.Error()) > 300 {
				t.Errorf("got the error %.400q, want one of 300 bytes at the most with %q", err, test.want)
			}
		})
	}
}

func TestAsManyQueriesAsFactsCanHoldAreJudgedInTime(t *testing.T) {
	var queries []string
	for i := range 70000 {
		queries = append(queries, fmt.Sprintf(`{"name":"%d","type":"A","failure":{"kind":"timeout"}},{"name":"%d","type":"A","soa":"%d"}`, i, i, i))
	}
	facts, err := checks.ReadFacts(strings.NewReader(`{"version": "lifeline.facts/v1", "environment": {}, "token": {}, "ca": {}, "skipped": ["api", "tls"],
		"dns": {"resolvConf": {"nameservers": ["10.96.0.10"]}, "lookup": {"queries": [` + strings.Join(queries, ",") + `]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	judged(t, facts)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("judging took %s, want a part of a second", took)
	}
}

func TestNoMoreOfAnEndlessFileIsReadThanFactsCanHave(t *testing.T) {
	endless := &counter{}
	if _, err := checks.ReadFacts(endless); err == nil {
		t.Error("an endless file was taken for facts")
	}
	if endless.read > checks.MaxFactsSize+1 {
		t.Errorf("%d bytes were read, want %d at the most", endless.read, checks.MaxFactsSize+1)
	}
}

// counter is a file of zeros without an end.
type counter struct{ read int }

func (c *counter) Read(buffer []byte) (int, error) {
	clear(buffer)
	c.read += len(buffer)
	return len(buffer), nil
}

func TestAFileThatCannotBeReadIsToldSo(t *testing.T) {
	reader, writer := io.Pipe()
	writer.CloseWithError(os.ErrPermission)
	if _, err := checks.ReadFacts(reader); err == nil || !strings.Contains(err.Error(), "reading the facts: permission denied") {
		t.Errorf("got the error %v, want one that tells of the permission", err)
	}
}

func TestFactsOfANewerReleaseAreReadWithoutWhatIsUnknown(t *testing.T) {
	var fields map[string]any
	if err := json.Unmarshal(written(t, filled()), &fields); err != nil {
		t.Fatal(err)
	}
	fields["weather"] = map[string]any{"sky": "clear"}
	fields["dns"].(map[string]any)["colour"] = 7
	newer, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	got, err := checks.ReadFacts(bytes.NewReader(newer))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(filled(), got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("got other facts (-without the unknown +read):\n%s", diff)
	}
}

func TestFactsThatJSONCannotHoldAreRefused(t *testing.T) {
	facts := filled()
	facts.Time = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	if err := checks.WriteFacts(&out, facts); err == nil || out.Len() > 0 {
		t.Errorf("got the error %v and %d bytes, want an error and nothing written", err, out.Len())
	}
}

func FuzzFactsFromAnybodyAreJudgedOrRefused(f *testing.F) {
	f.Add([]byte(`{"version": "lifeline.facts/v1", "environment": {}, "token": {}, "ca": {}, "skipped": ["environment", "dns", "token", "ca", "tls", "api", "kubectl-proxy"]}`))
	f.Add([]byte(`{"version": "lifeline.facts/v1", "environment": {}, "dns": {}, "token": {}, "ca": {}, "api": {}, "kubectlProxy": {}, "deep": {}}`))
	f.Add([]byte(`{"version": "lifeline.facts/v1", "environment": {"serviceHost": "10.96.0.1", "servicePort": "443"},
		"dns": {"lookup": {"queries": [{"rcode": "NXDOMAIN"}]}}, "token": {"claims": {}}, "ca": {"blocks": [{}, {"certificate": {}}]},
		"api": {"byName": {"exchanges": [{"stage": "connect"}]}, "serviceHost": {"exchanges": [{"stage": "done", "response": {"status": 401, "auditID": "x"}, "tls": {"chain": [{}]}}]}},
		"kubectlProxy": {"attempt": {"exchanges": [{"stage": "done", "response": {"status": 500}}]}},
		"deep": {"dns": {"nameservers": [{"address": "10.96.0.10", "paired": {}}, {"address": "10.96.0.11", "udp": {}}]}, "path": {"controls": [{}], "fullHello": {}, "fresh": [{}]}, "api": {"self": {}}}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		facts, err := checks.ReadFacts(bytes.NewReader(content))
		if err != nil {
			return
		}
		judged(t, facts)
		// What cannot be written again, as a year past 9999, is no fault.
		var out bytes.Buffer
		if err := checks.WriteFacts(&out, facts); err != nil {
			return
		}
		if _, err := checks.ReadFacts(&out); err != nil {
			t.Errorf("the facts were read, written and refused: %s", err)
		}
	})
}

// judged fails the test where a rule panics, which Judge makes a failing of the
// check, unless the facts tell of panics themselves.
func judged(t *testing.T, facts *checks.Facts) {
	t.Helper()
	for _, result := range judge.Judge(facts, nil).Checks {
		if result.Reason == checks.CheckPanicked && len(facts.Panics) == 0 {
			t.Errorf("%s: %s", result.Name, result.Message)
		}
	}
}

// TestFactsOfAnyShapeAreJudged makes up facts of parts that are there or not,
// and of words that the rules look for, which fuzzing bytes hardly meets.
func TestFactsOfAnyShapeAreJudged(t *testing.T) {
	const shapes = 1000
	read := 0
	for seed := range uint64(shapes) {
		made := &checks.Facts{}
		(&dice{rand.New(rand.NewPCG(seed, 0))}).fill(reflect.ValueOf(made).Elem())
		made.Version = checks.FactsVersion
		facts, err := checks.ReadFacts(bytes.NewReader(written(t, made)))
		if err != nil {
			continue
		}
		read++
		func() {
			defer func() {
				if value := recover(); value != nil {
					t.Errorf("shape %d: %v\n%s", seed, value, debug.Stack())
				}
			}()
			judged(t, facts)
		}()
		if t.Failed() {
			t.Fatalf("the facts of shape %d:\n%s", seed, written(t, facts))
		}
	}
	if read < shapes/20 {
		t.Errorf("only %d of %d shapes were facts", read, shapes)
	}
}

type dice struct{ *rand.Rand }

func pick[T any](d *dice, values ...T) T { return values[d.IntN(len(values))] }

// fill throws dice for everything below v.
func (d *dice) fill(v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(pick(d, time.Time{}, time.Date(2026, 11, 23, 12, 0, d.IntN(9000), 0, time.UTC), time.Unix(0, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))))
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(pick(d, netip.Addr{}, netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("10.96.0.10"), netip.MustParseAddr("169.254.20.10"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("127.0.0.1"))))
		return
	case reflect.TypeFor[netip.AddrPort]():
		v.Set(reflect.ValueOf(pick(d, netip.AddrPort{}, netip.MustParseAddrPort("10.96.0.1:443"), netip.MustParseAddrPort("[fd00::1]:6443"))))
		return
	case reflect.TypeFor[checks.PairedFacts]():
		lost := d.IntN(20)
		v.Set(reflect.ValueOf(checks.PairedFacts{Pairs: 20, Half: lost / 3, None: lost - lost/3, Recovered: d.IntN(lost + 1), Failing: d.IntN(20), Known: d.IntN(21 - lost)}))
		return
	case reflect.TypeFor[checks.SingleFacts]():
		lost := d.IntN(40)
		v.Set(reflect.ValueOf(checks.SingleFacts{Queries: 40, Lost: lost, Recovered: d.IntN(lost + 1)}))
		return
	case reflect.TypeFor[checks.Stage]():
		v.SetString(pick(d, "resolve", "connect", "tls", "response", "body", "done"))
		return
	case reflect.TypeFor[checks.FailureKind]():
		v.SetString(pick(d, "refused", "timeout", "reset", "closed", "host-unreachable", "network-unreachable", "not-permitted", "invalid", "plaintext", "untrusted", "too-large", "other", "novel"))
		return
	case reflect.TypeFor[checks.FileProblem]():
		v.SetString(pick(d, "", "", "", "missing", "forbidden", "irregular", "too-large", "unreadable"))
		return
	case reflect.TypeFor[checks.Name]():
		v.SetString(string(pick(d, checks.Names()...)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(d, "", "", "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "A", "AAAA", "TXT", "udp", "tcp", "10.96.0.1", "443", "kubernetes.default.svc", "svc.cluster.local.",
			"kubernetes.default.svc.cluster.local.", "ns.dns.cluster.local.", "APIVersions", "v1", "system:anonymous", "web-0", "https://10.96.0.1:443/api", "http://127.0.0.1:8001/api", "Forbidden", "%s", "..", "."))
	case reflect.Bool:
		v.SetBool(d.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(pick(d, 0, 0.001, 1.5, -1, 1e300))
	case reflect.Int, reflect.Int64:
		v.SetInt(pick[int64](d, 0, 1, 2, 20, 200, 401, 403, 429, 500, -1, math.MaxInt64))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(d.IntN(3)))
	case reflect.Uint8:
		v.SetUint(uint64(d.IntN(256)))
	case reflect.Pointer:
		if d.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			d.fill(v.Elem())
		}
	case reflect.Slice:
		length := d.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), length, length))
		for i := range length {
			d.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		if d.IntN(4) == 0 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			d.fill(key)
			d.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.fill(v.Field(i))
		}
		if server, ok := v.Addr().Interface().(*checks.NameserverFacts); ok {
			server.Address = netip.MustParseAddr("10.96.0.10")
		}
	default:
		panic(fmt.Sprintf("fill knows no %s", v.Type()))
	}
}
