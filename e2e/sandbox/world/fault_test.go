package world_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestEachFaultShowsAndIsUndone keeps in a golden file what each fault changes
// for an application, and that it changes nothing else.
func TestEachFaultShowsAndIsUndone(t *testing.T) {
	healthy := symptoms(t, start(t, world.Options{}), brief)
	var mu sync.Mutex
	shown := make(map[string]string)
	t.Run("fault", func(t *testing.T) {
		for _, fault := range world.Faults() {
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				w := start(t, world.Options{})
				if err := w.Inject(fault.Name); err != nil {
					t.Fatal(err)
				}
				timeout := brief
				if fault.Name == "http-latency-high" || fault.Name == "dns-slow" {
					timeout = patient
				}
				broken := symptoms(t, w, timeout)
				if err := w.Restore(fault.Name); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(healthy, symptoms(t, w, brief)); diff != "" {
					t.Errorf("the restored world is not the healthy one (-want +got):\n%s", diff)
				}
				mu.Lock()
				defer mu.Unlock()
				shown[fault.Name] = difference(healthy, broken)
			})
		}
	})
	var text strings.Builder
	text.WriteString("healthy\n" + difference(nil, healthy))
	for _, fault := range world.Faults() {
		if shown[fault.Name] == "" {
			t.Errorf("nothing shows of the fault %s", fault.Name)
		}
		text.WriteString("\n" + fault.Name + "\n" + shown[fault.Name])
	}
	golden(t, "symptoms.golden", text.String())
}

func difference(healthy, broken map[string]string) string {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		if broken[name] != healthy[name] {
			fmt.Fprintf(&lines, "    %s: %s\n", name, broken[name])
		}
	}
	return lines.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestARetryPassesWhereTheFirstRequestFails(t *testing.T) {
	w := start(t, world.Options{})
	if err := w.Inject("http-passed-on-retry"); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, w)
	first, second, err := client.twice(context.Background(), "/api", client.token(t))
	if err != nil {
		t.Fatal(err)
	}
	if first.StatusCode != http.StatusInternalServerError || second.StatusCode != http.StatusOK {
		t.Errorf("got the statuses %d and %d, want 500 and 200", first.StatusCode, second.StatusCode)
	}
}

func TestSeveralFaultsAreUndoneInAnyOrder(t *testing.T) {
	w := start(t, world.Options{})
	healthy := symptoms(t, w, brief)
	faults := []string{
		"token-mount-shadowed", "token-not-a-file", "ca-expired", "dns-hosts-file-override",
		"dns-answer-disagrees-with-env", "dns-service-no-endpoints", "tcp-refused",
		"http-403-anonymous", "cert-wrong-eku", "token-trailing-newline", "env-service-vars-missing",
	}
	for _, name := range faults {
		if err := w.Inject(name); err != nil {
			t.Fatal(err)
		}
	}
	var injected []string
	for _, fault := range w.Injected() {
		injected = append(injected, fault.Name)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(faults)), slices.Sorted(slices.Values(injected))); diff != "" {
		t.Errorf("the faults that are on (-want +got):\n%s", diff)
	}
	for _, name := range faults {
		if err := w.Restore(name); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(healthy, symptoms(t, w, brief)); diff != "" {
		t.Errorf("the restored world is not the healthy one (-want +got):\n%s", diff)
	}
}

