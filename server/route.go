package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

const paths = `Lifeline answers these paths:

/livez         whether this process works
/readyz        whether the checks that gate readiness pass
/healthz       whether all checks pass
/healthz/NAME  whether one check passes
/status        the whole report, as JSON, HTML or text
/metrics       metrics for Prometheus

The first four explain themselves with ?verbose.
`

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// No path takes a body. net/http would wait for one before it answers,
		// unless the connection is to end.
		w.Header().Set("Connection", "close")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		plain(http.StatusMethodNotAllowed, "only GET and HEAD are answered\n").write(w)
		return
	}
	switch r.URL.Path {
	case "/healthz":
		s.healthz(w, r)
	case "/livez":
		s.livez(w, r)
	case "/readyz":
		s.readyz(w, r)
	case "/status":
		s.status(w, r)
	case "/status.js":
		s.script.write(w)
	case "/metrics":
		s.metrics.ServeHTTP(w, r)
	case "/":
		// http.Redirect would make the target absolute by a path that
		// http.StripPrefix may have cut.
		w.Header().Set("Location", "./status")
		plain(http.StatusFound, "see /status\n").write(w)
	default:
		if name, ok := strings.CutPrefix(r.URL.Path, "/healthz/"); ok {
			s.healthzOf(w, r, checks.Name(name))
			return
		}
		plain(http.StatusNotFound, fmt.Sprintf("there is nothing at %q\n\n%s", r.URL.Path, paths)).write(w)
	}
}
