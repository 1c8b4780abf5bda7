package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// Options are how a world starts. The zero Options are a healthy pod as most
// clusters have it.
type Options struct {
	// Dir is an existing directory for the pod's files. By default one is made
	// among the temporary files and removed by Close.
	Dir string
	// PodName is the pod's name. Kubelet makes it the pod's hostname, so a
	// process that reads the hostname of its machine is given that. Default
	// lifeline-7xk2p.
	PodName string
	// TokenLifetime is what kubelet asks for. The token is replaced at 80 % of
	// it, and the API server extends it to a year, as it does with default
	// tokens. Default 3607 seconds.
	TokenLifetime time.Duration
	// KubectlProxy tells the agent of the sidecar that runs kubectl proxy. The
	// faults of the sidecar do so in any case.
	KubectlProxy bool
}

// World is a pretend pod with what it reaches. Its methods may be called from
// several goroutines.
type World struct {
	directory    string
	ownDirectory bool
	lifetime     time.Duration
	identity     identity
	certificates *certificates
	tokens       *tokenAuthority
	nameserver   *nameserver
	api          *apiServer
	kubectlProxy *apiServer
	httpProxy    *apiServer
	sidecar      credential
	besideProxy  bool

	cancel  context.CancelFunc
	running sync.WaitGroup

	mu         sync.Mutex
	faults     map[string]bool // those that are on
	conditions conditions
	account    serviceAccountDir
	files      map[string]file // those written, by name
	token      string
	shape      tokenShape // of token
	minted     time.Time
}

// Start makes a world. It lives until ctx ends or Close is called, and Close
// must be called in either case.
func Start(ctx context.Context, options Options) (*World, error) {
	directory, own, err := podDirectory(options.Dir)
	if err != nil {
		return nil, err
	}
	w := &World{
		directory:    directory,
		ownDirectory: own,
		lifetime:     options.TokenLifetime,
		besideProxy:  options.KubectlProxy,
		identity:     newIdentity(options.PodName),
		certificates: newCertificates(time.Now()),
		faults:       make(map[string]bool),
		files:        make(map[string]file),
		account:      serviceAccountDir{path: filepath.Join(directory, "serviceaccount")},
	}
	if w.lifetime <= 0 {
		w.lifetime = defaultTokenLifetime
	}
	ctx, w.cancel = context.WithCancel(ctx)
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.running.Go(func() { w.rotate(ctx.Done()) })
	return w, nil
}

// podDirectory is resolved, since mountinfo has resolved paths.
func podDirectory(given string) (directory string, own bool, err error) {
	if given == "" {
		own = true
		if given, err = os.MkdirTemp("", "lifeline-sandbox-"); err != nil {
			return "", false, fmt.Errorf("making a directory for the pretend pod: %w", err)
		}
	}
	if directory, err = filepath.EvalSymlinks(given); err == nil {
		directory, err = filepath.Abs(directory)
	}
	if err != nil {
		return "", false, fmt.Errorf("resolving the directory of the pretend pod: %w", err)
	}
	return directory, own, nil
}

func (w *World) start(ctx context.Context) error {
	conditions := healthy(w.lifetime)
	var err error
	if w.tokens, err = newTokenAuthority(w.identity); err != nil {
		return err
	}
	certificate, err := w.certificates.servingCertificate(conditions.serving)
	if err != nil {
		return err
	}
	if w.nameserver, err = startNameserver(ctx.Done(), conditions.nameserver); err != nil {
		return err
	}
	handler := newAPIHandler(w.tokens)
	if w.api, err = startAPIServer(ctx, handler, certificate, conditions.api); err != nil {
		return err
	}
	if w.sidecar, err = w.newCredential(); err != nil {
		return err
	}
	if w.kubectlProxy, err = startAPIServer(ctx, handler, certificate, w.withKubectlProxy(conditions.kubectlProxy)); err != nil {
		return err
	}
	proxying, err := w.asServer(conditions.httpProxy)
	if err != nil {
		return err
	}
	if w.httpProxy, err = startAPIServer(ctx, handler, certificate, proxying); err != nil {
		return err
	}
	return w.match(conditions)
}

// Close stops everything, waits for it and removes the directory that Start
// made.
func (w *World) Close() error {
	w.cancel()
	w.running.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var failures []error
	if w.nameserver != nil {
		failures = append(failures, w.nameserver.close())
	}
	if w.api != nil {
		failures = append(failures, w.api.close())
	}
	if w.kubectlProxy != nil {
		failures = append(failures, w.kubectlProxy.close())
	}
	if w.httpProxy != nil {
		failures = append(failures, w.httpProxy.close())
	}
	if w.ownDirectory {
		failures = append(failures, os.RemoveAll(w.directory))
	}
	return errors.Join(failures...)
}

