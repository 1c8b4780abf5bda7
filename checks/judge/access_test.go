package judge

import (
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// accessCase changes healthy facts and names the ways that still work, and
// those of which nothing can be said.
type accessCase struct {
	name    string
	change  func(*checks.Facts)
	works   string
	unknown string
	// why is a part of what each way that does not work says.
	why string
}

func judgeAccessCases(t *testing.T, cases []accessCase) {
	t.Helper()
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			facts := healthy(t)
			test.change(facts)
			var works, known []string
			for _, way := range Judge(facts, nil).Access {
				known = append(known, way.Path)
				if way.Works {
					works = append(works, way.Path)
				} else if !strings.Contains(way.Why, test.why) {
					t.Errorf("%s says %q, want %q in it", way.Path, way.Why, test.why)
				}
				if !strings.HasSuffix(way.Why, ".") || len(way.Why) < 20 {
					t.Errorf("%s says %q, which is no sentence", way.Path, way.Why)
				}
			}
			if got := strings.Join(works, " "); got != test.works {
				t.Errorf("these work: %q, want %q", got, test.works)
			}
			var unknown []string
			for _, path := range []string{checks.GoClient, checks.PythonClient, checks.REST} {
				if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+path+" ") {
					unknown = append(unknown, path)
				}
			}
			if got := strings.Join(unknown, " "); got != test.unknown {
				t.Errorf("nothing is said of %q, want of %q", got, test.unknown)
			}
		})
	}
}

const (
	allWays      = "go-client python-client rest"
	officialWays = "go-client python-client"
)

func TestAHealthyPodHasEveryWayAndSaysBy(t *testing.T) {
	want := []checks.Access{
		{Path: "go-client", Works: true, Why: "https://10.96.0.1:443/api answered 200 to system:serviceaccount:shop:web."},
		{Path: "python-client", Works: true, Why: "https://10.96.0.1:443/api answered 200 to system:serviceaccount:shop:web."},
		{Path: "rest", Works: true, Why: "https://kubernetes.default.svc/api (10.96.0.1:443) answered 200 to system:serviceaccount:shop:web."},
	}
	if diff := cmp.Diff(want, Judge(healthy(t), nil).Access); diff != "" {
		t.Errorf("the ways differ (-want +got):\n%s", diff)
	}
}

func TestTheEnvironmentMattersToTheOfficialClientsAlone(t *testing.T) {
	byName := func(f *checks.Facts) {
		f.API.ByName, f.API.ServiceHost = f.API.ServiceHost, nil
		f.API.ByName.URL = "https://kubernetes.default.svc:443/api"
	}
	judgeAccessCases(t, []accessCase{
		{"no variables", both(byName, func(f *checks.Facts) { f.Environment.ServiceHost, f.Environment.ServicePort = "", "" }), "rest", "", "KUBERNETES_SERVICE_HOST"},
		{"no port", func(f *checks.Facts) { f.Environment.ServicePort = "" }, "rest", "", "KUBERNETES_SERVICE_PORT is not set"},
		{"no port that is one", both(byName, func(f *checks.Facts) { f.Environment.ServicePort = "https" }), "rest", "", `"https"`},
		{"a URL for a host", both(byName, func(f *checks.Facts) { f.Environment.ServiceHost = "https://10.96.0.1" }), "rest", "", "neither an address nor a DNS name"},
		{"a name that does not resolve", both(byName, func(f *checks.Facts) { f.Environment.ServiceHost = "api.example.com" }), "rest", "", "does not resolve"},
		{"a stale address", func(f *checks.Facts) {
			good := *f.API.ServiceHost
			f.API.ByName = &good
			f.API.ServiceHost = &checks.Attempt{URL: "https://10.0.0.1:443/api", Exchanges: []checks.Exchange{{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.TimedOut}}}}
		}, "rest", "", "10.0.0.1:443 did not answer"},
		{"no namespace file", func(f *checks.Facts) { f.Environment.NamespaceFile.Problem = checks.FileMissing }, allWays, "", ""},
	})
}

