package catalogue

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// mostNearest is how many reasons are worth reading through.
const mostNearest = 3

// Nearest are the reasons that somebody may have meant who wrote code, the most
// alike first: those that have it as a part, or the other way round, and those
// that a few slips away spell it. There may be none.
func Nearest(code string) []checks.Reason {
	if len(code) > longestName {
		return nil
	}
	code = strings.ToLower(code)
	type candidate struct {
		reason checks.Reason
		slips  int
	}
	var candidates []candidate
	for _, entry := range All() {
		name := string(entry.Reason)
		slips := Edits(code, name)
		part := len(code) > 2 && strings.Contains(name, code) || strings.Contains(code, name)
		switch {
		case part:
			candidates = append(candidates, candidate{entry.Reason, slips / 2})
		case slips <= len(name)/3:
			candidates = append(candidates, candidate{entry.Reason, slips})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.slips, b.slips) })
	var nearest []checks.Reason
	for _, candidate := range candidates[:min(mostNearest, len(candidates))] {
		nearest = append(nearest, candidate.reason)
	}
	return nearest
}

// Edits counts the bytes to insert, delete or replace that make b of a
// (Levenshtein's distance).
func Edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
