package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// obstacle is why a client gets no further, as a sentence; empty where it does.
type obstacle func(*checks.Facts) string

// way tells what became of a request such as a client would make; known is false
// where none like it was made.
type way func(*checks.Facts) (known, works bool, why string)

// judgeAccess tells of each way in which applications reach the API whether it
// works. A way whose ground was not observed, since a check was left out or a
// Retry-After is obeyed, has no line: it could only be guessed.
func judgeAccess(facts *checks.Facts) []checks.Access {
	access := []checks.Access{}
	add := func(path string, known bool, works bool, why string) {
		if known {
			access = append(access, checks.Access{Path: path, Works: works, Why: why})
		}
	}
	if facts.Environment != nil && facts.Token != nil && facts.CA != nil {
		for _, client := range []struct {
			path      string
			obstacles []obstacle
			answer    way
			proxy     func(*checks.Facts) detour
			// beyond is what stands for the answer behind a proxy.
			beyond way
		}{
			{checks.GoClient, []obstacle{noAddress, noTokenForGo, noBundleForGo}, byAddress, proxyOfGo, byAddress},
			{checks.PythonClient, []obstacle{noAddress, noTokenForPython, noBundleForOpenSSL}, withStrictPython(asOpenSSL(byAddress)), proxyOfPython, withStrictPython(asOpenSSL(byAddress))},
			{checks.REST, []obstacle{noTokenForShell, noBundleForOpenSSL}, asOpenSSL(byServiceName), proxyOfCurl, asOpenSSL(byProvenName)},
		} {
			if why := firstObstacle(facts, client.obstacles); why != "" {
				add(client.path, true, false, why)
				continue
			}
			answer := client.answer
			if taken := client.proxy(facts); taken.proxy != "" {
				answer = taken.way(client.beyond)
			}
			known, works, why := answer(facts)
			add(client.path, known, works, why)
		}
	}
	if facts.KubectlProxy != nil {
		works, why := throughKubectlProxy(facts)
		add(checks.KubectlProxyPath, true, works, why)
	}
	return access
}

func firstObstacle(facts *checks.Facts, obstacles []obstacle) string {
	for _, met := range obstacles {
		if why := met(facts); why != "" {
			return why
		}
	}
	return ""
}

// noAddress: the official clients need both variables (client-go
// rest/config.go, InClusterConfig; Python's config/incluster_config.py).
func noAddress(facts *checks.Facts) string {
	for _, problem := range serviceVariables(facts.Environment) {
		if problem.Status == checks.Fail {
			return problem.Message
		}
	}
	return ""
}

// noTokenForGo: any error of reading ends InClusterConfig, and an empty token
// the making of a client (client-go transport/token_source.go). White space
// around it is trimmed.
func noTokenForGo(facts *checks.Facts) string {
	token := facts.Token
	switch {
	case token.File.Problem != "":
		return unreadable(token.File)
	case isBlank(token):
		return fmt.Sprintf("%s holds no token: its size is %d bytes.", token.File.Path, token.File.Size)
	default:
		return ""
	}
}

func isBlank(token *checks.TokenFacts) bool { return token.Claims == nil && token.DecodeError == "" }

func unreadable(file checks.File) string {
	return fmt.Sprintf("%s cannot be read: %s.", file.Path, fileTrouble(file))
}

// noTokenForPython: the client wants a regular file that is not empty and sends
// it as it is (config/incluster_config.py). http.client raises ValueError for a
// line end in a header, and after a second space kube-apiserver sees no token.
// Blanks behind it are trimmed by the server.
func noTokenForPython(facts *checks.Facts) string {
	if why := noTokenForGo(facts); why != "" {
		return why
	}
	token := facts.Token
	return spoiltHeader(token, token.TrailingSpace)
}

// noTokenForShell: $(cat) takes line ends off the end and leaves all else.
func noTokenForShell(facts *checks.Facts) string {
	if why := noTokenForGo(facts); why != "" {
		return why
	}
	token := facts.Token
	return spoiltHeader(token, strings.TrimRight(token.TrailingSpace, "\n"))
}

func spoiltHeader(token *checks.TokenFacts, trailing string) string {
	if token.LeadingSpace == "" && strings.Trim(trailing, " \t") == "" {
		return ""
	}
	return fmt.Sprintf("The client sends %s as it is, and the white space in it (%q before the token, %q after it) makes a header that is not accepted.",
		token.File.Path, token.LeadingSpace, trailing)
}

