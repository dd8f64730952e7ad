package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	operatorToken = "token-of-the-operator"
	viewerToken   = "token-of-the-viewer"
)

// client calls an API with a token.
type client struct {
	t     *testing.T
	base  string
	token string
}

// call makes one call; what the answer holds goes into out: JSON, or the text
// as it is into a *string. The status is 0 when nobody answers.
func (c client) call(method, path string, body, out any) int {
	c.t.Helper()
	return do(c.t, method, c.base+path, c.token, body, out)
}

func do(t *testing.T, method, url, token string, body, out any) int {
	t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if s, ok := out.(*string); ok {
		*s = string(b)
	} else if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, url, err, b)
		}
	}
	return resp.StatusCode
}

// row is what the tests read of an upload.
type row struct {
	ID        string    `json:"id"`
	Channel   string    `json:"channel"`
	Kind      string    `json:"kind"`
	Filename  string    `json:"filename"`
	Size      int64     `json:"size"`
	Digest    string    `json:"digest"`
	State     string    `json:"state"`
	Verdict   string    `json:"verdict"`
	Reason    string    `json:"reason"`
	Attempt   int       `json:"attempt"`
	Place     string    `json:"place"`
	Path      string    `json:"path"`
	Replaces  string    `json:"replaces_id"`
	TraceID   string    `json:"trace_id"`
	SpottedAt time.Time `json:"spotted_at"`
	Remedy    *struct{ Zh, En string }
	Events    []struct {
		Name, From, To, Reason string
		At                     time.Time
	} `json:"events"`
}

// over reports whether nothing more will happen to the upload by itself.
func (r row) over() bool {
	s := upload.State(r.State)
	return s.Final() || s == upload.StateFailed
}

// standing is what the tests read of a channel.
type standing struct {
	Name, State, Reason string
	Remedy              *struct{ Zh, En string }
	PausedBy            string     `json:"paused_by"`
	ServerMessage       string     `json:"server_message"`
	NextProbeAt         *time.Time `json:"next_probe_at"`
	SettleMode          string     `json:"settle_mode"`
	WriterProbe         string     `json:"writer_probe"`
	LeftAlone           int64      `json:"left_alone"`
	Backlog             struct{ Files int64 }
}

// rig is a sidecar with its directories, its server and an observer who fails
// the test when an original goes before its verdict.
type rig struct {
	client
	srv              *server
	flu, hqms, state string
	env              map[string]string
	proc             *process.Process
	seen             *observer
}

// newRig prepares a sidecar; start starts it. Each set is NAME=value; an empty
// value unsets what the rig sets by itself.
func newRig(t *testing.T, srv *server, set ...string) *rig {
	t.Helper()
	return newRigAt(t, srv, "", "", set...)
}

// newRigAt is newRig with a watched directory of channel flu and a state
// directory of the test's own; where they are empty, new ones.
func newRigAt(t *testing.T, srv *server, flu, state string, set ...string) *rig {
	t.Helper()
	r := &rig{client: client{t: t, token: operatorToken}, srv: srv, flu: flu, hqms: t.TempDir(), state: state}
	if r.flu == "" {
		r.flu = t.TempDir()
	}
	if r.state == "" {
		r.state = t.TempDir()
	}
	r.env = map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "STATE_DIR": r.state, "API_TOKEN": operatorToken, "API_VIEW_TOKEN": viewerToken, "LOG_LEVEL": "debug",
		"FLU_WATCH_DIR": r.flu, "FLU_ACCOUNT": account, "FLU_PASSWORD": password, "FLU_SERVER_URL": srv.url("flu"),
		"HQMS_WATCH_DIR": r.hqms, "HQMS_ACCOUNT": account, "HQMS_PASSWORD": password, "HQMS_SERVER_URL": srv.url("hqms"),
		"QUIET_PERIOD": "100ms", "RESCAN_INTERVAL": "500ms", "POLL_MIN": "10ms", "POLL_MAX": "200ms",
		"RETRY_MIN": "20ms", "RETRY_MAX": "300ms", "UNKNOWN_GRACE": "300ms", "CONCURRENCY": "4",
	}
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		if value == "" {
			delete(r.env, name)
		} else {
			r.env[name] = value
		}
	}
	r.seen = observe(t, r.state, r.env["FLU_WATCH_DIR"], r.env["HQMS_WATCH_DIR"])
	return r
}

func (r *rig) environ(more ...string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.env)) {
		all = append(all, name+"="+r.env[name])
	}
	return append(all, more...)
}

var listeningAt = regexp.MustCompile(`"msg":"started".*"listen":"([^"]+)"`)

// start starts the sidecar and waits until it is ready.
func (r *rig) start() {
	r.t.Helper()
	r.launch()
	eventually(r.t, "the sidecar is ready", func() bool { return r.call("GET", "/readyz", nil, nil) == 200 || r.proc.Ended() })
	r.mustRun()
}

// launch starts the sidecar and waits until its API answers.
func (r *rig) launch() {
	r.t.Helper()
	r.proc = process.Start(r.t, binDir+"/hqms-sidecar", nil, r.environ())
	r.listening()
	r.mustRun()
}

