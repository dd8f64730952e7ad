package k8s

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	account, password = "13800000000", "pw-of-the-hospital"
	chart             = "../../../deploy/helm/hqms-sidecar"
	// uid is whom the chart's pods run as, and who writes the exports.
	uid = 65532
)

var library = sync.OnceValues(func() (*standard.Library, error) { return standard.Load(nil) })

var hospitals atomic.Int64

// world is one namespace, with the volume a HIS exports into and a server.
type world struct {
	t       *testing.T
	ns      string
	dir     string // of its volumes, on the node
	pods    *podLog
	sandbox string // address of the server
	digests map[string]string
}

// newWorld makes a namespace in which the restricted level is enforced.
func newWorld(t *testing.T) *world {
	t.Helper()
	if kube == nil {
		t.Skip("NOT TESTED ON KUBERNETES: make e2e-k8s")
	}
	w := &world{t: t, ns: fmt.Sprintf("hospital-%d-%d", os.Getpid(), hospitals.Add(1)), digests: map[string]string{}}
	w.dir = filepath.Join(kube.dir, "volumes", w.ns)
	w.apply(fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/enforce-version: latest}}}`, w.ns))
	w.pods = followPods(t, w.ns)
	t.Cleanup(func() {
		if t.Failed() {
			w.explain()
		}
		_, _ = kube.command(context.Background(), "", "kubectl", "delete", "ns", w.ns, "--wait=false")
		_, _ = kube.command(context.Background(), "", "kubectl", "delete", "pv", "-l", "hospital="+w.ns, "--wait=false")
	})
	return w
}

// hospital is a world with export volume, server and credentials.
func hospital(t *testing.T) *world { return hospitalOn(t, "local", uid) }

// hospitalOn is one whose export volume is of another kind, or owner.
func hospitalOn(t *testing.T, kind string, owner int) *world {
	t.Helper()
	w := newWorld(t)
	w.export(kind, "ReadWriteOnce", owner)
	w.volume("sandbox", "local", "ReadWriteOnce", uid)
	w.serve(password)
	w.secret("hqms-credentials", map[string]string{"HQMS_ACCOUNT": account, "HQMS_PASSWORD": password, "FLU_ACCOUNT": account, "FLU_PASSWORD": password})
	return w
}

// export makes the volume that the HIS exports into.
func (w *world) export(kind, mode string, owner int) {
	w.t.Helper()
	w.volume("his-export", kind, mode, owner)
	for _, ch := range []string{"flu", "hqms"} {
		w.owned(filepath.Join("his-export", ch), owner)
	}
}

func (w *world) kubectl(args ...string) (string, error) {
	return kube.command(w.t.Context(), "", "kubectl", append([]string{"-n", w.ns}, args...)...)
}

func (w *world) mustKubectl(args ...string) string {
	w.t.Helper()
	out, err := w.kubectl(args...)
	must(w.t, err)
	return out
}

func (w *world) apply(manifests ...string) {
	w.t.Helper()
	_, err := kube.command(w.t.Context(), strings.Join(manifests, "\n---\n"), "kubectl", "apply", "-f", "-")
	must(w.t, err)
}

func (w *world) secret(name string, data map[string]string) {
	w.t.Helper()
	b, err := json.Marshal(data)
	must(w.t, err)
	w.apply(fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: %s}, stringData: %s}`, name, w.ns, b))
}

// owned makes a directory below the world's and gives it to an owner.
func (w *world) owned(name string, owner int) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	must(w.t, os.MkdirAll(dir, 0o750))
	must(w.t, os.Chown(dir, owner, owner))
	return dir
}

// volume makes a volume on the node for the claim of this name, and the claim. A
// "local" volume heeds fsGroup, a "hostPath" one does not, as NFS.
func (w *world) volume(claim, kind, mode string, owner int) {
	w.t.Helper()
	w.persistent(claim, kind, mode, owner)
	w.apply(fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s, namespace: %s}, spec: {accessModes: [%s], resources: {requests: {storage: 1Gi}}}}`, claim, w.ns, mode))
}

// persistent makes the volume alone: the chart makes the claim.
func (w *world) persistent(claim, kind, mode string, owner int) {
	w.t.Helper()
	w.apply(fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolume, metadata: {name: %[2]s-%[1]s, labels: {hospital: %[2]s}},
 spec: {capacity: {storage: 20Gi}, accessModes: [%[3]s], claimRef: {name: %[1]s, namespace: %[2]s}, %[4]s: {path: %[5]s},
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node1]}]}]}}}}`,
		claim, w.ns, mode, kind, w.owned(claim, owner)))
}

