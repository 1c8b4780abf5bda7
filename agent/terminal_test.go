package main

import (
	"os"
	"testing"
)

func TestSymbolsAreForALocaleOfUTF8(t *testing.T) {
	for _, test := range []struct {
		environment map[string]string
		want        bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.utf8"}, true},
		{map[string]string{"LANG": "de_DE@euro"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, true},
		{map[string]string{"LANG": "C.UTF-8", "LC_CTYPE": "C"}, false},
		{map[string]string{"LANG": "C.UTF-8", "LC_ALL": "POSIX"}, false},
		{map[string]string{"LANG": "C.UTF-8", "LC_ALL": ""}, true},
	} {
		if got := inUTF8(test.environment); got != test.want {
			t.Errorf("%v: got %v, want %v", test.environment, got, test.want)
		}
	}
}

func TestWhatIsNoTerminalIsTakenForNone(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	for _, file := range []*os.File{null, writer} {
		if isTerminal(file) {
			t.Errorf("%s is taken for a terminal", file.Name())
		}
	}
}
