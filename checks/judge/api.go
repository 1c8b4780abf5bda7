package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// slowRoundTrip is many times what a kube-apiserver takes to answer /api.
const slowRoundTrip = 1.0

func judgeAPI(facts *checks.Facts) verdict {
	attempt, target := tried(facts)
	if attempt == nil {
		return target
	}
	details := &checks.APIDetails{APIFacts: *facts.API}
	if ahead, known := skew(facts); known {
		seconds := ahead.Seconds()
		details.ClockSkewSeconds = &seconds
	}
	v := verdict{details: details, seconds: facts.API.Seconds}
	last := attempt.Last()
	switch last.Stage {
	case checks.StageConnect, checks.StageResolve:
		v.problems = []problem{unconnected(attempt, last)}
	case checks.StageTLS:
		return verdict{waitsFor: checks.TLS, well: fmt.Sprintf("No request was made to %s, since the TLS handshake did not end well.", hostPort(attempt)), details: details, seconds: v.seconds}
	case checks.StageResponse, checks.StageBody:
		v.problems = []problem{unanswered(attempt, last)}
	default:
		answer := answered(facts, attempt, last.Response)
		if answer.waitsFor != "" {
			answer.details, answer.seconds = details, v.seconds
			return answer
		}
		v.problems = answer.problems
	}
	details.Answered = len(v.problems) == 0
	if details.Answered {
		v.problems = slices.Concat(answeredWithBlemish(facts, attempt, last), deadConnection(facts.API.LongLived), notReady(facts), othersFail(facts))
	}
	v.problems = append(v.problems, byName(facts, attempt)...)
	if held := facts.API.HeldUntil; !held.IsZero() {
		for i := range v.problems {
			v.problems[i].Message += fmt.Sprintf(" By its Retry-After it is asked again at %s.", moment(held))
		}
	}
	v.well = fmt.Sprintf("GET /api at %s answered in %s.", hostPort(attempt), seconds(last.Phases.Seconds()))
	return v
}

// unconnected judges a connection that did not come about.
func unconnected(attempt *checks.Attempt, last checks.Exchange) problem {
	const expected = "a TCP connection"
	target, message := hostPort(attempt), "no connection was tried"
	kind := checks.OtherFailure
	if last.Failure != nil {
		kind, message = last.Failure.Kind, last.Failure.Message
	}
	switch kind {
	case checks.Refused:
		return failing(checks.TCPRefused, fmt.Sprintf("%s refused the connection.", target), expected, "connection refused").likely()
	case checks.TimedOut:
		return failing(checks.TCPTimeout, fmt.Sprintf("%s did not answer the connection within %s.", target, seconds(last.Phases.ConnectSeconds)), expected, "no answer").likely().silent(last.Phases.ConnectSeconds, turnsOfConnect)
	case checks.HostUnreachable:
		return failing(checks.TCPHostUnreachable, fmt.Sprintf("%s cannot be reached: %s.", target, message), expected, message).likely()
	case checks.NetworkUnreachable:
		return failing(checks.TCPNetworkUnreachable, fmt.Sprintf("%s cannot be reached: %s.", target, message), expected, message).likely()
	case checks.Reset:
		return failing(checks.TCPReset, fmt.Sprintf("The connection to %s was reset as it began.", target), expected, "connection reset").likely()
	default:
		return failing(checks.TCPFailed, fmt.Sprintf("The connection to %s failed: %s.", target, message), expected, message)
	}
}