// serve starts the server, or starts it anew with another password; what has
// arrived is kept.
func (w *world) serve(pw string) {
	w.t.Helper()
	text, err := os.ReadFile("testdata/sandbox.yaml")
	must(w.t, err)
	w.apply(strings.NewReplacer("$NAMESPACE", w.ns, "$TAG", tag, "$ACCOUNT", account, "$PASSWORD", pw).Replace(string(text)))
	w.mustKubectl("rollout", "status", "deploy/sandbox", "--timeout=90s")
	w.sandbox = w.mustKubectl("get", "svc", "sandbox", "-o", "jsonpath={.spec.clusterIP}:9090")
}

// values are the chart's for quick tests; more are added as they are.
func (w *world) values(more ...string) string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "values.yaml")
	must(w.t, os.WriteFile(file, []byte(strings.Join(append([]string{
		"image: {tag: " + tag + "}", "export: {existingClaim: his-export}",
		"env: {FLU_SERVER_URL: 'http://sandbox:9090/flu/', HQMS_SERVER_URL: 'http://sandbox:9090/hqms/', " +
			"QUIET_PERIOD: 200ms, RESCAN_INTERVAL: 1s, POLL_MIN: 50ms, POLL_MAX: 500ms, RETRY_MIN: 100ms, RETRY_MAX: 1s, REFUSED_RETRY: 5s}",
	}, more...), "\n")), 0o600))
	return file
}

const existingSecret = "secrets: {existing: hqms-credentials}"

// helm runs helm on the world's namespace.
func (w *world) helm(args ...string) (string, error) {
	return kube.command(w.t.Context(), "", "helm", append([]string{"-n", w.ns}, args...)...)
}

func (w *world) mustHelm(args ...string) string {
	w.t.Helper()
	out, err := w.helm(args...)
	must(w.t, err)
	return out
}

// drop exports a file as a HIS does that renames it into place.
func (w *world) drop(name string, seed uint64, rows int) {
	w.t.Helper()
	lib, err := library()
	must(w.t, err)
	var b bytes.Buffer
	must(w.t, synthetic.File(&b, synthetic.Options{Library: lib, Channel: upload.Flu, Kind: "flu", Rows: rows, Seed: seed}))
	dir := filepath.Join(w.dir, "his-export", "flu")
	part := filepath.Join(dir, "."+name+".tmp")
	must(w.t, os.WriteFile(part, b.Bytes(), 0o644))
	must(w.t, os.Chown(part, uid, uid))
	must(w.t, os.Rename(part, filepath.Join(dir, name)))
	w.digests[sha(b.Bytes())] = name
}

// arrivals is what the server received, by content; nil: no answer.
func (w *world) arrivals() map[string]sandbox.Content {
	resp, err := http.Get("http://" + w.sandbox + "/sandbox/arrivals")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var r sandbox.Report
	if json.NewDecoder(resp.Body).Decode(&r) != nil {
		return nil
	}
	all := map[string]sandbox.Content{}
	for _, c := range r.Contents {
		all[c.Digest] = c
	}
	return all
}

// delivered waits until everything dropped has been accepted and put away, and
// holds server and disk against what was dropped.
func (w *world) delivered(archive string) {
	w.t.Helper()
	export := filepath.Join(w.dir, "his-export")
	process.Eventually(w.t, 2*patience, "every file is accepted and put away", func() bool {
		got := w.arrivals()
		for d := range w.digests {
			if got[d].Accepted == 0 {
				return false
			}
		}
		return len(stored(w.t, filepath.Join(export, "flu"))) == 0 && len(stored(w.t, filepath.Join(w.dir, archive))) >= len(w.digests)
	})
	got, kept := w.arrivals(), stored(w.t, filepath.Join(w.dir, archive))
	for d, name := range w.digests {
		if n := got[d].Accepted; n != 1 {
			w.t.Errorf("%s was accepted %d times", name, n)
		}
		if kept[d] != 1 {
			w.t.Errorf("%s is %d times in the archive", name, kept[d])
		}
	}
	if len(got) != len(w.digests) {
		w.t.Errorf("the server received %d contents, want %d", len(got), len(w.digests))
	}
}

// stored counts the files of each content below a directory.
func stored(t *testing.T, dir string) map[string]int {
	t.Helper()
	found := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".")) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // put away meanwhile
		}
		found[sha(b)]++
		return err
	})
	must(t, err)
	return found
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256:" + hex.EncodeToString(sum[:])
}
