package k8s

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// refused installs what cannot work, and holds that helm says so at once, with the
// remedy, and leaves nothing behind.
func (w *world) refused(values string, want ...string) {
	w.t.Helper()
	out, err := w.helm("install", "hqms", chart, "-f", values)
	if err == nil {
		w.t.Fatal("it is taken")
	}
	w.says(out, want...)
	if left := w.mustKubectl("get", "deploy,pvc,cm", "-l", "app.kubernetes.io/instance=hqms", "-o", "name"); strings.TrimSpace(left) != "" {
		w.t.Errorf("left behind: %s", left)
	}
}

func (w *world) says(out string, want ...string) {
	w.t.Helper()
	for _, s := range want {
		if !strings.Contains(out, s) {
			w.t.Errorf("no %q in:\n%s", s, out)
		}
	}
}

func TestWhatIsMissingInTheClusterIsRefusedBeforeAnythingIsInstalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.volume("his-export", "local", "ReadWriteOnce", uid)
	w.refused(w.values(existingSecret), "没有 Secret", "hqms-credentials", "补救", "There is no Secret", "kubectl -n "+w.ns+" create secret generic")
	w.secret("hqms-credentials", map[string]string{"HQMS_ACCOUNT": account})
	w.refused(w.values(existingSecret), "缺少键 HQMS_PASSWORD", "lacks the key HQMS_PASSWORD", "Remedy")
	w.secret("hqms-credentials", map[string]string{"HQMS_ACCOUNT": account, "HQMS_PASSWORD": password, "FLU_ACCOUNT": account, "FLU_PASSWORD": password})
	w.refused(w.values(existingSecret, "state: {existingClaim: not-there}"), "没有 PVC", "not-there", "state.existingClaim", "Remedy")
	w.refused(w.values(existingSecret, "replica: 2"), "replica")
	w.refused(w.values(existingSecret, "replicas: 2"), "SQLite", "mode: shared", "补救", "Remedy")
	shared := strings.Replace(sharedValues, "hqms-credentials, keys: [HQMS_ACCOUNT, HQMS_PASSWORD, FLU_ACCOUNT, FLU_PASSWORD, DATABASE_URL]", "hqms-credentials, keys: [DATABASE_URL]", 1)
	w.secret("hqms-credentials", map[string]string{"DATABASE_URL": "postgres://nobody@" + node + ":1/none"})
	w.refused(w.values("replicas: 2", shared), "RWX", "his-export", "补救", "Remedy")
}

// spoken waits until a sidecar that cannot work has said why, and gives its words:
// the message of its last end, as `kubectl describe pod` shows it.
func (w *world) spoken() string {
	w.t.Helper()
	var message string
	process.Eventually(w.t, 2*patience, "the sidecar ends and says why", func() bool {
		for _, p := range w.sidecars() {
			for _, s := range []containerState{p.sidecar().State, p.sidecar().Last} {
				if s.Terminated != nil && s.Terminated.Message != "" {
					message = s.Terminated.Message
					return true
				}
			}
		}
		return false
	})
	return message
}

// wrongly installs what helm cannot see to be wrong.
func (w *world) wrongly(more ...string) {
	w.t.Helper()
	w.mustHelm("install", "hqms", chart, "-f", w.values(append(more, existingSecret)...))
}

func TestAStateVolumeOfAnotherOwnerIsNamedWithWhatToSet(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.persistent(stateOf, "hostPath", "ReadWriteOnce", 1234) // fsGroup does nothing there, as on NFS
	w.wrongly()
	w.says(w.spoken(), "STATE_DIR", "uid=1234", "uid=65532", "runAsUser: 1234", "fsGroup: 1234", "chown -R 65532:65532", "补救", "Remedy")
}

