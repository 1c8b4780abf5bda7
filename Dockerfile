# The Go toolchain runs on the machine that builds, whatever the image is for.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src

# A layer of their own, so that modules are fetched anew only when these change.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
# The agent speaks HTTP/2 without net/http, whose own is left out.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags nethttpomithttp2 -ldflags "-s -w -X main.version=${VERSION}" -o /lifeline ./agent

# An empty image suffices. The only roots that the agent trusts are in the
# ca.crt that kubelet mounts; Go's own resolver needs no C library; no shell is
# needed to look around, for "kubectl exec POD -- /lifeline check" does it.
FROM scratch
ARG VERSION=devel
LABEL org.opencontainers.image.title="lifeline" \
      org.opencontainers.image.description="Watches a pod's way to the Kubernetes API and says which link broke, why, and what to do" \
      org.opencontainers.image.source="https://github.com/kube-lifeline/lifeline" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /lifeline /lifeline
# A number, since runAsNonRoot cannot judge a name.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/lifeline"]
