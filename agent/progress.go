package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

// progress tells whoever waits what goes on.
type progress interface {
	tell(activity)
	// end returns when nothing more is told.
	end()
}

// activity is what the program does and for how long at the most.
type activity struct {
	doing string
	since time.Time
	limit time.Duration
	// reason and evidence are what it has met; both may be empty.
	reason   checks.Reason
	evidence string
}

func (a activity) String() string {
	line := fmt.Sprintf("%s, %s of %s at the most", a.doing, whole(time.Since(a.since)), whole(a.limit))
	if a.reason != "" {
		line += fmt.Sprintf(": %s: %s", a.reason, a.evidence)
	}
	return line
}

// whole is a length of time in seconds, without those that are none.
func whole(length time.Duration) string {
	if length > 0 && length < time.Second {
		return length.Round(time.Millisecond).String()
	}
	written := length.Round(time.Second).String()
	if cut, found := strings.CutSuffix(written, "m0s"); found {
		return cut + "m"
	}
	return written
}

// progress is a line on the terminal of standard error, or what serves elsewhere.
func (p program) progress(elsewhere progress) progress {
	if !p.steers(p.err) {
		return elsewhere
	}
	line := &liveLine{program: p, told: make(chan activity)}
	line.running.Go(line.show)
	return line
}

// silent is for what would only be in the way elsewhere than on a terminal.
type silent struct{}

func (silent) tell(activity) {}
func (silent) end()          {}

// liveLine is one line of a terminal that is written anew every second, and is
// gone when it ends.
type liveLine struct {
	program
	told    chan activity
	running sync.WaitGroup
}

func (l *liveLine) tell(a activity) { l.told <- a }

func (l *liveLine) end() {
	close(l.told)
	l.running.Wait()
}

// wipe empties the line that the cursor is in.
const wipe = "\r\x1b[K"

func (l *liveLine) show() {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	var now activity
	for {
		select {
		case told, open := <-l.told:
			if !open {
				fmt.Fprint(l.err, wipe)
				return
			}
			now = told
		case <-again.C:
		}
		fmt.Fprint(l.err, wipe+l.fitting(now.String()))
	}
}

// fitting cuts a line to the terminal, since one that is broken could not be
// wiped away.
func (l *liveLine) fitting(line string) string {
	style := l.style(l.err)
	runes := []rune(style.Quote(line))
	return string(runes[:min(len(runes), max(0, style.Columns-1))])
}

// lines are for a log: one when what has been met is another than before, and one
// now and then as a sign of life.
type lines struct {
	out    io.Writer
	latest activity
	at     time.Time
}

// signOfLife is how long a log shows nothing at the most, but for the round that
// goes on.
const signOfLife = 30 * time.Second

func (l *lines) tell(a activity) {
	if a.reason == "" || a.reason == l.latest.reason && time.Since(l.at) < signOfLife {
		return
	}
	l.latest, l.at = a, time.Now()
	fmt.Fprintln(l.out, text.Style{}.Quote(a.String()))
}

func (l *lines) end() {}
