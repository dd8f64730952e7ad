#!/usr/bin/env bash
# Runs the tests of the chart on a real Kubernetes: builds what is missing of it, starts
# it, runs the tests in its network, takes it away again. Arguments go to the tests.
# Ends with 75 when the cluster could not be had; that is no verdict on the product.
#   HQMS_K8S_CACHE   where the cluster's programs are kept (~/.cache/hqms-e2e-k8s)
#   HQMS_K8S_BUILD   seconds that building them may take; 0: only what is there (3600)
#   HQMS_K8S_KEEP    leave the cluster running, and say where it is
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
cache=${HQMS_K8S_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hqms-e2e-k8s}
export HQMS_K8S_CACHE=$cache
export PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH

not_had() {
    printf '\n!!! 未在 Kubernetes 上测试：%s\n!!! NOT TESTED ON KUBERNETES: %s\n\n' "$1" "$2" >&2
    exit 75
}

[ "$(id -u)" = 0 ] || not_had "需要 root" "root is needed"
for p in containerd runc ctr nft iptables conntrack ip nsenter openssl; do
    command -v $p >/dev/null || not_had "缺少程序 $p" "there is no $p (apt-get install containerd runc containernetworking-plugins iptables nftables conntrack iproute2 openssl)"
done
[ -x "${CNI_BIN:-/usr/lib/cni}/bridge" ] || not_had "缺少 CNI 插件" "there are no CNI plugins (apt-get install containernetworking-plugins)"

limit=${HQMS_K8S_BUILD:-3600}
if [ "$limit" = 0 ]; then
    "$here/build.sh" there || not_had "集群程序尚未构建" "the cluster's programs have not been built: $here/build.sh"
else
    timeout "$limit" "$here/build.sh" all || not_had "集群程序构建失败，或超过 ${limit} 秒" "building the cluster's programs failed or took more than $limit s"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/hqms-k8s.XXXXXX")
netns=hqms-k8s-$$
gone() {
    if [ -n "${HQMS_K8S_KEEP:-}" ]; then
        echo "the cluster goes on: KUBECONFIG=$work/admin.kubeconfig nsenter --net=/run/netns/$netns $cache/bin/kubectl …; $here/down.sh $work ends it"
    else
        "$here/down.sh" "$work"
    fi
}
trap gone EXIT
trap 'exit 130' INT TERM

cd "$root"
export CGO_ENABLED=0
go build -trimpath -ldflags '-s -w' -o "$work/pause" ./internal/e2e/k8s/cluster/pause
go test -c -o "$work/k8s.test" ./internal/e2e/k8s
go run ./internal/image/mkimage build -version e2e -arch "$(go env GOARCH)" -out "$work/images" # the product's own
began=$(date +%s%N)
"$here/up.sh" "$work" "$netns" "$cache/bin" || not_had "集群没有启动" "the cluster did not come up"
printf 'node ready after %d.%d s\n' $((($(date +%s%N) - began) / 1000000000)) $((($(date +%s%N) - began) / 100000000 % 10))

cd internal/e2e/k8s
HQMS_K8S=$work PATH=$cache/bin:$PATH \
    nsenter --net="/run/netns/$netns" "$work/k8s.test" -test.v -test.timeout 30m -test.parallel 4 "$@"
