// Package k8s proves the Helm chart on a real Kubernetes: a control plane, a
// kubelet and containerd in a network namespace of their own, the built programs
// in the product's own images, pods under the restricted level of pod security. It contains no
// product code.
//
// The oracle is the sandbox, a pod of the cluster: whatever is killed, upgraded or
// rotated, each content must have been accepted there exactly once, must lie in the
// archive once, and must be gone from the export volume. What is bad must be refused,
// and the remedy said where an operator looks: in helm's answer, or in the message
// of the container that ended.
//
// make e2e-k8s runs it (cluster/run.sh: needs root, containerd, runc and the CNI
// plugins; builds Kubernetes once). Without a cluster the tests are skipped, loudly.
//
// Not there, and so not proven: enforcement of NetworkPolicy, CSI drivers, network
// file systems, more than one node. Names are answered by the tests themselves
// (names_test.go) instead of CoreDNS.
package k8s
