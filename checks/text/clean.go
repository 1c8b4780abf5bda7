package text

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns s with everything that is not to be seen written out as a Go
// escape: control characters, line ends, invalid UTF-8, and the invisible
// characters that change how others are shown, such as U+202E. Much of what a
// report quotes comes from servers that may be hostile, and a terminal or a log
// obeys what it is sent.
func Clean(s string) string { return clean(s, unicode.IsPrint) }

// cleanASCII is Clean for a terminal that has no Unicode.
func cleanASCII(s string) string {
	return clean(s, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsPrint(r) })
}

func clean(s string, shown func(rune) bool) string {
	// U+FFFD is printable, yet it is also what stands for a byte that is not
	// UTF-8, which would pass.
	harmful := func(r rune) bool { return r == utf8.RuneError || !shown(r) }
	if !strings.ContainsFunc(s, harmful) {
		return s
	}
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			out.WriteString(`\x`)
			out.WriteString(strconv.FormatUint(uint64(s[0]), 16))
		case shown(r):
			out.WriteRune(r)
		default:
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		s = s[size:]
	}
	return out.String()
}
