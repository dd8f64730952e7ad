package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The markers. Each is found in one kind of place only, so that a leak says
// what leaked.
const (
	cellMark     = "zqxjcell"
	passwordMark = "zqxjpassword"
	accountMark  = "zqxjaccount"
	operatorMark = "zqxjoperator"
	viewerMark   = "zqxjviewer"
)

func TestNoCellNoPasswordAndNoTokenGetsOut(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-account", accountMark, "-password", passwordMark)
	tap := newTap(t, srv)
	c := newCollector(t)
	logs := t.TempDir()
	r := newRig(t, srv, append(c.env(),
		"LOG_DIR="+logs, "API_TOKEN="+operatorMark, "API_VIEW_TOKEN="+viewerMark,
		"FLU_SERVER_URL="+tap.URL+"/flu/", "HQMS_SERVER_URL="+tap.URL+"/hqms/", "HQMS_BLOCK_ON=never",
		"FLU_ACCOUNT="+accountMark, "FLU_PASSWORD="+passwordMark, "HQMS_ACCOUNT="+accountMark, "HQMS_PASSWORD="+passwordMark,
	)...)
	r.token = operatorMark
	for _, f := range []sandbox.Fault{ // every way by which a URL or an answer could get into an error
		{Step: "gettoken", Kind: "reset", Count: 2},
		{Step: "gettoken", Kind: "redirect", Location: "http://127.0.0.1:1/x", Count: 1},
		{Step: "gettoken", Kind: "truncated", Count: 1},
		{Step: "upload", Kind: "cut", Bytes: 10, Count: 1},
		{Step: "upload", Kind: "status", Code: 500, Count: 1},
		{Step: "result", Kind: "reset", Count: 2},
		{Step: "result", Kind: "html", Count: 1},
	} {
		srv.fault(f)
	}
	var events string
	r.launch()
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		sse(ctx, r.base+"/events?after=0", viewerMark, func(data []byte) bool {
			events += string(data) + "\n"
			return true
		})
	}()
	tainted := taintedFiles(t)
	for name, content := range tainted {
		dir, file := r.flu, strings.TrimPrefix(name, "flu/")
		if f, ok := strings.CutPrefix(name, "hqms/"); ok {
			dir, file = r.hqms, f
		}
		drop(t, dir, file, content)
	}
	good := drop(t, r.flu, "flu_good.csv", good(t))
	for name := range tainted {
		r.ended(name)
	}
	r.endsWith("flu_good.csv", "accepted")
	srv.mustHave(good, 1, 1)
	srv.proc.Kill()
	drop(t, r.flu, "flu_late.csv", fileOf(t, "flu", 3, 0))
	r.until("flu_late.csv", "waits for the server", func(u row) bool { return u.Attempt > 2 })
	r.call("POST", "/channels/flu/test", nil, nil)

	heard := r.answers(tainted)
	if strings.Count(heard["recent log"], `"seq"`) < 100 || !strings.Contains(heard["configuration"], "FLU_PASSWORD") {
		t.Error("no log or no settings to look at")
	}
	if n := strings.Count(heard["findings"], `"rule"`); n == 0 {
		t.Error("no findings: the files were not looked at")
	}
	check(t, r.proc.Terminate())
	cancel()
	<-followed
	heard["events"] = events
	heard["stdout"] = r.proc.Out.String()
	for path, b := range c.received() {
		heard["telemetry "+path] = string(b)
	}
	addFiles(t, heard, "log", logs, "")
	addFiles(t, heard, "result", filepath.Join(r.state, "quarantine"), ".result.")
	_, checked := r.run([]string{"check"})
	heard["check"] = checked

	journal := map[string]string{}
	addFiles(t, journal, "journal", r.state, "journal.db")
	tokens := tap.seen()
	if len(tokens) == 0 || len(heard["telemetry /v1/traces"]) == 0 || len(events) == 0 || len(journal) == 0 {
		t.Fatalf("nothing to look at: %d tokens, %d bytes of traces, %d of events", len(tokens), len(heard["telemetry /v1/traces"]), len(events))
	}
	secrets := append([]string{cellMark, passwordMark, accountMark, operatorMark, viewerMark}, tokens...)
	mustNotHold(t, heard, secrets)
	mustNotHold(t, journal, []string{cellMark, passwordMark, accountMark, operatorMark, viewerMark})
}

