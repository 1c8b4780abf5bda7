package observe

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// bodyStart is how much is kept of a body that is not Kubernetes'.
	bodyStart = 256
	// maxFailedParts bounds those that are named of an API server that is not ready.
	maxFailedParts = 5
)

// describe keeps what matters of a response.
//
// A gateway's error page may repeat the request, so every text goes through
// scrub first, which hides the token.
func describe(response *http.Response, body []byte, now time.Time, scrub func(string) string) *checks.Response {
	header := func(name string) string { return clip(scrub(response.Header.Get(name)), maxNameLength) }
	told := &checks.Response{
		Status:            response.StatusCode,
		AuditID:           header("Audit-Id"),
		FlowSchemaUID:     header("X-Kubernetes-Pf-Flowschema-Uid"),
		PriorityLevelUID:  header("X-Kubernetes-Pf-Prioritylevel-Uid"),
		FlowControlled:    response.Header["X-Kubernetes-Pf-Flowschema-Uid"] != nil,
		RetryAfterSeconds: retryAfter(response.Header.Get("Retry-After"), now).Seconds(),
		Warnings:          clipAll(scrubAll(response.Header.Values("Warning"), scrub), maxMessage),
		Server:            header("Server"),
		Via:               header("Via"),
		Location:          header("Location"),
		ContentType:       header("Content-Type"),
		ReceivedAt:        now,
		BodyBytes:         int64(len(body)),
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		told.Date = date
	}
	// The shapes of APIVersions and Status, apimachinery pkg/apis/meta/v1.
	var object struct {
		Kind     string   `json:"kind"`
		Versions []string `json:"versions"`
		Reason   string   `json:"reason"`
		Message  string   `json:"message"`
		// The first is for clients from anywhere, and a second that of its Service for
		// clients with an address of that range (apiserver
		// pkg/endpoints/discovery/addresses.go).
		Addresses []struct {
			ServerAddress string `json:"serverAddress"`
		} `json:"serverAddressByClientCIDRs"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		text := scrub(string(body))
		told.BodyStart, told.FailedParts = clip(text, bodyStart), failedParts(text)
		return told
	}
	told.Kind = clip(scrub(object.Kind), maxNameLength)
	told.Versions = clipAll(scrubAll(object.Versions, scrub), maxNameLength)
	if response.StatusCode == http.StatusOK && len(object.Addresses) > 0 {
		told.ServerAddress = clip(scrub(object.Addresses[0].ServerAddress), maxNameLength)
	}
	told.StatusReason = clip(scrub(object.Reason), maxNameLength)
	told.StatusMessage = clip(scrub(object.Message), maxMessage)
	return told
}

// failedParts are those with a minus in what /readyz and its like answer where a part
// fails (apiserver pkg/server/healthz).
func failedParts(body string) (failed []string) {
	for line := range strings.Lines(body) {
		rest, minus := strings.CutPrefix(line, "[-]")
		name, _, named := strings.Cut(rest, " failed")
		if minus && named && name != "" && len(failed) < maxFailedParts {
			failed = append(failed, clip(name, maxNameLength))
		}
	}
	return failed
}

func scrubAll(texts []string, scrub func(string) string) []string {
	scrubbed := make([]string, 0, len(texts))
	for _, text := range texts {
		scrubbed = append(scrubbed, scrub(text))
	}
	return scrubbed
}

const (
	hidden = "[token]"
	// shortestSecret is far below the length of any token and above that of
	// the words which make up an answer.
	shortestSecret = 16
	// maxScrubbed is many times what is told of any text.
	maxScrubbed = 8 << 10
)

// scrub hides credentials in the beginning of a text of somebody else: the
// token, whole and in pieces; whatever has the shape of a JWT, such as the token
// before its rotation; and what follows the word Bearer.
func (r *round) scrub(text string) string {
	text = text[:min(len(text), maxScrubbed)]
	if len(r.token) >= shortestSecret {
		text = strings.ReplaceAll(text, r.token, hidden)
	}
	return r.scrubRuns(scrubBearer(text))
}

// scrubBearer hides the credentials of RFC 6750 section 2.1.
func scrubBearer(text string) string {
	const word = "bearer"
	for at := 0; at+len(word) < len(text); at++ {
		if text[at]|0x20 != word[0] || !strings.EqualFold(text[at:at+len(word)], word) {
			continue
		}
		at += len(word)
		credentials := strings.TrimLeft(text[at:], " \t\r\n")
		if len(credentials) == len(text[at:]) {
			continue
		}
		end := strings.IndexAny(credentials, " \t\r\n\"'`<>")
		if end < 0 {
			end = len(credentials)
		}
		if end > 0 {
			at = len(text) - len(credentials)
			text = text[:at] + hidden + credentials[end:]
			at += len(hidden)
		}
	}
	return text
}

// scrubRuns hides the runs of a JWT's characters, RFC 7515 section 2, that are a
// JWT or have a piece of the token in them.
func (r *round) scrubRuns(text string) string {
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && ofJWT(text[end]) {
			end++
		}
		if run := text[start:end]; len(run) >= shortestSecret && (isJWT(run) || r.sharesToken(run)) {
			text = text[:start] + hidden + text[end:]
			end = start + len(hidden)
		}
		start = end + 1
	}
	return text
}

func ofJWT(char byte) bool {
	return char|0x20 >= 'a' && char|0x20 <= 'z' || char >= '0' && char <= '9' || char == '-' || char == '_' || char == '.'
}

// isJWT knows a JWT, cut or not, by the beginning of its header, which is that
// of a JSON object in base64.
func isJWT(run string) bool {
	at := strings.Index(run, "eyJ")
	return at >= 0 && strings.Contains(run[at:], ".")
}

// sharesToken tells a run that has some twenty successive characters of the
// token. Looking at each fourth place finds them all.
func (r *round) sharesToken(run string) bool {
	const stride = 4
	if len(r.token) < shortestSecret {
		return false
	}
	for at := 0; at+shortestSecret <= len(run); at += stride {
		if strings.Contains(r.token, run[at:at+shortestSecret]) {
			return true
		}
	}
	return false
}
