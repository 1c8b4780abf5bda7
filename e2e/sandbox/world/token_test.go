package world_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// part decodes one part of a JWT.
func part(t *testing.T, token string, index int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[index])
	if err != nil {
		t.Fatalf("decoding a token: %v", err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatalf("decoding a token: %v", err)
	}
	return decoded
}

func TestTheTokenHasTheClaimsOfADefaultToken(t *testing.T) {
	w := start(t, world.Options{PodName: "web-0"})
	token := newClient(t, w).token(t)
	header, claims := part(t, token, 0), part(t, token, 1)

	names := []string{"exp", "iat", "nbf", "warnafter"}
	private := claims["kubernetes.io"].(map[string]any)
	times := map[string]float64{"warnafter": private["warnafter"].(float64)}
	for _, name := range names[:3] {
		times[name] = claims[name].(float64)
	}
	if age := time.Since(time.Unix(int64(times["iat"]), 0)); age < 0 || age > time.Minute {
		t.Errorf("the token was issued %v ago, want just now", age)
	}
	issued := times["iat"]
	for name := range times {
		times[name] -= issued
	}
	if diff := cmp.Diff(map[string]float64{"iat": 0, "nbf": 0, "warnafter": 3607, "exp": 365 * 86400}, times); diff != "" {
		t.Errorf("seconds since it was issued (-want +got):\n%s", diff)
	}

	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	uids := []any{claims["jti"]}
	for _, name := range []string{"node", "pod", "serviceaccount"} {
		object := private[name].(map[string]any)
		uids = append(uids, object["uid"])
		delete(object, "uid")
	}
	for _, uid := range uids {
		if text, ok := uid.(string); !ok || !uuid.MatchString(text) {
			t.Errorf("%v is no UUID", uid)
		}
	}

	for _, name := range append(names, "jti") {
		delete(claims, name)
		delete(private, name)
	}
	want := map[string]any{
		"iss": "https://kubernetes.default.svc.cluster.local",
		"aud": []any{"https://kubernetes.default.svc.cluster.local"},
		"sub": "system:serviceaccount:lifeline-sandbox:lifeline",
		"kubernetes.io": map[string]any{
			"namespace":      "lifeline-sandbox",
			"node":           map[string]any{"name": "sandbox-node"},
			"pod":            map[string]any{"name": "web-0"},
			"serviceaccount": map[string]any{"name": "lifeline"},
		},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("the claims (-want +got):\n%s", diff)
	}
	if header["alg"] != "ES256" || len(header["kid"].(string)) != 43 || len(header) != 2 {
		t.Errorf("the header is %v, want alg ES256 and a kid of a SHA-256 sum", header)
	}
}

func TestTheDirectoryIsLaidOutAsKubeletDoes(t *testing.T) {
	directory := start(t, world.Options{}).Pod().ServiceAccountDir
	links := make(map[string]string)
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	stamp := regexp.MustCompile(`^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+$`)
	var stamped string
	for _, entry := range entries {
		if entry.IsDir() && stamp.MatchString(entry.Name()) && stamped == "" {
			stamped = entry.Name()
			continue
		}
		target, err := os.Readlink(filepath.Join(directory, entry.Name()))
		if err != nil {
			t.Errorf("%s is no symbolic link: %v", entry.Name(), err)
		}
		links[entry.Name()] = target
	}
	want := map[string]string{
		"..data":    stamped,
		"token":     "..data/token",
		"ca.crt":    "..data/ca.crt",
		"namespace": "..data/namespace",
	}
	if diff := cmp.Diff(want, links); diff != "" {
		t.Errorf("the links (-want +got):\n%s", diff)
	}
	written, err := time.Parse("..2006_01_02_15_04_05", stamped[:strings.LastIndex(stamped, ".")])
	if err != nil || time.Since(written).Abs() > time.Minute {
		t.Errorf("the directory %s says %v, want the present time", stamped, written)
	}
}

func TestRotationNeverLeavesTheDirectoryWithoutAToken(t *testing.T) {
	w := start(t, world.Options{})
	pod := w.Pod()
	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			token, err := os.ReadFile(pod.TokenFile())
			if errors.Is(err, fs.ErrNotExist) {
				// The folder that ..data led to was removed in between, as
				// kubelet does; its successor is there already.
				token, err = os.ReadFile(pod.TokenFile())
			}
			if err != nil || strings.Count(string(token), ".") != 2 {
				t.Errorf("reading the token while it is replaced: %q, %v", token, err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	seen := make(map[string]bool)
	for range 50 {
		seen[newClient(t, w).token(t)] = true
		if err := w.RotateToken(); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	readers.Wait()
	if len(seen) != 50 {
		t.Errorf("50 rotations gave %d tokens", len(seen))
	}
	entries, err := os.ReadDir(pod.ServiceAccountDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 5 {
		t.Errorf("after 50 rotations the directory has %d entries, want 5: %v", len(entries), entries)
	}
}

func TestTheTokenRotatesInTime(t *testing.T) {
	w := start(t, world.Options{TokenLifetime: 200 * time.Millisecond})
	client := newClient(t, w)
	first := client.token(t)
	deadline := time.Now().Add(patient)
	for client.token(t) == first {
		if time.Now().After(deadline) {
			t.Fatal("the token was not replaced in time")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got, err := client.get(context.Background(), "/api", client.token(t)); err != nil || got.StatusCode != http.StatusOK {
		t.Errorf("with the new token GET /api gives %v, %v", got.Response, err)
	}
	if got, err := client.get(context.Background(), "/api", first); err != nil || got.StatusCode != http.StatusOK {
		t.Errorf("with the old token, which has not ended, GET /api gives %v, %v", got.Response, err)
	}
}

func TestAFaultOfTheTokenHasItStay(t *testing.T) {
	w := start(t, world.Options{TokenLifetime: 20 * time.Millisecond})
	if err := w.Inject("token-rotation-stalled"); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, w)
	first := client.token(t)
	time.Sleep(100 * time.Millisecond)
	if client.token(t) != first {
		t.Error("the token was replaced while the fault was on")
	}
	if err := w.Restore("token-rotation-stalled"); err != nil {
		t.Fatal(err)
	}
	if client.token(t) == first {
		t.Error("the token was not replaced when the fault was undone")
	}
}