func mustNotHold(t *testing.T, texts map[string]string, secrets []string) {
	t.Helper()
	for where, text := range texts {
		lower := strings.ToLower(text)
		for _, s := range secrets {
			if i := strings.Index(lower, strings.ToLower(s)); i >= 0 {
				t.Errorf("%s holds %s: …%q…", where, s, text[max(0, i-60):min(len(text), i+60)])
			}
		}
	}
}

// answers asks everything there is to ask.
func (r *rig) answers(files map[string][]byte) map[string]string {
	r.t.Helper()
	heard := map[string]string{}
	ask := func(what, path string) {
		var text string
		r.call("GET", path, nil, &text)
		heard[what] += text
	}
	ask("status", "/status")
	ask("channels", "/channels")
	ask("alerts", "/alerts?state=all&limit=100")
	ask("uploads", "/uploads?limit=100")
	ask("recent log", "/logs?limit=500")
	ask("configuration", "/configuration")
	ask("metrics", "/metrics")
	for _, probe := range []string{"/livez", "/readyz", "/healthz"} {
		ask("probes", probe)
	}
	for name := range files {
		for _, u := range r.uploads(name) {
			ask("detail", "/uploads/"+u.ID)
			ask("findings", "/uploads/"+u.ID+"/findings?limit=100")
			ask("findings as CSV", "/uploads/"+u.ID+"/findings?format=csv")
		}
	}
	return heard
}

func addFiles(t *testing.T, texts map[string]string, what, dir, part string) {
	t.Helper()
	n := 0
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.Contains(e.Name(), part) {
			b, err := os.ReadFile(path)
			check(t, err)
			texts[what+" "+e.Name()] += string(b)
			n++
		}
		return nil
	})
	if n == 0 {
		t.Errorf("no %s to look at in %s", what, dir)
	}
}

// taintedFiles are files with a marker in every cell, in as many forms as could
// tempt a finding to quote one. The name's channel decides where it goes.
func taintedFiles(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, kind := range []string{"flu", "hqms", "hda", "hdr", "pdr", "lis"} {
		header, _, _ := bytes.Cut(fileOf(t, upload.Kind(kind), 1, 0), []byte("\n"))
		columns := strings.Count(string(header), ",") + 1
		row := func(form string) []string {
			cells := make([]string, columns)
			for i := range cells {
				cells[i] = fmt.Sprintf(form, i)
			}
			return cells
		}
		var b bytes.Buffer
		b.Write(append(bytes.TrimSpace(header), '\n'))
		w := csv.NewWriter(&b)
		for _, form := range []string{
			cellMark + "%d", cellMark + "%d,with \"quotes\"", cellMark + "%d\nline", cellMark + "%d" + strings.Repeat("长", 300), "2024-13-45 " + cellMark + "%d", "-1" + cellMark + "%d",
		} {
			check(t, w.Write(row(form)))
		}
		check(t, w.Write(row(cellMark + "%d")[:max(1, columns/2)])) // too few
		w.Flush()
		all["flu/"+kind+"_tainted.csv"] = b.Bytes()
		if kind == "hqms" {
			all["hqms/hqms_tainted.csv"] = b.Bytes()
		}
		headless := bytes.SplitN(b.Bytes(), []byte("\n"), 2)[1]
		all["flu/"+kind+"_headless.csv"] = headless
		all["flu/"+kind+"_cut.csv"] = append(slices.Clone(b.Bytes()), `"`+cellMark...)
	}
	return all
}

// tap is a proxy before the sandbox that learns the tokens it gives.
type tap struct {
	*httptest.Server
	mu     sync.Mutex
	tokens map[string]bool
}

func newTap(t *testing.T, srv *server) *tap {
	t.Helper()
	target, err := url.Parse("http://" + srv.addr)
	check(t, err)
	p := &tap{tokens: map[string]bool{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = nil
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("token"); token != "" {
			p.mu.Lock()
			p.tokens[token] = true
			p.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *tap) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for token := range p.tokens {
		all = append(all, token)
	}
	return all
}
