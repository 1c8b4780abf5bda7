package server

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// snapshot is all that is served of one round. It is never changed, so requests
// share it without a lock.
type snapshot struct {
	report *checks.Report
	// at is when the report was published, by the server's clock; before the
	// first round it is when the server was made.
	at       time.Time
	counters counters

	// healthz and readyz answer these paths without a query, and readyzVerbose
	// with ?verbose.
	healthz, readyz, readyzVerbose *prepared
	// The large renderings are made when the first request asks for them:
	// most reports are never looked at.
	json, text, page func() *prepared
	// old is the page with a notice that its report is old.
	old func(notice string) *prepared
}

// newSnapshot is called with readiness up to date with the report.
func (s *Server) newSnapshot(report *checks.Report, past counters) *snapshot {
	lately := sync.OnceValue(s.lately)
	shown := page{report: report, now: s.options.Now(), period: s.period(), tag: fmt.Sprintf(`"%x-%d"`, s.began.UnixNano(), past.rounds)}
	return &snapshot{
		report:        report,
		at:            s.options.Now(),
		counters:      past,
		healthz:       health("healthz", healthLines(report, nil), passes(report, nil), false),
		readyz:        health("readyz", s.readiness.lines(report), s.readiness.ready, false),
		readyzVerbose: health("readyz", s.readiness.lines(report), s.readiness.ready, true),
		json: sync.OnceValue(func() *prepared {
			return status("application/json", withHistory(JSON(report), lately()))
		}),
		text: sync.OnceValue(func() *prepared { return textStatus(report, "") }),
		old: func(notice string) *prepared {
			old := shown
			old.history, old.notice, old.tag = lately(), notice, ""
			return old.answer()
		},
		page: sync.OnceValue(func() *prepared {
			whole := shown
			whole.history = lately()
			return whole.answer()
		}),
	}
}

// period is how often an open page looks for a later round.
func (s *Server) period() time.Duration {
	return min(max(s.options.Interval, 2*time.Second), 15*time.Second)
}

// lately is the history as it is now.
func (s *Server) lately() History {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	return s.history.view(s.options.Now())
}

// prepared is an answer made before it is asked for.
type prepared struct {
	status int
	header http.Header
	body   []byte
}

func (p *prepared) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.header)
	w.WriteHeader(p.status)
	// The client may be gone; there is nobody to tell.
	_, _ = w.Write(p.body) //nolint:gosec // plain text, JSON, or escaped HTML, and never sniffed
}

// prepare makes an answer that no cache keeps and no browser takes for another
// type than is said.
func prepare(status int, contentType string, body []byte) *prepared {
	return &prepared{
		status: status,
		header: http.Header{
			"Cache-Control":          {"no-store"},
			"Content-Length":         {strconv.Itoa(len(body))},
			"Content-Type":           {contentType},
			"X-Content-Type-Options": {"nosniff"},
		},
		body: body,
	}
}

// unchanged tells a client that what it has still holds, RFC 9110 section 15.4.5.
func unchanged(known *prepared) *prepared {
	header := maps.Clone(known.header)
	delete(header, "Content-Length")
	delete(header, "Content-Type")
	return &prepared{status: http.StatusNotModified, header: header}
}

func plain(status int, body string) *prepared {
	return prepare(status, "text/plain; charset=utf-8", []byte(body))
}

// status makes an answer of /status, of which there are three by the Accept
// header.
func status(contentType string, body []byte) *prepared {
	p := prepare(http.StatusOK, contentType, body)
	p.header["Vary"] = []string{"Accept"}
	return p
}

// textStatus is the report as the terminal shows it, below a notice if there is
// one.
func textStatus(report *checks.Report, notice string) *prepared {
	var body bytes.Buffer
	if notice != "" {
		fmt.Fprintf(&body, "%s\n\n", notice)
	}
	// A Buffer returns no error.
	_ = text.Write(&body, report, text.Style{Unicode: true})
	return status("text/plain; charset=utf-8", body.Bytes())
}
