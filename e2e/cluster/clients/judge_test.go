//go:build linux

package clients

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

func TestAClientWorksThatTheAPIServerAnsweredAsThePod(t *testing.T) {
	type verdict struct {
		Works bool
		Said  string
	}
	for name, test := range map[string]struct {
		output cluster.Output
		want   verdict
	}{
		"an answer": {
			cluster.Output{Out: []byte("{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}\n\n200\n")},
			verdict{true, "200 APIVersions"},
		},
		"an answer of something else": {
			cluster.Output{Out: []byte("<html>Welcome</html>\n200")},
			verdict{false, "200 <html>Welcome</html>"},
		},
		"forbidden to the pod": {
			cluster.Output{Out: []byte(`{"kind":"Status","message":"forbidden: User \"system:serviceaccount:ours:default\" cannot get path \"/api\""}` + "\n403")},
			verdict{true, `403 forbidden: User "system:serviceaccount:ours:default" cannot get path "/api"`},
		},
		"forbidden to somebody": {
			cluster.Output{Out: []byte(`{"kind":"Status","message":"forbidden: User \"system:anonymous\" cannot get path \"/api\""}` + "\n403")},
			verdict{false, `403 forbidden: User "system:anonymous" cannot get path "/api"`},
		},
		"forbidden to another namespace's pod": {
			cluster.Output{Out: []byte(`{"kind":"Status","message":"forbidden: User \"system:serviceaccount:theirs:default\" cannot get path \"/api\""}` + "\n403")},
			verdict{false, `403 forbidden: User "system:serviceaccount:theirs:default" cannot get path "/api"`},
		},
		"unauthorized": {
			cluster.Output{Out: []byte(`{"kind":"Status","message":"Unauthorized"}` + "\n401")},
			verdict{false, "401 Unauthorized"},
		},
		"no answer": {
			cluster.Output{Out: []byte("\n000"), Complaint: []byte("cat: no file\ncurl: (7) no connection\n"), Code: 7},
			verdict{false, "cat: no file; curl: (7) no connection"},
		},
		"half an answer": {
			cluster.Output{Out: []byte("{\"kind\":\"APIVersions\"}\n200"), Complaint: []byte("curl: (18) cut short"), Code: 18},
			verdict{false, "curl: (18) cut short"},
		},
		"nothing": {
			cluster.Output{Code: -1},
			verdict{false, "exit -1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			works, said := judge(test.output, "system:serviceaccount:ours:")
			if diff := cmp.Diff(test.want, verdict{works, oneLine(said)}); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingOfATokenIsSaid(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbiBleGFtcGxlIn0.c2lnbmF0dXJl-c2lnbmF0dXJl\nsecond-line\n"
	for name, text := range map[string]string{
		"as it is":                 "refused: " + token,
		"quoted":                   `ValueError: Invalid header value b'bearer ` + strings.ReplaceAll(token, "\n", `\n`) + `'`,
		"its signature":            "refused: c2lnbmF0dXJl-c2lnbmF0dXJl",
		"another that was rotated": "refused: eyJhbGciOiJub25lIn0.eyJzdWIiOiJvdGhlciJ9.c2Vjb25kLW9uZQ",
	} {
		t.Run(name, func(t *testing.T) {
			said := redact(text, token)
			for _, part := range []string{"eyJ", "c2lnbm", "second-line", "c2Vjb25k"} {
				if strings.Contains(said, part) {
					t.Errorf("%q is in %q", part, said)
				}
			}
			if !strings.Contains(said, "[token]") {
				t.Errorf("the place of the token does not show in %q", said)
			}
		})
	}
	if said := redact("connection refused", ""); said != "connection refused" {
		t.Errorf("without a token %q is said, want what the client said", said)
	}
}