func TestDNSMattersToRESTAlone(t *testing.T) {
	answer := func(change func(*checks.Attempt)) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.DNS.Lookup.Addresses = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
			other := *f.API.ServiceHost
			other.URL, other.Exchanges = "https://kubernetes.default.svc:443/api", []checks.Exchange{*last(f)}
			other.Exchanges[0].Address = netip.MustParseAddrPort("10.9.9.9:443")
			change(&other)
			f.API.ByName = &other
		}
	}
	judgeAccessCases(t, []accessCase{
		{"refused", func(f *checks.Facts) {
			f.DNS.Lookup.Addresses = nil
			f.DNS.Lookup.Queries = []checks.Query{query("", func(q *checks.Query) { q.Failure = &checks.Failure{Kind: checks.Refused} })}
		}, officialWays, "", "refused the connection"},
		{"silent to queries with EDNS(0) alone", both(unresolved(broken(checks.TimedOut)), withoutEDNS), officialWays, "rest", ""},
		{"answering later than a round may take", late(0.45, 0.1), officialWays, "rest", ""},
		{"no nameserver", func(f *checks.Facts) { f.DNS.Lookup.Addresses, f.DNS.ResolvConf.Nameservers = nil, nil }, officialWays, "", "names no nameserver"},
		{"a wrong address", answer(func(a *checks.Attempt) {
			a.Exchanges[0] = checks.Exchange{Stage: checks.StageConnect, Failure: &checks.Failure{Kind: checks.TimedOut}}
		}), officialWays, "", "did not answer the connection"},
		{"another address that serves", answer(func(*checks.Attempt) {}), allWays, "", ""},
		{"left out", func(f *checks.Facts) { f.DNS, f.Skipped = nil, []checks.Name{checks.DNS} }, officialWays, "rest", ""},
		{"another address, not asked for a Retry-After", func(f *checks.Facts) {
			f.DNS.Lookup.Addresses = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
		}, officialWays, "rest", ""},
	})
}

// The header that each client makes of a token was tried with client-go
// v0.37.2, http.client of Python 3.11 and curl 7.88 against a kube-apiserver's
// way of reading it.
func TestEachClientReadsTheTokenInItsOwnWay(t *testing.T) {
	missing := func(f *checks.Facts) { f.Token.File.Problem, f.Token.Claims = checks.FileMissing, nil }
	spaced := func(leading, trailing string) func(*checks.Facts) {
		return func(f *checks.Facts) {
			f.Token.SurroundingSpace, f.Token.LeadingSpace, f.Token.TrailingSpace = true, leading, trailing
		}
	}
	judgeAccessCases(t, []accessCase{
		{"missing", missing, "", "", "/sa/token cannot be read: it does not exist"},
		{"not to be read", func(f *checks.Facts) { f.Token.File.Problem = checks.FileForbidden }, "", "", "permission denied"},
		{"a directory", func(f *checks.Facts) { f.Token.File.Problem = checks.FileIrregular }, "", "", "no regular file"},
		{"empty", func(f *checks.Facts) { f.Token.Claims, f.Token.File.Size = nil, 0 }, "", "", "holds no token"},
		{"white space alone", both(spaced(" \n", ""), func(f *checks.Facts) { f.Token.Claims = nil }), "", "", "holds no token"},
		{"a line end behind it", spaced("", "\n"), "go-client rest", "", `"\n" after it`},
		{"several", spaced("", "\n\n"), "go-client rest", "", "makes a header that is not accepted"},
		{"that of Windows", spaced("", "\r\n"), "go-client", "", `\r`},
		{"a blank behind it", spaced("", " \t"), allWays, "", ""},
		{"a blank before it", spaced(" ", ""), "go-client", "", `" " before`},
		{"a line end before it", spaced("\n", ""), "go-client", "", "before"},
		{"no text for a header", func(f *checks.Facts) {
			f.API.ServiceHost.Authenticated, f.Token.Claims, f.Token.DecodeError = false, nil, "no JWT"
		}, "", "", "cannot be sent as a token"},
		{"not a JWT, and rejected", both(answeredWith(401, message("Unauthorized")), func(f *checks.Facts) {
			f.Token.Claims, f.Token.DecodeError = nil, "no JWT"
		}), "", "", "answered 401: Unauthorized"},
	})
}

