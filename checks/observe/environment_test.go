package observe

import (
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestThePortOfTheNameIsThatOfTheService(t *testing.T) {
	for name, test := range map[string]struct {
		port, https, link string
		want              uint16
	}{
		"all the same":                    {"443", "443", "tcp://10.96.0.1:443", 443},
		"another in the whole cluster":    {"8443", "8443", "tcp://10.96.0.1:8443", 8443},
		"the port is overridden":          {"444", "443", "tcp://10.96.0.1:443", 443},
		"the port of HTTPS is overridden": {"443", "444", "tcp://10.96.0.1:443", 443},
		"one of two is overridden":        {"443", "444", "", 444},
		"all three differ":                {"443", "444", "tcp://10.96.0.1:445", 444},
		"none is there":                   {"", "", "", 443},
		"the link is no link":             {"443", "444", "443", 444},
		"the ports are words":             {"https", "https", "tcp://10.96.0.1:https", 443},
	} {
		t.Run(name, func(t *testing.T) {
			observer := &Observer{Pod: checks.Pod{Environment: map[string]string{
				"KUBERNETES_SERVICE_PORT": test.port, "KUBERNETES_SERVICE_PORT_HTTPS": test.https, "KUBERNETES_PORT": test.link,
			}}}
			r := observer.newRound()
			r.facts.Environment = r.environment()
			if got := r.namedPort(); got != test.want {
				t.Errorf("got the port %d, want %d", got, test.want)
			}
		})
	}
}
