package world

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// filter is a step on the way of a request. It must end when the request's
// context does.
type filter func(next http.Handler) http.Handler

// apiHandler is the API server above TLS, in the order of kube-apiserver's
// filters (pkg/server/config.go of apiserver, DefaultBuildHandlerChain).
type apiHandler struct {
	tokens *tokenAuthority
	// flowSchemaUID and priorityLevelUID are of the flow schema that requests
	// for /api fall under.
	flowSchemaUID, priorityLevelUID string
}

func newAPIHandler(tokens *tokenAuthority) *apiHandler {
	return &apiHandler{tokens: tokens, flowSchemaUID: newUUID(), priorityLevelUID: newUUID()}
}

// chain puts the filters of faults to their places.
func (h *apiHandler) chain(conditions apiConditions) http.Handler {
	var handler http.Handler = http.HandlerFunc(h.serve)
	handler = wrap(handler, conditions.authenticated)
	handler = h.authenticate(handler)
	handler = wrap(handler, conditions.received)
	handler = identify(handler)
	return wrap(handler, conditions.proxied)
}

func wrap(handler http.Handler, filters []filter) http.Handler {
	for _, filter := range slices.Backward(filters) {
		handler = filter(handler)
	}
	return handler
}

// identify sets what every response of a kube-apiserver has, whatever its
// status.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Audit-Id", newUUID())
		w.Header().Set("Cache-Control", "no-cache, private")
		next.ServeHTTP(w, r)
	})
}

const (
	anonymous = "system:anonymous"
	// legacyWarning is kube-apiserver's (pkg/serviceaccount/legacy.go).
	legacyWarning = `299 - "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens."`
)

type userKey struct{}

// userOf is the name that a request was authenticated as.
func userOf(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}

// authenticate finds out the user and, for one that is known, sets the headers
// of priority and fairness.
func (h *apiHandler) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := anonymous
		if token, ok := bearerToken(r); ok {
			legacy, err := h.tokens.verify(token)
			if err != nil {
				unauthorized(w, r)
				return
			}
			if legacy {
				w.Header().Add("Warning", legacyWarning)
			}
			user = h.tokens.identity.username()
		}
		w.Header().Set("X-Kubernetes-Pf-Flowschema-Uid", h.flowSchemaUID)
		w.Header().Set("X-Kubernetes-Pf-Prioritylevel-Uid", h.priorityLevelUID)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

// bearerToken reads the header as kube-apiserver does
// (pkg/authentication/request/bearertoken): an empty token is none.
func bearerToken(r *http.Request) (string, bool) {
	parts := strings.SplitN(strings.TrimSpace(r.Header.Get("Authorization")), " ", 3)
	if len(parts) < 2 || !strings.EqualFold(parts[0], "Bearer") || parts[1] == "" {
		return "", false
	}
	return parts[1], true
}

// serve authorizes and answers a request.
func (h *apiHandler) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/livez", "/readyz", "/healthz":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write([]byte("ok"))
	case "/version":
		writeJSON(w, http.StatusOK, map[string]string{
			"major": "1", "minor": "37", "gitVersion": "v1.37.2", "platform": "linux/amd64",
		})
	default:
		h.serveAuthorized(w, r)
	}
}

func (h *apiHandler) serveAuthorized(w http.ResponseWriter, r *http.Request) {
	switch {
	case userOf(r.Context()) == anonymous:
		forbidden(w, r)
	case r.URL.Path == "/api":
		writeJSON(w, http.StatusOK, newAPIVersions(r))
	default:
		notFound(w, r)
	}
}

// apiVersions is the body of GET /api.
type apiVersions struct {
	Kind                       string          `json:"kind"`
	Versions                   []string        `json:"versions"`
	ServerAddressByClientCIDRs []serverAddress `json:"serverAddressByClientCIDRs"`
}

type serverAddress struct {
	ClientCIDR    string `json:"clientCIDR"`
	ServerAddress string `json:"serverAddress"`
}

func newAPIVersions(r *http.Request) apiVersions {
	address := r.Host
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string }); ok {
		address = local.String()
	}
	return apiVersions{
		Kind:                       "APIVersions",
		Versions:                   []string{"v1"},
		ServerAddressByClientCIDRs: []serverAddress{{ClientCIDR: "0.0.0.0/0", ServerAddress: address}},
	}
}

// status is the body of a failure, metav1.Status of apimachinery.
type status struct {
	Kind       string         `json:"kind"`
	APIVersion string         `json:"apiVersion"`
	Metadata   struct{}       `json:"metadata"`
	Status     string         `json:"status"`
	Message    string         `json:"message"`
	Reason     string         `json:"reason,omitempty"`
	Details    *statusDetails `json:"details,omitempty"`
	Code       int            `json:"code"`
}

type statusDetails struct {
	Causes            []statusCause `json:"causes,omitempty"`
	RetryAfterSeconds int           `json:"retryAfterSeconds,omitempty"`
}

type statusCause struct {
	Message string `json:"message"`
}

func writeStatus(w http.ResponseWriter, code int, reason, message string, details *statusDetails) {
	writeJSON(w, code, status{
		Kind:       "Status",
		APIVersion: "v1",
		Status:     "Failure",
		Message:    message,
		Reason:     reason,
		Details:    details,
		Code:       code,
	})
}

// writeJSON writes a body. A client that has gone does not miss it.
func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func unauthorized(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 {
		// kube-apiserver ends HTTP/2 connections of clients that it does not
		// know (UnauthenticatedHTTP2DOSMitigation).
		w.Header().Set("Connection", "close")
	}
	writeStatus(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized", nil)
}

func forbidden(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	message := `forbidden: User "` + userOf(r.Context()) + `" cannot ` + verb(r) + ` path "` + r.URL.Path + `"`
	writeStatus(w, http.StatusForbidden, "Forbidden", message, &statusDetails{})
}

// verb is the request's verb for authorization, which is the method where no
// resource is asked for.
func verb(r *http.Request) string { return strings.ToLower(r.Method) }

func notFound(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "404 page not found", http.StatusNotFound)
}

// pause waits, and tells whether it came to its end before done was closed.
func pause(done <-chan struct{}, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}
