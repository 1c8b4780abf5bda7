package world

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	kubectlProxyVariable = "LIFELINE_KUBECTL_PROXY_URL"
	// kubectlProxyURL has the port that kubectl proxy takes by default. Here it
	// takes one that is free, which Environment puts in its place.
	kubectlProxyURL  = "http://127.0.0.1:" + kubectlProxyPort
	kubectlProxyPort = "8001"
)

// healthyKubectlProxy are the conditions of a sidecar that runs kubectl proxy.
func healthyKubectlProxy() apiConditions {
	return apiConditions{addresses: []netip.Addr{loopback(1)}, protocol: speaksPlainHTTP}
}

// withKubectlProxy puts the sidecar behind the filters of faults. Nothing of
// the API server below it is reached but over its own port.
func (w *World) withKubectlProxy(conditions apiConditions) apiConditions {
	conditions.proxied = append(slices.Clone(conditions.proxied), acceptHosts, w.passOn)
	return conditions
}

// acceptHosts is the filter of kubectl proxy as it is by default
// (kubectl pkg/proxy/proxy_server.go).
func acceptHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !slices.Contains([]string{"localhost", "127.0.0.1", "[::1]"}, host) {
			refuseByFilter(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuseByFilter(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
}

// passOn sends requests to the API server with a credential that the sidecar
// has for itself, so that a fault in the pod's files is not one of the sidecar.
func (w *World) passOn(http.Handler) http.Handler {
	target := &url.URL{Scheme: "https", Host: net.JoinHostPort(loopback(1).String(), strconv.Itoa(int(w.api.port)))}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(w.sidecar.bundle))
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			if r.Out.Header.Get("Authorization") == "" {
				r.Out.Header.Set("Authorization", "Bearer "+w.sidecar.token)
			}
		},
		Transport: &http.Transport{
			DisableKeepAlives:   true,
			TLSClientConfig:     &tls.Config{RootCAs: roots},
			TLSHandshakeTimeout: 10 * time.Second,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// credential is what the sidecar has of its service account.
type credential struct{ bundle, token string }

func (w *World) newCredential() (made credential, err error) {
	if made.bundle, err = w.certificates.bundle(clusterAuthority()); err != nil {
		return made, err
	}
	made.token, err = w.tokens.mint(healthy(w.lifetime).token, time.Now())
	return made, err
}

// KubectlProxyURL is where the sidecar serves unless a fault has it elsewhere,
// whether the agent is told of it or not.
func (w *World) KubectlProxyURL() string { return w.atItsPort(kubectlProxyURL) }

// atItsPort puts the sidecar's port into a URL.
func (w *World) atItsPort(address string) string {
	return strings.Replace(address, ":"+kubectlProxyPort, ":"+strconv.Itoa(int(w.kubectlProxy.port)), 1)
}
