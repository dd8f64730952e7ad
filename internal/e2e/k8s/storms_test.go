package k8s

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// files is the size of a run under load.
func files() int {
	if n, err := strconv.Atoi(os.Getenv("HQMS_K8S_FILES")); err == nil {
		return n
	}
	return 150
}

// load exports files steadily while storm goes on, and both to their end.
func (w *world) load(storm func()) {
	w.t.Helper()
	n := files()
	var writing sync.WaitGroup
	quarter := make(chan struct{})
	writing.Go(func() {
		for i := range n {
			w.drop(fmt.Sprintf("flu_%05d.csv", i), uint64(i)+1, 3)
			if i == n/4 {
				close(quarter)
			}
			pause(w.t.Context(), 40*time.Millisecond)
		}
	})
	<-quarter
	storm()
	writing.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// upgrade changes a setting and waits until the new pods are there.
func (w *world) upgrade(values string) time.Duration {
	w.t.Helper()
	began := time.Now()
	w.mustHelm("upgrade", "hqms", chart, "-f", values, "--set", "env.LOG_LEVEL=debug", "--wait", "--timeout", "120s")
	return time.Since(began)
}

func TestUpgradeUnderLoadOfStandaloneLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.standalone()
	before := w.one()
	var took time.Duration
	w.load(func() { took = w.upgrade(w.values(existingSecret)) })
	w.delivered(stateOf + "/archive")
	after := w.one()
	if after.Metadata.UID == before.Metadata.UID {
		t.Error("the upgrade changed nothing")
	}
	w.endedWell(before.Metadata.Name)
	figure(t, "upgrade of stand-alone under load: %d files, 0 lost, 0 twice; it took %s", len(w.digests), took.Round(100*time.Millisecond))
}

// endedWell holds that a pod's sidecar ended in order, within its grace.
func (w *world) endedWell(name string) {
	w.t.Helper()
	var e *ended
	process.Eventually(w.t, patience, "the old pod has ended", func() bool { e = w.pods.end(name); return e != nil })
	if e.ExitCode != 0 {
		w.t.Errorf("%s ended with %d %s: %s", name, e.ExitCode, e.Reason, e.Message)
	}
}

func TestRollingUpgradeOfSharedUnderLoadLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := shared(t, 2)
	old := w.sidecars()
	began := time.Now()
	var took time.Duration
	w.load(func() { took = w.upgrade(w.values("replicas: 2", sharedValues)) })
	w.delivered(sharedArchive)
	for _, p := range old {
		w.endedWell(p.Metadata.Name)
	}
	if n := w.pods.fewestReady(began); n < 2 {
		t.Errorf("at one moment only %d replicas were ready", n)
	}
	figure(t, "rolling upgrade of 2 replicas under load: %d files, 0 lost, 0 twice, never fewer than 2 ready; it took %s", len(w.digests), took.Round(100*time.Millisecond))
}

func TestPodsKilledUnderLoadLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T) (*world, string){
		"stand-alone": func(t *testing.T) (*world, string) {
			w := hospital(t)
			w.standalone()
			return w, stateOf + "/archive"
		},
		"shared": func(t *testing.T) (*world, string) { return shared(t, 2), sharedArchive },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, archive := make(t)
			w.load(func() {
				for range 2 {
					w.killed()
					w.deleted()
				}
			})
			w.delivered(archive)
			figure(t, "%s: %d files through 2 kill -9 and 2 forced deletions, 0 lost, 0 twice", name, len(w.digests))
		})
	}
}

// running waits for a pod with a running sidecar.
func (w *world) running() pod {
	w.t.Helper()
	var found pod
	process.Eventually(w.t, patience, "a sidecar runs", func() bool {
		for _, p := range w.sidecars() {
			if p.Metadata.Deleted == "" && p.ready() {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// killed ends a sidecar's process at once and waits until it was started anew.
func (w *world) killed() {
	w.t.Helper()
	p := w.running()
	before := p.sidecar().Restarts
	must(w.t, syscall.Kill(w.pid(p), syscall.SIGKILL))
	process.Eventually(w.t, patience, "the kubelet starts it anew", func() bool {
		for _, q := range w.sidecars() {
			if q.Metadata.UID == p.Metadata.UID {
				return q.sidecar().Restarts > before && q.ready()
			}
		}
		return false
	})
}

// deleted deletes a pod without giving it time, and waits for its successor.
func (w *world) deleted() {
	w.t.Helper()
	p := w.running()
	w.mustKubectl("delete", "pod", p.Metadata.Name, "--force", "--grace-period=0")
	w.mustKubectl("rollout", "status", "deploy/hqms-hqms-sidecar", "--timeout=90s")
}

func TestSIGTERMEndsWithinTheGraceAndTheUploadGoesOn(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.persistent(stateOf, "local", "ReadWriteOnce", uid)
	w.mustHelm("install", "hqms", chart, "-f", w.values(existingSecret), "--set", "env.BANDWIDTH_LIMIT=100kbit", "--wait", "--timeout", "90s")
	p := w.one()
	w.drop("flu_large.csv", 1, 3000)
	process.Eventually(t, patience, "the upload is under way", func() bool { return w.sending(p) })
	began := time.Now()
	w.mustKubectl("delete", "pod", p.Metadata.Name, "--wait=true", "--timeout=60s")
	took := time.Since(began)
	w.endedWell(p.Metadata.Name)
	if took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	w.delivered(stateOf + "/archive")
	figure(t, "SIGTERM in the middle of an upload: pod gone after %s with exit code 0", took.Round(100*time.Millisecond))
}

// sending says whether bytes of an upload are on their way.
func (w *world) sending(p pod) bool {
	var list struct {
		Items []struct {
			Progress *struct{} `json:"progress"`
		} `json:"items"`
	}
	_, err := kube.get(w.t.Context(), "/api/v1/namespaces/"+w.ns+"/pods/"+p.Metadata.Name+":8080/proxy/uploads", &list)
	return err == nil && len(list.Items) > 0 && list.Items[0].Progress != nil
}
