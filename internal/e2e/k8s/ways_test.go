package k8s

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres/postgrestest"
)

// standalone installs the chart as a Deployment of its own.
func (w *world) standalone(more ...string) {
	w.t.Helper()
	w.persistent("hqms-hqms-sidecar-state", "local", "ReadWriteOnce", uid)
	w.mustHelm("install", "hqms", chart, "-f", w.values(append(more, existingSecret)...), "--wait", "--timeout", "90s")
}

// stateOf is the state directory of a stand-alone sidecar; its archive is in it.
const stateOf = "hqms-hqms-sidecar-state"

func TestStandaloneAcceptsAFileAndPassesHelmTest(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.standalone()
	p := w.one()
	process.Eventually(t, patience, "the log of pods has it", func() bool { return w.pods.readyAfter(p.Metadata.Name) >= 0 })
	figure(t, "stand-alone: ready %s after its container ran", w.pods.readyAfter(p.Metadata.Name).Round(10*time.Millisecond))
	began := time.Now()
	w.drop("flu_1.csv", 1, 20)
	w.delivered(stateOf + "/archive")
	figure(t, "stand-alone: a file exported, accepted and put away within %s", time.Since(began).Round(10*time.Millisecond))
	out := w.mustHelm("test", "hqms", "--timeout", "60s")
	if !strings.Contains(out, "Succeeded") {
		t.Errorf("helm test says:\n%s", out)
	}
	t.Logf("helm test:\n%s", out)
	w.probesAnswer(p)
	w.idle(p)
}

// probesAnswer asks what the kubelet asks, on the pod itself.
func (w *world) probesAnswer(p pod) {
	w.t.Helper()
	for _, path := range []string{"livez", "readyz"} {
		if _, err := kube.get(w.t.Context(), fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy/%s", w.ns, p.Metadata.Name, path), new(any)); err != nil {
			w.t.Errorf("%s: %v", path, err)
		}
	}
}

// idle waits until the memory has come down to what the product promises.
func (w *world) idle(p pod) {
	w.t.Helper()
	const most = 30 << 20
	var rss, working int64
	process.Eventually(w.t, patience, "idle memory of at most 30 MiB", func() bool {
		rss, working = w.memory(p)
		return rss > 0 && rss <= most
	})
	figure(w.t, "idle: %.1f MiB resident, working set %.1f MiB", float64(rss)/(1<<20), float64(working)/(1<<20))
}

