package observe

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/kube-lifeline/lifeline/checks"
)

// maxToken is many times the 1 to 2 KiB of a service-account token, and below
// what servers accept as one header line.
const maxToken = 64 << 10

// serviceAccountToken reads the token and keeps it for the round trip.
func (r *round) serviceAccountToken() *checks.TokenFacts {
	start := time.Now()
	facts := &checks.TokenFacts{
		Directory: lookAtDirectory(r.pod.ServiceAccountDir),
		WrittenAt: projectionTime(r.pod.ServiceAccountDir),
	}
	var content []byte
	facts.File, content = readFile(r.pod.TokenFile(), maxToken)
	r.token = strings.TrimSpace(string(content))
	surroundings(facts, string(content))
	if r.token != "" {
		decodeToken(r.token, facts)
	}
	if r.memory.mounts == nil {
		r.memory.mounts = readMounts(r.pod)
	}
	facts.Mounts, facts.PodUIDFromMounts = r.memory.mounts.below, r.memory.mounts.podUID
	facts.Seconds = time.Since(start).Seconds()
	return facts
}

// surroundings tells of the white space around a token.
func surroundings(facts *checks.TokenFacts, content string) {
	const most = 16
	text := strings.TrimLeftFunc(content, unicode.IsSpace)
	leading := content[:len(content)-len(text)]
	trailing := text[len(strings.TrimRightFunc(text, unicode.IsSpace)):]
	facts.SurroundingSpace = leading != "" || trailing != ""
	facts.LeadingSpace = strings.ToValidUTF8(leading[:min(len(leading), most)], "")
	facts.TrailingSpace = strings.ToValidUTF8(trailing[:min(len(trailing), most)], "")
}

// noticeRotation tells a token that was rejected and has been replaced since it
// was read, so that the rejection is not blamed on the new one.
func (r *round) noticeRotation() {
	if r.token == "" || r.facts.Token == nil || r.facts.API == nil {
		return
	}
	if response := r.facts.API.ServiceHost.Last().Response; response == nil || response.Status != http.StatusUnauthorized {
		return
	}
	_, content := readFile(r.pod.TokenFile(), maxToken)
	r.facts.Token.ChangedDuringRound = strings.TrimSpace(string(content)) != r.token
}

// projectionTime is when kubelet wrote a projected volume: it names the folder
// that ..data points to after the time, in UTC, and a random number
// (pkg/volume/util/atomic_writer.go).
func projectionTime(directory string) time.Time {
	target, err := os.Readlink(filepath.Join(directory, "..data"))
	if err != nil {
		return time.Time{}
	}
	stamp, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(target), ".."), ".")
	written, err := time.ParseInLocation("2006_01_02_15_04_05", stamp, time.UTC)
	if err != nil {
		return time.Time{}
	}
	return written
}
