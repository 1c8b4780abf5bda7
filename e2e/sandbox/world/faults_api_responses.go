package world

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// responseFaults are wrong in how a response comes, or harmless ones.
func responseFaults() []Fault {
	named := func(name string, reason checks.Reason, title string, change func(*apiConditions)) Fault {
		fault := apiFault(checks.Fail, reason, title, change)
		fault.Name = name
		return fault
	}
	return []Fault{
		apiFault(checks.Fail, checks.HTTPResponseTimeout, "The API server takes the request and never answers.",
			authenticated(onlyAPI(hang))),
		named("http-response-drip", checks.HTTPResponseTimeout, "The body comes at one byte a second.",
			authenticated(drip)),
		apiFault(checks.Fail, checks.HTTPResponseCut, "The connection closes in the middle of the body.",
			authenticated(onlyAPI(cut))),
		apiFault(checks.Fail, checks.HTTPResponseTooLarge, "The body never ends.",
			authenticated(onlyAPI(flood))),
		named("http-header-endless", checks.HTTPResponseTooLarge, "The header never ends.",
			func(a *apiConditions) {
				a.http1 = true
				authenticated(onlyAPI(floodHeader))(a)
			}),
		apiFault(checks.Warn, checks.HTTPWarningHeaders, "The API server sends a warning along.",
			authenticated(warn)),
		apiFault(checks.Warn, checks.HTTPLatencyHigh, "The API server takes 1.2 s for an answer.",
			authenticated(queue)),
		apiFault(checks.Warn, checks.HTTPPassedOnRetry, "The API server fails the first request over each connection and answers the second.",
			authenticated(failFirst)),
		apiFault(checks.Warn, checks.TokenLocalClockSkew, "The API server's clock is 5 minutes ahead of the pod's.",
			received(setClockAhead)),
	}
}

func warn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Warning", `299 - "This cluster is upgraded tonight."`)
		next.ServeHTTP(w, r)
	})
}

func setClockAhead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(5*time.Minute).UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

// hang holds the request until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func queue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pause(r.Context().Done(), 1200*time.Millisecond) {
			next.ServeHTTP(w, r)
		}
	})
}

// drip sends the head at once and the body byte by byte.
func drip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&dripWriter{ResponseWriter: w, request: r}, r)
	})
}

type dripWriter struct {
	http.ResponseWriter
	request *http.Request
}

// Write sends a byte a second.
func (w *dripWriter) Write(body []byte) (int, error) {
	for i := range body {
		if _, err := w.ResponseWriter.Write(body[i : i+1]); err != nil {
			return i, err
		}
		if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
			return i, err
		}
		if !pause(w.request.Context().Done(), time.Second) {
			return i, w.request.Context().Err()
		}
	}
	return len(body), nil
}

// cut promises more than it sends.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "4096")
	_, _ = w.Write([]byte(`{"kind":"APIVersions",`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler) // the way in which net/http lets a handler drop its connection
}

// flood sends a body of spaces until nobody takes it.
func flood(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"kind":"APIVersions",`))
	pour(w, bytes.Repeat([]byte(" "), 32<<10))
}

// floodHeader sends lines of a header until nobody takes them.
func floodHeader(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n"); err == nil {
		pour(conn, bytes.Repeat([]byte("X-Padding: 0123456789abcdef\r\n"), 1<<10))
	}
}

func pour(w io.Writer, drop []byte) {
	for {
		if _, err := w.Write(drop); err != nil {
			return
		}
	}
}

// failFirst fails the first request over each connection, so a retry passes.
// What the kubectl proxy forwards is another client's.
func failFirst(next http.Handler) http.Handler {
	return onlyAPI(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") == "" && connectionOf(r).requests.Load() == 1 {
			internalError(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})(next)
}
