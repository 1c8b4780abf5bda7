//go:build linux

package buildah

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inPod has TestMain start an agent, as the only thing in namespaces that
// runApart has made, and tell of it.
const inPod = "in-pod"

// told is what there is to tell of an agent in a pod that has no API.
type told struct {
	Interfaces []string
	// Version is what the agent's subcommand prints.
	Version string
	// Live is the status code of /livez.
	Live int
	// Status and Checks are out of /status. A check has its status, and with
	// the api check goes the reason.
	Status string
	Checks map[string]string
}

// emulator is the program that runs an architecture's programs on this
// machine, none for its own.
func emulator(t *testing.T, architecture string) string {
	t.Helper()
	if architecture == runtime.GOARCH {
		return ""
	}
	program := map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}[architecture]
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("skipped: starting an image of %s needs %s", architecture, program)
	}
	return path
}

// startInPod starts an agent as a user in a root, on a network that is loopback
// alone, and returns what there is to tell once its first round is done.
func startInPod(t *testing.T, root, user string, command []string) told {
	t.Helper()
	var out bytes.Buffer
	self := exec.CommandContext(t.Context(), os.Args[0], append([]string{inPod, root, user}, command...)...)
	self.Stdout = &out
	if err := (Options{Progress: t.Output()}).runApart(self); err != nil {
		t.Fatal(err)
	}
	var found told
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatalf("read %q: %v", out.String(), err)
	}
	return found
}

// tellOfPod is the other end of startInPod.
func tellOfPod(arguments []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "busybox", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("set loopback up: %w: %s", err, out)
	}
	found, err := tellOfAgent(ctx, arguments[0], arguments[1], arguments[2:])
	if err != nil {
		return err
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, one := range interfaces {
		found.Interfaces = append(found.Interfaces, one.Name)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func tellOfAgent(ctx context.Context, root, user string, command []string) (found told, err error) {
	var uid, gid uint32
	if _, err := fmt.Sscanf(user, "%d:%d", &uid, &gid); err != nil {
		return found, fmt.Errorf("read the user %q: %w", user, err)
	}
	agent := func(arguments ...string) *exec.Cmd {
		program := exec.CommandContext(ctx, command[0], append(command[1:], arguments...)...)
		program.Dir = "/"
		program.Env = []string{"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=1"}
		program.Stderr = os.Stderr
		program.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
		return program
	}
	version, err := agent("version").Output()
	if err != nil {
		return found, fmt.Errorf("ask the agent for its version: %w", err)
	}
	found.Version = strings.TrimSpace(string(version))

	running := agent()
	if err := running.Start(); err != nil {
		return found, fmt.Errorf("start the agent: %w", err)
	}
	defer func() {
		err = errors.Join(err, running.Process.Signal(syscall.SIGTERM), running.Wait())
	}()
	err = found.ask(ctx)
	return found, err
}

// ask asks the agent until its first round is done.
func (f *told) ask(ctx context.Context) error {
	var report struct {
		Status string
		Round  int
		Checks []struct{ Name, Status, Reason string }
	}
	for report.Round == 0 {
		response, err := get(ctx, "/status")
		if err == nil {
			err = errors.Join(json.NewDecoder(response.Body).Decode(&report), response.Body.Close())
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for the agent's first round: %w", ctx.Err()), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	f.Status, f.Checks = report.Status, map[string]string{}
	for _, check := range report.Checks {
		f.Checks[check.Name] = check.Status
		if check.Name == "api" {
			f.Checks[check.Name] += " " + check.Reason
		}
	}
	response, err := get(ctx, "/livez")
	if err != nil {
		return err
	}
	f.Live = response.StatusCode
	return response.Body.Close()
}

func get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}
