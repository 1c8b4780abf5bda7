package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestWithoutAnyVariableTheDefaultsHold(t *testing.T) {
	got, err := configure(map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Listen: ":8080", Interval: 15 * time.Second, Timeout: 5 * time.Second,
		LogLevel: "info", LogFormat: "json",
		ReadyChecks:   []checks.Name{checks.Environment, checks.Token, checks.CA, checks.TLS, checks.API},
		ReadyFailures: 3, ReadySuccesses: 2,
		ServiceAccountDir: "/var/run/secrets/kubernetes.io/serviceaccount",
		ResolvConf:        "/etc/resolv.conf", Hosts: "/etc/hosts", DNSPort: 53,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the configuration differs (-want +got):\n%s", diff)
	}
}

func TestTheTimeLimitFollowsAShortInterval(t *testing.T) {
	got, err := configure(map[string]string{"LIFELINE_INTERVAL": "3s"})
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Second; got.Timeout != want {
		t.Errorf("got a time limit of %s, want %s", got.Timeout, want)
	}
}

func TestEveryMistakeIsNamedWithItsValue(t *testing.T) {
	tests := []struct {
		variable, value, problem string
	}{
		{"LIFELINE_LISTEN", "8080", "is no address"},
		{"LIFELINE_LISTEN", ":eighty", "has no port"},
		{"LIFELINE_INTERVAL", "fifteen", "is no duration"},
		{"LIFELINE_INTERVAL", "15", "is no duration"},
		{"LIFELINE_INTERVAL", "10ms", "is not from 1s to 1h"},
		{"LIFELINE_INTERVAL", "-15s", "is not from 1s to 1h"},
		{"LIFELINE_INTERVAL", "9999h", "is not from 1s to 1h"},
		{"LIFELINE_TIMEOUT", "14s", "to half of the interval"},
		{"LIFELINE_TIMEOUT", "-1s", "is not from 100ms"},
		{"LIFELINE_LOG_LEVEL", "loud", "is not debug"},
		{"LIFELINE_LOG_LEVEL", "disabled", "is not debug"},
		{"LIFELINE_LOG_FORMAT", "xml", "is not json or console"},
		{"LIFELINE_SKIP", "dsn", `has "dsn", which is none of environment, dns`},
		{"LIFELINE_SKIP", "dns,dns", `has "dns" twice`},
		{"LIFELINE_SKIP", "environment,dns,token,ca,tls,api", "leaves no check"},
		{"LIFELINE_KUBECTL_PROXY_URL", "127.0.0.1:8001", "is no URL"},
		{"LIFELINE_KUBECTL_PROXY_URL", "https://127.0.0.1:8001", "does not begin with http://"},
		{"LIFELINE_KUBECTL_PROXY_URL", "http://10.96.0.1:8001", "is not on loopback"},
		{"LIFELINE_KUBECTL_PROXY_URL", "http://kubectl-proxy:8001", "is not on loopback"},
		{"LIFELINE_KUBECTL_PROXY_URL", "http://127.0.0.1:8001/?a=b", "has a user, a query"},
		{"LIFELINE_KUBECTL_PROXY_URL", "http://127.0.0.1:8001?", "has a user, a query"},
		{"LIFELINE_KUBECTL_PROXY_URL", "http://localhost:0", "has no port"},
		{"LIFELINE_READY_CHECKS", "kubectl-proxy", "LIFELINE_KUBECTL_PROXY_URL is set"},
		{"LIFELINE_READY_CHECKS", "dns,everything", `has "everything"`},
		{"LIFELINE_READY_FAILURES", "0", "at least 1"},
		{"LIFELINE_READY_SUCCESSES", "two", "is no whole number"},
		{"LIFELINE_DNS_PORT", "70000", "is no number from 1 to 65535"},
		{"LIFELINE_DNS_PORT", "0", "is no number from 1 to 65535"},
	}
	for _, test := range tests {
		t.Run(test.variable+"="+test.value, func(t *testing.T) {
			_, err := configure(map[string]string{test.variable: test.value})
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range []string{test.variable, test.value, test.problem} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not have %q", err, want)
				}
			}
		})
	}
}

