package checks

import (
	"strings"
	"time"
)

// APIVersion is the version of a Report's JSON. Fields are added under the
// same version; one that changes its meaning or goes away makes a new one.
const APIVersion = "lifeline/v1"

// Status is the verdict on a check or on the whole.
type Status string

// The statuses. A Report is Unknown before the first round and Skip never.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skip    Status = "skip"
	Unknown Status = "unknown"
)

// Severity orders statuses from harmless to harmful: OK and Skip are 0, Warn
// is 1, Fail is 2.
func (s Status) Severity() int {
	switch s {
	case Fail:
		return 2
	case Warn:
		return 1
	default:
		return 0
	}
}

// Name is the name of a check.
type Name string

// The checks, in the order of the links that they watch.
const (
	Environment Name = "environment"
	DNS         Name = "dns"
	Token       Name = "token"
	CA          Name = "ca"
	TLS         Name = "tls"
	API         Name = "api"
	// KubectlProxy is made only where a kubectl proxy is configured.
	KubectlProxy Name = "kubectl-proxy"
)

// Names are all checks in the order of their links.
func Names() []Name { return []Name{Environment, DNS, Token, CA, TLS, API, KubectlProxy} }

// Report is the verdict on one round of observing. It is never changed once it
// is made, so it may be shared without a lock.
type Report struct {
	APIVersion string `json:"apiVersion"`
	// Status is the worst status of any check.
	Status Status `json:"status"`
	// Time is when the round's observing began.
	Time time.Time `json:"time"`
	// Round counts from 1.
	Round uint64 `json:"round"`
	// DurationSeconds is how long observing took.
	DurationSeconds float64   `json:"durationSeconds"`
	Pod             Identity  `json:"pod"`
	Checks          []Result  `json:"checks"`
	Diagnosis       []Finding `json:"diagnosis"`
	// Access has a line for each path that could be judged.
	Access []Access `json:"access"`
}

// Result returns the result of the named check, false where the report has
// none because the check was left out.
func (r *Report) Result(name Name) (Result, bool) {
	for _, result := range r.Checks {
		if result.Name == name {
			return result, true
		}
	}
	return Result{}, false
}

// Identity says whose way to the API is reported. Fields that could not be
// found out are empty.
type Identity struct {
	Name           string `json:"name,omitempty"`
	Namespace      string `json:"namespace,omitempty"`
	Node           string `json:"node,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	UID            string `json:"uid,omitempty"`
}

// Problem is one thing that a check found wrong.
type Problem struct {
	// Status is Warn or Fail.
	Status Status `json:"status"`
	Reason Reason `json:"reason"`
	// Message is one sentence with the observed values.
	Message string `json:"message"`
	// Expected and Found are short phrases, side by side; both may be empty.
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
}

// Result is the outcome of one check.
type Result struct {
	Name Name `json:"name"`
	// Status is OK, Warn, Fail or Skip.
	Status Status `json:"status"`
	// Reason is empty where Status is OK.
	Reason Reason `json:"reason,omitempty"`
	// Message is one sentence: what is well, or what is wrong.
	Message  string `json:"message"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	// WaitsFor is the check whose failing leaves this one without ground. It
	// is set where Status is Skip.
	WaitsFor Name `json:"waitsFor,omitempty"`
	// DurationSeconds is how long observing this link took.
	DurationSeconds float64 `json:"durationSeconds"`
	// Since is when the present status began, Consecutive for how many rounds
	// in a row it has held.
	Since       time.Time `json:"since"`
	Consecutive uint64    `json:"consecutive"`
	// Others are further problems, the gravest first, after the one above.
	Others []Problem `json:"others,omitempty"`
	// Details are *EnvironmentDetails, *DNSDetails, *TokenDetails, *CADetails,
	// *TLSDetails, *APIDetails or *KubectlProxyDetails by the check's name, or
	// nil where nothing was observed.
	Details any `json:"details,omitempty"`
}

// Certainty says how much a finding is to be relied on.
type Certainty string

// Certain excludes every neighbouring cause; Likely is the first to look at.
const (
	Certain Certainty = "certain"
	Likely  Certainty = "likely"
)

// Finding is a cause, with what speaks for it and what mends it.
type Finding struct {
	Reason Reason `json:"reason"`
	// Check is the one that watches what is at fault; empty where that is no
	// single link.
	Check     Name      `json:"check,omitempty"`
	Certainty Certainty `json:"certainty"`
	// Severity is Warn or Fail.
	Severity Status `json:"severity"`
	Title    string `json:"title"`
	// Evidence are sentences with the observed values.
	Evidence []string `json:"evidence"`
	// Confirm are sentences and commands that tell this cause from those that
	// look like it. The commands change nothing.
	Confirm []string `json:"confirm"`
	// Remedy are sentences and commands, the first to try first; IsCommand
	// tells them apart.
	Remedy []string `json:"remedy"`
	// References are addresses of pages to read: the entry of the reason in this
	// project's catalogue and, where there is one, an official page.
	References []string `json:"references"`
	// Consequences are the checks that do not pass only because of this.
	Consequences []Name `json:"consequences"`
}

// IsCommand tells a step of a remedy that is to be copied into a shell from a
// sentence, which ends in a full stop or a colon.
func IsCommand(step string) bool {
	return !strings.HasSuffix(step, ".") && !strings.HasSuffix(step, ":")
}

// The ways in which applications reach the API.
const (
	// GoClient is client-go with rest.InClusterConfig.
	GoClient = "go-client"
	// PythonClient is the official Python client with load_incluster_config.
	PythonClient = "python-client"
	// REST is curl with ca.crt and the token at https://kubernetes.default.svc.
	REST = "rest"
	// KubectlProxyPath is plain HTTP to a kubectl proxy in the pod.
	KubectlProxyPath = "kubectl-proxy"
)

// Access says whether a client of one kind, started in this pod at the time of
// the report, would have its GET of /api answered by the API server to the
// pod's own service account. An answer that forbids just this to the service
// account counts, since the way and the token work.
type Access struct {
	Path  string `json:"path"`
	Works bool   `json:"works"`
	// Why is one sentence with the observed values, also where it works.
	Why string `json:"why"`
}
