package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

// handler is the control address.
func (s *sandbox) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveList)
	mux.HandleFunc("PUT /faults/{name}", s.serveInject)
	mux.HandleFunc("POST /faults/{name}", s.serveInject)
	mux.HandleFunc("DELETE /faults/{name}", s.serveRestore)
	mux.HandleFunc("DELETE /faults", s.serveRestoreAll)
	return mux
}

// serveList lists the faults, those that are on with the line that switches
// them off.
func (s *sandbox) serveList(w http.ResponseWriter, _ *http.Request) {
	on := make(map[string]bool)
	for _, fault := range s.world.Injected() {
		on[fault.Name] = true
	}
	var text strings.Builder
	for _, fault := range world.Faults() {
		state, method := "off", "PUT"
		if on[fault.Name] {
			state, method = "ON", "DELETE"
		}
		fmt.Fprintf(&text, "%-3s  %s\n     curl -X %s %s\n", state, fault.Title, method, s.faultURL(fault.Name))
	}
	fmt.Fprintf(&text, "\nSwitch all off:\n     curl -X DELETE %s/faults\n", s.control)
	writeText(w, http.StatusOK, text.String())
}

func (s *sandbox) serveInject(w http.ResponseWriter, r *http.Request) {
	fault, err := world.FindFault(r.PathValue("name"))
	if err != nil {
		writeText(w, http.StatusNotFound, err.Error()+"\n")
		return
	}
	if err := s.turn(func() error { return s.world.Inject(fault.Name) }); err != nil {
		writeText(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	if fault.Deep {
		writeText(w, http.StatusOK, fmt.Sprintf(
			"on: %s\nThe rounds do not meet it. Deep probes do, as of lifeline check, by which the check %s is to say %s, %s.\n",
			fault.Title, fault.Check, fault.Status, fault.Reason))
		return
	}
	writeText(w, http.StatusOK, fmt.Sprintf(
		"on: %s\nAfter the next round, due within %v, the check %s is to say %s, %s:\n     curl %s/healthz/%s\n",
		fault.Title, s.options.interval+fault.Delay, fault.Check, fault.Status, fault.Reason, s.agentURL(), fault.Check))
}

func (s *sandbox) serveRestore(w http.ResponseWriter, r *http.Request) {
	fault, err := world.FindFault(r.PathValue("name"))
	if err != nil {
		writeText(w, http.StatusNotFound, err.Error()+"\n")
		return
	}
	if err := s.turn(func() error { return s.world.Restore(fault.Name) }); err != nil {
		writeText(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	writeText(w, http.StatusOK, "off: "+fault.Title+"\n")
}

func (s *sandbox) serveRestoreAll(w http.ResponseWriter, _ *http.Request) {
	if err := s.turn(s.world.RestoreAll); err != nil {
		writeText(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	writeText(w, http.StatusOK, "All faults are off.\n")
}

// writeText writes a body. A client that has gone does not miss it.
func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

func (s *sandbox) faultURL(name string) string { return s.control + "/faults/" + name }

// agentURL is where the agent is reached from this machine.
func (s *sandbox) agentURL() string {
	host, port, err := net.SplitHostPort(s.options.listen)
	if err != nil || host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// banner says what was started and what can be done with it.
func (s *sandbox) banner() string {
	var text strings.Builder
	pod := s.world.Pod()
	api := net.JoinHostPort(pod.Environment["KUBERNETES_PORT_443_TCP_ADDR"], pod.Environment["KUBERNETES_PORT_443_TCP_PORT"])
	fmt.Fprintf(&text, `
A pretend pod on loopback, with Lifeline in it:

  nameserver    127.0.0.1:%d, UDP and TCP
  API server    https://%s
  token, CA     %s
  kubectl proxy %s
  Lifeline      %s/status

Watch it:
  open %[5]s/status
  curl '%[5]s/status?format=text'
  curl '%[5]s/healthz?verbose'
  curl %[5]s/metrics

`, pod.DNSPort, api, pod.ServiceAccountDir, pod.Environment["LIFELINE_KUBECTL_PROXY_URL"], s.agentURL())
	for _, fault := range s.world.Injected() {
		fmt.Fprintf(&text, "Broken already: %s\n  curl -X DELETE %s\n\n", fault.Title, s.faultURL(fault.Name))
	}
	fmt.Fprintf(&text, `Break something, and mend it again:
  curl -X PUT %s
  curl -X PUT %s
  curl -X DELETE %s/faults
  curl %[3]s/     for all %d faults

A change shows in the next round, which is due within %s.

Stop it with Ctrl-C.

`, s.faultURL("dns-timeout"), s.faultURL("token-expired"), s.control, len(world.Faults()), s.options.interval)
	return text.String()
}

// list is the table of -list.
func list(faults []world.Fault) string {
	var text strings.Builder
	for _, fault := range faults {
		fmt.Fprintf(&text, "%s\n    %s\n    Lifeline says: %s %s, %s\n", fault.Name, fault.Title, fault.Check, fault.Status, fault.Reason)
	}
	return text.String()
}
