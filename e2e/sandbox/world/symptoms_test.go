package world_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

const (
	// brief is enough for anything on loopback, patient for faults that only
	// delay.
	brief   = 5 * time.Second
	patient = 10 * time.Second
	// late is what the delaying faults take at least.
	late = 600 * time.Millisecond
)

// symptoms are all that an application can see of a world, in words that do
// not differ from run to run.
func symptoms(t *testing.T, w *world.World, timeout time.Duration) map[string]string {
	t.Helper()
	client := newClient(t, w)
	client.timeout = timeout
	elsewhere := *client
	elsewhere.base = strings.Replace(client.base, "127.0.0.1", "127.0.0.2", 1)
	ctx := context.Background()
	looks := map[string]func() string{
		"environment":         func() string { return environmentInWords(client.pod) },
		"resolv.conf":         func() string { return fileInWords(client.pod.ResolvConf) },
		"hosts":               func() string { return fileInWords(client.pod.Hosts) },
		"mount":               func() string { return mountInWords(client.pod) },
		"volume":              func() string { return volumeInWords(client.pod) },
		"namespace":           func() string { return fileInWords(client.pod.NamespaceFile()) },
		"token":               func() string { return tokenInWords(client.pod) },
		"ca.crt":              func() string { return bundleInWords(client.pod) },
		"A by UDP":            func() string { return lookupInWords(client, "udp", "A") },
		"A by TCP":            func() string { return lookupInWords(client, "tcp", "A") },
		"pairs by UDP":        func() string { return pairsInWords(client.pairs("kubernetes.default.svc.cluster.local.")) },
		"AAAA by UDP":         func() string { return lookupInWords(client, "udp", "AAAA") },
		"dns-version":         func() string { return answerInWords(client.ask(ctx, "udp", "dns-version.cluster.local.", "TXT")) },
		"serving certificate": func() string { return certificateInWords(client.certificate(ctx)) },
		"GET /api":            func() string { return responseInWords(client.get(ctx, "/api", trimmedToken(client.pod))) },
		"GET /readyz again":   func() string { return againInWords(client.twice(ctx, "/readyz", "")) },
		"GET /readyz":         func() string { return responseInWords(client.get(ctx, "/readyz", "")) },
		"kubectl proxy":       func() string { return proxyInWords(client) },
		"by HTTPS_PROXY":      func() string { return proxiedInWords(client) },
		"at 127.0.0.2":        func() string { return responseInWords(elsewhere.get(ctx, "/readyz", "")) },
	}
	seen := make(map[string]string)
	var mu sync.Mutex
	var looking sync.WaitGroup
	for name, look := range looks {
		looking.Go(func() {
			words := look()
			if timeout == patient && isDelayed(look) {
				words += ", late"
			}
			mu.Lock()
			defer mu.Unlock()
			seen[name] = words
		})
	}
	looking.Wait()
	return seen
}

// isDelayed tells a look that is late each time from one that a busy machine was
// slow with.
func isDelayed(look func() string) bool {
	for range 3 {
		began := time.Now()
		if look(); time.Since(began) < late {
			return false
		}
	}
	return true
}

func environmentInWords(pod checks.Pod) string {
	words := "KUBERNETES_SERVICE_HOST=" + pod.Environment["KUBERNETES_SERVICE_HOST"]
	if pod.Environment["KUBERNETES_SERVICE_PORT"] == "" {
		words += ", no port"
	}
	if pod.Environment["HTTPS_PROXY"] != "" {
		words += ", HTTPS_PROXY is set"
	}
	return words
}

func fileInWords(path string) string {
	content, problem := readRegular(path)
	if problem != "" {
		return problem
	}
	return strings.Join(strings.Fields(content), " ")
}

func mountInWords(pod checks.Pod) string {
	content, _ := readRegular(pod.MountInfo)
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if fields[4] == pod.ServiceAccountDir {
			_, volume, _ := strings.Cut(fields[3], "/volumes/")
			return strings.TrimSpace(fields[7] + " " + volume)
		}
	}
	return "none"
}

func volumeInWords(pod checks.Pod) string {
	target, err := os.Readlink(filepath.Join(pod.ServiceAccountDir, "..data"))
	if err != nil {
		return "no ..data"
	}
	written, err := time.Parse("..2006_01_02_15_04_05", target[:strings.LastIndex(target, ".")])
	if err != nil {
		return err.Error()
	}
	return "written " + time.Since(written).Round(time.Minute).String() + " ago"
}

func trimmedToken(pod checks.Pod) string {
	token, _ := readRegular(pod.TokenFile())
	return strings.TrimSpace(token)
}

func tokenInWords(pod checks.Pod) string {
	token, problem := readRegular(pod.TokenFile())
	if problem != "" {
		return problem
	}
	if token == "" {
		return "empty"
	}
	claims, err := decodeClaims(strings.TrimSpace(token))
	if err != nil {
		return "malformed"
	}
	from := func(seconds int64) string {
		if seconds == 0 {
			return "never"
		}
		return "in " + time.Until(time.Unix(seconds, 0)).Round(time.Minute).String()
	}
	words := fmt.Sprintf("by %s for %v, issued %s, warns %s, ends %s", claims.Issuer, claims.Audience,
		from(claims.IssuedAt), from(claims.Kubernetes.WarnAfter), from(claims.ExpiresAt))
	if token != strings.TrimSpace(token) {
		words += ", with space around it"
	}
	return words
}

