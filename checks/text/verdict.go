package text

import (
	"fmt"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// Verdict answers in a sentence or two whether the pod reaches the API and, if
// not, what broke and since when.
func Verdict(report *checks.Report) string {
	if report.Status == checks.Unknown {
		return "No round has ended yet, so nothing is known."
	}
	sentences := []string{reach(report)}
	if len(report.Diagnosis) > 0 {
		sentences = append(sentences, blame(report))
	}
	return Clean(strings.Join(sentences, " "))
}

// reach says whether the pod reaches the API, by what became of the ways in
// which applications do. Where none was judged only the checks can be counted.
func reach(report *checks.Report) string {
	var work, fail []string
	for _, way := range report.Access {
		if way.Works {
			work = append(work, way.Path)
		} else {
			fail = append(fail, way.Path)
		}
	}
	switch {
	case len(report.Access) == 0:
		return count(report)
	case len(work) == 0 && answers(report):
		return "The API answers, but no application in this pod reaches it."
	case len(work) == 0:
		return "This pod does not reach the API."
	case len(fail) > 0:
		return fmt.Sprintf("This pod reaches the API by %s, but not by %s.", enumerate(work), enumerate(fail))
	case report.Status == checks.OK:
		return "This pod reaches the API; " + all(report) + "."
	case report.Status == checks.Warn && len(report.Diagnosis) > 0:
		return "This pod reaches the API."
	default:
		return "This pod reaches the API. " + count(report)
	}
}

// answers tells whether the API server answers Lifeline, which goes to it by no
// proxy and with what the pod has.
func answers(report *checks.Report) bool {
	result, made := report.Result(checks.API)
	return made && result.Status == checks.OK
}

// count says how many checks pass and which do not.
func count(report *checks.Report) string {
	byStatus := make(map[checks.Status][]checks.Name)
	for _, result := range report.Checks {
		byStatus[result.Status] = append(byStatus[result.Status], result.Name)
	}
	var parts []string
	add := func(names []checks.Name, one, several string) {
		switch len(names) {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("1 of %d checks %s: %s.", len(report.Checks), one, names[0]))
		default:
			parts = append(parts, fmt.Sprintf("%d of %d checks %s: %s.", len(names), len(report.Checks), several, Names(names)))
		}
	}
	add(byStatus[checks.Fail], "fails", "fail")
	add(byStatus[checks.Warn], "warns", "warn")
	add(byStatus[checks.Skip], "is not judged", "are not judged")
	switch {
	case len(report.Checks) == 0:
		return "No check was made."
	case len(parts) == 0:
		passing := all(report)
		return strings.ToUpper(passing[:1]) + passing[1:] + "."
	default:
		return strings.Join(parts, " ")
	}
}

func all(report *checks.Report) string {
	if len(report.Checks) == 1 {
		return "the one check passes"
	}
	return fmt.Sprintf("all %d checks pass", len(report.Checks))
}

// blame names the first cause, and others of the same gravity by their codes.
func blame(report *checks.Report) string {
	first := report.Diagnosis[0]
	circumstances := fmt.Sprintf("%s, %s", first.Reason, first.Certainty)
	if since, _ := held(report, first); since != "" {
		circumstances += ", " + since
	}
	sentence := fmt.Sprintf("%s (%s)", first.Title, circumstances)
	var others []string
	for _, finding := range report.Diagnosis[1:] {
		if finding.Severity == first.Severity {
			others = append(others, string(finding.Reason))
		}
	}
	if len(others) > 0 {
		sentence += "; also " + strings.Join(others, ", ")
	}
	return sentence + "."
}

// enumerate joins names as a sentence does.
func enumerate(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
