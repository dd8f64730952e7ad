#!/usr/bin/env bash
# Starts a Kubernetes of one node in a network namespace and a directory of its own:
#   up.sh DIR NETNS BIN     (BIN holds what build.sh made; down.sh takes it all away again)
# The node is 10.98.0.1, services are in 10.97.0.0/24, pods in 10.96.0.0/24, names are
# asked of 10.98.0.1:53, where the tests answer. Needs root; fails where the machine
# does not allow it.
set -euo pipefail
dir=$1 netns=$2 bin=$3
export PATH=$bin:/usr/local/sbin:/usr/sbin:/sbin:$PATH
node=10.98.0.1
mkdir -p "$dir"/{pki,log,etcd,cd/root,cd/state,cni,kubelet,podlogs,volumes}
cd "$dir"
echo "$netns" >netns

network() {
    ip netns add "$netns"
    ip -n "$netns" link set lo up
    ip -n "$netns" link add brnode type bridge
    ip -n "$netns" addr add $node/24 dev brnode
    ip -n "$netns" link set brnode up
    ip -n "$netns" route add default dev brnode
    nsenter --net="/run/netns/$netns" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# started NAME PROGRAM… runs a part of the cluster and notes its process. `nsenter`,
# since `ip netns exec` mounts a /sys without cgroups.
started() {
    local name=$1
    shift
    setsid nsenter --net="/run/netns/$netns" "$@" >"log/$name" 2>&1 9>&- &
    echo $! >"$name.pid"
}

# until_ok WHAT LOG COMMAND… tries for 40 s.
until_ok() {
    local what=$1 log=$2 i
    shift 2
    for ((i = 0; i < 200; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "the cluster does not come up: $what" >&2
    tail -n 15 "log/$log" >&2
    return 1
}

certificate() { # file subject names
    openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "pki/$1.key" -out "pki/$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3" >"pki/$1.ext"
    openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 2 -extfile "pki/$1.ext" -out "pki/$1.crt" 2>/dev/null
}

certificates() {
    openssl genrsa -out pki/sa.key 2048 2>/dev/null
    openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout pki/ca.key -out pki/ca.crt 2>/dev/null
    certificate apiserver /CN=kube-apiserver "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$node,IP:10.97.0.1"
    certificate admin "/O=system:masters/CN=admin" DNS:admin
    certificate controllers /CN=system:kube-controller-manager DNS:controllers
    certificate scheduler /CN=system:kube-scheduler DNS:scheduler
    certificate kubelet "/O=system:nodes/CN=system:node:node1" "DNS:node1,IP:$node"
}

kubeconfig() { # user: written by hand, kubectl would take five starts for it
    local b64="base64 -w0"
    cat >"$1.kubeconfig" <<X
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $($b64 pki/ca.crt)}}]
users: [{name: u, user: {client-certificate-data: $($b64 "pki/$1.crt"), client-key-data: $($b64 "pki/$1.key")}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
X
}

control_plane() {
    started etcd etcd --data-dir etcd --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
    started apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address=$node \
        --client-ca-file=pki/ca.crt --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --service-cluster-ip-range=10.97.0.0/24 --allow-privileged \
        --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key --kubelet-certificate-authority=pki/ca.crt --kubelet-preferred-address-types=InternalIP
    until_ok "no answer of the API server" apiserver kube get --raw /readyz
    started controllers kube-controller-manager --kubeconfig=controllers.kubeconfig --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt \
        --use-service-account-credentials --cluster-signing-cert-file=pki/ca.crt --cluster-signing-key-file=pki/ca.key --leader-elect=false
    started scheduler kube-scheduler --kubeconfig=scheduler.kubeconfig --leader-elect=false
}

kube() { nsenter --net="/run/netns/$netns" kubectl --kubeconfig admin.kubeconfig "$@"; }

runtime() {
    cat >cni/10-bridge.conflist <<X
{"cniVersion":"1.0.0","name":"pods","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":false,"hairpinMode":true,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"10.96.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}],"dataDir":"$dir/cni-ipam"}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
X
    cat >cd/config.toml <<X
version = 2
root = "$dir/cd/root"
state = "$dir/cd/state"
[grpc]
  address = "$dir/cd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "hqms.test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_BIN:-/usr/lib/cni}"
    conf_dir = "$dir/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
X
    started containerd containerd -c cd/config.toml
    until_ok "no containerd" containerd ctr -a cd/containerd.sock version
}

node() {
    cat >kubelet.yaml <<X
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
failSwapOn: false
address: $node
readOnlyPort: 0
tlsCertFile: $dir/pki/kubelet.crt
tlsPrivateKeyFile: $dir/pki/kubelet.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://$dir/cd/containerd.sock
podLogsDir: $dir/podlogs
resolvConf: ""
clusterDNS: ["$node"]
clusterDomain: cluster.local
syncFrequency: 10s # a changed Secret is in the pod after 10 s instead of 60
oomScoreAdj: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%"}
X
    started kubelet kubelet --config=kubelet.yaml --kubeconfig=kubelet.kubeconfig --root-dir="$dir/kubelet" --hostname-override=node1 --node-ip=$node --cert-dir="$dir/kubelet/pki"
    started kube-proxy kube-proxy --kubeconfig=admin.kubeconfig --proxy-mode=nftables --hostname-override=node1 --cluster-cidr=10.96.0.0/24
    until_ok "the node is not ready" kubelet ready
}

ready() { [ "$(kube get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }

network
certificates
for user in admin controllers scheduler kubelet; do kubeconfig $user; done
runtime
control_plane
node
