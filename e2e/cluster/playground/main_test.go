//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// behaviour is the environment variable that tells a pretended keeper, which
// makes no cluster, what to do.
const behaviour = "PRETENDED_KEEPER"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "hold" {
		os.Exit(pretend(place{folder: os.Getenv("PLACE")}, os.Getenv(behaviour)))
	}
	os.Exit(m.Run())
}

// pretend takes the place of hold.
func pretend(p place, behaviour string) int {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	if err := p.inherit(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("it begins")
	if behaviour == "fails" {
		fmt.Println("it fails")
		return 1
	}
	if behaviour == "gets ready" {
		if err := os.WriteFile(p.file(ready), []byte("it is ready\n"), 0o600); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
	}
	fmt.Println("it ends")
	_ = os.RemoveAll(p.folder)
	return 0
}

// pretendedPlace is a place whose keepers make no cluster.
func pretendedPlace(t *testing.T, keeper string) (p place, out *bytes.Buffer) {
	t.Helper()
	out = new(bytes.Buffer)
	p = place{folder: filepath.Join(t.TempDir(), "playground"), out: out}
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("PLACE", p.folder)
	t.Setenv(behaviour, keeper)
	t.Cleanup(func() {
		if err := down(context.Background(), place{folder: p.folder, out: new(bytes.Buffer)}); err != nil {
			t.Error(err)
		}
	})
	return p, out
}

func wantNoPlace(t *testing.T, p place) {
	t.Helper()
	if _, err := os.Stat(p.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the place is there still (error %v)", err)
	}
}

func TestOfTwoThatAreStartedAtOnceOneComesUp(t *testing.T) {
	p, _ := pretendedPlace(t, "gets ready")
	outs, results := [2]bytes.Buffer{}, make(chan error)
	for i := range outs {
		go func() { results <- up(t.Context(), place{folder: p.folder, out: &outs[i]}) }()
	}
	first, second := <-results, <-results
	if (first == nil) == (second == nil) {
		t.Errorf("errors %v and %v, want one of them", first, second)
	}
	content, err := os.ReadFile(p.file(log))
	if got, want := string(content), "it begins\n"; got != want || err != nil {
		t.Errorf("the log is %q (error %v), want %q", got, err, want)
	}
}

func TestOneThatIsUpIsSaidToBe(t *testing.T) {
	p, out := pretendedPlace(t, "gets ready")
	if err := up(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if want := "it is ready\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("up says %q, which does not end with %q", out, want)
	}
	err := up(t.Context(), p)
	if want := "it is up already, kept by process "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the second up fails with %v, want %q", err, want)
	}
	out.Reset()
	if err := down(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "it ends\nthe cluster is gone\n"; got != want {
		t.Errorf("down says %q, want %q", got, want)
	}
	wantNoPlace(t, p)
}

func TestOneThatIsBeingStartedCanBeEndedFromTheFirstMoment(t *testing.T) {
	p, out := pretendedPlace(t, "never gets ready")
	// As long as the test process holds the lock itself, it is the one to ask.
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	result := make(chan error)
	go func() { result <- up(ctx, p) }()
	for p.keeper() == 0 {
		time.Sleep(time.Millisecond)
	}
	var said bytes.Buffer
	if err := down(t.Context(), place{folder: p.folder, out: &said}); err != nil {
		t.Error(err)
	}
	if err := <-result; err == nil {
		t.Errorf("up succeeded though down ended it; it says %q", out)
	}
	if want := "the cluster is gone\n"; !strings.HasSuffix(said.String(), want) {
		t.Errorf("down says %q, want %q at its end", said.String(), want)
	}
	wantNoPlace(t, p)
}

func TestOneThatFailsTellsItsWholeLogAndStaysNowhere(t *testing.T) {
	p, out := pretendedPlace(t, "fails")
	if err := up(t.Context(), p); err == nil {
		t.Error("up succeeded though the keeper has failed")
	}
	if got, want := out.String(), "it begins\nit fails\n"; got != want {
		t.Errorf("up says %q, want %q", got, want)
	}
	wantNoPlace(t, p)
}

func TestOneThatIsInterruptedTellsItsWholeLogAndStaysNowhere(t *testing.T) {
	p, out := pretendedPlace(t, "never gets ready")
	ctx, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	go func() {
		for begun := ""; begun == "" && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			content, _ := os.ReadFile(p.file(log)) // which is not there at first
			begun = string(content)
		}
		interrupt(errors.New("interrupted"))
	}()
	if err := up(ctx, p); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("error %v, want that it was interrupted", err)
	}
	if got, want := out.String(), "it begins\nit ends\n"; got != want {
		t.Errorf("up says %q, want %q", got, want)
	}
	wantNoPlace(t, p)
}

func TestWhatAKilledKeeperLeftIsRemoved(t *testing.T) {
	p, out := pretendedPlace(t, "gets ready")
	if err := up(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(os.TempDir(), "lifeline-cluster-left", "log")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	pid := p.keeper()
	if pid == 0 {
		t.Fatal("it is up, but nobody keeps it")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// In another terminal it may be another one.
	t.Setenv("TMPDIR", t.TempDir())
	for file, err := p.take(); ; file, err = p.take() {
		if err == nil {
			_ = file.Close()
			break
		}
		time.Sleep(time.Millisecond)
	}
	out.Reset()
	if err := down(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "removed "+filepath.Dir(left)+" that a killed program left\nthere is none\n"; got != want {
		t.Errorf("down says %q, want %q", got, want)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there still (error %v)", left, err)
	}
	wantNoPlace(t, p)
}
