# Builds an image for Build, which gives the variables. It runs in mount,
# network and process namespaces of its own: all that it mounts, stores and
# starts ends with them.
set -eu

# buildah keeps things here whatever --root says. In memory they are gone with
# the namespace, even after a SIGKILL.
store=/var/lib/containers
mkdir -p "$store"
mount -t tmpfs tmpfs "$store"
mkdir "$store/base" "$store/tmp"
export HOME="$store/tmp" TMPDIR="$store/tmp"

# It keeps a lock beside the configuration of networks, in /etc/cni by default.
cat >"$store/containers.conf" <<END
[network]
network_config_dir = "$store/networks"
END
export CONTAINERS_CONF="$store/containers.conf"

build() {
	buildah --root "$store/storage" --runroot "$store/run" --storage-driver vfs \
		bud --isolation chroot --pull=never "$@"
}

# The base runs this machine's programs, yet stands for both architectures:
# buildah 1.28 overlooks FROM's --platform and looks for a base of the target's,
# later ones look for one of this machine's.
cp "$BUSYBOX" "$store/base/busybox"
cat >"$store/base/Dockerfile" <<'END'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/go/bin:/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local
ENV GOPROXY=file:///proxy GOSUMDB=off GOCACHE=/cache
WORKDIR /tmp
WORKDIR /go
END
build --platform linux/amd64,linux/arm64 --manifest "$BASE" "$store/base"

build --platform "linux/$ARCHITECTURE" ${VERSION:+--build-arg "VERSION=$VERSION"} \
	--volume "$GOROOT:/usr/local/go:ro" \
	--volume "$MODULES:/proxy:ro" \
	--volume "$CACHE:/cache" \
	--tag "docker-archive:$store/image.tar:$NAME" "$SOURCE"

cp "$store/image.tar" "$ARCHIVE"
