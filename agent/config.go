package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/rs/zerolog"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/observe"
	"github.com/kube-lifeline/lifeline/server"
)

const prefix = "LIFELINE_"

// Bounds of the interval and of a probe. A shorter interval would load the API server with a fleet,
// a longer one would not be watching.
const (
	minInterval = time.Second
	maxInterval = time.Hour
	minTimeout  = 100 * time.Millisecond
)

// config is what the environment sets. The tag meaning is the documentation
// that lifeline help prints.
type config struct {
	Listen            string        `env:"LISTEN" envDefault:":8080" meaning:"address to serve on"`
	Interval          time.Duration `env:"INTERVAL" envDefault:"15s" meaning:"time from one round to the next"`
	Timeout           time.Duration `env:"TIMEOUT" meaning:"time limit of one probe; at most half of the interval (default: a third of the interval, at most 5s)"`
	LogLevel          string        `env:"LOG_LEVEL" envDefault:"info" meaning:"debug, info, warn or error"`
	LogFormat         string        `env:"LOG_FORMAT" envDefault:"json" meaning:"json or console"`
	Skip              []checks.Name `env:"SKIP" meaning:"checks to leave out, separated by commas"`
	ReadyChecks       []checks.Name `env:"READY_CHECKS" envDefault:"environment,token,ca,tls,api" meaning:"checks that gate /readyz, or none"`
	ReadyFailures     int           `env:"READY_FAILURES" envDefault:"3" meaning:"failing rounds in a row until /readyz says no"`
	ReadySuccesses    int           `env:"READY_SUCCESSES" envDefault:"2" meaning:"good rounds in a row until /readyz says yes again"`
	ServiceAccountDir string        `env:"SERVICE_ACCOUNT_DIR" envDefault:"/var/run/secrets/kubernetes.io/serviceaccount" meaning:"folder of token, ca.crt and namespace"`
	ResolvConf        string        `env:"RESOLV_CONF" envDefault:"/etc/resolv.conf" meaning:"resolver configuration to look at"`
	Hosts             string        `env:"HOSTS" envDefault:"/etc/hosts" meaning:"hosts file to look at"`
	DNSPort           uint16        `env:"DNS_PORT" envDefault:"53" meaning:"port that nameservers are asked on"`
	KubectlProxyURL   string        `env:"KUBECTL_PROXY_URL" meaning:"URL of a kubectl proxy in the pod, by default of kubectl http://127.0.0.1:8001; the check kubectl-proxy is made only where this is set"`
}

// setting is one variable as it is documented.
type setting struct {
	variable string
	value    string
	meaning  string
}

func settings() []setting {
	var found []setting
	for field := range reflect.TypeFor[config]().Fields() {
		found = append(found, setting{prefix + field.Tag.Get("env"), field.Tag.Get("envDefault"), field.Tag.Get("meaning")})
	}
	return found
}

// unknownSettings are variables with the prefix that set nothing, most likely
// misspelt. Those that kubelet sets for a Service whose name begins like the
// prefix (pkg/kubelet/envvars) are no settings at all.
func unknownSettings(environment map[string]string) []string {
	known := settings()
	var unknown []string
	for name := range environment {
		if !strings.HasPrefix(name, prefix) || strings.Contains(name, "_SERVICE_HOST") || strings.Contains(name, "_PORT") {
			continue
		}
		if !slices.ContainsFunc(known, func(s setting) bool { return s.variable == name }) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// mistake is one setting that cannot be used.
type mistake struct {
	variable string
	value    string
	problem  string
}

// mistakes are all settings that cannot be used.
type mistakes []mistake

// Error lists each mistake on a line of its own.
func (m mistakes) Error() string {
	lines := make([]string, 0, len(m))
	for _, one := range m {
		lines = append(lines, fmt.Sprintf("%s=%q: %s", one.variable, one.value, one.problem))
	}
	return strings.Join(lines, "\n")
}

// configure reads the configuration. The error is of type mistakes and names
// all of them.
func configure(environment map[string]string) (config, error) {
	var (
		c     config
		wrong mistakes
	)
	note := func(name, problem string) {
		wrong = append(wrong, mistake{prefix + name, cut(checks.HideUser(environment[prefix+name])), problem})
	}
	err := env.ParseWithOptions(&c, env.Options{Environment: environment, Prefix: prefix})
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, one := range all.Errors {
			var unparsed env.ParseError
			if !errors.As(one, &unparsed) {
				return c, fmt.Errorf("cannot read the configuration: %w", one)
			}
			field, _ := reflect.TypeFor[config]().FieldByName(unparsed.Name)
			note(field.Tag.Get("env"), expectation(field.Type))
		}
	}
	c.validate(func(name, problem string) {
		if !slices.ContainsFunc(wrong, func(m mistake) bool { return m.variable == prefix+name }) {
			note(name, problem)
		}
	})
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b mistake) int { return cmp.Compare(a.variable, b.variable) })
		return c, wrong
	}
	return c, nil
}

