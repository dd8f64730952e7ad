package replicas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres/postgrestest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	account, password = "13800000000", "pw-of-the-hospital"
	operatorToken     = "token-of-the-operator"
)

// world is the volume, the database and the server that replicas share.
type world struct {
	t       *testing.T
	pg      *postgrestest.Server
	journal *journal.Journal // the test's own look at it
	sandbox string           // its address
	watch   string
	state   string
	lease   time.Duration
	library *standard.Library
	more    []string // settings
}

func newWorld(t *testing.T, lease time.Duration, more ...string) *world {
	t.Helper()
	pg, err := postgrestest.Start(t.Context())
	if errors.Is(err, postgrestest.ErrMissing) {
		postgrestest.Skip(t, err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, pg.Close()) })
	w := &world{t: t, pg: pg, watch: t.TempDir(), state: t.TempDir(), lease: lease, more: more}
	w.library, err = standard.Load(nil)
	must(t, err)
	w.startSandbox()
	w.journal, err = postgres.Open(t.Context(), postgres.Options{URL: func() string { return pg.URL("") }})
	must(t, err)
	t.Cleanup(func() { _ = w.journal.Close() })
	return w
}

var servingAt = regexp.MustCompile(`sandbox: http://([0-9.]+:[0-9]+)/`)

func (w *world) startSandbox() {
	w.t.Helper()
	p := process.Start(w.t, sandboxBin, []string{"serve", "-listen", "127.0.0.1:0", "-data", w.t.TempDir(), "-step", "1ms", "-account", account, "-password", password}, nil)
	process.Eventually(w.t, patience, "the sandbox listens", func() bool {
		if m := servingAt.FindStringSubmatch(p.Out.String()); m != nil {
			w.sandbox = m[1]
		}
		return w.sandbox != "" || p.Ended()
	})
}

// arrivals is what the server received, by digest.
func (w *world) arrivals() map[string]sandbox.Content {
	w.t.Helper()
	resp, err := http.Get("http://" + w.sandbox + "/sandbox/arrivals")
	must(w.t, err)
	defer resp.Body.Close()
	var r sandbox.Report
	must(w.t, json.NewDecoder(resp.Body).Decode(&r))
	all := map[string]sandbox.Content{}
	for _, c := range r.Contents {
		all[c.Digest] = c
	}
	return all
}

// replica is one sidecar.
type replica struct {
	*process.Process
	base string
}

var listeningAt = regexp.MustCompile(`"msg":"started".*"listen":"([^"]+)"`)

// launch starts a replica of the tests' own binary and does not wait for it.
func (w *world) launch() *replica {
	w.t.Helper()
	exe, err := os.Executable()
	must(w.t, err)
	return w.launchAs(exe, leaseEnv+"="+w.lease.String())
}

// launchAs starts a replica of the given program.
func (w *world) launchAs(exe string, own ...string) *replica {
	w.t.Helper()
	env := []string{
		"DATABASE_URL=" + w.pg.URL(""), "STATE_DIR=" + w.state, "LISTEN_ADDR=127.0.0.1:0", "API_TOKEN=" + operatorToken,
		"FLU_WATCH_DIR=" + w.watch, "FLU_ACCOUNT=" + account, "FLU_PASSWORD=" + password, "FLU_SERVER_URL=http://" + w.sandbox + "/flu/",
		"QUIET_PERIOD=100ms", "RESCAN_INTERVAL=500ms", "POLL_MIN=10ms", "POLL_MAX=200ms", "RETRY_MIN=20ms", "RETRY_MAX=300ms",
		"UNKNOWN_GRACE=300ms", "CONCURRENCY=2",
	}
	return &replica{Process: process.Start(w.t, exe, nil, slices.Concat(env, own, w.more))}
}

// ready waits until the replica takes work.
func (w *world) ready(r *replica) {
	w.t.Helper()
	process.Eventually(w.t, patience, "the replica is ready", func() bool {
		if m := listeningAt.FindStringSubmatch(r.Out.String()); m != nil {
			r.base = "http://" + m[1]
		}
		return r.Ended() || r.base != "" && r.call("GET", "/readyz", nil) == http.StatusOK
	})
	if r.Ended() {
		w.t.Fatalf("a replica ended by itself:\n%s", r.Out)
	}
}

// call makes an API call; 0: nobody answers.
func (r *replica) call(method, path string, out any) int {
	req, err := http.NewRequest(method, r.base+path, http.NoBody)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+operatorToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if out != nil && json.Unmarshal(b, out) != nil {
		return 0
	}
	return resp.StatusCode
}

// drop puts a file into the watched directory by renaming it into place.
func (w *world) drop(name string, seed uint64) (digest string) {
	w.t.Helper()
	var b bytes.Buffer
	must(w.t, synthetic.File(&b, synthetic.Options{Library: w.library, Channel: upload.Flu, Kind: "flu", Rows: 2, Seed: seed}))
	part := filepath.Join(w.watch, "."+name+".tmp")
	must(w.t, os.WriteFile(part, b.Bytes(), 0o644))
	must(w.t, os.Rename(part, filepath.Join(w.watch, name)))
	return digestOf(b.Bytes())
}

// stored counts the files of each content below a directory.
func stored(t *testing.T, dir string) map[string]int {
	t.Helper()
	found := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".hqms-canary-")) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		found[digestOf(b)]++
		return err
	})
	must(t, err)
	return found
}

// count asks the journal for a number.
func (w *world) count(query string) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = w.journal.DB().QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256:" + hex.EncodeToString(sum[:])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
