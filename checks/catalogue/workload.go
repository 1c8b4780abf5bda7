package catalogue

import "strings"

// workloadOf is the workload that a pod's name tells of, as kubectl takes it, and
// empty where the name may be of something else. A pod of a Deployment is called
// after it, the hash of its template and five letters; one of a DaemonSet, which a
// Job's looks like, after it and the letters; one of a StatefulSet after it and
// its ordinal; and a static pod after its node.
func workloadOf(pod, node string) string {
	// A longer name was cut before the letters came to it.
	if len(pod) >= longestGenerated || !isName(pod) || node != "" && strings.HasSuffix(pod, "-"+node) {
		return ""
	}
	owner, last := cutLast(pod)
	name, hash := cutLast(owner)
	switch {
	case isRandom(last) && isHash(hash) && isName(name):
		return "deployment/" + name
	case !isName(owner) || isNumber(hash) || isNumber(owner):
		// It may be the run of a CronJob, the index of a Job, or a host's by its address.
		return ""
	case isRandom(last) && !isNumber(last):
		return "daemonset/" + owner
	case isOrdinal(last):
		return "statefulset/" + owner
	default:
		return ""
	}
}

// The letters are those of k8s.io/apimachinery/pkg/util/rand. A hash is a number of
// 32 bits of which each digit became one of ten of them, so mostly eight to ten.
const (
	digits           = "0123456789"
	longestGenerated = 63 // k8s.io/apiserver/pkg/storage/names
)

func isRandom(text string) bool {
	return len(text) == 5 && consists(text, "bcdfghjklmnpqrstvwxz2456789")
}

func isHash(text string) bool {
	return len(text) >= 8 && len(text) <= 10 && consists(text, "456789bcdf")
}

func isOrdinal(text string) bool {
	return len(text) <= 4 && isNumber(text) && (text == "0" || text[0] != '0')
}

func isNumber(text string) bool { return text != "" && consists(text, digits) }

func isName(text string) bool {
	return text != "" && consists(text, "abcdefghijklmnopqrstuvwxyz.-"+digits) && strings.Trim(text, ".-") == text
}

func consists(text, letters string) bool { return strings.Trim(text, letters) == "" }

// cutLast cuts a name before its last dash; last is empty where it has none.
func cutLast(name string) (rest, last string) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i+1:]
}