func TestAPasswordInAURLIsNotRepeated(t *testing.T) {
	for _, value := range []string{"http://user:s3cret@127.0.0.1:8001", "http://s3cret@10.0.0.1", "user:s3cret@127.0.0.1:8001", "http://user:s3cr/s3cret@@127.0.0.1", "http://user:s3cret@%zz"} {
		_, err := configure(map[string]string{"LIFELINE_KUBECTL_PROXY_URL": value})
		if err == nil || strings.Contains(err.Error(), "s3cr") || !strings.Contains(err.Error(), "hidden@") {
			t.Errorf("%q: got %v", value, err)
		}
	}
}

func TestAKubectlProxyOnLoopbackIsTaken(t *testing.T) {
	for _, value := range []string{"http://127.0.0.1:8001", "http://localhost:8001/", "http://[::1]:8001", "http://127.8.0.1", "http://127.0.0.1:8001/k8s"} {
		got, err := configure(map[string]string{
			"LIFELINE_KUBECTL_PROXY_URL": value, "LIFELINE_READY_CHECKS": "kubectl-proxy", "LIFELINE_SKIP": "environment,dns,token,ca,tls,api",
		})
		if err != nil || got.KubectlProxyURL != value {
			t.Errorf("got %q and %v, want %q", got.KubectlProxyURL, err, value)
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	environment := map[string]string{
		"LIFELINE_INTERVAL":   "often",
		"LIFELINE_LOG_LEVEL":  "loud",
		"LIFELINE_SKIP":       "everything",
		"LIFELINE_DNS_PORT":   "-1",
		"LIFELINE_LOG_FORMAT": "\x1b[31mred",
	}
	_, err := configure(environment)
	if err == nil {
		t.Fatal("got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(environment) {
		t.Errorf("got %d lines, want %d:\n%s", len(lines), len(environment), err)
	}
	for variable := range maps.Keys(environment) {
		if strings.Count(err.Error(), variable+"=") != 1 {
			t.Errorf("%s is not named once:\n%s", variable, err)
		}
	}
	if strings.Contains(err.Error(), "\x1b") {
		t.Error("an escape sequence of a value reaches the terminal")
	}
}

func TestAMisspeltSettingIsNoticedAndAServiceIsNot(t *testing.T) {
	got := unknownSettings(map[string]string{
		"LIFELINE_INTERVALL": "1s", "LIFELINE_INTERVAL": "1s", "LIFE": "x",
		"LIFELINE_SERVICE_HOST": "10.0.0.1", "LIFELINE_SERVICE_PORT_HTTP": "80", "LIFELINE_PORT": "tcp://10.0.0.1:80",
		"LIFELINE_PORT_80_TCP_ADDR": "10.0.0.1", "LIFELINE_METRICS_SERVICE_HOST": "10.0.0.2",
	})
	if diff := cmp.Diff([]string{"LIFELINE_INTERVALL"}, got); diff != "" {
		t.Errorf("the unknown settings differ (-want +got):\n%s", diff)
	}
}

func FuzzConfigure(f *testing.F) {
	f.Add("15s", "dns", "53", ":8080")
	f.Add("1ns", ",", "x", "[::1]:0")
	f.Fuzz(func(t *testing.T, interval, skip, port, listen string) {
		got, err := configure(map[string]string{
			"LIFELINE_INTERVAL": interval, "LIFELINE_SKIP": skip, "LIFELINE_DNS_PORT": port, "LIFELINE_LISTEN": listen,
		})
		if err == nil && (got.Interval < minInterval || got.Timeout > got.Interval/2 || got.DNSPort == 0) {
			t.Errorf("got %+v without an error", got)
		}
	})
}