func TestAnExportVolumeOfAnotherOwnerIsNamedAndTheAdviceHelps(t *testing.T) {
	t.Parallel()
	w := hospitalOn(t, "hostPath", 1234)
	w.persistent(stateOf, "local", "ReadWriteOnce", uid)
	w.wrongly()
	p := w.one()
	want := []string{"/export", "uid=1234", "runAsUser: 1234", "fsGroup: 1234", "补救", "Remedy"}
	w.complains(p, want...)
	if p = w.one(); p.ready() {
		t.Error("the pod is ready")
	}
	// Doing as told helps.
	w.mustHelm("upgrade", "hqms", chart, "-f", w.values(existingSecret, "podSecurity: {runAsUser: 1234, runAsGroup: 1234, fsGroup: 1234}"), "--wait", "--timeout", "90s")
	w.drop("flu_1.csv", 1, 5)
	must(t, os.Chown(filepath.Join(w.dir, "his-export", "flu", "flu_1.csv"), 1234, 1234))
	w.delivered(stateOf + "/archive")
}

// complains waits until the log of a pod that goes on says all of it.
func (w *world) complains(p pod, want ...string) {
	w.t.Helper()
	var out string
	defer func() { w.t.Logf("the pod says:\n%s", out) }()
	process.Eventually(w.t, patience, fmt.Sprintf("the log says %q", want), func() bool {
		out, _ = w.kubectl("logs", p.Metadata.Name)
		for _, s := range want {
			if !strings.Contains(out, s) {
				return false
			}
		}
		return true
	})
}

func TestAReadOnlyExportVolumeIsNamed(t *testing.T) {
	t.Parallel()
	w := hospitalOn(t, "hostPath", uid)
	w.persistent(stateOf, "local", "ReadWriteOnce", uid)
	export := filepath.Join(w.dir, "his-export")
	must(t, syscall.Mount(export, export, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { _ = syscall.Unmount(export, syscall.MNT_DETACH) })
	must(t, syscall.Mount("", export, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	w.wrongly()
	w.complains(w.one(), "只读", "read-only", "ON_ACCEPTED=keep", "补救", "Remedy")
}

func TestAWrongDatabaseURLEndsTheStartWithTheRemedy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.export("local", "ReadWriteMany", uid)
	w.secret("hqms-credentials", map[string]string{
		"HQMS_ACCOUNT": account, "HQMS_PASSWORD": password, "FLU_ACCOUNT": account, "FLU_PASSWORD": password,
		"DATABASE_URL": "postgres://hqms:pw-of-the-database@" + node + ":1/hqms?sslmode=disable",
	})
	w.mustHelm("install", "hqms", chart, "-f", w.values("replicas: 2", sharedValues))
	message := w.spoken()
	w.says(message, "DATABASE_URL", node+":1", "补救", "Remedy")
	if strings.Contains(message, "pw-of-the-database") {
		t.Errorf("the password is told:\n%s", message)
	}
}

func TestASecondStandaloneReplicaIsRefusedByTheJournal(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.standalone()
	first := w.one()
	w.mustKubectl("scale", "deploy/hqms-hqms-sidecar", "--replicas=2") // past the chart
	w.says(w.spoken(), "STATE_DIR", "DATABASE_URL", "replicas: 1", "补救", "Remedy")
	w.mustKubectl("scale", "deploy/hqms-hqms-sidecar", "--replicas=1")
	w.drop("flu_1.csv", 1, 5)
	w.delivered(stateOf + "/archive")
	for _, p := range w.sidecars() {
		if p.Metadata.UID == first.Metadata.UID && p.sidecar().Restarts > 0 {
			t.Error("the first was disturbed")
		}
	}
}

func TestTheAPIServerTakesEveryExampleToTheLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	examples, err := filepath.Glob(chart + "/examples/*.yaml")
	if err != nil || len(examples) < 4 {
		t.Fatalf("%v, %v", examples, err)
	}
	// A pod is held against its service account, which a dry run does not make.
	w.apply(fmt.Sprintf(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: hqms-hqms-sidecar, namespace: %s}}`, w.ns))
	for _, file := range examples {
		// What belongs to the Prometheus operator is not known here.
		out := w.mustHelm("template", "hqms", chart, "-f", file, "--set", "serviceMonitor.enabled=false,prometheusRule.enabled=false")
		if out, err := kube.command(t.Context(), out, "kubectl", "-n", w.ns, "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}
