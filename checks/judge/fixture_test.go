package judge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// noon is when every fixture was observed.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	serviceHost = "10.96.0.1"
	podUID      = "3f8a2c6e-5d3b-4f0a-9a51-0d2a6c1b7e44"
)

// pki makes certificates of one authority.
type pki struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(t testing.TB, change ...func(*x509.Certificate)) *pki {
	t.Helper()
	authority := &pki{t: t}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "kubernetes"},
		NotBefore:             noon.AddDate(-1, 0, 0),
		NotAfter:              noon.AddDate(9, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	for _, change := range change {
		change(template)
	}
	authority.key = newKey(t)
	authority.cert = authority.sign(template, template, authority.key, authority.key)
	return authority
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *pki) sign(template, parent *x509.Certificate, public, by *ecdsa.PrivateKey) *x509.Certificate {
	p.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &public.PublicKey, by)
	if err != nil {
		p.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return parsed
}

// serving makes a certificate as kubeadm makes the API server's.
func (p *pki) serving(change ...func(*x509.Certificate)) *x509.Certificate {
	p.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:    noon.AddDate(0, -1, 0),
		NotAfter:     noon.AddDate(0, 11, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses:  []net.IP{net.ParseIP(serviceHost)},
	}
	for _, change := range change {
		change(template)
	}
	return p.sign(template, p.cert, newKey(p.t), p.key)
}

// told is a certificate as a fact, its DER put into the facts.
func told(facts *checks.Facts, parsed *x509.Certificate) checks.Certificate {
	sum := sha256.Sum256(parsed.Raw)
	fingerprint := hex.EncodeToString(sum[:])
	facts.Certificates[fingerprint] = parsed.Raw
	return checks.Certificate{
		SHA256:    fingerprint,
		Subject:   parsed.Subject.String(),
		Issuer:    parsed.Issuer.String(),
		NotBefore: parsed.NotBefore,
		NotAfter:  parsed.NotAfter,
		IsCA:      parsed.IsCA,
		DNSNames:  parsed.DNSNames,
	}
}

// healthy are the facts of a pod in which nothing is wrong.
func healthy(t testing.TB) *checks.Facts {
	t.Helper()
	authority := newPKI(t)
	facts := &checks.Facts{
		Version:      checks.FactsVersion,
		Time:         noon,
		Hostname:     "web-0",
		Certificates: map[string][]byte{},
		Environment: &checks.EnvironmentFacts{
			ServiceHost: serviceHost, ServicePort: "443", ServiceAddress: serviceHost, ServiceLink: "tcp://" + serviceHost + ":443",
			NamespaceFile: checks.File{Path: "/sa/namespace"}, Namespace: "shop",
		},
		DNS: &checks.DNSFacts{
			ResolvConf: checks.ResolvConf{
				File:        checks.File{Path: "/etc/resolv.conf"},
				Nameservers: []netip.Addr{netip.MustParseAddr("10.96.0.10")},
				Search:      []string{"shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local."},
				Ndots:       5, Attempts: 2, TimeoutSeconds: 5,
			},
			Lookup: checks.Lookup{
				Name: checks.ServiceName, Answered: "kubernetes.default.svc.cluster.local.",
				Addresses: []netip.Addr{netip.MustParseAddr(serviceHost)},
				Queries: []checks.Query{
					query("NOERROR", func(q *checks.Query) { q.Addresses = []netip.Addr{netip.MustParseAddr(serviceHost)} }),
					query("NOERROR", func(q *checks.Query) { q.Type = "AAAA" }),
				},
				Seconds: 0.002,
			},
		},
		Token: &checks.TokenFacts{
			Directory: checks.File{Path: "/sa"},
			File:      checks.File{Path: "/sa/token", Link: "..data/token", Size: 1100},
			WrittenAt: noon.Add(-10 * time.Minute),
			Algorithm: "RS256", KeyID: "key",
			PodUIDFromMounts: podUID,
			Claims: &checks.TokenClaims{
				Issuer: "https://kubernetes.default.svc.cluster.local", Subject: "system:serviceaccount:shop:web",
				Audience:  []string{"https://kubernetes.default.svc.cluster.local"},
				IssuedAt:  noon.Add(-10 * time.Minute),
				NotBefore: noon.Add(-10 * time.Minute),
				ExpiresAt: noon.Add(-10*time.Minute).AddDate(1, 0, 0),
				WarnAfter: noon.Add(-10*time.Minute + 3607*time.Second),
				Namespace: "shop", ServiceAccount: "web", Pod: "web-0", PodUID: podUID, Node: "node-1",
			},
		},
		CA: &checks.CAFacts{File: checks.File{Path: "/sa/ca.crt"}, Headers: 1},
	}
	facts.CA.Blocks = []checks.PEMBlock{block(told(facts, authority.cert))}
	facts.API = &checks.APIFacts{ServiceHost: &checks.Attempt{
		URL:           "https://10.96.0.1:443/api",
		Authenticated: true,
		Exchanges: []checks.Exchange{{
			Stage:   checks.StageDone,
			Address: netip.MustParseAddrPort("10.96.0.1:443"),
			Phases:  checks.Phases{ConnectSeconds: 0.001, TLSSeconds: 0.003, FirstByteSeconds: 0.002, BodySeconds: 0.0001},
			TLS:     &checks.TLSFacts{ServerName: serviceHost, Verified: true, Version: "TLS 1.3", Chain: []checks.Certificate{told(facts, authority.serving())}},
			Response: &checks.Response{
				Status: 200, AuditID: "a", PriorityLevelUID: "p", FlowSchemaUID: "f",
				Kind: "APIVersions", Versions: []string{"v1"},
				Date: noon, ReceivedAt: noon, BodyBytes: 180,
			},
		}},
	}}
	return facts
}

func block(certificate checks.Certificate) checks.PEMBlock {
	return checks.PEMBlock{Type: "CERTIFICATE", Certificate: &certificate}
}

func query(rcode string, change ...func(*checks.Query)) checks.Query {
	asked := checks.Query{
		Name: "kubernetes.default.svc.cluster.local.", Type: "A", Transport: "udp",
		Nameserver: netip.MustParseAddr("10.96.0.10"), Rcode: rcode, Seconds: 0.001,
	}
	for _, change := range change {
		change(&asked)
	}
	return asked
}

// last is the exchange that a test changes.
func last(facts *checks.Facts) *checks.Exchange {
	exchanges := facts.API.ServiceHost.Exchanges
	return &exchanges[len(exchanges)-1]
}

// want is what a check should say.
type want struct {
	status checks.Status
	reason checks.Reason
}

// verdictCase changes healthy facts in one way.
type verdictCase struct {
	name   string
	change func(*checks.Facts)
	want   want
}

// judgeCases judges each case and compares the result of one check.
func judgeCases(t *testing.T, name checks.Name, cases []verdictCase) {
	t.Helper()
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			report := Judge(facts, nil)
			result, found := report.Result(name)
			if !found {
				t.Fatalf("the report has no result for %s", name)
			}
			if got := (want{result.Status, result.Reason}); got != test.want {
				t.Errorf("%s: got %v (%s), want %v", name, got, result.Message, test.want)
			}
			if result.Status != checks.OK && result.Status != checks.Skip && (result.Expected == "" || result.Found == "") {
				t.Errorf("%s says %q and not what was expected and found", name, result.Reason)
			}
		})
	}
}
