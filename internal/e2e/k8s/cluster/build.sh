#!/usr/bin/env bash
# Builds a real Kubernetes (one program for control plane, kubelet, kube-proxy and
# kubectl; which of them it is, its name says), etcd, helm and kube-score from their Go
# modules, into a cache outside the clone. Ten minutes once; nothing when they are there.
#   build.sh tools   helm and kube-score · build.sh all   helm and the cluster
#   build.sh there   nothing; fails when something of the cluster is missing
set -euo pipefail
KUBE=1.37.2 ETCD=v3.7.3 HELM=v4.3.1 SCORE=v1.20.0
cache=${HQMS_K8S_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hqms-e2e-k8s}
bin=$cache/bin
mkdir -p "$bin"
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-buildvcs=false
exec 9>"$cache/lock"
flock 9 # two runs at once build once

stamped() { [ -x "$bin/$1" ] && [ "$(cat "$bin/.$1.version" 2>/dev/null)" = "$2" ]; }
stamp() { echo "$2" >"$bin/.$1.version"; }

tool() { # name version package
    stamped "$1" "$2" && return
    echo "building $1 $2"
    GOBIN=$bin go install -trimpath -ldflags '-s -w' "$3@$2"
    stamp "$1" "$2"
}

kube() {
    stamped kube "$KUBE" && return
    echo "building kubernetes $KUBE (about ten minutes, once)"
    local src=$cache/src/kube mod go
    mkdir -p "$src"
    cd "$src"
    rm -f ./*
    mod=$(go mod download -json "k8s.io/kubernetes@v$KUBE" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
    go=$(awk '$1=="go"{print $2}' "$mod")
    {
        echo "module local.test/kube"
        echo "go $go"
        echo "godebug default=go${go%.*}"
        echo "require k8s.io/kubernetes v$KUBE"
        awk -v v="v0.${KUBE#1.}" '/=> .\/staging/{print "replace "$1" => "$1" "v}' "$mod" # its own modules, as published
    } >go.mod
    cat >main.go <<'GO'
// Every program of Kubernetes in one, so that it is linked once.
package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	var c *cobra.Command
	switch filepath.Base(os.Args[0]) {
	case "kube-apiserver":
		c = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		c = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		c = scheduler.NewSchedulerCommand()
	case "kubelet":
		c = kubelet.NewKubeletCommand(context.Background())
	case "kube-proxy":
		c = proxy.NewProxyCommand()
	default:
		c = kubectl.NewDefaultKubectlCommand()
	}
	os.Exit(cli.Run(c))
}
GO
    go mod tidy
    local p=k8s.io/component-base/version
    go build -trimpath -o "$bin/kube" -ldflags "-s -w -X $p.gitVersion=v$KUBE -X $p.gitMajor=1 -X $p.gitMinor=$(cut -d. -f2 <<<"$KUBE") \
        -X $p.gitTreeState=clean -X $p.gitCommit=$(printf '0%.0s' {1..40})" .
    for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do ln -sf kube "$bin/$name"; done
    stamp kube "$KUBE"
}

etcd() {
    stamped etcd "$ETCD" && return
    echo "building etcd $ETCD"
    mkdir -p "$cache/src/etcd"
    cd "$cache/src/etcd"
    rm -f ./*
    printf 'module local.test/etcd\ngo 1.26\n' >go.mod
    printf 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n' >main.go
    go get "go.etcd.io/etcd/server/v3@$ETCD"
    go mod tidy
    go build -trimpath -ldflags '-s -w' -o "$bin/etcd" .
    stamp etcd "$ETCD"
}

case ${1:-all} in
tools)
    tool helm "$HELM" helm.sh/helm/v4/cmd/helm
    tool kube-score "$SCORE" github.com/zegl/kube-score/cmd/kube-score
    ;;
all)
    tool helm "$HELM" helm.sh/helm/v4/cmd/helm
    kube
    etcd
    ;;
there) stamped helm "$HELM" && stamped kube "$KUBE" && stamped etcd "$ETCD" ;;
*) echo "usage: $0 [tools|all|there]" >&2; exit 2 ;;
esac
