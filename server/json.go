package server

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kube-lifeline/lifeline/checks"
)

//go:embed status.schema.json
var statusSchema string

// StatusSchema is the JSON Schema, draft 2020-12, of what JSON returns.
func StatusSchema() string { return statusSchema }

// JSON is the report as /status serves it: indented, every list a list even
// when it is empty, and with nothing in it that a terminal would obey.
func JSON(report *checks.Report) []byte {
	whole := withLists(report)
	body, err := encode(whole, indented)
	if err != nil {
		// There are facts that JSON cannot hold, such as the year 20000 in a
		// token's claim. They must not hide the verdict.
		for i, result := range whole.Checks {
			if _, err := encode(result.Details, indented); err != nil {
				whole.Checks[i].Details = nil
			}
		}
		body, err = encode(whole, indented)
	}
	if err != nil {
		// What is left can fail by a time of the report's own.
		body, _ = encode(withLists(&checks.Report{APIVersion: report.APIVersion, Status: report.Status}), indented)
	}
	return escapeInvisible(body)
}

// withHistory adds the history as the last member of a report's JSON, an episode
// or a span a line: indented like the rest it would be a thousand of them.
func withHistory(report []byte, past History) []byte {
	var lines bytes.Buffer
	lines.Write(bytes.TrimSuffix(report, []byte("\n}\n")))
	lines.WriteString(",\n  \"history\": {\n    \"episodes\": [")
	for i, episode := range past.Episodes {
		if i > 0 {
			lines.WriteByte(',')
		}
		lines.WriteString("\n      ")
		lines.Write(inOneLine(episode))
	}
	if len(past.Episodes) > 0 {
		lines.WriteString("\n    ")
	}
	lines.WriteString("],\n    \"hour\": ")
	lines.Write(inOneLine(past.Hour))
	lines.WriteString(",\n    \"day\": ")
	lines.Write(inOneLine(past.Day))
	lines.WriteString("\n  }\n}\n")
	return escapeInvisible(lines.Bytes())
}

func inOneLine(value any) []byte {
	line, err := encode(value, "")
	if err != nil {
		// A time of the report's own that JSON cannot hold.
		return []byte("null")
	}
	return bytes.TrimSpace(line)
}

// indented is how people are to read a report.
const indented = "  "

func encode(value any, indent string) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetIndent("", indent)
	// People read this, and "<" stands in many a remedy. Nothing takes it for
	// HTML: it is served as application/json with nosniff.
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return body.Bytes(), err
}

// withLists returns a copy of the report whose lists are its own and not nil.
func withLists(report *checks.Report) *checks.Report {
	whole := *report
	whole.Checks = append([]checks.Result{}, report.Checks...)
	whole.Access = append([]checks.Access{}, report.Access...)
	whole.Diagnosis = append([]checks.Finding{}, report.Diagnosis...)
	for i := range whole.Diagnosis {
		finding := &whole.Diagnosis[i]
		finding.Evidence = append([]string{}, finding.Evidence...)
		finding.Confirm = append([]string{}, finding.Confirm...)
		finding.Remedy = append([]string{}, finding.Remedy...)
		finding.References = append([]string{}, finding.References...)
		finding.Consequences = append([]checks.Name{}, finding.Consequences...)
	}
	return &whole
}

// escapeInvisible writes what encoding/json leaves raw of control and other
// invisible characters as \u escapes. In JSON they can only stand in strings.
func escapeInvisible(body []byte) []byte {
	harmful := func(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
	if !bytes.ContainsFunc(body, harmful) {
		return body
	}
	escaped := make([]byte, 0, len(body)+64)
	for _, r := range string(body) {
		switch {
		case !harmful(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = appendEscape(appendEscape(escaped, high), low)
		default:
			escaped = appendEscape(escaped, r)
		}
	}
	return escaped
}

func appendEscape(body []byte, r rune) []byte {
	digits := strconv.FormatInt(int64(r)+0x10000, 16)
	return append(append(body, '\\', 'u'), digits[1:]...)
}
