package observe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/judge"
	"github.com/kube-lifeline/lifeline/checks/observe"
)

// bundles are the materials of ca.crt.
type bundles struct {
	// authority is the right certificate, other that of a stranger.
	authority, other []byte
	key, list        []byte
}

// of is a block in PEM, its content changed.
func (bundles) of(kind string, der []byte, change ...func(string) string) string {
	block := string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	for _, change := range change {
		block = change(block)
	}
	return block
}

func newBundles(t *testing.T, authority *x509.Certificate) bundles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "other"}, SubjectKeyId: []byte{1},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	made := bundles{authority: authority.Raw}
	if made.other, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	if made.key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		t.Fatal(err)
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: template.NotBefore, NextUpdate: template.NotAfter}
	if made.list, err = x509.CreateRevocationList(rand.Reader, list, template, key); err != nil {
		t.Fatal(err)
	}
	return made
}

// openSSLCase is one ca.crt.
type openSSLCase struct {
	name   string
	bundle string
	works  bool
}

func openSSLCases(b bundles) []openSSLCase {
	good := b.of("CERTIFICATE", b.authority)
	other := b.of("CERTIFICATE", b.other)
	lines := strings.SplitAfter(good, "\n")
	// after puts a text behind a number of lines of the good certificate.
	after := func(count int, text string) string {
		return strings.Join(lines[:count], "") + text + strings.Join(lines[count:], "")
	}
	single := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(b.authority) + "\n-----END CERTIFICATE-----\n"
	const short = "-----BEGIN %-----\nAAAA\n-----END %-----\n"
	broken := func(kind string) string { return strings.ReplaceAll(short, "%", kind) }
	return []openSSLCase{
		{"one certificate", good, true},
		{"two", other + good, true},
		{"another alone", other, false},
		{"nothing", "", false},
		{"text alone", "no certificate\n", false},
		{"text around it", "# the cluster's CA\n\n" + good + "\nthe end", true},
		{"no line end behind it", strings.TrimSuffix(good, "\n"), true},
		{"line ends of Windows", strings.ReplaceAll(good, "\n", "\r\n"), true},
		{"blanks behind lines", strings.ReplaceAll(good, "\n", " \t\n"), true},
		{"a blank before it", " " + good, false},
		{"blanks before the lines within", after(2, "  "), true},
		{"all base64 in one line", single, true},
		{"a byte order mark", "\xEF\xBB\xBF" + good, true},
		{"a byte order mark before each of two", "\xEF\xBB\xBF" + other + "\xEF\xBB\xBF" + good, true},
		{"two byte order marks", "\xEF\xBB\xBF\xEF\xBB\xBF" + good, false},
		{"a byte order mark of UTF-16", "\xFF\xFE" + good, false},
		{"an empty line before the base64", after(1, "\n"), true},
		{"two empty lines before the base64", after(1, "\n\n"), false},
		{"an empty line within the base64", after(2, "\n"), false},
		{"an empty line before the end", after(len(lines)-2, "\n"), false},
		{"a header", after(1, "Comment: x\n\n"), false},
		{"a short header", after(1, "x: y\n\n"), false},
		{"a colon without an empty line", after(1, "x: y\n"), false},
		{"an encrypted certificate", after(1, "Proc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011223344556677\n\n"), false},
		{"a hyphen in the base64", after(2, "-\n"), false},
		{"a hyphen behind the base64", after(len(lines)-2, "-????\n"), true},
		{"no base64", after(2, "????\n"), false},
		{"padding within", after(2, "AA==\n"), false},
		{"cut off in the second", good + other[:len(other)/2], false},
		{"without an end", good + strings.TrimSuffix(other, "-----END CERTIFICATE-----\n"), false},
		{"another end", strings.Replace(good, "END CERTIFICATE", "END X509 CERTIFICATE", 1), false},
		{"an end with text behind it", strings.TrimSuffix(good, "\n") + "x\n", false},
		{"a beginning with text behind it", strings.Replace(good, "-----\n", "-----x\n", 1), false},
		{"a caption like a beginning", "-----BEGIN of our CA-----\n" + good, false},
		{"a damaged certificate beside it", good + broken("CERTIFICATE"), false},
		{"bytes behind the DER", b.of("CERTIFICATE", append(append([]byte{}, b.authority...), 0, 0)), true},
		{"the old type", b.of("X509 CERTIFICATE", b.authority), true},
		{"the type with trust", b.of("TRUSTED CERTIFICATE", b.authority), true},
		{"the type with trust, and settings of it", b.of("TRUSTED CERTIFICATE", append(append([]byte{}, b.authority...), 0x30, 0)), true},
		{"the type with trust, and bytes behind", b.of("TRUSTED CERTIFICATE", append(append([]byte{}, b.authority...), 4, 0)), false},
		{"another's type", b.of("CERTIFICATE REQUEST", b.authority), false},
		{"a revocation list beside it", good + b.of("X509 CRL", b.list), true},
		{"a revocation list alone", b.of("X509 CRL", b.list), false},
		{"a damaged revocation list beside it", good + broken("X509 CRL"), false},
		{"a revocation list without an end beside it", good + "-----BEGIN X509 CRL-----\nAAAA\n", false},
		{"a key beside it", good + b.of("PRIVATE KEY", b.key), true},
		{"a key of an older type beside it", good + b.of("EC PRIVATE KEY", b.key), true},
		{"a key with a line for a header", good + b.of("PRIVATE KEY", b.key, func(text string) string {
			return strings.Replace(text, "KEY-----\n", "KEY-----\nx: y\n\n", 1)
		}), false},
		{"a damaged key beside it", good + broken("PRIVATE KEY"), false},
		{"a damaged key of an unknown type beside it", good + broken("MY PRIVATE KEY"), false},
		{"an encrypted key beside it", good + broken("ENCRYPTED PRIVATE KEY"), true},
		{"a public key that is none beside it", good + broken("PUBLIC KEY"), true},
		{"damaged parameters beside it", broken("DH PARAMETERS") + good, true},
		{"an empty block beside it", good + "-----BEGIN DH PARAMETERS-----\n-----END DH PARAMETERS-----\n", false},
		{"a beginning right behind an end", strings.TrimSuffix(good, "\n") + other, false},
		{"a zero before it", "\x00\n" + good, false},
		{"a zero behind it", good + "\x00\nrubbish", true},
		{"a line of 254 characters before it", strings.Repeat("x", 254) + good, true},
		{"a line of 253 characters before it", strings.Repeat("x", 253) + good, false},
	}
}

