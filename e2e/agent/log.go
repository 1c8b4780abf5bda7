package agent

import (
	"bytes"
	"sync"
)

// Log collects what a process writes while a test reads it. Its zero value is
// empty.
type Log struct {
	mu      sync.Mutex
	content bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(part []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.content.Write(part)
}

// String is what has been written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.content.String()
}