// noBundleForGo: InClusterConfig logs that it cannot use ca.crt and goes on
// with the roots of the image. Whether those prove the server cannot be seen
// from here; in a cluster that signs for itself they do not.
func noBundleForGo(facts *checks.Facts) string {
	why := ""
	switch ca := facts.CA; {
	case ca.File.Problem != "":
		why = fmt.Sprintf("%s cannot be read (%s)", ca.File.Path, fileTrouble(ca.File))
	case len(rootsOf(ca)) == 0 && ca.Omitted == 0:
		why = fmt.Sprintf("%s holds no certificate", ca.File.Path)
	case slices.ContainsFunc(ca.Blocks, func(block checks.PEMBlock) bool { return block.Malformed }):
		why = fmt.Sprintf("%s holds a certificate that does not parse", ca.File.Path)
	default:
		return ""
	}
	return why + ", so the client judges the server by the roots of its own image, which do not have the cluster's CA."
}

// noBundleForOpenSSL: the Python client and curl end where ca.crt is missing,
// and OpenSSL takes a bundle whole or not at all (X509_load_cert_crl_file): one
// block that is cut or damaged makes it refuse the others too.
func noBundleForOpenSSL(facts *checks.Facts) string {
	ca := facts.CA
	switch {
	case ca.File.Problem != "":
		return unreadable(ca.File)
	case ca.OpenSSL == nil && len(rootsOf(ca)) == 0 && ca.Omitted == 0, ca.OpenSSL != nil && ca.OpenSSL.Refusal == "" && ca.OpenSSL.Certificates == 0:
		return fmt.Sprintf("%s holds no certificate, so the client refuses it.", ca.File.Path)
	case ca.OpenSSL != nil && ca.OpenSSL.Refusal != "":
		return fmt.Sprintf("OpenSSL refuses the whole of %s: %s.", ca.File.Path, ca.OpenSSL.Refusal)
	default:
		return ""
	}
}

// asOpenSSL leaves open what came of a chain that the certificates which Go
// finds in ca.crt do not prove, where OpenSSL finds more in it.
func asOpenSSL(answer way) way {
	return func(facts *checks.Facts) (known, works bool, why string) {
		known, works, why = answer(facts)
		if !works && facts.API != nil && findsMore(facts.CA) && (untrusted(facts.API.ServiceHost) || untrusted(facts.API.ByName)) {
			return false, false, ""
		}
		return known, works, why
	}
}

func findsMore(ca *checks.CAFacts) bool {
	found := len(rootsOf(ca))
	return ca.OpenSSL != nil && found > 0 && ca.OpenSSL.Certificates > found+ca.Omitted
}

func untrusted(attempt *checks.Attempt) bool {
	handshake := lastHandshake(attempt)
	return handshake != nil && handshake.Failure != nil && handshake.Failure.Kind == checks.Untrusted
}

// byAddress: the official clients dial what the environment says, so DNS does
// not matter unless that is a name.
func byAddress(facts *checks.Facts) (known, works bool, why string) {
	if facts.API == nil {
		return false, false, ""
	}
	attempt := facts.API.ServiceHost
	if attempt == nil {
		_, untried := tried(facts)
		return true, false, untried.well
	}
	works, why = answeredTo(facts, attempt, attempt.URL)
	return true, works, why
}

// byServiceName: the name has to resolve, and the certificate at its address to
// prove that very name. Where this is the address of the environment, the
// attempt there stands for both.
func byServiceName(facts *checks.Facts) (known, works bool, why string) {
	if facts.DNS == nil {
		return false, false, ""
	}
	if len(facts.DNS.Lookup.Addresses) == 0 {
		// curl's resolver is the C library's, which asks without EDNS(0) and waits for
		// longer than a round may take.
		return onlyWithoutEDNS(facts) == nil && answersLate(facts) == nil, false, withoutAddress(facts)
	}
	if facts.API == nil {
		return false, false, ""
	}
	if attempt := facts.API.ByName; attempt != nil {
		works, why = answeredTo(facts, attempt, fmt.Sprintf("%s (%s)", attempt.URL, attempt.Last().Address.Addr()))
		return true, works, why
	}
	attempt := facts.API.ServiceHost
	if attempt == nil || !slices.Contains(facts.DNS.Lookup.Addresses, attempt.Last().Address.Addr().Unmap()) {
		return false, false, ""
	}
	if handshake := lastHandshake(attempt); handshake != nil && handshake.Verified {
		if why := first(nameUnproven(facts, handshake), refusedByName(facts)); why != "" {
			return true, false, why
		}
	}
	works, why = answeredTo(facts, attempt, fmt.Sprintf("https://%s/api (%s)", checks.ServiceName, attempt.Last().Address))
	return true, works, why
}

