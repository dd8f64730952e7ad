package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// patience is used up by failing tests alone.
const patience = 60 * time.Second

const (
	operatorToken = "token-of-the-operator"
	viewerToken   = "token-of-the-viewer"
)

var binDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, release, err := process.Binaries(map[string]string{"": "cmd/..."})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer release()
	binDir = dir
	defer closeBrowser()
	return m.Run()
}

// begin starts a process that the test's end kills, and waits until it says
// where it listens.
func begin(t *testing.T, listens *regexp.Regexp, env []string, name string, args ...string) (out *process.Output, addr string) {
	t.Helper()
	p := process.Start(t, filepath.Join(binDir, name), args, env)
	eventually(t, name+" listens", func() bool {
		m := listens.FindStringSubmatch(p.Out.String())
		if m != nil {
			addr = m[1]
		}
		return m != nil
	})
	return p.Out, addr
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	process.Eventually(t, patience, what, holds)
}

// world is a sandbox, a sidecar and a receiver of alerts.
type world struct {
	t         *testing.T
	base      string // of the sidecar's API
	sandbox   string
	flu, hqms string // watched directories
	messages  atomic.Int64
	log       *process.Output
}

var (
	sandboxAt = regexp.MustCompile(`sandbox: http://([0-9.]+:[0-9]+)/`)
	sidecarAt = regexp.MustCompile(`"msg":"started".*"listen":"([^"]+)"`)
)

func newWorld(t *testing.T, more ...string) *world {
	t.Helper()
	w := &world{t: t, flu: t.TempDir(), hqms: t.TempDir()}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.messages.Add(1)
	}))
	t.Cleanup(receiver.Close)
	_, w.sandbox = begin(t, sandboxAt, nil, "hqms-sandbox", "serve", "-listen", "127.0.0.1:0", "-data", t.TempDir(), "-step", "1ms", "-account", "13800000000", "-password", "pw-of-the-hospital")
	env := append([]string{
		"LISTEN_ADDR=127.0.0.1:0", "STATE_DIR=" + t.TempDir(), "API_TOKEN=" + operatorToken, "API_VIEW_TOKEN=" + viewerToken,
		"FLU_WATCH_DIR=" + w.flu, "FLU_ACCOUNT=13800000000", "FLU_PASSWORD=pw-of-the-hospital", "FLU_SERVER_URL=http://" + w.sandbox + "/flu/",
		"HQMS_WATCH_DIR=" + w.hqms, "HQMS_ACCOUNT=13800000000", "HQMS_PASSWORD=pw-of-the-hospital", "HQMS_SERVER_URL=http://" + w.sandbox + "/hqms/",
		"QUIET_PERIOD=100ms", "RESCAN_INTERVAL=500ms", "POLL_MIN=10ms", "POLL_MAX=200ms", "RETRY_MIN=20ms", "RETRY_MAX=300ms", "REFUSED_PER_DAY=100",
		"FLU_EXPECT=daily 09:00 flu,lis", "ALERT_WEBHOOK_URL=" + receiver.URL, "ALERT_GROUP_WAIT=1s",
	}, more...)
	var addr string
	w.log, addr = begin(t, sidecarAt, env, "hqms-sidecar")
	w.base = "http://" + addr
	eventually(t, "the sidecar is ready", func() bool { return w.call(http.MethodGet, "/readyz", nil, nil) == http.StatusOK })
	return w
}

// call calls the sidecar's API as its operator.
func (w *world) call(method, path string, body, out any) int {
	w.t.Helper()
	return w.ask(method, w.base+path, body, out)
}

func (w *world) ask(method, url string, body, out any) int {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+operatorToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if out != nil && resp.StatusCode < 300 {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			w.t.Fatalf("%s %s: %v", method, url, err)
		}
	}
	return resp.StatusCode
}

func (w *world) openAlerts() int {
	w.t.Helper()
	var status struct {
		OpenAlerts int `json:"open_alerts"`
	}
	w.call(http.MethodGet, "/status", nil, &status)
	return status.OpenAlerts
}

// fault has the sandbox misbehave.
func (w *world) fault(f sandbox.Fault) {
	w.t.Helper()
	if code := w.ask(http.MethodPost, "http://"+w.sandbox+"/sandbox/faults", f, nil); code != http.StatusCreated {
		w.t.Fatalf("set fault: status %d", code)
	}
}

var (
	library = sync.OnceValues(func() (*standard.Library, error) { return standard.Load(nil) })
	seeds   atomic.Uint64
)

// file is the content of a file of the flu channel, never twice the same.
func file(t *testing.T, kind upload.Kind, rows, bad int) []byte {
	t.Helper()
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	o := synthetic.Options{Library: lib, Channel: upload.Flu, Kind: kind, Rows: rows, BadRows: bad, Seed: seeds.Add(1)<<32 | uint64(time.Now().UnixNano()&0xffffffff)}
	if err := synthetic.File(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drop puts a file into the flu channel's directory.
func (w *world) drop(name string, content []byte) {
	w.t.Helper()
	part := filepath.Join(w.flu, "."+name+".tmp")
	if err := os.WriteFile(part, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(part, filepath.Join(w.flu, name)); err != nil {
		w.t.Fatal(err)
	}
}

// row is what the tests read of an upload.
type row struct{ ID, Filename, State, Verdict, Reason string }

// until waits until the latest upload of that name is as wanted.
func (w *world) until(name, what string, want func(row) bool) row {
	w.t.Helper()
	var found row
	eventually(w.t, name+" "+what, func() bool {
		var page struct{ Items []row }
		w.call(http.MethodGet, "/uploads?limit=100&channel=flu", nil, &page)
		for _, u := range page.Items {
			if u.Filename == name {
				found = u
				return want(u)
			}
		}
		return false
	})
	return found
}

// sent drops a file and waits for its verdict.
func (w *world) sent(name string, content []byte, verdict string) row {
	w.t.Helper()
	w.drop(name, content)
	return w.until(name, "is "+verdict, func(u row) bool { return u.Verdict == verdict && u.State == "retired" })
}
