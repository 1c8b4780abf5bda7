package server

import (
	"html"
	"strings"

	"github.com/kube-lifeline/lifeline/checks/text"
)

// markup is HTML that this package wrote itself. Only a constant becomes one
// without a conversion, so text of others can enter a document as an argument
// alone, where it is escaped.
//
// html/template would do as much and more, and costs 2.5 MB of binary: it calls
// methods by name, which keeps the linker from leaving out any.
type markup string

// document is HTML in the making. Its zero value is empty.
type document struct{ content strings.Builder }

// write adds markup with a text in the place of each %, fit for the content of
// an element and for an attribute in double quotes.
func (d *document) write(form markup, texts ...string) {
	for _, one := range texts {
		before, after, _ := strings.Cut(string(form), "%")
		d.content.WriteString(before)
		// Invisible characters can make words show as others, in a page too.
		d.content.WriteString(html.EscapeString(text.Clean(one)))
		form = markup(after)
	}
	d.content.WriteString(string(form))
}