func expectation(kind reflect.Type) string {
	switch kind {
	case reflect.TypeFor[time.Duration]():
		return "is no duration such as 15s or 1m30s"
	case reflect.TypeFor[uint16]():
		return "is no number from 1 to 65535"
	default:
		return "is no whole number"
	}
}

func (c *config) validate(note func(name, problem string)) {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		note("LISTEN", "is no address such as :8080 or 127.0.0.1:8080")
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		note("LISTEN", "has no port from 0 to 65535")
	}
	c.validateTimes(note)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		note("LOG_LEVEL", "is not debug, info, warn or error")
	}
	if c.LogFormat != "json" && c.LogFormat != "console" {
		note("LOG_FORMAT", "is not json or console")
	}
	if c.DNSPort == 0 {
		note("DNS_PORT", expectation(reflect.TypeFor[uint16]()))
	}
	if c.KubectlProxyURL != "" {
		if _, err := observe.ParseKubectlProxyURL(c.KubectlProxyURL); err != nil {
			note("KUBECTL_PROXY_URL", err.Error())
		}
	}
	c.validateChecks(note)
}

// validateTimes judges the time limit only by an interval that holds.
func (c *config) validateTimes(note func(name, problem string)) {
	if c.Interval < minInterval || c.Interval > maxInterval {
		note("INTERVAL", fmt.Sprintf("is not from %s to %s", minInterval, maxInterval))
		return
	}
	if c.Timeout == 0 {
		c.Timeout = min(observe.DefaultTimeout, c.Interval/3)
	}
	if c.Timeout < minTimeout || c.Timeout > c.Interval/2 {
		note("TIMEOUT", fmt.Sprintf("is not from %s to half of the interval, %s", minTimeout, c.Interval/2))
	}
}

func (c *config) validateChecks(note func(name, problem string)) {
	c.Skip, c.ReadyChecks = trimmed(c.Skip), trimmed(c.ReadyChecks)
	if slices.Equal(c.ReadyChecks, []checks.Name{"none"}) {
		c.ReadyChecks = []checks.Name{}
	}
	if unknown := unknownNames(c.Skip); unknown != "" {
		note("SKIP", unknown)
	} else if !slices.ContainsFunc(checks.Names(), func(name checks.Name) bool { return c.makes(name) }) {
		note("SKIP", "leaves no check to run")
	}
	if unknown := unknownNames(c.ReadyChecks); unknown != "" {
		note("READY_CHECKS", unknown)
	} else if slices.Contains(c.ReadyChecks, checks.KubectlProxy) && c.KubectlProxyURL == "" {
		note("READY_CHECKS", fmt.Sprintf("has %q, which is made only where %sKUBECTL_PROXY_URL is set", checks.KubectlProxy, prefix))
	}
	if c.ReadyFailures < 1 {
		note("READY_FAILURES", "is not at least 1")
	}
	if c.ReadySuccesses < 1 {
		note("READY_SUCCESSES", "is not at least 1")
	}
}

// makes tells whether the check is one that is made.
func (c *config) makes(name checks.Name) bool {
	return !slices.Contains(c.Skip, name) && (name != checks.KubectlProxy || c.KubectlProxyURL != "")
}

func trimmed(names []checks.Name) []checks.Name {
	for i, name := range names {
		names[i] = checks.Name(strings.TrimSpace(string(name)))
	}
	return names
}

func unknownNames(names []checks.Name) string {
	for i, name := range names {
		if !slices.Contains(checks.Names(), name) {
			return fmt.Sprintf("has %q, which is none of %s", cut(string(name)), joined(checks.Names()))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Sprintf("has %q twice", name)
		}
	}
	return ""
}

func joined(names []checks.Name) string {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return strings.Join(texts, ", ")
}

// cut shortens a value of the environment for a message.
func cut(value string) string {
	if runes := []rune(value); len(runes) > 100 {
		return string(runes[:100]) + "…"
	}
	return value
}

// watched is the pod as the configuration has it looked at.
func (c config) watched(pod checks.Pod) checks.Pod {
	pod.ServiceAccountDir, pod.ResolvConf, pod.Hosts, pod.DNSPort = c.ServiceAccountDir, c.ResolvConf, c.Hosts, c.DNSPort
	return pod
}

func (c config) observer(pod checks.Pod, log zerolog.Logger) *observe.Observer {
	return &observe.Observer{
		Pod:             c.watched(pod),
		Timeout:         c.Timeout,
		Skip:            c.Skip,
		KubectlProxyURL: c.KubectlProxyURL,
		UserAgent:       "lifeline/" + currentBuild().Version,
		Log:             leveled{log},
	}
}

func (c config) ready() server.ReadyPolicy {
	return server.ReadyPolicy{Checks: c.ReadyChecks, Failures: c.ReadyFailures, Successes: c.ReadySuccesses}
}

// roundLimit is a bound on one round, of two probes.
func (c config) roundLimit() time.Duration { return 2*c.Timeout + time.Second }
