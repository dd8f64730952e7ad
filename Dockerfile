# Two images: hqms-sidecar (target sidecar, the default) and hqms-sandbox. `make
# image` makes the same files into images without an engine and without pulling
# anything; this is for those who build with Docker. What is in them is listed in
# internal/image alone; nothing of the stage that builds gets into them.
#
# Pin the image that builds by its digest: --build-arg GO_IMAGE=golang@sha256:…
ARG GO_IMAGE=golang:1.26-bookworm
FROM ${GO_IMAGE} AS build
WORKDIR /src
ENV GOTOOLCHAIN=local CGO_ENABLED=0
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=0
ARG TARGETARCH
RUN go run -trimpath ./internal/image/mkimage tree -arch "${TARGETARCH:-$(go env GOARCH)}" -version "$VERSION" -revision "$REVISION" -created "$CREATED" -out /tree

FROM scratch AS sandbox
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED_AT=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hqms-sandbox" \
      org.opencontainers.image.description="A docking server to try hqms-sidecar against, and a make-believe HIS" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hqms-sidecar/hqms-sidecar" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED_AT}"
COPY --from=build /tree/hqms-sandbox/files/ /
COPY --from=build --chown=65532:65532 /tree/hqms-sandbox/own/var/lib/ /var/lib/
COPY --from=build --chown=65532:65532 /tree/hqms-sandbox/own/export/ /export/
USER 65532:65532
WORKDIR /
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/hqms-sandbox", "healthcheck"]
ENTRYPOINT ["/hqms-sandbox"]

FROM scratch AS sidecar
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED_AT=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="hqms-sidecar" \
      org.opencontainers.image.description="Docks HQMS and influenza surveillance files from a HIS export volume" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hqms-sidecar/hqms-sidecar" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED_AT}"
COPY --from=build /tree/hqms-sidecar/files/ /
COPY --from=build --chown=65532:65532 /tree/hqms-sidecar/own/var/lib/ /var/lib/
USER 65532:65532
WORKDIR /
VOLUME /var/lib/hqms
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/hqms-sidecar", "healthcheck"]
ENTRYPOINT ["/hqms-sidecar"]
