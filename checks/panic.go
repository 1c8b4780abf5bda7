package checks

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Panic is what code failed with, and where.
type Panic struct {
	Value string
	// Place is the file and the line, with the folder that the file is in.
	Place string
}

// Recovered describes what recover returned, of which the caller is to be the
// deferred function. One that was described already stays as it is.
func Recovered(value any) Panic {
	if told, ok := value.(Panic); ok {
		return told
	}
	return Panic{Value: fmt.Sprint(value), Place: placeOfPanic()}
}

// String is the value with its place.
func (p Panic) String() string {
	if p.Place == "" {
		return p.Value
	}
	return fmt.Sprintf("%s (%s)", p.Value, p.Place)
}

// placeOfPanic is that of the first function which is not of the runtime, below its
// call of the deferred function.
func placeOfPanic() string {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	panicking := false
	for {
		frame, more := frames.Next()
		ofRuntime := strings.HasPrefix(frame.Function, "runtime.")
		panicking = panicking || ofRuntime
		if panicking && !ofRuntime && frame.File != "" {
			folder, file := path.Split(frame.File)
			return fmt.Sprintf("%s/%s:%d", path.Base(folder), file, frame.Line)
		}
		if !more {
			return ""
		}
	}
}