// byProvenName: who goes by a proxy leaves it to that one where the name leads, and
// the certificate there has to prove the name all the same.
func byProvenName(facts *checks.Facts) (known, works bool, why string) {
	known, works, why = byAddress(facts)
	if !works {
		return known, works, why
	}
	if handshake := lastHandshake(facts.API.ServiceHost); handshake != nil {
		if why := first(nameUnproven(facts, handshake), refusedByName(facts)); why != "" {
			return true, false, why
		}
	}
	return known, works, why
}

// nameUnproven says of a chain that proves the address why it does not prove
// the name.
func nameUnproven(facts *checks.Facts, handshake *checks.TLSFacts) string {
	// Parsing costs more than all else here, and most certificates have the
	// name as it is.
	if len(handshake.Chain) > 0 && slices.Contains(handshake.Chain[0].DNSNames, checks.ServiceName) {
		return ""
	}
	chain := parsedChain(facts, handshake.Chain)
	if len(chain) == 0 {
		return "The certificate of the API server is not among the facts."
	}
	if facet := dnsNameFacet(chain[0], handshake.ServerName); !facet.OK {
		return sentence(facet)
	}
	return ""
}

func withoutAddress(facts *checks.Facts) string {
	if problems := failedLookup(facts.DNS.Lookup, facts); len(problems) > 0 {
		return problems[0].Message
	}
	return fmt.Sprintf("%s does not resolve: resolv.conf names no nameserver.", checks.ServiceName)
}

// answeredTo tells whether an attempt had its answer, for the pod's own service
// account.
func answeredTo(facts *checks.Facts, attempt *checks.Attempt, target string) (works bool, why string) {
	last := attempt.Last()
	switch last.Stage {
	case checks.StageDone:
	case checks.StageTLS:
		return false, withoutTLS(attempt)
	case checks.StageResponse, checks.StageBody:
		return false, unanswered(attempt, last).Message
	default:
		return false, unconnected(attempt, last).Message
	}
	response := last.Response
	account := serviceAccountIn(response)
	switch {
	case !attempt.Authenticated:
		return false, fmt.Sprintf("What %s holds cannot be sent as a token, and to nobody %s answered %d.", facts.Token.File.Path, target, response.Status)
	case response.Status == 200 && isAPIVersions(response):
		return true, fmt.Sprintf("%s answered 200 to %s.", target, subject(facts))
	case response.Status == 403 && account != "":
		return true, allowedElsewhere(target, account)
	default:
		return false, fmt.Sprintf("%s answered %d: %s.", target, response.Status, sentencePart(first(response.StatusMessage, bodyOf(response))))
	}
}

// withoutTLS says why a handshake did not end well, in the words of crypto/x509
// where the certificate is why; those of other clients are much the same.
func withoutTLS(attempt *checks.Attempt) string {
	handshake := lastHandshake(attempt)
	switch {
	case handshake == nil || handshake.Failure == nil:
		return fmt.Sprintf("The TLS handshake with %s failed.", hostPort(attempt))
	case handshake.Failure.Kind == checks.Untrusted:
		return fmt.Sprintf("The certificate of %s is not accepted: %s.", hostPort(attempt), sentencePart(strings.TrimPrefix(handshake.Failure.Message, "tls: failed to verify certificate: ")))
	default:
		return brokenHandshake(attempt, handshake).Message
	}
}

func allowedElsewhere(target, account string) string {
	return fmt.Sprintf("%s answered 403 to %s: the way and the token work, and the right to GET /api alone is missing.", target, account)
}

func subject(facts *checks.Facts) string {
	if facts.Token != nil && facts.Token.Claims != nil {
		return first(facts.Token.Claims.Subject, "the token")
	}
	return "the token"
}

// throughKubectlProxy: the proxy adds a credential of its own, so neither the
// token nor ca.crt of this container matters, and whose it is does not either.
func throughKubectlProxy(facts *checks.Facts) (works bool, why string) {
	attempt := &facts.KubectlProxy.Attempt
	last := attempt.Last()
	if last.Stage != checks.StageDone {
		return false, fmt.Sprintf("%s gave no answer: %s.", attempt.URL, problemMet(last))
	}
	response := last.Response
	user := userIn(response)
	switch {
	case response.Status == 200 && isAPIVersions(response):
		return true, fmt.Sprintf("%s answered 200.", attempt.URL)
	case response.Status == 403 && user != "":
		return true, fmt.Sprintf("%s answered 403 to %s: the way and the credential of the proxy work, and the right to GET /api alone is missing.", attempt.URL, user)
	default:
		return false, fmt.Sprintf("%s answered %d: %s.", attempt.URL, response.Status, sentencePart(first(response.StatusMessage, response.BodyStart, bodyOf(response))))
	}
}
