package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// Probes answer in the manner of kube-apiserver's own
// (staging/src/k8s.io/apiserver/pkg/server/healthz/healthz.go): "ok" alone when
// all is well and nobody asks for more, else a line for each check.

// staleAfter is how old a report may be before /healthz no longer believes it.
func (s *Server) staleAfter() time.Duration { return 3 * s.options.Interval }

// stuckAfter is how long no round may end before /livez asks for a restart. It
// is generous, since restarting mends little: a round's end is bounded, so only
// a loop that hangs or a process that starves gets there.
func (s *Server) stuckAfter() time.Duration {
	return max(time.Minute, 10*s.options.Interval)
}

// age is how long ago the last round ended, or the server was made.
func (s *Server) age(current *snapshot) time.Duration {
	return s.options.Now().Sub(current.at)
}

// staleNotice says that the report is too old to be believed. It is empty where
// the report is not.
func (s *Server) staleNotice(current *snapshot) string {
	age := s.age(current)
	if current.report.Status == checks.Unknown || age <= s.staleAfter() {
		return ""
	}
	return fmt.Sprintf("the last round ended %s ago, more than three intervals of %s", age.Round(time.Second), s.options.Interval)
}

func (s *Server) livez(w http.ResponseWriter, r *http.Request) {
	age := s.age(s.current.Load()).Round(time.Second)
	switch {
	case age > s.stuckAfter():
		line := fmt.Sprintf("[-]rounds failed: no round has ended for %s, more than %s", age, s.stuckAfter())
		health("livez", []string{line}, false, true).write(w)
	case verbose(r):
		line := fmt.Sprintf("[+]rounds ok: %s since the last round or the start, %s are allowed", age, s.stuckAfter())
		health("livez", []string{line}, true, true).write(w)
	default:
		s.alive.write(w)
	}
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	current := s.current.Load()
	if verbose(r) {
		current.readyzVerbose.write(w)
		return
	}
	current.readyz.write(w)
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	current := s.current.Load()
	stale := s.staleNotice(current)
	if r.URL.RawQuery == "" && stale == "" {
		current.healthz.write(w)
		return
	}
	excluded := excludedNames(r)
	lines := healthLines(current.report, excluded)
	if stale != "" {
		lines = slices.Insert(lines, 0, "[-]rounds failed: "+stale)
	}
	health("healthz", lines, s.healthy(current, excluded), verbose(r)).write(w)
}

// healthy tells whether /healthz passes: no check fails but those excluded, and
// the report is not old.
func (s *Server) healthy(current *snapshot, excluded []checks.Name) bool {
	return s.staleNotice(current) == "" && passes(current.report, excluded)
}

// healthzOf answers for one check. Here a skipped check does not pass: whoever
// asks for it alone is not told elsewhere that what it waits for is failing.
func (s *Server) healthzOf(w http.ResponseWriter, r *http.Request, name checks.Name) {
	current := s.current.Load()
	result, found := current.report.Result(name)
	unknown := current.report.Status == checks.Unknown && slices.Contains(checks.Names(), name)
	if !found && !unknown {
		plain(http.StatusNotFound, fmt.Sprintf("no check is named %q; /healthz?verbose lists them\n", string(name))).write(w)
		return
	}
	lines := []string{healthLine(result)}
	if unknown {
		lines = healthLines(current.report, nil)
	}
	stale := s.staleNotice(current)
	if stale != "" {
		lines = slices.Insert(lines, 0, "[-]rounds failed: "+stale)
	}
	healthy := stale == "" && (result.Status == checks.OK || result.Status == checks.Warn)
	health("healthz", lines, healthy, verbose(r)).write(w)
}

// passes tells whether no check fails but those excluded.
func passes(report *checks.Report, excluded []checks.Name) bool {
	if report.Status == checks.Unknown {
		return false
	}
	return !slices.ContainsFunc(report.Checks, func(result checks.Result) bool {
		return result.Status == checks.Fail && !slices.Contains(excluded, result.Name)
	})
}

func healthLines(report *checks.Report, excluded []checks.Name) []string {
	var lines []string
	if report.Status == checks.Unknown {
		lines = append(lines, "[-]rounds failed: no round has ended yet")
	}
	for _, result := range report.Checks {
		if slices.Contains(excluded, result.Name) {
			lines = append(lines, fmt.Sprintf("[ ]%s excluded", text.Clean(string(result.Name))))
			continue
		}
		lines = append(lines, healthLine(result))
	}
	for _, name := range excluded {
		if _, found := report.Result(name); !found {
			lines = append(lines, fmt.Sprintf("warn: no check is named %q, so none was excluded for it", string(name)))
		}
	}
	return lines
}

func healthLine(result checks.Result) string {
	switch result.Status {
	case checks.OK:
		return text.Clean(fmt.Sprintf("[+]%s ok", result.Name))
	case checks.Warn:
		return text.Clean(fmt.Sprintf("[+]%s ok (warning: %s)", result.Name, result.Reason))
	case checks.Skip:
		return text.Clean(fmt.Sprintf("[ ]%s skipped: waits for %s", result.Name, result.WaitsFor))
	default:
		return text.Clean(fmt.Sprintf("[-]%s failed: %s: %s", result.Name, result.Reason, result.Message))
	}
}

// health makes a probe's answer. One that does not pass is always explained.
func health(probe string, lines []string, healthy, verbose bool) *prepared {
	if healthy && !verbose {
		return plain(http.StatusOK, "ok")
	}
	code, outcome := http.StatusOK, "passed"
	if !healthy {
		code, outcome = http.StatusServiceUnavailable, "failed"
	}
	return plain(code, fmt.Sprintf("%s\n%s check %s\n", strings.Join(lines, "\n"), probe, outcome))
}

// verbose tells whether the request has ?verbose, with whatever value.
func verbose(r *http.Request) bool {
	return r.URL.RawQuery != "" && r.URL.Query().Has("verbose")
}

// excludedNames are the values of ?exclude, each once.
func excludedNames(r *http.Request) []checks.Name {
	var names []checks.Name
	for _, value := range r.URL.Query()["exclude"] {
		if name := checks.Name(value); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
