package judge

import (
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// countOn tells since when a result's status holds. A change of reason alone goes
// on with the count, so that a fault whose face changes keeps its age.
func countOn(result *checks.Result, now time.Time, previous *checks.Report) {
	result.Since, result.Consecutive = now, 1
	if previous == nil {
		return
	}
	if before, ok := previous.Result(result.Name); ok && before.Status == result.Status {
		result.Since, result.Consecutive = before.Since, before.Consecutive+1
	}
}