func TestEachClientReadsTheBundleInItsOwnWay(t *testing.T) {
	foreign := func(f *checks.Facts) { handshakeFailure(checks.Untrusted, "x509: unknown authority")(f) }
	refusing := func(why string) func(*checks.Facts) {
		return func(f *checks.Facts) { f.CA.OpenSSL = &checks.OpenSSLBundle{Refusal: why} }
	}
	taking := func(count int) func(*checks.Facts) {
		return func(f *checks.Facts) { f.CA.OpenSSL = &checks.OpenSSLBundle{Certificates: count} }
	}
	judgeAccessCases(t, []accessCase{
		{"missing", both(foreign, func(f *checks.Facts) { f.CA.File.Problem, f.CA.Blocks = checks.FileMissing, nil }), "", "", "/sa/ca.crt"},
		{"empty", both(foreign, func(f *checks.Facts) { f.CA.Blocks, f.CA.Headers = nil, 0 }), "", "", "holds no certificate"},
		{"of another CA", foreign, "", "", "x509: unknown authority"},
		{"with a tail cut off", refusing("block 2 (CERTIFICATE) does not end"), "go-client", "", "OpenSSL refuses the whole of /sa/ca.crt: block 2 (CERTIFICATE) does not end."},
		{"with a block that does not parse", both(refusing("block 2 (CERTIFICATE) does not parse"), func(f *checks.Facts) {
			f.CA.Blocks = append(f.CA.Blocks, checks.PEMBlock{Type: "CERTIFICATE", Error: "x509: malformed", Malformed: true})
		}), "", "", "/sa/ca.crt"},
		{"with a block that Go passes over", both(taking(1), func(f *checks.Facts) {
			f.CA.Headers++
			f.CA.Blocks = append(f.CA.Blocks, checks.PEMBlock{Type: "DH PARAMETERS", Error: "passed over"})
		}), allWays, "", ""},
		{"that Go finds nothing in", both(taking(1), func(f *checks.Facts) { f.CA.Blocks = nil }), "python-client rest", "", "holds no certificate"},
		{"that OpenSSL finds nothing in", both(taking(0), foreign), "", "", ""},
		{"that OpenSSL finds more in", taking(2), allWays, "", ""},
		{"that OpenSSL finds more in, and of another CA for Go", both(taking(2), foreign), "", "python-client rest", "x509: unknown authority"},
		{"that both find the same in, and of another CA", both(taking(1), foreign), "", "", "x509: unknown authority"},
		{"with a key in it", func(f *checks.Facts) {
			f.CA.Blocks = append(f.CA.Blocks, checks.PEMBlock{Type: "PRIVATE KEY", Error: "passed over"})
		}, allWays, "", ""},
	})
}

func TestTheCertificateHasToProveWhatTheClientAsksFor(t *testing.T) {
	serving := func(change func(*x509.Certificate)) func(*checks.Facts) {
		return func(f *checks.Facts) {
			last(f).TLS.Chain = []checks.Certificate{told(f, newPKI(t).serving(change))}
		}
	}
	judgeAccessCases(t, []accessCase{
		{"without the name", serving(func(c *x509.Certificate) { c.DNSNames = []string{"node-1"} }), officialWays, "", "does not name kubernetes.default.svc"},
		{"with a wildcard for it", serving(func(c *x509.Certificate) { c.DNSNames = []string{"*.default.svc"} }), allWays, "", ""},
		{"without the address, and asked by name", func(f *checks.Facts) {
			good := *f.API.ServiceHost
			good.Exchanges = []checks.Exchange{*last(f)}
			f.API.ByName = &good
			serving(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} })(f)
			handshakeFailure(checks.Untrusted, "x509: certificate is valid for 10.0.0.1, not 10.96.0.1")(f)
		}, "rest", "", "not 10.96.0.1"},
		{"expired", handshakeFailure(checks.Untrusted, "x509: certificate has expired"), "", "", "has expired"},
		{"of plain HTTP", handshakeFailure(checks.Plaintext, "HTTP"), "", "", "speaks plain HTTP"},
	})
}

func TestAnAnswerCountsIfItIsToTheServiceAccount(t *testing.T) {
	anonymously := func(f *checks.Facts) { f.API.ServiceHost.Authenticated = false }
	judgeAccessCases(t, []accessCase{
		{"refused", brokenAt(checks.StageConnect, checks.Refused), "", "", "refused the connection"},
		{"frozen", handshakeFailure(checks.TimedOut, "i/o timeout"), "", "", "did not finish the TLS handshake"},
		{"no response", brokenAt(checks.StageResponse, checks.TimedOut), "", "", "did not answer"},
		{"401", answeredWith(401, message("Unauthorized")), "", "", "answered 401"},
		{"403 to nobody", answeredWith(403, message(`forbidden: User "system:anonymous" cannot get path "/api"`)), "", "", "system:anonymous"},
		{"403 to the service account", answeredWith(403, message(`forbidden: User "system:serviceaccount:shop:web" cannot get path "/api"`)), allWays, "", ""},
		{"403 of something in between that says so", both(answeredWith(403, message(`User "system:serviceaccount:shop:web"`)), func(f *checks.Facts) {
			last(f).Response.AuditID = ""
		}), "", "", "answered 403"},
		{"200 to nobody", anonymously, "", "", "to nobody"},
		{"200 of something else", answeredWith(200, foreign), "", "", "answered 200"},
		{"429", answeredWith(429, message("Too many requests")), "", "", "answered 429"},
		{"500", answeredWith(500), "", "", "answered 500"},
		{"503", answeredWith(503), "", "", "answered 503"},
		{"held by a Retry-After", both(answeredWith(429), func(f *checks.Facts) { f.API.HeldUntil = noon.Add(time.Second) }), "", "", "answered 429"},
		{"left out", func(f *checks.Facts) { f.API, f.Skipped = nil, []checks.Name{checks.TLS, checks.API} }, "", allWays, ""},
		{"left out, and no token", func(f *checks.Facts) {
			f.API, f.Skipped = nil, []checks.Name{checks.TLS, checks.API}
			f.Token.File.Problem = checks.FileMissing
		}, "", "", "/sa/token"},
		{"a token that a panic kept from being seen", func(f *checks.Facts) {
			f.Token, f.Panics = nil, map[checks.Name]string{checks.Token: "x"}
		}, "", allWays, ""},
	})
}

