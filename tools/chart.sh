#!/usr/bin/env bash
# Builds helm and kube-score from their modules, for the tests of the chart, into a
# cache outside the clone; nothing when they are there.
set -euo pipefail
bin=${HQMS_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hqms-e2e}/bin
mkdir -p "$bin"
export GOBIN=$bin GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-buildvcs=false
tool() { # name version package
    [ -x "$bin/$1" ] && [ "$(cat "$bin/.$1.version" 2>/dev/null)" = "$2" ] && return
    echo "building $1 $2 (minutes, once)"
    go install -trimpath -ldflags '-s -w' "$3@$2"
    echo "$2" >"$bin/.$1.version"
}
tool helm v4.3.1 helm.sh/helm/v4/cmd/helm
tool kube-score v1.20.0 github.com/zegl/kube-score/cmd/kube-score
