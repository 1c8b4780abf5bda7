package observe

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// wrongToken has the shape of a token and is none.
	wrongToken = "lifeline.wrong.token"
	apiPath    = "/api"
	readyPath  = "/readyz"
	reviewPath = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	// readySteps are for an API server that asks an etcd which does not answer: it
	// does so twice, and waits for 2 s each time (kube-apiserver
	// --etcd-healthcheck-timeout and --etcd-readycheck-timeout).
	readySteps = 3
	review     = `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`
)

// deepAPI makes other requests than the pulse's, one after the other. It returns
// nil where none is to be made.
func (r *round) deepAPI(ctx context.Context, facts *checks.Facts) *checks.DeepAPIFacts {
	target, ok := r.deepTarget(facts)
	if !ok || mustWait(facts) {
		return nil
	}
	told := &checks.DeepAPIFacts{}
	for _, question := range r.deepQuestions(pulse(facts).Response) {
		if !r.timeForStep(ctx) {
			break
		}
		if len(told.Failures) > 0 {
			// More time is for who answers everything else.
			question.steps = 1
		}
		exchange, body := r.once(ctx, target, question.deepRequest)
		if exchange.Failure != nil {
			if told.Failures == nil {
				told.Failures = make(map[string]*checks.Failure)
			}
			told.Failures[question.name] = exchange.Failure
		}
		if exchange.Response != nil {
			question.keep(told, exchange.Response, body)
		}
		verified := exchange.TLS != nil && exchange.TLS.Verified
		if !verified || asksToWait(exchange.Response) {
			break
		}
	}
	return told
}

// deepQuestion is a request and where its answer belongs.
type deepQuestion struct {
	deepRequest
	name string
	keep func(told *checks.DeepAPIFacts, response *checks.Response, body []byte)
}

// deepQuestions are those that the pulse's answer leaves open.
func (r *round) deepQuestions(answer *checks.Response) []deepQuestion {
	questions := []deepQuestion{{
		name: "version", deepRequest: deepRequest{path: "/version"},
		keep: func(told *checks.DeepAPIFacts, response *checks.Response, _ []byte) { told.Version = response },
	}}
	if answer != nil && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden) {
		questions = append(questions, deepQuestion{
			name: "wrongToken", deepRequest: deepRequest{path: apiPath, token: wrongToken},
			keep: func(told *checks.DeepAPIFacts, response *checks.Response, _ []byte) { told.WrongToken = response },
		})
	}
	if token := r.sendableToken(); answer != nil && token != "" {
		questions = append(questions, deepQuestion{
			name: "self", deepRequest: deepRequest{path: reviewPath, token: token, post: review},
			keep: func(told *checks.DeepAPIFacts, response *checks.Response, body []byte) {
				told.Self = r.self(response.Status, body)
			},
		})
	}
	return append(questions, deepQuestion{
		name: "ready", deepRequest: deepRequest{path: readyPath, steps: readySteps},
		keep: func(told *checks.DeepAPIFacts, response *checks.Response, _ []byte) { told.Ready = response },
	})
}

// self reads a SelfSubjectReview (k8s.io/api authentication/v1). The keys of
// extra are those that a bound token gives its user (apiserver
// pkg/authentication/serviceaccount/util.go).
func (r *round) self(status int, body []byte) *checks.Self {
	told := &checks.Self{Status: status}
	var object struct {
		Status struct {
			UserInfo struct {
				Username string              `json:"username"`
				UID      string              `json:"uid"`
				Extra    map[string][]string `json:"extra"`
			} `json:"userInfo"`
		} `json:"status"`
	}
	if status != http.StatusCreated || json.Unmarshal(body, &object) != nil {
		return told
	}
	user := object.Status.UserInfo
	text := func(value string) string { return clip(r.scrub(value), maxNameLength) }
	extra := func(key string) string {
		if values := user.Extra["authentication.kubernetes.io/"+key]; len(values) > 0 {
			return text(values[0])
		}
		return ""
	}
	told.Username, told.UID = text(user.Username), text(user.UID)
	told.Pod, told.PodUID, told.Node = extra("pod-name"), extra("pod-uid"), extra("node-name")
	return told
}
