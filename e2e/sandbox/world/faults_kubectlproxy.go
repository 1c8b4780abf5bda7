package world

import (
	"context"
	"net/http"

	"github.com/kube-lifeline/lifeline/checks"
)

// kubectlProxyFaults are wrong in the sidecar. Each has the sidecar configured,
// so the agent has to be started with another environment.
func kubectlProxyFaults() []Fault {
	fault := func(status checks.Status, name checks.Reason, title, address string, change func(*apiConditions)) Fault {
		return Fault{
			Name:        string(name),
			Title:       title,
			Check:       checks.KubectlProxy,
			Status:      status,
			Reason:      name,
			Environment: map[string]string{kubectlProxyVariable: address},
			change:      func(c *conditions) { change(&c.kubectlProxy) },
		}
	}
	return []Fault{
		fault(checks.Fail, checks.KProxyDown, "The kubectl proxy beside the agent does not run.", kubectlProxyURL,
			func(a *apiConditions) { a.addresses = nil }),
		fault(checks.Fail, checks.KProxyTimeout, "The kubectl proxy waits without end for an answer.", kubectlProxyURL,
			proxied(wait)),
		fault(checks.Fail, checks.KProxyHostFilter, "The kubectl proxy is asked by a host that its filter does not know.", "http://127.0.0.2:"+kubectlProxyPort,
			func(a *apiConditions) { a.addresses = append(a.addresses, loopback(2)) }),
		fault(checks.Fail, checks.KProxyPathOrMethodFilter, "The filter of the kubectl proxy rejects /api.", kubectlProxyURL,
			proxied(onlyAPI(refuseByFilter))),
		fault(checks.Fail, checks.KProxyAPIPrefix, "The kubectl proxy was started with --api-prefix.", kubectlProxyURL,
			proxied(onlyAPI(notFound))),
		fault(checks.Fail, checks.KProxyLocalhost8080, "The container of the kubectl proxy has no service account.", kubectlProxyURL,
			proxied(unreached("dial tcp 127.0.0.1:8080: connect: connection refused"))),
		fault(checks.Fail, checks.KProxyUpstreamError, "The kubectl proxy has no way to the API server.", kubectlProxyURL,
			proxied(unreached("dial tcp 10.96.0.1:443: i/o timeout"))),
		fault(checks.Fail, checks.KProxyUpstreamStatus, "The API server that the kubectl proxy reaches has just started.", kubectlProxyURL,
			proxied(fromAPIServer(starting))),
		fault(checks.Fail, checks.KProxyCredentialRejected, "The kubectl proxy has a token that the API server rejects.", kubectlProxyURL,
			proxied(withToken("stale"))),
		fault(checks.Warn, checks.KProxyForbidden, "The service account of the kubectl proxy may not GET /api.", kubectlProxyURL,
			proxied(fromAPIServer(forbidden))),
		fault(checks.Fail, checks.KProxyNotAKubectlProxy, "Another program has the port of the kubectl proxy.", kubectlProxyURL,
			proxied(page(http.StatusOK, "nginx", "text/html", welcomePage))),
	}
}

// wait answers nothing until the client has gone.
func wait(http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// unreached is how kubectl proxy tells of an error on its own way.
func unreached(message string) filter {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, message, http.StatusInternalServerError)
		})
	}
}

// fromAPIServer is an answer of an API server to the sidecar, which knows it.
func fromAPIServer(answer http.HandlerFunc) filter {
	return func(http.Handler) http.Handler {
		return identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			const user = "system:serviceaccount:" + namespace + ":" + serviceAccount
			answer(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
		}))
	}
}

// withToken has the requests authenticated by another token than the sidecar's.
func withToken(token string) filter {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+token)
			next.ServeHTTP(w, r)
		})
	}
}
