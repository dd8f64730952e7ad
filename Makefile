# hqms-sidecar — `make` or `make help` lists what can be done here.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/hqms-sidecar/hqms-sidecar/internal/app.Version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
RACE    := $(shell command -v $${CC:-gcc} >/dev/null 2>&1 && echo -race)
TOOLS   := go tool -modfile=tools/go.mod
LINT    := bin/tools/golangci-lint
SOURCES := $(shell find cmd internal api -name '*.go' -o -name '*.csv' -o -name '*.json' -o -name '*.sql' -o -name '*.html' -o -name '*.js' -o -name '*.css' -o -name '*.svg' 2>/dev/null) go.mod go.sum openapi.yaml

.PHONY: help build run demo test test-plain replicas e2e-nfs lint generate verify vuln bench image clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: bin/hqms-sidecar bin/hqms-sandbox ## both binaries into bin/

bin/hqms-sidecar: $(SOURCES)
	$(GOBUILD) -o $@ ./cmd/hqms-sidecar

bin/hqms-sandbox: $(SOURCES)
	$(GOBUILD) -o $@ ./cmd/hqms-sandbox

bin/test/sidecar: $(SOURCES)
	$(GOBUILD) -o $@ ./internal/e2e/sabotage/sidecar

demo: build ## sandbox, sidecar and exporter: every feed to its verdict, then a table, then the end
	bin/hqms-sandbox demo -sidecar bin/hqms-sidecar

run: build ## the same, but it stays up to be looked at (Ctrl-C ends it)
	bin/hqms-sandbox demo -sidecar bin/hqms-sidecar -stay

test: build bin/test/sidecar ## everything: unit, property, conformance, black box; under the race detector where there is a C compiler
	HQMS_E2E_BIN=$(CURDIR)/bin go test $(RACE) -timeout 75m ./...

test-plain: build bin/test/sidecar ## the same without the race detector
	HQMS_E2E_BIN=$(CURDIR)/bin go test -timeout 75m ./...

replicas: build ## four replicas, one volume, one PostgreSQL: 2000 files through kills of either
	HQMS_E2E_BIN=$(CURDIR)/bin HQMS_REPLICAS_FILES=$${FILES:-2000} go test -count 1 -v -timeout 60m ./internal/e2e/replicas

e2e-nfs: build ## network file systems once more, on a real NFS 4.2 mount in a virtual machine (QEMU)
	tools/e2e-nfs.sh

$(LINT): tools/go.mod
	@mkdir -p $(@D)
	CGO_ENABLED=0 go build -modfile=tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint: $(LINT) ## go vet and golangci-lint
	go vet ./...
	$(LINT) run ./...

generate: ## API code, configuration and rule tables from their sources
	go generate ./...

verify: generate ## what is generated is what is committed; go.mod is tidy
	go mod tidy
	go mod verify
	git diff --exit-code -- . ':!tools'

vuln: ## known vulnerabilities (needs its online database)
	$(TOOLS) govulncheck ./...

.PHONY: vuln-where-possible
vuln-where-possible: # for CI: says loudly when the database cannot be reached, and fails when it can and knows something
	@out=$$($(TOOLS) govulncheck ./... 2>&1); code=$$?; echo "$$out"; \
	if [ $$code -ne 0 ] && echo "$$out" | grep -q 'fetching vulnerabilities: '; then \
		printf '\n!!!! THE DATABASE OF VULNERABILITIES CANNOT BE REACHED: NOTHING HAS BEEN CHECKED !!!!\n\n'; exit 0; fi; exit $$code

bench: build ## figures as a table and bin/bench.json; BENCH=claim,drain chooses parts, BENCH_LARGE=200 is quicker
	HQMS_E2E_BIN=$(CURDIR)/bin HQMS_BENCH=1 HQMS_BENCH_PARTS='$(BENCH)' HQMS_BENCH_OUT=$(CURDIR)/bin HQMS_BENCH_LARGE=$(or $(BENCH_LARGE),2000) \
		go test -run TestBench -count 1 -v -timeout 90m ./internal/bench

.PHONY: bench-gate microbench profile
bench-gate: build ## two minutes of it, small; fails where a ratio is about twice as bad as it was
	HQMS_E2E_BIN=$(CURDIR)/bin HQMS_BENCH=1 HQMS_BENCH_GATE=1 HQMS_BENCH_PARTS=start,claim,scan,drain,rows,pass,idle HQMS_BENCH_IDLE=30 HQMS_BENCH_STARTS=3 HQMS_BENCH_CLAIMS=20 \
		HQMS_BENCH_ENTRIES=20000 HQMS_BENCH_FILES=200 HQMS_BENCH_ROWS=20000 HQMS_BENCH_PASS=8 go test -run TestBench -count 1 -v -timeout 10m ./internal/bench

