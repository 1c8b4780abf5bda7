package observe

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// bodyStart is how much is kept of a body that is not Kubernetes'.
const bodyStart = 128

// describe keeps what matters of a response.
func describe(response *http.Response, body []byte, now time.Time) *checks.Response {
	header := func(name string) string { return clip(response.Header.Get(name), maxNameLength) }
	told := &checks.Response{
		Status:            response.StatusCode,
		AuditID:           header("Audit-Id"),
		FlowSchemaUID:     header("X-Kubernetes-Pf-Flowschema-Uid"),
		PriorityLevelUID:  header("X-Kubernetes-Pf-Prioritylevel-Uid"),
		RetryAfterSeconds: retryAfter(response.Header.Get("Retry-After"), now).Seconds(),
		Warnings:          clipAll(response.Header.Values("Warning"), maxMessage),
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
		told.BodyStart = clip(string(body[:min(len(body), bodyStart)]), bodyStart)
		return told
	}
	told.Kind = clip(object.Kind, maxNameLength)
	told.Versions = clipAll(object.Versions, maxNameLength)
	told.StatusReason = clip(object.Reason, maxNameLength)
	told.StatusMessage = clip(object.Message, maxMessage)
	return told
}
