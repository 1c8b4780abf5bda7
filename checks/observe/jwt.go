package observe

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/kube-lifeline/lifeline/checks"
)

// claims are the shapes of both kinds of service-account token: the bound one,
// and the legacy one of a Secret with its flat names
// (pkg/serviceaccount/claims.go and legacy.go of kubernetes).
type claims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string           `json:"namespace"`
		ServiceAccount reference        `json:"serviceaccount"`
		Pod            reference        `json:"pod"`
		Node           reference        `json:"node"`
		Secret         reference        `json:"secret"`
		WarnAfter      *jwt.NumericDate `json:"warnafter"`
	} `json:"kubernetes.io"`
	LegacyNamespace         string `json:"kubernetes.io/serviceaccount/namespace"`
	LegacySecret            string `json:"kubernetes.io/serviceaccount/secret.name"`
	LegacyServiceAccount    string `json:"kubernetes.io/serviceaccount/service-account.name"`
	LegacyServiceAccountUID string `json:"kubernetes.io/serviceaccount/service-account.uid"`
}

type reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// decodeToken reads header and claims without a check of the signature, whose
// key a pod does not have.
func decodeToken(token string, facts *checks.TokenFacts) {
	// The library passes over line ends within a part, and no header can hold
	// one.
	if !sendable(token) {
		facts.DecodeError = "not a JWT: there are characters among them that no HTTP header can hold"
		return
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
		jose.PS256, jose.PS384, jose.PS512, jose.EdDSA, jose.HS256, jose.HS384, jose.HS512,
	})
	if err != nil {
		// The error of the library may quote the content, which may be a
		// secret of another kind.
		facts.DecodeError = "not a signed JWT in the compact form of RFC 7519: three base64url parts, of which the first two are JSON, by an algorithm that signs service-account tokens"
		return
	}
	for _, header := range parsed.Headers {
		facts.Algorithm, facts.KeyID = clip(header.Algorithm, maxNameLength), clip(header.KeyID, maxNameLength)
	}
	var held claims
	if err := parsed.UnsafeClaimsWithoutVerification(&held); err != nil {
		facts.DecodeError = "a JWT whose claims are not those of a service-account token"
		return
	}
	if signature := len(token) - strings.LastIndexByte(token, '.') - 1; !isWhole(facts.Algorithm, base64.RawURLEncoding.DecodedLen(signature)) {
		facts.DecodeError = fmt.Sprintf("a JWT that was cut or changed: its signature has %d bytes, as none by %s has", base64.RawURLEncoding.DecodedLen(signature), facts.Algorithm)
		return
	}
	facts.Claims = held.facts()
}

// isWhole tells whether a signature has the length that its algorithm gives it (RFC 7518
// sections 3.2 to 3.4, RFC 8037 section 3.1). By RSA that is the key's, of which those in
// use are multiples of 256 bits.
func isWhole(algorithm string, length int) bool {
	switch algorithm {
	case string(jose.HS256):
		return length == 32
	case string(jose.HS384):
		return length == 48
	case string(jose.ES256), string(jose.EdDSA), string(jose.HS512):
		return length == 64
	case string(jose.ES384):
		return length == 96
	case string(jose.ES512):
		return length == 132
	default:
		return length > 0 && length%32 == 0
	}
}

func (c claims) facts() *checks.TokenClaims {
	text := func(texts ...string) string {
		for _, text := range texts {
			if text != "" {
				return clip(text, maxMessage)
			}
		}
		return ""
	}
	bound := c.Kubernetes
	return &checks.TokenClaims{
		Issuer:            text(c.Issuer),
		Subject:           text(c.Subject),
		Audience:          clipAll(c.Audience, maxMessage),
		ID:                text(c.ID),
		IssuedAt:          instant(c.IssuedAt),
		NotBefore:         instant(c.NotBefore),
		ExpiresAt:         instant(c.Expiry),
		WarnAfter:         instant(bound.WarnAfter),
		Namespace:         text(bound.Namespace, c.LegacyNamespace),
		ServiceAccount:    text(bound.ServiceAccount.Name, c.LegacyServiceAccount),
		ServiceAccountUID: text(bound.ServiceAccount.UID, c.LegacyServiceAccountUID),
		Pod:               text(bound.Pod.Name),
		PodUID:            text(bound.Pod.UID),
		Node:              text(bound.Node.Name),
		NodeUID:           text(bound.Node.UID),
		Secret:            text(bound.Secret.Name, c.LegacySecret),
	}
}

// instant leaves out what JSON cannot say again: years past 9999.
func instant(date *jwt.NumericDate) time.Time {
	if date == nil {
		return time.Time{}
	}
	at := date.Time().UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}
	}
	return at
}
