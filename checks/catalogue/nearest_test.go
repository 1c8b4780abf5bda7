package catalogue

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestNearestFindsWhatWasMeant(t *testing.T) {
	for _, test := range []struct {
		name, code string
		want       []checks.Reason
	}{
		{"a letter too many", "dns-timeoutt", []checks.Reason{checks.DNSTimeout}},
		{"letters in the wrong order", "token-epxired", []checks.Reason{checks.TokenExpired}},
		{"capitals", "DNS-SLOW", []checks.Reason{checks.DNSSlow}},
		{"a part that one has", "mitm", []checks.Reason{checks.CAMITMOrWrongEndpoint}},
		{"a part that several have", "subpath", []checks.Reason{checks.TokenSubPathFrozen}},
		{"a reason with something after it", "dns-policy-none-incomplete.", []checks.Reason{checks.DNSPolicyNoneIncomplete}},
		{"nothing", "", nil},
		{"another matter", "gremlins", nil},
		{"a name without end", strings.Repeat("dns-timeout", 1<<16), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Nearest(test.code)
			if diff := cmp.Diff(test.want, got[:min(len(got), max(1, len(test.want)))]); diff != "" {
				t.Errorf("the nearest of %.40q are %v (-want +got):\n%s", test.code, got, diff)
			}
			if len(got) > mostNearest {
				t.Errorf("got %d reasons, want %d at the most", len(got), mostNearest)
			}
		})
	}
}

func TestTheNearestOfAReasonIsItself(t *testing.T) {
	for _, entry := range All() {
		if got := Nearest(string(entry.Reason)); got[0] != entry.Reason {
			t.Errorf("the nearest of %s is %s", entry.Reason, got[0])
		}
	}
}
