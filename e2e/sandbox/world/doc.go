// Package world is a pretend pod on loopback, for the sandbox and for tests.
//
// A [World] is what stands around a pod: a nameserver that answers as CoreDNS
// does, an API server that proves itself by TLS, verifies the bearer token and
// answers as kube-apiserver does, and a service-account directory laid out as
// kubelet lays it, whose token is replaced in time. It needs neither root nor
// a network and starts in a few milliseconds.
//
// A [Fault] is one thing wrong with it. Faults can be injected and restored
// while the world stands, several at once.
//
// It runs on Unix systems. Faults that need a second loopback address fail to
// be injected where there is none, as on macOS until
// "ifconfig lo0 alias 127.0.0.2" is run.
package world
