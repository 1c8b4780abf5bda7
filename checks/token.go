package checks

import (
	"time"
)

// TokenFacts are what was seen of the service-account token. They hold neither
// the token nor its signature.
type TokenFacts struct {
	// Directory is the service-account directory, File the token in it.
	Directory File `json:"directory"`
	File      File `json:"file"`
	// Mounts are the mount points at or below the directory, with the root of
	// the mount within its file system, see proc_pid_mountinfo(5).
	Mounts []Mount `json:"mounts,omitempty"`
	// WrittenAt is the time in the name that ..data points to: when kubelet
	// last wrote the volume (pkg/volume/util/atomic_writer.go).
	WrittenAt time.Time `json:"writtenAt,omitzero"`
	// SurroundingSpace tells that white space stands before or after the
	// token, which kubelet never writes.
	SurroundingSpace bool `json:"surroundingSpace,omitempty"`
	// LeadingSpace and TrailingSpace are that white space, 16 bytes of it at the
	// most; a file of nothing else has it in LeadingSpace.
	LeadingSpace  string `json:"leadingSpace,omitempty"`
	TrailingSpace string `json:"trailingSpace,omitempty"`
	// DecodeError says why the content is not a JWT, without quoting it.
	DecodeError string `json:"decodeError,omitempty"`
	// Algorithm and KeyID are the JWT's alg and kid.
	Algorithm string       `json:"algorithm,omitempty"`
	KeyID     string       `json:"keyID,omitempty"`
	Claims    *TokenClaims `json:"claims,omitempty"`
	// PodUIDFromMounts is the pod's UID as the mount of /etc/hosts tells it.
	PodUIDFromMounts string `json:"podUIDFromMounts,omitempty"`
	// ChangedDuringRound tells that the token was rejected and that the file has
	// been replaced since it was read.
	ChangedDuringRound bool    `json:"changedDuringRound,omitempty"`
	Seconds            float64 `json:"seconds"`
}

// Mount is one line of mountinfo.
type Mount struct {
	Root  string `json:"root"`
	Point string `json:"point"`
}

// TokenClaims are the claims of a service-account token
// (pkg/serviceaccount/claims.go of kubernetes).
type TokenClaims struct {
	Issuer   string   `json:"issuer,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	Audience []string `json:"audience,omitempty"`
	ID       string   `json:"id,omitempty"`

	IssuedAt  time.Time `json:"issuedAt,omitzero"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// WarnAfter is when the token would have expired, had the API server not
	// extended it to a year.
	WarnAfter time.Time `json:"warnAfter,omitzero"`

	Namespace         string `json:"namespace,omitempty"`
	ServiceAccount    string `json:"serviceAccount,omitempty"`
	ServiceAccountUID string `json:"serviceAccountUID,omitempty"`
	Pod               string `json:"pod,omitempty"`
	PodUID            string `json:"podUID,omitempty"`
	Node              string `json:"node,omitempty"`
	NodeUID           string `json:"nodeUID,omitempty"`
	// Secret is the Secret of a legacy token, which never expires.
	Secret string `json:"secret,omitempty"`
}

// RequestedEnd is when the token would end by the lifetime that kubelet asked
// for, which the API server extends for default tokens. It is zero for a token
// without end.
func (c TokenClaims) RequestedEnd() time.Time {
	if !c.WarnAfter.IsZero() {
		return c.WarnAfter
	}
	return c.ExpiresAt
}

// RotationDue is when kubelet starts to replace the token: at 80 % of the
// requested lifetime, at 24 hours at the latest
// (pkg/kubelet/token/token_manager.go). It is zero for a token without end.
func (c TokenClaims) RotationDue() time.Time {
	end := c.RequestedEnd()
	if end.IsZero() || c.IssuedAt.IsZero() {
		return time.Time{}
	}
	return c.IssuedAt.Add(min(end.Sub(c.IssuedAt)/10*8, 24*time.Hour))
}

// TokenDetails are the details of the token check.
type TokenDetails struct {
	TokenFacts
	// RotationDueAt is when kubelet starts to replace the token, and
	// RotationStalledAt when it is held to have failed to.
	RotationDueAt     time.Time `json:"rotationDueAt,omitzero"`
	RotationStalledAt time.Time `json:"rotationStalledAt,omitzero"`
	// AgeSeconds counts from IssuedAt, by the API server's clock where known.
	AgeSeconds float64 `json:"ageSeconds,omitempty"`
}
