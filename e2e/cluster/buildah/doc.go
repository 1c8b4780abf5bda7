// Package buildah builds the image that ships out of the repository's
// Dockerfile, with no registry and no network, and reads what is in it.
//
// [Build] runs the real buildah. The base that the Dockerfile builds on is not
// fetched: a stand-in with busybox takes its place, and this machine's own Go
// and module cache are shown to it, read-only. What is kept between builds is
// Go's build cache alone, which any number of builds may share at a time.
//
// buildah's storage, its mounts and all processes are in namespaces that end
// with the build, whatever ends it, so that nothing of them is left; and the
// network is one without an interface, so that nothing can leave the machine.
//
// It needs Linux, root, Go, and Debian's buildah and busybox-static; to start
// what was built for another architecture, the tests need qemu-user-static.
package buildah
