package world

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	tokenIssuer = "https://kubernetes.default.svc.cluster.local"
	// legacyIssuer signs tokens that are kept in a Secret and never end
	// (pkg/serviceaccount/legacy.go of kubernetes).
	legacyIssuer = "kubernetes/serviceaccount"
	legacySecret = "lifeline-token-8nxqv"
	// invalidSecret has the label kubernetes.io/legacy-token-invalid-since.
	invalidSecret = "lifeline-token-2fz7d"
)

// tokenShape is what a token says, its identity apart. Times are relative to
// when it is minted.
type tokenShape struct {
	issuer   string
	audience string
	// age is how long ago it was issued; negative is in the future.
	age time.Duration
	// lifetime ends at exp, requested at warnafter: kubelet asked for the
	// latter and the API server extended it to the former.
	lifetime, requested time.Duration
	// invalidated makes a legacy token that of a Secret which is invalid by now.
	invalidated bool
	// formerNode binds the token to no pod, and to the node as it was before it
	// was registered anew.
	formerNode bool
	// unpublished signs with a key that the API server does not know.
	unpublished bool
}

// boundClaims are the private claims of a token bound to a pod
// (pkg/serviceaccount/claims.go of kubernetes).
type boundClaims struct {
	Namespace      string           `json:"namespace"`
	Node           reference        `json:"node"`
	Pod            reference        `json:"pod,omitzero"`
	ServiceAccount reference        `json:"serviceaccount"`
	WarnAfter      *jwt.NumericDate `json:"warnafter,omitempty"`
}

type reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

type privateClaims struct {
	// Audience is a list even of one, as kube-apiserver writes it; jwt.Claims
	// would make one a string.
	Audience   []string     `json:"aud,omitempty"`
	Kubernetes *boundClaims `json:"kubernetes.io,omitempty"`

	LegacyNamespace string `json:"kubernetes.io/serviceaccount/namespace,omitempty"`
	LegacySecret    string `json:"kubernetes.io/serviceaccount/secret.name,omitempty"`
	LegacyAccount   string `json:"kubernetes.io/serviceaccount/service-account.name,omitempty"`
	LegacyUID       string `json:"kubernetes.io/serviceaccount/service-account.uid,omitempty"`
}

// tokenAuthority mints tokens and verifies them, as the API server does.
type tokenAuthority struct {
	identity    identity
	published   jose.JSONWebKey
	unpublished jose.JSONWebKey
}

func newTokenAuthority(identity identity) (*tokenAuthority, error) {
	published, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	unpublished, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	return &tokenAuthority{identity: identity, published: published, unpublished: unpublished}, nil
}

// newSigningKey makes a key with the id that kube-apiserver gives it
// (pkg/serviceaccount/jwt.go, keyIDFromPublicKey).
func newSigningKey() (jose.JSONWebKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("generating a key to sign tokens: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("encoding the key that signs tokens: %w", err)
	}
	sum := sha256.Sum256(public)
	return jose.JSONWebKey{Key: key, KeyID: base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// mint makes a token of a shape.
func (a *tokenAuthority) mint(shape tokenShape, now time.Time) (string, error) {
	key := a.published
	if shape.unpublished {
		key = a.unpublished
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		return "", fmt.Errorf("preparing to sign a token: %w", err)
	}
	registered, private := a.claims(shape, now)
	token, err := jwt.Signed(signer).Claims(registered).Claims(private).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return token, nil
}

func (a *tokenAuthority) claims(shape tokenShape, now time.Time) (jwt.Claims, privateClaims) {
	if shape.issuer == legacyIssuer {
		secret := legacySecret
		if shape.invalidated {
			secret = invalidSecret
		}
		return jwt.Claims{Issuer: legacyIssuer, Subject: a.identity.username()}, privateClaims{
			LegacyNamespace: namespace,
			LegacySecret:    secret,
			LegacyAccount:   serviceAccount,
			LegacyUID:       a.identity.serviceAccountUID,
		}
	}
	issuedAt := now.Add(-shape.age)
	registered := jwt.Claims{
		Issuer:    shape.issuer,
		Subject:   a.identity.username(),
		ID:        newUUID(),
		IssuedAt:  jwt.NewNumericDate(issuedAt),
		NotBefore: jwt.NewNumericDate(issuedAt),
		Expiry:    jwt.NewNumericDate(issuedAt.Add(shape.lifetime)),
	}
	bound := &boundClaims{
		Namespace:      namespace,
		Node:           reference{node, a.identity.nodeUID},
		Pod:            reference{a.identity.pod, a.identity.podUID},
		ServiceAccount: reference{serviceAccount, a.identity.serviceAccountUID},
	}
	if shape.formerNode {
		bound.Pod, bound.Node.UID = reference{}, newUUID()
	}
	if shape.requested > 0 {
		bound.WarnAfter = jwt.NewNumericDate(issuedAt.Add(shape.requested))
	}
	return registered, privateClaims{Audience: []string{shape.audience}, Kubernetes: bound}
}

// verify tells whether the API server accepts a token, and whether it is a
// legacy one. Signature, issuer, audience, times with a leeway of 60 seconds,
// service account and pod are looked at, in kube-apiserver's order.
func (a *tokenAuthority) verify(token string) (legacy bool, err error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return false, fmt.Errorf("parsing the token: %w", err)
	}
	if parsed.Headers[0].KeyID != a.published.KeyID {
		return false, errors.New("the token is signed by an unknown key")
	}
	var registered jwt.Claims
	var private privateClaims
	if err := parsed.Claims(a.published.Public(), &registered, &private); err != nil {
		return false, fmt.Errorf("verifying the token's signature: %w", err)
	}
	if registered.Issuer == legacyIssuer {
		return true, a.verifyLegacy(private)
	}
	expected := jwt.Expected{
		Issuer:      tokenIssuer,
		Subject:     a.identity.username(),
		AnyAudience: jwt.Audience{tokenIssuer},
	}
	if err := registered.Validate(expected); err != nil {
		return false, fmt.Errorf("validating the token's claims: %w", err)
	}
	return false, a.verifyBound(private)
}

func (a *tokenAuthority) verifyLegacy(claims privateClaims) error {
	if claims.LegacySecret == invalidSecret {
		return errors.New("the token has been invalidated")
	}
	if claims.LegacySecret != legacySecret || claims.LegacyUID != a.identity.serviceAccountUID {
		return errors.New("the token's secret or service account does not exist")
	}
	return nil
}

func (a *tokenAuthority) verifyBound(claims privateClaims) error {
	bound := claims.Kubernetes
	if bound == nil || bound.ServiceAccount.UID != a.identity.serviceAccountUID {
		return errors.New("the token's service account does not exist")
	}
	if bound.Pod == (reference{}) {
		if bound.Node.UID != a.identity.nodeUID {
			return errors.New("the token's node does not exist")
		}
		return nil
	}
	if bound.Pod.UID != a.identity.podUID {
		return errors.New("the token's pod does not exist")
	}
	return nil
}