func TestRestrictedPodSecurityIsEnforced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := kube.command(t.Context(), fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: loose, namespace: %s}, spec: {containers: [{name: c, image: hqms-sidecar:%s}]}}`, w.ns, tag), "kubectl", "apply", "-f", "-")
	if err == nil || !strings.Contains(out, `violates PodSecurity "restricted:latest"`) {
		t.Errorf("a pod without any restriction is taken: %v\n%s", err, out)
	}
}

// database runs PostgreSQL beside the cluster and makes it reachable for pods.
func database(t *testing.T) (address string) {
	t.Helper()
	pg, err := postgrestest.Start(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, pg.Close()) })
	listener, err := net.Listen("tcp", node+":0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer from.Close()
				to, err := net.Dial("tcp", pg.Addr())
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
				_, _ = io.Copy(from, to)
			}()
		}
	}()
	u, err := url.Parse(pg.URL(""))
	must(t, err)
	u.Host = listener.Addr().String()
	return u.String()
}

// shared is a hospital whose volume many can mount, with a database, and installs
// the chart with several replicas.
func shared(t *testing.T, replicas int) *world {
	t.Helper()
	w := newWorld(t)
	w.export("local", "ReadWriteMany", uid)
	w.volume("sandbox", "local", "ReadWriteOnce", uid)
	w.serve(password)
	w.secret("hqms-credentials", map[string]string{
		"HQMS_ACCOUNT": account, "HQMS_PASSWORD": password, "FLU_ACCOUNT": account, "FLU_PASSWORD": password, "DATABASE_URL": database(t),
	})
	w.mustHelm("install", "hqms", chart, "-f", w.values(fmt.Sprintf("replicas: %d", replicas), sharedValues), "--wait", "--timeout", "120s")
	return w
}

const (
	sharedValues = "mode: shared\nstate: {exportSubPath: .hqms-sidecar}\n" +
		"secrets: {existing: hqms-credentials, keys: [HQMS_ACCOUNT, HQMS_PASSWORD, FLU_ACCOUNT, FLU_PASSWORD, DATABASE_URL]}"
	sharedArchive = "his-export/.hqms-sidecar/archive"
)

func TestSharedReplicasAcceptAFileAndPassHelmTest(t *testing.T) {
	t.Parallel()
	w := shared(t, 3)
	if n := len(w.sidecars()); n != 3 {
		t.Fatalf("%d replicas", n)
	}
	for i := range 12 {
		w.drop(fmt.Sprintf("flu_%d.csv", i), uint64(i)+1, 20)
	}
	w.delivered(sharedArchive)
	w.mustHelm("test", "hqms", "--timeout", "60s")
}

// his installs the example of a HIS pod with the sidecar in it.
func (w *world) his(kind string, args ...string) {
	w.t.Helper()
	copied := filepath.Join(w.t.TempDir(), "his")
	must(w.t, os.CopyFS(copied, os.DirFS("../../../deploy/helm/examples/his")))
	must(w.t, os.CopyFS(filepath.Join(copied, "charts", "hqms-sidecar"), os.DirFS(chart)))
	values, err := os.ReadFile(w.values(existingSecret))
	must(w.t, err)
	inner := "  " + strings.ReplaceAll(strings.TrimSpace(string(values)), "\n", "\n  ")
	file := filepath.Join(w.t.TempDir(), "his.yaml")
	must(w.t, os.WriteFile(file, []byte(fmt.Sprintf("kind: %s\nimage: hqms-sandbox:%s\nargs: [%s]\nhqms-sidecar:\n%s\n", kind, tag, strings.Join(args, ", "), inner)), 0o600))
	w.mustHelm("upgrade", "--install", "his", copied, "-f", file, "--wait", "--timeout", "120s")
}

func TestSidecarInTheHISPodAcceptsFiles(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.persistent("his-hqms-sidecar-state", "local", "ReadWriteOnce", uid)
	w.his("deployment", "export", "-flu", "/export/flu", "-hqms", "/export/hqms", "-pace", "10ms", "-every", "1h")
	p := w.one()
	if len(p.Status.Init) != 1 || p.Status.Init[0].Name != "hqms-sidecar" {
		t.Errorf("the sidecar is no native one: %+v", p.Status)
	}
	process.Eventually(t, patience, "what the HIS exported has come to its verdict", func() bool { return w.verdicts() == 9 })
}

// verdicts counts the contents the server has decided on.
func (w *world) verdicts() (n int) {
	for _, c := range w.arrivals() {
		n += min(c.Received, 1)
	}
	return n
}

func TestAJobWithTheSidecarEndsAndTheNextSendsWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := hospital(t)
	w.persistent("his-hqms-sidecar-state", "local", "ReadWriteOnce", uid)
	// The server is away while the first Job runs: everything is left to the next.
	w.mustKubectl("scale", "deploy/sandbox", "--replicas=0")
	w.jobRuns()
	left := len(stored(t, filepath.Join(w.dir, "his-export")))
	if left < 9 {
		t.Errorf("%d files left, want the 9 that could not be sent", left)
	}
	w.mustHelm("uninstall", "his", "--wait")
	w.mustKubectl("scale", "deploy/sandbox", "--replicas=1")
	w.mustKubectl("rollout", "status", "deploy/sandbox", "--timeout=90s")
	w.jobRuns()
	// The second ends as soon as it has exported; what it did not get to waits for the third.
	sent := w.verdicts()
	w.mustHelm("uninstall", "his", "--wait")
	w.his("deployment", "export", "-flu", "/export/flu", "-hqms", "/export/hqms", "-every", "1h")
	process.Eventually(t, 2*patience, "what the Jobs left is sent", func() bool { return w.verdicts() == 27 })
	for digest, c := range w.arrivals() {
		if c.Accepted > 1 {
			t.Errorf("%s was accepted %d times", digest, c.Accepted)
		}
	}
	figure(t, "two Jobs and a HIS after them: %d files left by the first, %d sent when the second ended, 27 in the end, none accepted twice", left, sent)
}

// jobRuns runs the HIS as a Job and waits for its end.
func (w *world) jobRuns() {
	w.t.Helper()
	began := time.Now()
	w.his("job", "export", "-flu", "/export/flu", "-hqms", "/export/hqms", "-pace", "10ms")
	w.mustKubectl("wait", "--for=condition=Complete", "job/his-his", "--timeout=90s")
	figure(w.t, "Job: complete %s after helm was called", time.Since(began).Round(100*time.Millisecond))
}
