package terminal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// screen is what a person sees of a terminal that has been written to, as far as
// the program steers it: ECMA-48 SGR, CUP, ED, EL, and xterm's alternate screen.
type screen struct {
	mu sync.Mutex
	// raw is all that was written.
	raw           []byte
	columns, rows int
	// scrolled are the lines that have left the screen at its top.
	scrolled []string
	view
	// usual is what the alternate screen lies over; nil where it does not.
	usual *view
	// unread is a sequence of which the end has not come yet.
	unread []byte
	// strange is a sequence that this terminal does not know.
	strange string
}

// view is what is on the screen and where the cursor is.
type view struct {
	lines    [][]rune
	row, col int
}

func newScreen(columns, rows int) *screen {
	s := &screen{columns: columns, rows: rows}
	s.erase()
	return s
}

// erase empties the screen.
func (s *screen) erase() {
	s.lines = make([][]rune, s.rows)
}

// resize is what happens where a window gets another size; what is on it already
// stays as it is.
func (s *screen) resize(columns, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.columns, s.rows = columns, rows
	s.lines = atLeast(rows, s.lines)
}

func atLeast(rows int, lines [][]rune) [][]rune {
	for len(lines) < rows {
		lines = append(lines, nil)
	}
	return lines
}

func (s *screen) Write(part []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw = append(s.raw, part...)
	todo := append(s.unread, part...)
	for len(todo) > 0 {
		size := s.step(todo)
		if size == 0 {
			break
		}
		todo = todo[size:]
	}
	s.unread = slices.Clone(todo)
	if s.strange != "" {
		return 0, fmt.Errorf("the program steers the terminal by %q", s.strange)
	}
	return len(part), nil
}

// step does what the first character or sequence says and returns its size, 0
// where it is not whole.
func (s *screen) step(todo []byte) int {
	switch {
	case todo[0] == '\x1b':
		end := slices.IndexFunc(todo, func(b byte) bool { return b >= '@' && b <= '~' && b != '[' })
		if end < 0 {
			return 0
		}
		s.control(string(todo[1 : end+1]))
		return end + 1
	case !utf8.FullRune(todo):
		return 0
	}
	r, size := utf8.DecodeRune(todo)
	switch r {
	case '\r':
		s.col = 0
	case '\n':
		s.feed()
	default:
		s.put(r)
	}
	return size
}

func (s *screen) control(sequence string) {
	switch sequence {
	case "[H":
		s.row, s.col = 0, 0
	case "[2J":
		s.erase()
	case "[K":
		s.lines[s.row] = s.lines[s.row][:min(s.col, len(s.lines[s.row]))]
	case "[?1049h":
		usual := s.view
		s.usual = &usual
		s.erase()
	case "[?1049l":
		s.view, s.usual = *s.usual, nil
		s.lines = atLeast(s.rows, s.lines)
	default:
		parameters, isColour := strings.CutSuffix(strings.TrimPrefix(sequence, "["), "m")
		if _, err := strconv.Atoi(parameters); err != nil || !isColour {
			s.strange = sequence
		}
	}
}

func (s *screen) put(r rune) {
	if s.col >= s.columns {
		s.col = 0
		s.feed()
	}
	line := s.lines[s.row]
	for len(line) <= s.col {
		line = append(line, ' ')
	}
	line[s.col] = r
	s.lines[s.row] = line
	s.col++
}

func (s *screen) feed() {
	if s.row++; s.row < s.rows {
		return
	}
	s.row = s.rows - 1
	if s.usual == nil {
		s.scrolled = append(s.scrolled, string(s.lines[0]))
	}
	s.lines = append(slices.Clone(s.lines[1:]), nil)
}

// shown are the lines that are on the screen, without the empty ones at its end.
func (s *screen) shown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, line := range s.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func (s *screen) String() string { return strings.Join(s.shown(), "\n") }

// whole is what can be read by scrolling up, too.
func (s *screen) whole() string {
	shown := s.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(append(slices.Clone(s.scrolled), shown), "\n")
}

// written is all that has been written, with what steers the terminal.
func (s *screen) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.raw)
}