type claims struct {
	Issuer     string   `json:"iss"`
	Audience   []string `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	ExpiresAt  int64    `json:"exp"`
	Kubernetes struct {
		WarnAfter int64 `json:"warnafter"`
	} `json:"kubernetes.io"`
}

// decodeClaims reads a token without looking at its signature.
func decodeClaims(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, fmt.Errorf("a token of %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, err
	}
	var decoded claims
	return decoded, json.Unmarshal(text, &decoded)
}

func bundleInWords(pod checks.Pod) string {
	content, problem := readRegular(pod.CAFile())
	if problem != "" {
		return problem
	}
	found := []string{fmt.Sprintf("headers: %d", strings.Count(content, "BEGIN CERTIFICATE"))}
	for block, rest := pem.Decode([]byte(content)); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		found = append(found, certificateInWords(certificate, err))
	}
	return strings.Join(found, ", ")
}

func certificateInWords(certificate *x509.Certificate, err error) string {
	if err != nil {
		return errorInWords(err)
	}
	words := fmt.Sprintf("%s by %s, from %s to %s, %s", certificate.Subject, certificate.Issuer,
		time.Until(certificate.NotBefore).Round(time.Hour), time.Until(certificate.NotAfter).Round(time.Hour),
		certificate.SignatureAlgorithm)
	if certificate.IsCA && certificate.KeyUsage == 0 {
		return words + ", CA without key usage"
	}
	if certificate.IsCA {
		return words + ", CA"
	}
	return fmt.Sprintf("%s, %v %v, usage %v", words, certificate.DNSNames, certificate.IPAddresses, certificate.ExtKeyUsage)
}

func responseInWords(answer response, err error) string {
	if err != nil {
		return errorInWords(err)
	}
	words := []string{fmt.Sprint(answer.StatusCode)}
	for _, header := range []string{"Retry-After", "Warning", "Location", "Server"} {
		if value := answer.Header.Get(header); value != "" {
			words = append(words, header+": "+value)
		}
	}
	if answer.Header.Get("Audit-Id") == "" {
		words = append(words, "not by kube-apiserver")
	}
	if answer.Header.Get("X-Kubernetes-Pf-Flowschema-Uid") == "" {
		words = append(words, "before priority and fairness")
	}
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil && time.Until(date).Abs() > time.Minute {
		words = append(words, "Date "+time.Until(date).Round(time.Minute).String()+" ahead")
	}
	return strings.Join(append(words, bodyInWords(answer.body)), ", ")
}

// againInWords is what came of a second request over the connection of a first
// one, which other words tell of.
func againInWords(first, _ response, err error) string {
	if err != nil && first.Response != nil {
		return errorInWords(err)
	}
	return "as the first"
}

func proxyInWords(c *client) string {
	base := c.pod.Environment["LIFELINE_KUBECTL_PROXY_URL"]
	if base == "" {
		return "none"
	}
	return responseInWords(c.send(context.Background(), base+"/api", http.Header{}))
}

func proxiedInWords(c *client) string {
	proxy := c.pod.Environment["HTTPS_PROXY"]
	if proxy == "" {
		return "none"
	}
	return responseInWords(c.proxied(context.Background(), proxy, "/readyz"))
}

func bodyInWords(body string) string {
	var object struct{ Kind, Reason, Message string }
	switch {
	case len(body) == maxBody:
		return "a body without end"
	case json.Unmarshal([]byte(body), &object) == nil && object.Kind == "Status":
		return object.Reason + ": " + object.Message
	case object.Kind != "":
		return object.Kind
	default:
		first, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
		return first
	}
}

func lookupInWords(c *client, network, rrtype string) string {
	return answerInWords(c.ask(context.Background(), network, "kubernetes.default.svc.cluster.local.", rrtype))
}

func pairsInWords(replies int, err error) string {
	if err != nil {
		return errorInWords(err)
	}
	return fmt.Sprintf("%d of 40 replies", replies)
}

func answerInWords(reply *dns.Msg, err error) string {
	if err != nil {
		if words := errorInWords(err); words == "refused" || words == "timeout" || words == "missing" {
			return words
		}
		return "an invalid reply"
	}
	words := []string{dns.RcodeToString[reply.Rcode]}
	if reply.Truncated {
		words = append(words, "truncated")
	}
	for _, record := range append(reply.Answer, reply.Ns...) {
		if soa, ok := record.(*dns.SOA); ok {
			words = append(words, "SOA "+soa.Ns+" "+soa.Mbox)
			continue
		}
		words = append(words, strings.Join(strings.Fields(record.String())[3:], " "))
	}
	return strings.Join(words, ", ")
}

// errorInWords leaves out of an error what differs from run to run.
func errorInWords(err error) string {
	var unknown x509.UnknownAuthorityError
	var network net.Error
	switch {
	case errors.As(err, &unknown):
		return unknown.Error()
	case errors.Is(err, os.ErrNotExist):
		return "missing"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "closed"
	default:
		times := regexp.MustCompile(`current time \S+ is (\S+) \S+`)
		return times.ReplaceAllString(err.Error(), "now is $1 that")
	}
}