// Environment is the process environment of the pod: what kubelet sets for
// the API server, and where the agent finds the pod's files.
func (w *World) Environment() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	host, port := loopback(1).String(), strconv.Itoa(int(w.api.port))
	environment := map[string]string{
		"KUBERNETES_SERVICE_HOST":       host,
		"KUBERNETES_SERVICE_PORT":       port,
		"KUBERNETES_SERVICE_PORT_HTTPS": port,
		"KUBERNETES_PORT":               "tcp://" + host + ":" + port,
		"KUBERNETES_PORT_443_TCP":       "tcp://" + host + ":" + port,
		"KUBERNETES_PORT_443_TCP_PROTO": "tcp",
		"KUBERNETES_PORT_443_TCP_PORT":  port,
		"KUBERNETES_PORT_443_TCP_ADDR":  host,
		"LIFELINE_SERVICE_ACCOUNT_DIR":  w.account.path,
		"LIFELINE_RESOLV_CONF":          w.path("resolv.conf"),
		"LIFELINE_HOSTS":                w.path("hosts"),
		"LIFELINE_DNS_PORT":             strconv.Itoa(int(w.nameserver.port)),
	}
	if w.besideProxy {
		environment[kubectlProxyVariable] = kubectlProxyURL
	}
	maps.Copy(environment, w.conditions.environment)
	if address := environment[kubectlProxyVariable]; address != "" {
		environment[kubectlProxyVariable] = w.atItsPort(address)
	}
	environment["HTTPS_PROXY"] = w.atProxyPort(environment["HTTPS_PROXY"])
	maps.DeleteFunc(environment, func(_, value string) bool { return value == "" })
	return environment
}

// Pod is the same pod for a program that runs in this process.
func (w *World) Pod() checks.Pod {
	return checks.Pod{
		Environment:       w.Environment(),
		Hostname:          w.identity.pod,
		ServiceAccountDir: w.account.path,
		ResolvConf:        w.path("resolv.conf"),
		Hosts:             w.path("hosts"),
		MountInfo:         w.path("mountinfo"),
		DNSPort:           w.nameserver.port,
	}.WithDefaults()
}

func (w *World) path(name string) string { return filepath.Join(w.directory, name) }

// match makes the world match the conditions. Where a part of it fails the
// others are done all the same.
func (w *World) match(conditions conditions) error {
	w.conditions = conditions
	var failures []error
	try := func(err error) { failures = append(failures, err) }
	try(w.nameserver.change(conditions.nameserver))
	certificate, err := w.certificates.servingCertificate(conditions.serving)
	if err == nil {
		err = errors.Join(w.api.change(certificate, conditions.api), w.kubectlProxy.change(certificate, w.withKubectlProxy(conditions.kubectlProxy)))
	}
	try(err)
	proxying, err := w.asServer(conditions.httpProxy)
	if err == nil {
		err = w.httpProxy.change(certificate, proxying)
	}
	try(err)
	try(w.writeAccount(conditions))
	try(w.writeFile("resolv.conf", conditions.resolvConf))
	try(w.writeFile("hosts", file{content: conditions.hosts}))
	mounts := w.account.present.mountInfo(w.path("hosts"), w.account.path, w.identity.podUID)
	try(w.writeFile("mountinfo", file{content: mounts}))
	return errors.Join(failures...)
}

func (w *World) writeFile(name string, want file) error {
	if present, ok := w.files[name]; ok && present == want {
		return nil
	}
	if err := want.replace(w.path(name)); err != nil {
		return err
	}
	w.files[name] = want
	return nil
}

// writeAccount writes the service-account directory, with a new token where
// the present one is of another shape.
func (w *World) writeAccount(conditions conditions) error {
	if w.token == "" || w.shape != conditions.token {
		if err := w.mint(conditions.token); err != nil {
			return err
		}
	}
	bundle, err := w.certificates.bundle(conditions.bundle)
	if err != nil {
		return err
	}
	want := conditions.volume
	want.token = conditions.tokenFile(w.token)
	want.ca = conditions.caFile(bundle)
	return w.account.write(want)
}

func (w *World) mint(shape tokenShape) error {
	now := time.Now()
	token, err := w.tokens.mint(shape, now)
	if err != nil {
		return err
	}
	w.token, w.shape, w.minted = token, shape, now
	return nil
}

// RotateToken replaces the token at once, as kubelet does when it is due.
func (w *World) RotateToken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.mint(w.conditions.token); err != nil {
		return err
	}
	return w.writeAccount(w.conditions)
}

// rotate replaces the token whenever it is due, until done is closed.
func (w *World) rotate(done <-chan struct{}) {
	for pause(done, w.untilRotation()) {
		if w.untilRotation() <= 0 {
			// A token that cannot be written now is when the next one is due.
			_ = w.RotateToken()
		}
	}
}

// untilRotation is how long the token may still stay: kubelet replaces it at
// 80 % of the lifetime that it asked for (pkg/kubelet/token/token_manager.go).
// A fault that changes the token has it stay.
func (w *World) untilRotation() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	stay := w.lifetime * 8 / 10
	if w.shape != healthy(w.lifetime).token {
		return stay
	}
	return stay - time.Since(w.minted)
}
