package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// format is one of the renderings of /status.
type format struct {
	name, mediaType string
}

// formats are the renderings, the one to give when the client does not care
// first.
func formats() [3]format {
	return [...]format{{"json", "application/json"}, {"text", "text/plain"}, {"html", "text/html"}}
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	name, err := chooseFormat(r)
	if err != nil {
		plain(http.StatusBadRequest, err.Error()+"\n").write(w)
		return
	}
	current := s.current.Load()
	notice := s.staleNotice(current)
	if notice != "" {
		notice = "This report is old: " + notice + "."
	}
	switch {
	case name == "json":
		current.json().write(w)
	case name == "text" && notice == "":
		current.text().write(w)
	case name == "text":
		textStatus(current.report, notice).write(w)
	case notice == "" && r.Header.Get("If-None-Match") == current.page().header.Get("ETag"):
		unchanged(current.page()).write(w)
	case notice == "":
		current.page().write(w)
	default:
		current.old(notice).write(w)
	}
}

// chooseFormat returns the name of the format that ?format asks for, or else
// the Accept header.
func chooseFormat(r *http.Request) (string, error) {
	if r.URL.RawQuery != "" {
		if query := r.URL.Query(); query.Has("format") {
			asked := query.Get("format")
			for _, format := range formats() {
				if format.name == asked {
					return asked, nil
				}
			}
			return "", fmt.Errorf("there is no format %q; there are json, html and text", asked)
		}
	}
	return negotiate(r.Header.Values("Accept")), nil
}

// negotiate returns the name of the format that the Accept header prefers, RFC
// 9110 section 12.5.1. Where it likes several alike, one that it names goes
// before one that a wildcard lets in, then the order of formats. Where it likes
// none, the first is given all the same: /status always answers.
func negotiate(accept []string) string {
	ranges := strings.Split(strings.Join(accept, ","), ",")
	best, bestQuality, bestPrecision := formats()[0].name, 0.0, 0
	for _, format := range formats() {
		quality, precision := preference(ranges, format.mediaType)
		if quality > bestQuality || quality == bestQuality && quality > 0 && precision > bestPrecision {
			best, bestQuality, bestPrecision = format.name, quality, precision
		}
	}
	return best
}

// preference returns the quality that the most precise of the media ranges
// gives a media type, and its precision: 3 for the type itself, 2 for type/*, 1
// for */*, 0 where no range matches.
func preference(ranges []string, mediaType string) (quality float64, precision int) {
	family, _, _ := strings.Cut(mediaType, "/")
	for _, mediaRange := range ranges {
		name, parameters, _ := strings.Cut(mediaRange, ";")
		matched := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case mediaType:
			matched = 3
		case family + "/*":
			matched = 2
		case "*/*":
			matched = 1
		}
		if matched > precision {
			quality, precision = weight(parameters), matched
		}
	}
	return quality, precision
}

// weight is the parameter q of a media range: 1 where there is none, 0 where it
// makes no sense.
func weight(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
		return 0
	}
	return 1
}
