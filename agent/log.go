package main

import (
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/agent/rounds"
	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// newLogger writes JSON lines, or coloured ones for a person.
func newLogger(c config, out io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if c.LogFormat == "console" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly, NoColor: !isTerminal(out)}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// leveled lets go-retryablehttp log; what it says is for debugging only, since
// the report tells of every retry.
type leveled struct{ log zerolog.Logger }

func (l leveled) Error(message string, pairs ...any) { l.debug(message, pairs) }
func (l leveled) Warn(message string, pairs ...any)  { l.debug(message, pairs) }
func (l leveled) Info(message string, pairs ...any)  { l.debug(message, pairs) }
func (l leveled) Debug(message string, pairs ...any) { l.debug(message, pairs) }

func (l leveled) debug(message string, pairs []any) {
	l.log.Debug().Fields(pairs).Msg("round trip: " + message)
}

// complaints logs what net/http has to say of its connections, for debugging only: it
// may quote what clients send.
type complaints struct{ log zerolog.Logger }

func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug().Msg("serving: " + strings.TrimSpace(string(line)))
	return len(line), nil
}

// logged publishes reports, and logs what changes from one to the next.
type logged struct {
	rounds.Publisher
	log    zerolog.Logger
	latest *checks.Report
}

// Publish publishes a report, and logs it where it differs.
func (l *logged) Publish(report *checks.Report) {
	l.Publisher.Publish(report)
	logTransitions(l.log, l.latest, report)
	l.latest = report
}

// logTransitions writes a line for each check whose status or reason changed,
// and one for the verdict and how sure it is, so that a state that lasts is told
// once.
func logTransitions(log zerolog.Logger, previous, report *checks.Report) {
	for _, result := range changed(previous, report) {
		event := levelOf(log, result.Status).
			Str("check", string(result.Name)).
			Str("status", string(result.Status))
		if result.Reason != "" {
			event = event.Str("reason", string(result.Reason))
		}
		if before, known := resultBefore(previous, result.Name); known {
			event = event.Str("was", string(before.Status)).Stringer("was_for", result.Since.Sub(before.Since).Round(10*time.Millisecond))
		}
		event.Msg(text.Clean(result.Message))
	}
	if turned(previous, report) {
		logVerdict(log, report)
	}
}

// changed are the checks whose status or reason is not that of the round before.
// Before the first one all is held to be well.
func changed(previous, report *checks.Report) []checks.Result {
	var changed []checks.Result
	for _, result := range report.Checks {
		before, known := resultBefore(previous, result.Name)
		if !known {
			before.Status = checks.OK
		}
		if before.Status != result.Status || before.Reason != result.Reason {
			changed = append(changed, result)
		}
	}
	return changed
}

func resultBefore(previous *checks.Report, name checks.Name) (result checks.Result, known bool) {
	if previous == nil {
		return checks.Result{}, false
	}
	return previous.Result(name)
}

// turned tells whether the verdict or how sure it is is not that of the round
// before.
func turned(previous, report *checks.Report) bool {
	return previous == nil || previous.Status != report.Status || causeOf(previous) != causeOf(report)
}

// cause is what a report begins with and how sure it is of that.
type cause struct {
	reason    checks.Reason
	certainty checks.Certainty
}

// causeOf is empty where nothing is wrong.
func causeOf(report *checks.Report) cause {
	if len(report.Diagnosis) == 0 {
		return cause{}
	}
	return cause{report.Diagnosis[0].Reason, report.Diagnosis[0].Certainty}
}

func logVerdict(log zerolog.Logger, report *checks.Report) {
	event := levelOf(log, report.Status).Str("status", string(report.Status)).Uint64("round", report.Round)
	if len(report.Diagnosis) == 0 {
		event.Msg("the way to the Kubernetes API is in order")
		return
	}
	first := report.Diagnosis[0]
	event.Str("cause", string(first.Reason)).
		Str("certainty", string(first.Certainty)).
		Str("remedy", "lifeline explain "+string(first.Reason)).
		Msg(text.Clean(first.Title))
}

func levelOf(log zerolog.Logger, status checks.Status) *zerolog.Event {
	switch status {
	case checks.Fail, checks.Skip:
		// A check is skipped because another fails.
		return log.Error()
	case checks.Warn:
		return log.Warn()
	default:
		return log.Info()
	}
}
