package text

import (
	"fmt"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// Time is how a point in time is shown: UTC, to the second, RFC 3339.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Duration is how a number of seconds is shown, in three digits or so.
func Duration(seconds float64) string {
	if milliseconds := 1000 * seconds; milliseconds < 999.5 {
		return fmt.Sprintf("%.3gms", milliseconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Millisecond).String()
}

// since says since when a check is as it is; nothing in a first round, before
// which nobody has looked.
func since(report *checks.Report, result checks.Result) string {
	if report.Round <= 1 || result.Since.IsZero() {
		return ""
	}
	words := "since " + clock(result.Since, report.Time)
	if result.Consecutive >= report.Round {
		words += " or before"
	}
	return words
}

// clock is a point in time for a reader at another, who needs the date only
// where it is not today's.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05 UTC")
	}
	return moment(t)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// span is a length of time in one unit or two, as people say it.
func span(length time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case length >= 2*day:
		return fmt.Sprintf("%d days", length/day)
	case length >= time.Hour:
		return fmt.Sprintf("%dh%02dm", length/time.Hour, length%time.Hour/time.Minute)
	case length >= 2*time.Minute:
		return fmt.Sprintf("%dm", length/time.Minute)
	default:
		return fmt.Sprintf("%ds", max(0, length)/time.Second)
	}
}
