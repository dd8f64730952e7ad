#!/usr/bin/env bash
# Takes away what up.sh started, however far it came: down.sh DIR. Only processes that
# up.sh noted, and containers of its own containerd, are ended.
set -uo pipefail
dir=$1
cd "$dir" 2>/dev/null || exit 0
netns=$(cat netns 2>/dev/null)

ended() { # names: asked, and after 5 s made to
    local name pid i
    for name in "$@"; do
        pid=$(cat "$name.pid" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null
        for ((i = 0; i < 50; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null
    done
}

ended kube-proxy kubelet controllers scheduler
ctl() { timeout 20 ctr -a cd/containerd.sock -n k8s.io "$@" 2>/dev/null; }
pods=$(for id in $(ctl c ls -q); do ctl c info "$id"; done | grep -o 'netns/cni-[0-9a-f-]*' | sort -u) # their networks
for id in $(ctl task ls -q); do ctl task rm -f "$id" >/dev/null & done
wait
for shim in /proc/[0-9]*; do # theirs name our socket
    { tr '\0' ' ' <"$shim/cmdline"; } 2>/dev/null | grep -qF -- "-address $dir/cd/containerd.sock" && kill "${shim#/proc/}" 2>/dev/null
done
ended apiserver etcd containerd
awk -v d="$dir/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | while read -r m; do umount -l "$m"; done
for c in /sys/fs/cgroup/kubepods /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/*/k8s.io; do
    [ -d "$c" ] && find "$c" -depth -type d -exec rmdir {} \; 2>/dev/null
done
for pod in $pods; do ip netns del "${pod#netns/}" 2>/dev/null; done
[ -n "$netns" ] && ip netns del "$netns" 2>/dev/null
rm -rf "$dir"