// The order of the variables and the rules of NO_PROXY are those of Go 1.26,
// kubernetes 36.0.3 with requests 2.28, and curl 7.88.
func TestEachClientHasItsOwnRulesForProxies(t *testing.T) {
	proxies := func(pairs ...string) func(*checks.Facts) {
		return func(f *checks.Facts) {
			env := f.Environment
			env.ProxyVariables = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				env.ProxyVariables[pairs[i]] = pairs[i+1]
			}
			env.HTTPSProxy = first(env.ProxyVariables["HTTPS_PROXY"], env.ProxyVariables["https_proxy"])
			env.NoProxy = first(env.ProxyVariables["NO_PROXY"], env.ProxyVariables["no_proxy"])
		}
	}
	const proxy = "http://10.1.1.1:3128"
	except := func(noProxy string) func(*checks.Facts) { return proxies("HTTPS_PROXY", proxy, "NO_PROXY", noProxy) }
	judgeAccessCases(t, []accessCase{
		{"HTTPS_PROXY", proxies("HTTPS_PROXY", proxy), "", "", proxy},
		{"https_proxy", proxies("https_proxy", proxy), "", "", proxy},
		{"HTTP_PROXY", proxies("HTTP_PROXY", proxy), "go-client rest", "", proxy},
		{"http_proxy", proxies("http_proxy", proxy), "go-client rest", "", proxy},
		{"ALL_PROXY", proxies("ALL_PROXY", proxy), officialWays, "", proxy},
		{"all_proxy", proxies("all_proxy", proxy), officialWays, "", proxy},
		{"except the address", except("10.96.0.1"), officialWays, "", "does not leave it out"},
		{"except the address among others", except("localhost, 10.96.0.1"), officialWays, "", proxy},
		{"except the range", except("10.96.0.0/12"), officialWays, "", proxy},
		{"except another range", except("10.97.0.0/16"), "", "", proxy},
		{"except .svc", except(".svc"), "rest", "", proxy},
		{"except svc", except("svc"), "rest", "", proxy},
		{"except the name", except("kubernetes.default.svc"), "rest", "", proxy},
		{"except the name, rooted and in capitals", except("KUBERNETES.default.svc."), "rest", "", proxy},
		{"except .cluster.local", except(".svc.cluster.local,.cluster.local"), "", "", proxy},
		{"except a part of the last label", except("vc"), "", "", proxy},
		{"except the address and .svc", except("10.96.0.1,.svc"), allWays, "", ""},
		{"except everything", except("*"), allWays, "", ""},
		{"except everything, with blanks around", except(" * "), "go-client", "", proxy},
		{"except the address with a line end", except("10.96.0.1\n"), officialWays, "", proxy},
		{"except the address with a tab", except("10.96.0.1\t"), officialWays, "", proxy},
		{"in small letters over capitals, but for Go", proxies("HTTPS_PROXY", proxy, "NO_PROXY", "x", "no_proxy", "10.96.0.1,.svc"), "python-client rest", "", proxy},
	})
}

func TestAHostNameIsLeftOutOfProxiesByItsDomain(t *testing.T) {
	for noProxy, want := range map[string]bool{
		"api.example.com": true, ".example.com": true, "example.com": true, "example.com:6443": true,
		"other.com": false, "10.0.0.0/8": false, "*": true, "": false,
		" * ": false, "*,": false, "\texample.com\n": true, "api.exam ple.com": true, "x, .example.com ": true,
	} {
		if got := requestsLeavesOut("api.example.com", "6443", noProxy); got != want {
			t.Errorf("NO_PROXY=%q: got %t, want %t", noProxy, got, want)
		}
	}
}
