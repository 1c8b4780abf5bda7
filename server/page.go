package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

// page is what the template is executed on.
type page struct {
	*checks.Report
	Style template.CSS
	// Notice is a sentence to be read before the report, or empty.
	Notice string
}

// parsePage is called when the first browser comes; most servers never see one.
func parsePage() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"clean":    clean,
		"duration": text.Duration,
		"subject":  text.Subject,
		"time":     text.Time,
		"verdict":  text.Verdict,
	}).Parse(pageTemplate))
}

// clean is text.Clean for all types of string in a report: in a page too,
// invisible characters can make words show as others.
func clean(value any) string {
	switch value := value.(type) {
	case string:
		return text.Clean(value)
	case checks.Name:
		return text.Clean(string(value))
	case checks.Reason:
		return text.Clean(string(value))
	case checks.Status:
		return text.Clean(string(value))
	case checks.Certainty:
		return text.Clean(string(value))
	default:
		return ""
	}
}

// htmlStatus is the report as a page, with a notice if there is one.
func (s *Server) htmlStatus(report *checks.Report, notice string) *prepared {
	var body bytes.Buffer
	style := template.CSS(pageStyle) //nolint:gosec // the style is this package's own, not out of a report
	err := s.page().Execute(&body, page{Report: report, Style: style, Notice: notice})
	if err != nil {
		return textStatus(report, notice)
	}
	p := status("text/html; charset=utf-8", body.Bytes())
	p.header = withPolicy(p.header)
	return p
}

// withPolicy forbids the page everything but its own style, W3C Content
// Security Policy Level 3: what a server put into the report cannot run, load
// or send anything, however it gets there.
func withPolicy(header http.Header) http.Header {
	hash := sha256.Sum256([]byte(pageStyle))
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	return header
}