func (r *rig) listening() {
	r.t.Helper()
	eventually(r.t, "the sidecar listens", func() bool {
		m := listeningAt.FindStringSubmatch(r.proc.Out.String())
		if m != nil {
			r.base = "http://" + m[1]
		}
		return m != nil || r.proc.Ended()
	})
}

func (r *rig) mustRun() {
	r.t.Helper()
	if r.proc.Ended() {
		r.t.Fatalf("the sidecar ended: %d\n%s", r.proc.Exit(), r.proc.Out)
	}
}

// uploads are all uploads of a file name, the latest first. The name may have
// its channel before it, "hqms/…"; without, it is flu.
func (r *rig) uploads(name string) []row {
	r.t.Helper()
	var page struct{ Items []row }
	ch := "flu"
	if c, n, ok := strings.Cut(name, "/"); ok {
		ch, name = c, n
	}
	if code := r.call("GET", "/uploads?limit=100&channel="+ch+"&filename="+url.QueryEscape(name), nil, &page); code != 200 {
		r.mustRun()
		return nil
	}
	return slices.DeleteFunc(page.Items, func(u row) bool { return u.Filename != name })
}

// upload is the latest upload of a file name; zero: there is none.
func (r *rig) upload(name string) row {
	r.t.Helper()
	if all := r.uploads(name); len(all) > 0 {
		return all[0]
	}
	return row{}
}

func (r *rig) detail(id string) row {
	r.t.Helper()
	var u row
	if code := r.call("GET", "/uploads/"+id, nil, &u); code != 200 {
		r.t.Fatalf("upload %s: status %d", id, code)
	}
	return u
}

// until waits until the latest upload of the file is as wanted.
func (r *rig) until(name, what string, want func(row) bool) row {
	r.t.Helper()
	var u row
	came := false
	defer func() {
		if !came {
			r.t.Logf("%s is %+v", name, u)
		}
	}()
	eventually(r.t, name+" "+what, func() bool {
		u = r.upload(name)
		came = u.ID != "" && want(u)
		return came
	})
	return u
}

// ended waits for the end of the latest upload of the file.
func (r *rig) ended(name string) row {
	r.t.Helper()
	return r.until(name, "comes to its end", row.over)
}

// endsWith waits for the end of the latest upload of the file, with a verdict.
func (r *rig) endsWith(name, verdict string) row {
	r.t.Helper()
	u := r.ended(name)
	if u.Verdict != verdict || u.State != "retired" {
		r.t.Errorf("%s ended %s with verdict %q (%s), want verdict %q", name, u.State, u.Verdict, u.Reason, verdict)
	}
	return u
}

func (r *rig) channel(name string) standing {
	r.t.Helper()
	var page struct{ Items []standing }
	r.call("GET", "/channels", nil, &page)
	for _, c := range page.Items {
		if c.Name == name {
			return c
		}
	}
	return standing{}
}

func (r *rig) channelIs(name, state string) standing {
	r.t.Helper()
	var c standing
	eventually(r.t, "channel "+name+" is "+state, func() bool {
		c = r.channel(name)
		return c.State == state
	})
	return c
}

// act makes an operator's call for an upload and expects it to work out.
func (r *rig) act(id, what string) {
	r.t.Helper()
	var problem string
	if code := r.call("POST", "/uploads/"+id+"/"+what, nil, &problem); code != 200 {
		r.t.Fatalf("%s: status %d: %s", what, code, problem)
	}
}

// places lists where files of this content are, relative to the rig's directories.
func (r *rig) places(digest string) []string {
	r.t.Helper()
	var found []string
	for what, dir := range map[string]string{
		"flu": r.env["FLU_WATCH_DIR"], "hqms": r.env["HQMS_WATCH_DIR"],
		"archive": filepath.Join(r.state, "archive"), "quarantine": filepath.Join(r.state, "quarantine"),
	} {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil //nolint:nilerr // not there is not found
			}
			if b, err := os.ReadFile(path); err == nil && digestOf(b) == digest {
				rel, _ := filepath.Rel(dir, path)
				found = append(found, what+"/"+rel)
			}
			return nil
		})
	}
	return found
}

// mustBeOnlyAt fails unless the content is in one place, the one the upload names.
func (r *rig) mustBeOnlyAt(u row, digest, place string) {
	r.t.Helper()
	want := u.Path
	if place == "watch" {
		want = u.Channel + "/" + u.Filename
	}
	if got := r.places(digest); u.Place != place || len(got) != 1 || got[0] != want {
		r.t.Errorf("%s: the journal says %s %q, on the disk it is at %q; want it in one place, %s", u.Filename, u.Place, u.Path, got, place)
	}
}

// mustHaveEmptySpool fails when a packed copy was left behind.
func (r *rig) mustHaveEmptySpool() {
	r.t.Helper()
	left, err := os.ReadDir(filepath.Join(r.state, "spool"))
	if err != nil || len(left) > 0 {
		r.t.Errorf("left in the spool: %v, %v", left, err)
	}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256:" + hex.EncodeToString(sum[:])
}

// within is the same rig for a subtest.
func (r *rig) within(t *testing.T) *rig {
	other, srv := *r, *r.srv
	other.t, srv.t, other.srv = t, t, &srv
	return &other
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
