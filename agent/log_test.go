package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
)

// reports keeps what is published.
type reports struct{ all []*checks.Report }

func (r *reports) Publish(report *checks.Report) { r.all = append(r.all, report) }

func TestOnlyTransitionsAreLogged(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	result := func(status checks.Status, reason checks.Reason, certainty checks.Certainty) *checks.Report {
		return &checks.Report{
			Status:    status,
			Checks:    []checks.Result{{Name: checks.DNS, Status: status, Reason: reason, Message: "sentence"}},
			Diagnosis: []checks.Finding{{Reason: reason, Certainty: certainty, Title: "title", Remedy: []string{"do it"}}},
		}
	}
	logged := &logged{Publisher: &reports{}, log: log}
	for _, report := range []*checks.Report{
		result(checks.OK, "", ""), result(checks.OK, "", ""),
		result(checks.Fail, checks.DNSTimeout, checks.Likely), result(checks.Fail, checks.DNSTimeout, checks.Likely),
		result(checks.Fail, checks.DNSRefusedNoZone, checks.Likely),
		result(checks.Fail, checks.DNSRefusedNoZone, checks.Certain),
		result(checks.OK, "", ""),
	} {
		logged.Publish(report)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var event struct{ Level, Check, Status, Reason, Cause, Certainty string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("the line %q is no JSON: %s", line, err)
		}
		got = append(got, strings.Join([]string{event.Level, event.Check, event.Status, event.Reason + event.Cause, event.Certainty}, " "))
	}
	want := []string{
		"info  ok  ",
		"error dns fail dns-timeout ",
		"error  fail dns-timeout likely",
		"error dns fail dns-refused-no-zone ",
		"error  fail dns-refused-no-zone likely",
		"error  fail dns-refused-no-zone certain",
		"info dns ok  ",
		"info  ok  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log differs (-want +got):\n%s", diff)
	}
}
