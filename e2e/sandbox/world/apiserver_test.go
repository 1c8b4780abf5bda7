package world_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/e2e/sandbox/world"
)

const unauthorizedBody = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`

func forbiddenBody(path string) string {
	return `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",` +
		`"message":"forbidden: User \"system:anonymous\" cannot get path \"` + path + `\"","reason":"Forbidden","details":{},"code":403}`
}

func TestTheAPIServerAnswersAsKubernetesDoes(t *testing.T) {
	w := start(t, world.Options{})
	client := newClient(t, w)
	bearer := "Bearer " + client.token(t)
	address := strings.TrimPrefix(client.base, "https://")
	for _, test := range []struct {
		name, path, authorization string

		code        int
		body        string
		recognised  bool // the headers of priority and fairness are there
		contentType string
	}{
		{
			"the pod's token", "/api", bearer, 200,
			`{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[{"clientCIDR":"0.0.0.0/0","serverAddress":"` + address + `"}]}`,
			true, "application/json",
		},
		{"no token", "/api", "", 403, forbiddenBody("/api"), true, "application/json"},
		{"an empty token", "/api", "Bearer ", 403, forbiddenBody("/api"), true, "application/json"},
		{"two spaces before the token", "/api", strings.Replace(bearer, " ", "  ", 1), 403, forbiddenBody("/api"), true, "application/json"},
		{"another scheme", "/api", "Basic YTpi", 403, forbiddenBody("/api"), true, "application/json"},
		{"a token that is none", "/api", "Bearer nonsense", 401, unauthorizedBody, false, "application/json"},
		{"a token with a changed claim", "/api", tampered(bearer), 401, unauthorizedBody, false, "application/json"},
		{"an unknown path", "/api/v7", bearer, 404, "404 page not found", true, "text/plain; charset=utf-8"},
		{"an unknown path without a token", "/api/v7", "", 403, forbiddenBody("/api/v7"), true, "application/json"},
		{"readiness without a token", "/readyz", "", 200, "ok", true, "text/plain; charset=utf-8"},
		{"liveness with a bad token", "/livez", "Bearer nonsense", 401, unauthorizedBody, false, "application/json"},
	} {
		for _, http1 := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s by HTTP/1.1 %t", test.name, http1), func(t *testing.T) {
				client := newClient(t, w)
				client.http1 = http1
				header := http.Header{}
				if test.authorization != "" {
					header.Set("Authorization", test.authorization)
				}
				got, err := client.send(context.Background(), client.base+test.path, header)
				if err != nil {
					t.Fatal(err)
				}
				if major := map[bool]int{true: 1, false: 2}[http1]; got.ProtoMajor != major {
					t.Errorf("the response came by %s, want HTTP/%d", got.Proto, major)
				}
				if got.StatusCode != test.code {
					t.Errorf("the status is %d, want %d", got.StatusCode, test.code)
				}
				if diff := cmp.Diff(test.body, strings.TrimSuffix(got.body, "\n")); diff != "" {
					t.Errorf("the body (-want +got):\n%s", diff)
				}
				if got := got.Header.Get("Content-Type"); got != test.contentType {
					t.Errorf("the content type is %q, want %q", got, test.contentType)
				}
				checkFingerprint(t, got.Header, test.recognised)
			})
		}
	}
}

func checkFingerprint(t *testing.T, header http.Header, recognised bool) {
	t.Helper()
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if id := header.Get("Audit-Id"); !uuid.MatchString(id) {
		t.Errorf("Audit-Id is %q, want a UUID", id)
	}
	if got, want := header.Get("Cache-Control"), "no-cache, private"; got != want {
		t.Errorf("Cache-Control is %q, want %q", got, want)
	}
	if header.Get("Date") == "" {
		t.Error("there is no Date")
	}
	for _, name := range []string{"X-Kubernetes-PF-FlowSchema-UID", "X-Kubernetes-PF-PriorityLevel-UID"} {
		if got := uuid.MatchString(header.Get(name)); got != recognised {
			t.Errorf("%s is %q; that it is a UUID is %t, want %t", name, header.Get(name), got, recognised)
		}
	}
}

// tampered changes one letter of a token's claims.
func tampered(token string) string {
	parts := strings.Split(token, ".")
	payload := []byte(parts[1])
	if payload[20] == 'A' {
		payload[20] = 'B'
	} else {
		payload[20] = 'A'
	}
	return parts[0] + "." + string(payload) + "." + parts[2]
}

func TestTheVersionIsOpenToAll(t *testing.T) {
	client := newClient(t, start(t, world.Options{}))
	got, err := client.get(context.Background(), "/version", "")
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != http.StatusOK || !strings.Contains(got.body, `"major":"1"`) {
		t.Errorf("GET /version gives %d %s, want 200 and a version", got.StatusCode, got.body)
	}
}