// unanswered judges a verified connection over which no whole response came.
func unanswered(attempt *checks.Attempt, last checks.Exchange) problem {
	const expected = "a response to GET /api"
	target, kind, message := hostPort(attempt), checks.OtherFailure, "no response came"
	if last.Failure != nil {
		kind, message = last.Failure.Kind, last.Failure.Message
	}
	part := "answer"
	if last.Stage == checks.StageBody {
		part = "finish its answer"
	}
	if strings.Contains(message, "remote error: tls:") {
		return failing(checks.TLSHandshakeFailed, fmt.Sprintf("%s ended the TLS session after the handshake: %s.", target, message), expected, message)
	}
	switch kind {
	case checks.TimedOut:
		if tcp := last.TCP; last.Stage == checks.StageResponse && tcp != nil && tcp.Unacked > 0 && tcp.Retransmits > 0 {
			return failing(checks.HTTPResponseTimeout, fmt.Sprintf("%s did not acknowledge the request within %s, although what is left of it was sent again %d times: packets of this pod get lost once the session stands.", target, seconds(attempt.Seconds), tcp.Retransmits),
				expected, "a request that does not arrive").likely().silent(attempt.Seconds, turnsOfExchange)
		}
		return failing(checks.HTTPResponseTimeout, fmt.Sprintf("%s took the request and did not %s within %s.", target, part, seconds(attempt.Seconds)), expected, "a wait without end").likely().silent(attempt.Seconds, turnsOfExchange)
	case checks.Reset, checks.Closed:
		return failing(checks.HTTPResponseCut, fmt.Sprintf("%s ended the connection before its answer was whole: %s.", target, message), expected, "the connection ended").likely()
	case checks.TooLarge:
		return failing(checks.HTTPResponseTooLarge, fmt.Sprintf("%s sends an answer that does not end: %s.", target, message), "an answer of about 1 KiB", message)
	case checks.Invalid:
		return failing(checks.HTTPMalformed, fmt.Sprintf("%s answers with what is not HTTP: %s.", target, message), expected, message)
	default:
		return failing(checks.HTTPMalformed, fmt.Sprintf("%s gave no answer that can be read: %s.", target, message), expected, message).likely()
	}
}

// answeredWithBlemish judges an answer as it should be.
func answeredWithBlemish(facts *checks.Facts, attempt *checks.Attempt, last checks.Exchange) (problems []problem) {
	if tries := len(attempt.Exchanges); tries > 1 {
		before := attempt.Exchanges[tries-2]
		problems = append(problems, warning(checks.HTTPPassedOnRetry,
			fmt.Sprintf("GET /api answered only at the second try; the first met: %s.", met(before)), "an answer at the first try", met(before)).likely().afterSilence(before.Failure, before.Phases.Seconds(), turnsOfExchange))
	}
	if warnings := last.Response.Warnings; len(warnings) > 0 {
		problems = append(problems, warning(checks.HTTPWarningHeaders,
			fmt.Sprintf("The API server answers with a warning: %s.", sentencePart(warnings[0])), "no Warning header", warnings[0]))
	}
	if took := last.Phases.Seconds(); took > slowRoundTrip {
		problems = append(problems, warning(checks.HTTPLatencyHigh,
			fmt.Sprintf("GET /api took %s: %s to connect, %s for TLS, %s until the first byte and %s for the rest.", seconds(took),
				seconds(last.Phases.ConnectSeconds), seconds(last.Phases.TLSSeconds), seconds(last.Phases.FirstByteSeconds), seconds(last.Phases.BodySeconds)),
			"less than "+seconds(slowRoundTrip), seconds(took)).likely().slow(took, slowRoundTrip))
	}
	if ahead, known := skew(facts); known && ahead.Abs() > leeway {
		problems = append(problems, clockSkew(ahead))
	}
	return problems
}

func clockSkew(ahead time.Duration) problem {
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	return warning(checks.TokenLocalClockSkew,
		fmt.Sprintf("The API server's clock is %s %s this node's.", span(ahead), direction), "clocks within "+span(leeway), span(ahead)).likely()
}

// met says in a few words what became of a try.
func met(exchange checks.Exchange) string {
	switch {
	case exchange.Failure != nil:
		return exchange.Failure.Message
	case exchange.Response != nil:
		return fmt.Sprintf("status %d", exchange.Response.Status)
	default:
		return string(exchange.Stage)
	}
}

// byName judges the attempt by the API server's name, where it leads to another
// address than the environment gives.
func byName(facts *checks.Facts, judged *checks.Attempt) []problem {
	attempt := facts.API.ByName
	if attempt == nil || attempt == judged {
		return nil
	}
	last := attempt.Last()
	if last.Response != nil && (last.Response.Status == 200 && isAPIVersions(last.Response) || sameStatus(last.Response, judged.Last().Response)) {
		return nil
	}
	return []problem{warning(checks.APIByNameFailing,
		fmt.Sprintf("By its name the API server is reached at %s, and there it does not work: %s.", last.Address, met(last)), "the same answer by name", met(last)).likely().afterSilence(last.Failure, last.Phases.Seconds(), turnsOfExchange)}
}

func isAPIVersions(response *checks.Response) bool {
	return response.Kind == "APIVersions" && slices.Contains(response.Versions, "v1")
}

// sameStatus tells that two ways lead to one answer, which is then judged once.
func sameStatus(a, b *checks.Response) bool { return a != nil && b != nil && a.Status == b.Status }
