// Package cluster starts a real Kubernetes of one or more nodes on this machine, for
// tests that look at pods from outside.
//
// Every program is built from source at a pinned version and kept in the user's
// cache folder. All of them run in the network, mount and process namespaces of a
// node, which have no way out: no packet for a pod or a service address can leave the
// machine, and nothing outlives the program that started the cluster, even one
// that is killed. It needs Linux, root, Go, a C compiler, and Debian's iproute2,
// nftables and libseccomp-dev.
package cluster
