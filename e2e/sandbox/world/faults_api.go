package world

import (
	"net/http"
	"strconv"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// apiFault is a fault of the api check whose name is its reason.
func apiFault(status checks.Status, name checks.Reason, title string, change func(*apiConditions)) Fault {
	return Fault{
		Name:   string(name),
		Title:  title,
		Check:  checks.API,
		Status: status,
		Reason: name,
		change: func(c *conditions) { change(&c.api) },
	}
}

func connectionFaults() []Fault {
	return []Fault{
		apiFault(checks.Fail, checks.TCPRefused, "The API server's port is closed.",
			func(a *apiConditions) { a.addresses = nil }),
		{
			Name:   string(checks.HTTP2DeadConnection),
			Title:  "Connections go silent once they have answered, as where a load balancer forgets them.",
			Check:  checks.API,
			Status: checks.Warn,
			Reason: checks.HTTP2DeadConnection,
			Delay:  2 * time.Minute,
			change: func(c *conditions) { c.api.forgotten = true },
		},
		{
			Name:   string(checks.TCPRefusedSidecarNotReady),
			Title:  "All TCP of the pod is refused, as where it is led to a sidecar that is not up.",
			Check:  checks.API,
			Status: checks.Fail,
			Reason: checks.TCPRefused,
			Cause:  checks.TCPRefusedSidecarNotReady,
			change: func(c *conditions) { c.api.addresses, c.nameserver.tcp = nil, false },
		},
	}
}

// answerFaults are responses of a kind that a cluster gives.
func answerFaults() []Fault {
	return []Fault{
		apiFault(checks.Fail, checks.HTTP401Unattributed, "The API server rejects the token for a reason that it alone knows.",
			received(answer401)),
		apiFault(checks.Fail, checks.HTTP403Anonymous, "A proxy takes the Authorization header away.",
			proxied(stripAuthorization)),
		apiFault(checks.Warn, checks.HTTP403DiscoveryRBACRemoved, "Service accounts have lost the right to GET /api.",
			authenticated(onlyAPI(forbidden))),
		apiFault(checks.Warn, checks.HTTP403DuringStartup, "The API server has just started and has not read its roles.",
			authenticated(onlyAPI(unread(forbidden)))),
		apiFault(checks.Fail, checks.HTTP403NotFromKubernetes, "A mesh denies the request before the API server sees it.",
			proxied(page(http.StatusForbidden, "envoy", "text/plain", "RBAC: access denied"))),
		apiFault(checks.Fail, checks.HTTP404OnAPI, "The API server has no path /api.",
			authenticated(onlyAPI(notFound))),
		apiFault(checks.Warn, checks.HTTP429APF, "Priority and fairness turns the request away.",
			authenticated(onlyAPI(tooMany("Too many requests, please try again later.", 1)))),
		apiFault(checks.Warn, checks.HTTP429MaxInflight, "The API server has more requests in flight than it takes.",
			received(onlyAPI(tooMany("Too many requests, please try again later.", 1)))),
		apiFault(checks.Warn, checks.HTTP429ShuttingDown, "The API server shuts down.",
			received(onlyAPI(shuttingDown))),
		apiFault(checks.Fail, checks.HTTP500Internal, "The API server fails with an internal error.",
			authenticated(onlyAPI(internalError))),
		apiFault(checks.Fail, checks.HTTP503Starting, "The API server has not installed its paths yet.",
			authenticated(onlyAPI(starting))),
		apiFault(checks.Fail, checks.HTTP502503LB, "A load balancer has no API server behind it.",
			proxied(page(http.StatusServiceUnavailable, "nginx", "text/html", unavailablePage))),
		apiFault(checks.Fail, checks.HTTP504Timeout, "The API server gives the request up.",
			authenticated(onlyAPI(gaveUp))),
		apiFault(checks.Fail, checks.HTTPRedirect, "A login portal redirects the request to another host.",
			proxied(redirect)),
		apiFault(checks.Fail, checks.HTTP200NotKubernetes, "Something other than an API server answers with a web page.",
			proxied(page(http.StatusOK, "nginx", "text/html", welcomePage))),
	}
}

func proxied(f filter) func(*apiConditions) {
	return func(a *apiConditions) { a.proxied = append(a.proxied, f) }
}

func received(f filter) func(*apiConditions) {
	return func(a *apiConditions) { a.received = append(a.received, f) }
}

func authenticated(f filter) func(*apiConditions) {
	return func(a *apiConditions) { a.authenticated = append(a.authenticated, f) }
}

// unread answers as a kube-apiserver does that has no FlowSchemas yet: the
// headers are there and name none.
func unread(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Kubernetes-Pf-Flowschema-Uid", "")
		w.Header().Set("X-Kubernetes-Pf-Prioritylevel-Uid", "")
		answer(w, r)
	}
}

// onlyAPI answers GET /api and leaves the probes and /version be.
func onlyAPI(answer http.HandlerFunc) filter {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api" {
				answer(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// page answers everything as a server that is no kube-apiserver.
func page(code int, server, contentType, body string) filter {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", server)
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		})
	}
}

const (
	unavailablePage = "<html>\n<head><title>503 Service Temporarily Unavailable</title></head>\n" +
		"<body><h1>503 Service Temporarily Unavailable</h1></body>\n</html>\n"
	welcomePage = "<!DOCTYPE html>\n<html>\n<head><title>Welcome</title></head>\n" +
		"<body><h1>Welcome</h1></body>\n</html>\n"
)

// answer401 rejects every token, whatever it says.
func answer401(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := bearerToken(r); ok {
			unauthorized(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func stripAuthorization(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

func tooMany(message string, retryAfterSeconds int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
		http.Error(w, message, http.StatusTooManyRequests)
	}
}

func shuttingDown(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	tooMany("The apiserver is shutting down, please try again later.", 5)(w, r)
}

func internalError(w http.ResponseWriter, _ *http.Request) {
	const cause = "etcdserver: request timed out"
	writeStatus(w, http.StatusInternalServerError, "InternalError", "Internal error occurred: "+cause,
		&statusDetails{Causes: []statusCause{{Message: cause}}})
}

func starting(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "5")
	writeStatus(w, http.StatusServiceUnavailable, "ServiceUnavailable",
		"the request has been made before all known HTTP paths have been installed, please try again",
		&statusDetails{RetryAfterSeconds: 5})
}

func gaveUp(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusGatewayTimeout, "Timeout",
		"Timeout: request did not complete within the allotted timeout", &statusDetails{})
}

// redirect leads to a port where nobody listens, on a host that is not the
// API server.
func redirect(http.Handler) http.Handler {
	return http.RedirectHandler("https://127.0.0.2:9/oauth2/start?rd=/api", http.StatusFound)
}