microbench: ## benchmarks of packages, ten times each, for benchstat
	go test -run '^$$' -bench . -count 10 -benchtime 200ms ./internal/watch
	go test -run '^$$' -bench . -count 10 -benchtime 2x -cpu 1 ./internal/validate

profile: build ## what small files spend time and memory on: bin/profile/*.pprof, and as a text to be kept with the release
	mkdir -p bin/profile
	CGO_ENABLED=0 go build -trimpath -tags profile -ldflags '-X github.com/hqms-sidecar/hqms-sidecar/internal/app.Version=$(VERSION)' -o bin/profile/hqms-sidecar ./cmd/hqms-sidecar
	cp bin/hqms-sandbox bin/profile/
	PROFILE_DIR=$(CURDIR)/bin/profile HQMS_E2E_BIN=$(CURDIR)/bin/profile HQMS_BENCH=1 HQMS_BENCH_PARTS=drain HQMS_BENCH_FILES=$(or $(BENCH_FILES),1000) \
		go test -run TestBench/drain -count 1 -v -timeout 20m ./internal/bench
	cd bin/profile && for what in 'cpu cpu' 'allocs alloc_space' 'heap inuse_space'; do set -- $$what; \
		for order in flat cum; do echo "== $$1, $$order"; go tool pprof -sample_index=$$2 -top -$$order -nodecount 40 hqms-sidecar $$1.pprof 2>/dev/null | grep -v '^Time:'; done; done > profile.txt

.PHONY: chaos chaos-short
CHAOS ?= 15m
chaos: build ## everything breaks for 15 minutes, then nothing may be lost or doubled (HQMS_CHAOS_SEED plays a run again)
	HQMS_CHAOS=$(CHAOS) HQMS_E2E_BIN=$(CURDIR)/bin go test ./internal/chaos -count 1 -v -timeout 60m

chaos-short: ## the same for one minute, for CI
	$(MAKE) chaos CHAOS=1m

# The number of digits of a short commit depends on the clone; the images' must not.
IMAGE_VERSION ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo dev)
REVISION      := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
ARCH          ?= amd64,arm64
ARCHIVES       = $(foreach p,sidecar sandbox,$(foreach a,$(shell echo $(ARCH) | tr , ' '),dist/hqms-$(p)-$(IMAGE_VERSION)-linux-$(a).tar))

image: ## container images into dist/, for docker load or a registry; no engine is needed (ARCH=amd64 is quicker)
	go run ./internal/image/mkimage build -version $(IMAGE_VERSION) -revision $(REVISION) -created $(SOURCE_DATE_EPOCH) -arch $(ARCH) -out dist

.PHONY: image-check docker bundle e2e-docker
bundle: ## all that a hospital without internet needs, in one file: images, compose file, chart, documents, sums
	go run ./internal/image/mkimage build -bundle -version $(IMAGE_VERSION) -revision $(REVISION) -created $(SOURCE_DATE_EPOCH) -arch $(ARCH) -out dist

image-check: image ## what is in the images is what is listed, and nothing else
	go run ./internal/image/mkimage check $(ARCHIVES)

e2e-docker: ## the bundle on a real Docker engine: unpacked, loaded, compose started, stopped, killed (root and dockerd, or an engine that answers)
	$(MAKE) bundle ARCH=$$(go env GOARCH)
	HQMS_DOCKER=$(or $(HQMS_DOCKER),1) HQMS_DOCKER_BUNDLE=$(CURDIR)/dist/hqms-sidecar-$(IMAGE_VERSION)-offline.tar go test -count 1 -v -timeout 20m -parallel 3 ./internal/e2e/docker

docker: ## the same images, by Docker from the Dockerfile
	for t in sidecar sandbox; do docker build --target $$t --build-arg VERSION=$(IMAGE_VERSION) --build-arg REVISION=$(REVISION) --build-arg CREATED=$(SOURCE_DATE_EPOCH) \
		--build-arg CREATED_AT=$$(date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ) -t hqms-$$t:$(IMAGE_VERSION) . || exit 1; done

.PHONY: chart
chart: ## the Helm chart: lint, schema, every example, kube-score (builds helm and kube-score once)
	internal/e2e/k8s/cluster/build.sh tools
	HQMS_CHART=1 go test -count 1 ./internal/chart

.PHONY: e2e-k8s
e2e-k8s: ## the chart on a real Kubernetes of its own (root; builds the cluster once, ten minutes); ARGS=-test.run=…
	internal/e2e/k8s/cluster/run.sh $(ARGS)

clean: ## remove what was built
	rm -rf bin dist demo-data bench.out
