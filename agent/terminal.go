package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks/text"
)

// screen is the terminal that shows an output. Its size is 0 by 0 where it does not
// tell, and in a container until somebody attaches to it.
type screen struct{ columns, rows int }

// usualColumns is the width of a terminal that does not tell its own.
const usualColumns = 80

// attaching is how long kubectl debug and kubectl run may take from the start of
// the container to when they show what it writes.
const attaching = 3 * time.Second

// seen returns when somebody is at the terminal behind an output: what is written
// before is lost. It waits for a while at the most, since not every terminal tells
// its size.
func seen(ctx context.Context, out io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, attaching)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if screen, shown := screenOf(out); !shown || screen.columns > 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// screenOf is the terminal behind an output; shown is false where there is none,
// as in a pipe or a log.
func screenOf(out io.Writer) (s screen, shown bool) {
	file, ok := out.(*os.File)
	if !ok {
		return screen{}, false
	}
	return sizeOf(file)
}

func isTerminal(out io.Writer) bool {
	_, shown := screenOf(out)
	return shown
}

// style suits what is printed to the terminal that shows it, if one does.
func (p program) style(out io.Writer) text.Style {
	screen, shown := screenOf(out)
	if !shown {
		return text.Style{}
	}
	return text.Style{
		Colour:  p.pod.Environment["NO_COLOR"] == "" && p.steers(out),
		Unicode: inUTF8(p.pod.Environment),
		Columns: cmp.Or(screen.columns, usualColumns),
	}
}

// steers tells whether what shows an output moves its cursor when it is told to.
func (p program) steers(out io.Writer) bool {
	return isTerminal(out) && p.pod.Environment["TERM"] != "dumb"
}

// inUTF8 goes by the variables in the order that locale(7) has for them.
func inUTF8(environment map[string]string) bool {
	locale := cmp.Or(environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"])
	return strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8")
}