// TestABundleIsReadAsOpenSSLReadsIt has a real python3 and a real curl, where
// there are such, read each bundle and connect to the server whose certificate
// is in it, and wants of the report what they meet.
func TestABundleIsReadAsOpenSSLReadsIt(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Audit-Id", "a")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"APIVersions","versions":["v1"]}`))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cases := openSSLCases(newBundles(t, server.Certificate()))
	directories := make([]string, len(cases))
	for i, test := range cases {
		directories[i] = t.TempDir()
		for name, content := range map[string]string{"ca.crt": test.bundle, "token": "an-opaque-token", "namespace": "shop"} {
			if err := os.WriteFile(filepath.Join(directories[i], name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}

	for i, test := range cases {
		t.Run("report/"+test.name, func(t *testing.T) {
			observer := &observe.Observer{
				Pod: checks.Pod{
					Environment:       map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port},
					ServiceAccountDir: directories[i],
				},
				Skip: []checks.Name{checks.DNS},
			}
			report := judge.Judge(observer.Observe(t.Context()), nil)
			for _, way := range report.Access {
				if way.Path == checks.PythonClient && way.Works != test.works {
					t.Errorf("python-client: got %t (%s), want %t", way.Works, way.Why, test.works)
				}
				if way.Path == checks.REST && test.works {
					t.Errorf("rest: got %t (%s), want nothing, since the name was not looked up", way.Works, way.Why)
				}
			}
		})
	}
	t.Run("python3", func(t *testing.T) {
		got := askPython(t, server.URL, directories)
		for i, test := range cases {
			if want := map[bool]string{true: "True", false: "False"}[test.works]; got[i] != want {
				t.Errorf("%s: python3 says %s, want %s", test.name, got[i], want)
			}
		}
	})
	t.Run("curl", func(t *testing.T) {
		curl := byOpenSSL3(t, "curl", "--version")
		for i, test := range cases {
			err := exec.Command(curl, "--silent", "--noproxy", "*", "--cacert", filepath.Join(directories[i], "ca.crt"), server.URL).Run()
			if got := err == nil; got != test.works {
				t.Errorf("%s: curl says %v, want that it works: %t", test.name, err, test.works)
			}
		}
	})
}

// byOpenSSL3 is the path of a program, and skips the test where it is missing
// or goes by another library.
func byOpenSSL3(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here", name)
	}
	version, err := exec.Command(path, arguments...).Output()
	if text := strings.ReplaceAll(string(version), "/", " "); err != nil || !strings.Contains(text, "OpenSSL 3.") {
		t.Skipf("%s goes by no OpenSSL 3: %s (%v)", path, version, err)
	}
	return path
}

func askPython(t *testing.T, url string, directories []string) []string {
	t.Helper()
	python := byOpenSSL3(t, "python3", "-c", "import ssl; print(ssl.OPENSSL_VERSION)")
	const program = `
import ssl, sys, urllib.parse, http.client
url = urllib.parse.urlsplit(sys.argv[1])
for directory in sys.argv[2:]:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(directory + "/ca.crt")
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=10)
        connection.request("GET", "/")
        print(connection.getresponse().status == 200)
        connection.close()
    except (ssl.SSLError, ValueError):
        print(False)
`
	output, err := exec.Command(python, append([]string{"-c", program, url}, directories...)...).Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	answers := strings.Fields(string(output))
	if len(answers) != len(directories) {
		t.Fatalf("python3 gave %d answers to %d questions", len(answers), len(directories))
	}
	return answers
}
