package world_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

func TestTheSidecarActsAsKubectlProxyDoes(t *testing.T) {
	w := start(t, world.Options{KubectlProxy: true})
	client := newClient(t, w)
	base := client.pod.Environment["LIFELINE_KUBECTL_PROXY_URL"]
	stale := http.Header{"Authorization": {"Bearer stale"}}
	for _, test := range []struct {
		name, url string
		header    http.Header
		want      string
	}{
		{"adds a token", base + "/api", http.Header{}, "200, APIVersions"},
		{"by the name of loopback too", strings.Replace(base, "127.0.0.1", "localhost", 1) + "/api", http.Header{}, "200, APIVersions"},
		{"passes a failing on as it is", base + "/apis/none", http.Header{}, "404, 404 page not found"},
		{"leaves a client's own token", base + "/api", stale, "401, before priority and fairness, Unauthorized: Unauthorized"},
	} {
		if got := responseInWords(client.send(context.Background(), test.url, test.header)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if err := w.Inject("tcp-refused"); err != nil {
		t.Fatal(err)
	}
	if got := responseInWords(client.send(context.Background(), base+"/api", http.Header{})); !strings.HasPrefix(got, "500, not by kube-apiserver") || !strings.Contains(got, "connection refused") {
		t.Errorf("without an API server: got %q, want a 500 of the proxy with the error", got)
	}
}

func TestNobodyIsToldOfTheSidecarUnasked(t *testing.T) {
	if value, told := start(t, world.Options{}).Environment()["LIFELINE_KUBECTL_PROXY_URL"]; told {
		t.Errorf("the environment has the sidecar at %q", value)
	}
}
