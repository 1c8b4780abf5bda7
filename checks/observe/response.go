package observe

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// bodyStart is how much is kept of a body that is not Kubernetes'.
const bodyStart = 256

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
	}
	if err := json.Unmarshal(body, &object); err != nil {
		told.BodyStart = clip(scrub(string(body)), bodyStart)
		return told
	}
	told.Kind = clip(scrub(object.Kind), maxNameLength)
	told.Versions = clipAll(scrubAll(object.Versions, scrub), maxNameLength)
	told.StatusReason = clip(scrub(object.Reason), maxNameLength)
	told.StatusMessage = clip(scrub(object.Message), maxMessage)
	return told
}

func scrubAll(texts []string, scrub func(string) string) []string {
	scrubbed := make([]string, 0, len(texts))
	for _, text := range texts {
		scrubbed = append(scrubbed, scrub(text))
	}
	return scrubbed
}

// scrub hides the token in a text of somebody else, whole and in its parts.
func (r *round) scrub(text string) string {
	const shortest = 8
	if len(r.token) < shortest {
		return text
	}
	text = strings.ReplaceAll(text, r.token, "[token]")
	for part := range strings.SplitSeq(r.token, ".") {
		if len(part) >= shortest {
			text = strings.ReplaceAll(text, part, "[token]")
		}
	}
	return text
}
