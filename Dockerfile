# Two binaries, one image each: hqms-sidecar (default target) and hqms-sandbox.
# Built statically; the final image holds the binary, CA certificates and time
# zones, runs as a fixed non-root user, and works with a read-only root.
FROM golang:1.26-bookworm AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} go build -trimpath \
      -ldflags "-s -w -X github.com/hqms-sidecar/hqms-sidecar/internal/app.Version=${VERSION}" \
      -o /out/ ./cmd/hqms-sidecar ./cmd/hqms-sandbox \
    && mkdir -p /out/sidecar/var/lib/hqms /out/sandbox/var/lib/hqms-sandbox /out/sandbox/export/hqms /out/sandbox/export/flu \
    && chown -R 65532:65532 /out/sidecar/var/lib/hqms /out/sandbox/var/lib/hqms-sandbox /out/sandbox/export \
    && chmod 2770 /out/sidecar/var/lib/hqms /out/sandbox/var/lib/hqms-sandbox

FROM gcr.io/distroless/static-debian12:nonroot AS sandbox
LABEL org.opencontainers.image.title="hqms-sandbox" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/hqms-sandbox /hqms-sandbox
COPY --from=build /out/sandbox/ /
USER 65532:65532
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/hqms-sandbox", "healthcheck"]
ENTRYPOINT ["/hqms-sandbox"]

FROM gcr.io/distroless/static-debian12:nonroot AS sidecar
LABEL org.opencontainers.image.title="hqms-sidecar" \
      org.opencontainers.image.description="Docks HQMS and influenza surveillance files from a HIS export volume" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/hqms-sidecar /hqms-sidecar
COPY --from=build /out/sidecar/ /
USER 65532:65532
VOLUME /var/lib/hqms
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/hqms-sidecar", "healthcheck"]
ENTRYPOINT ["/hqms-sidecar"]