func TestRestoreAllUndoesEverything(t *testing.T) {
	w := start(t, world.Options{})
	healthy := symptoms(t, w, brief)
	for _, fault := range world.Faults() {
		if err := w.Inject(fault.Name); err != nil {
			t.Fatalf("injecting on top of others: %v", err)
		}
	}
	if got, want := len(w.Injected()), len(world.Faults()); got != want {
		t.Errorf("%d faults are on, want %d", got, want)
	}
	if err := w.RestoreAll(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(healthy, symptoms(t, w, brief)); diff != "" {
		t.Errorf("the restored world is not the healthy one (-want +got):\n%s", diff)
	}
}

func TestAFaultThatFailsStaysOff(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{})
	healthy := symptoms(t, w, brief)
	taken, err := net.Listen("tcp", "127.0.0.2:"+w.Environment()["KUBERNETES_SERVICE_PORT"])
	if err != nil {
		t.Skipf("this machine has no second address of loopback: %v", err)
	}
	err = w.Inject("dns-answer-disagrees-with-env")
	if err == nil || !strings.Contains(err.Error(), "dns-answer-disagrees-with-env") {
		t.Errorf("injecting a fault whose port is taken gives %v, want an error that names it", err)
	}
	if on := w.Injected(); len(on) != 0 {
		t.Errorf("%v are on, want none", on)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(healthy, symptoms(t, w, brief)); diff != "" {
		t.Errorf("the world is not the healthy one (-want +got):\n%s", diff)
	}
}

func TestAPortThatIsTakenForAMomentIsOpenedAgain(t *testing.T) {
	t.Parallel()
	w := start(t, world.Options{})
	healthy := symptoms(t, w, brief)
	if err := w.Inject("tcp-refused"); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:"+w.Environment()["KUBERNETES_SERVICE_PORT"])
	if err != nil {
		t.Fatalf("taking the port that was closed: %v", err)
	}
	release := time.AfterFunc(50*time.Millisecond, func() { _ = taken.Close() })
	defer release.Stop()
	if err := w.Restore("tcp-refused"); err != nil {
		t.Errorf("Restore does not wait for the port: %v", err)
	}
	if diff := cmp.Diff(healthy, symptoms(t, w, brief)); diff != "" {
		t.Errorf("the restored world is not the healthy one (-want +got):\n%s", diff)
	}
}

func TestFaultsMayBeSwitchedFromSeveralGoroutines(t *testing.T) {
	w := start(t, world.Options{})
	var turning sync.WaitGroup
	for _, name := range []string{"token-empty", "dns-refused-no-zone", "cert-wrong-eku", "http-404-on-api"} {
		turning.Go(func() {
			for range 5 {
				if err := w.Inject(name); err != nil {
					t.Errorf("Inject: %v", err)
				}
				w.Environment()
				if err := w.Restore(name); err != nil {
					t.Errorf("Restore: %v", err)
				}
			}
		})
	}
	turning.Wait()
	if on := w.Injected(); len(on) != 0 {
		t.Errorf("after all were restored, %v are on", on)
	}
}

func TestAnUnknownFaultGetsTheNearestNames(t *testing.T) {
	w := start(t, world.Options{})
	for _, test := range []struct{ given, want string }{
		{"dns-timeot", "dns-timeout"},
		{"rotation", "token-rotation-stalled"},
		{"http-401", "http-401-unattributed"},
	} {
		for verb, turn := range map[string]func(string) error{"Inject": w.Inject, "Restore": w.Restore} {
			err := turn(test.given)
			if err == nil || !strings.Contains(err.Error(), test.given) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s of %q gives %v, want an error that names it and %s", verb, test.given, err, test.want)
			}
		}
	}
}

func TestFaultsAreDescribed(t *testing.T) {
	seen := make(map[string]bool)
	for _, fault := range world.Faults() {
		if seen[fault.Name] {
			t.Errorf("there are two faults %s", fault.Name)
		}
		seen[fault.Name] = true
		if !slices.Contains(checks.Names(), fault.Check) || fault.Status.Severity() == 0 || fault.Reason == "" {
			t.Errorf("%s leads to %q %q %q, want a check, warn or fail, and a reason", fault.Name, fault.Check, fault.Status, fault.Reason)
		}
		if !strings.HasSuffix(fault.Title, ".") {
			t.Errorf("the title of %s is no sentence: %q", fault.Name, fault.Title)
		}
	}
}
