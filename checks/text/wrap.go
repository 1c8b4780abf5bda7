package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// On a screen that is narrower the terminal breaks lines by itself, and on one
// that is wider the eye would lose its line.
const (
	narrowest = 40
	widest    = 120
)

// paragraph writes a lead and a sentence behind it, broken at its spaces where
// it is wider than the screen, with the lines after the first indented. The
// sentence is of the report and is quoted; the lead is the printer's own.
func (p *printer) paragraph(lead, sentence string, indent int, look look) {
	sentence = p.style.Quote(sentence)
	lines := []string{sentence}
	if p.style.Columns > 0 {
		columns := min(max(narrowest, p.style.Columns), widest)
		lines = wrap(sentence, columns-width(lead), columns-indent)
	}
	for i, line := range lines {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		p.out.WriteString(lead + p.style.paint(look, line) + "\n")
	}
}

// block is a paragraph without a lead.
func (p *printer) block(sentence string, indent int, look look) {
	p.paragraph(strings.Repeat(" ", indent), sentence, indent, look)
}

func (p *printer) blank() { p.out.WriteByte('\n') }

// Wrap breaks a sentence at its spaces into lines of so many columns. A word that
// is wider than a line, as an address or a path, stays whole.
func Wrap(sentence string, columns int) []string { return wrap(sentence, columns, columns) }

// wrap is Wrap where the first line has room for another number of columns.
func wrap(sentence string, first, rest int) []string {
	var lines []string
	var line strings.Builder
	room := first
	for word := range strings.FieldsSeq(sentence) {
		if line.Len() > 0 && utf8.RuneCountInString(line.String())+1+utf8.RuneCountInString(word) > room {
			lines = append(lines, line.String())
			line.Reset()
			room = rest
		}
		if line.Len() > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(word)
	}
	return append(lines, line.String())
}

// fit is what there is room for of a text above the last lines. Where that is not
// all of it, it ends in a line that says so.
func fit(text, last string, style Style) string {
	room := style.Rows - rows(last, style.Columns)
	if style.Rows <= 0 || rows(text, style.Columns) <= room {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1]
	// One row says what is left out and one stays empty below it.
	room -= 2
	var kept strings.Builder
	for i, line := range lines {
		if room -= rows(line, style.Columns); room < 0 {
			more := fmt.Sprintf("... %d lines more, which lifeline check shows.", len(lines)-i)
			return kept.String() + style.paint(faint, more) + "\n\n"
		}
		kept.WriteString(line)
	}
	return kept.String()
}

// rows is how many rows of the screen lines take, of which the terminal breaks
// those that are wider than it is.
func rows(lines string, columns int) int {
	var rows int
	for line := range strings.Lines(lines) {
		rows++
		if columns > 0 {
			rows += max(0, width(strings.TrimSuffix(line, "\n"))-1) / columns
		}
	}
	return rows
}

// width is how many columns a text of the printer's own takes, in which colours
// take none.
func width(s string) int {
	var columns int
	for len(s) > 0 {
		if strings.HasPrefix(s, escape) {
			_, s, _ = strings.Cut(s, "m")
			continue
		}
		_, size := utf8.DecodeRuneInString(s)
		columns++
		s = s[size:]
	}
	return columns
}
