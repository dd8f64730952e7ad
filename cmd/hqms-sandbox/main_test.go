package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// asProgram makes the test binary behave as hqms-sandbox, so that a test can
// kill a real process.
const asProgram = "HQMS_SANDBOX_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a running hqms-sandbox.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	log bytes.Buffer
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	_, address, ok := strings.Cut(lines.Text(), "http://")
	if !ok {
		_ = p.cmd.Wait()
		t.Fatalf("no address: %q %s", lines.Text(), p.log.String())
	}
	p.url = "http://" + strings.TrimSuffix(address, "/")
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p
}

func (p *process) stop(sig os.Signal) error {
	_ = p.cmd.Process.Signal(sig)
	return p.cmd.Wait()
}

func (p *process) json(method, path string, body []byte, into any) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		p.t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
}

// deliver uploads a file as the sidecar would and gives its token.
func (p *process) deliver(channel, filename string, content []byte) string {
	p.t.Helper()
	var got struct {
		Succ   bool
		Result struct{ Token string }
	}
	p.json(http.MethodGet, "/"+channel+"/docking/auto/gettoken.shtml?loginid=demo&pwd=demo&datatype=json&isDev=1", nil, &got)
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, err := z.Create(filename)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	token := got.Result.Token
	p.json(http.MethodPost, "/"+channel+"/autoReqTran.shtml?datatype=json&token="+token, packed.Bytes(), &got)
	if !got.Succ {
		p.t.Fatalf("%s was refused", filename)
	}
	return token
}

func (p *process) report() (rep sandbox.Report) {
	p.t.Helper()
	p.json(http.MethodGet, "/sandbox/arrivals", nil, &rep)
	return rep
}

// until asks for the report until ok holds.
func (p *process) until(ok func(sandbox.Report) bool) sandbox.Report {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		rep := p.report()
		if ok(rep) {
			return rep
		}
		select {
		case <-deadline:
			p.t.Fatalf("in vain: %+v\n%s", rep, p.log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func decided(n int) func(sandbox.Report) bool {
	return func(rep sandbox.Report) bool {
		done := 0
		for _, a := range rep.Items {
			if a.Status.Final() {
				done++
			}
		}
		return done >= n
	}
}

func TestKilledInTheMiddleItLosesNothingItAnswered(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startProcess(t, "-data", data, "-step", "20ms")
	answered := map[string]bool{}
	for round := range 4 {
		for i := range 5 {
			answered[p.deliver("flu", "flu_1.csv", fmt.Appendf(nil, "P900\n%d\n", 10*round+i))] = true
		}
		if round%2 == 1 {
			p.until(decided(len(answered) - 5))
		}
		_ = p.stop(os.Kill)
		p = startProcess(t, "-data", data, "-step", "1ms")
	}
	rep := p.until(decided(len(answered)))
	if len(rep.Items) != len(answered) || len(rep.Contents) != len(answered) {
		t.Errorf("%d deliveries of %d contents, %d were answered", len(rep.Items), len(rep.Contents), len(answered))
	}
	for i, a := range rep.Items {
		if a.ID != int64(i+1) || (i > 0 && a.DecidedAt.Before(rep.Items[i-1].DecidedAt)) {
			t.Errorf("delivery %d at place %d, decided %v", a.ID, i, a.DecidedAt)
		}
	}
	if err := p.stop(os.Interrupt); err != nil {
		t.Errorf("interrupted: %v\n%s", err, p.log.String())
	}
}

func TestWhatIsExportedEndsAsThePlanSays(t *testing.T) {
	t.Parallel()
	flu, hqms := t.TempDir(), t.TempDir()
	var out, errs bytes.Buffer
	around := surroundings{stdout: &out, stderr: &errs, environ: []string{"SANDBOX_PACE=1ms"}}
	if code := run(t.Context(), []string{"export", "-flu", flu, "-hqms", hqms, "-rows", "6"}, around); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	p := startProcess(t, "-step", "0s")
	n := 0
	for channel, dir := range map[string]string{"flu": flu, "hqms": hqms} {
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p.deliver(channel, filepath.Base(name), content)
			n++
		}
	}
	if n != 9 {
		t.Errorf("%d files were exported:\n%s", n, out.String())
	}
	for _, a := range p.until(decided(n)).Items {
		want := "accepted"
		switch {
		case strings.Contains(a.Filename, "_reject"):
			want = "rejected"
		case strings.Contains(a.Filename, "_partial"):
			want = "partially_accepted"
		}
		if string(a.Verdict) != want || a.Tally.Error+a.Tally.Fatal > 0 {
			t.Errorf("%s: %s, want %s: %s %+v", a.Filename, a.Verdict, want, a.Message, a.Findings)
		}
	}
	_ = p.stop(os.Interrupt)
}

func TestExportRunsAgainAndAgainUntilStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	out := &lineCounter{enough: 16, reached: cancel}
	code := run(ctx, []string{"export", "-flu", dir, "-rows", "2", "-pace", "1ms", "-every", "5ms"}, surroundings{stdout: out, stderr: io.Discard})
	if code != 0 || out.lines < 16 {
		t.Errorf("exit %d after %d files", code, out.lines)
	}
}

// lineCounter calls reached once enough lines were written.
type lineCounter struct {
	once          sync.Once
	lines, enough int
	reached       func()
}

func (l *lineCounter) Write(p []byte) (int, error) {
	if l.lines += bytes.Count(p, []byte{'\n'}); l.lines >= l.enough {
		l.once.Do(l.reached)
	}
	return len(p), nil
}

func TestTheCommandLineIsExplainedAndChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args, environ []string
		code          int
		says          []string
	}{
		"help":                   {args: []string{"help"}, says: []string{"serve", "export", "SANDBOX_", "试验服务器"}},
		"-h":                     {args: []string{"-h"}, says: []string{"healthcheck", "-token-ttl", "SANDBOX_TOKEN_TTL"}},
		"flags of serve":         {args: []string{"serve", "-h"}, says: []string{"监听地址", "address to listen on", "*_reject*", "127.0.0.1:9090"}},
		"flags of export":        {args: []string{"export", "-h"}, says: []string{"SANDBOX_EVERY", "慢速写入"}},
		"version":                {args: []string{"version"}, says: []string{"hqms-sandbox "}},
		"an unknown command":     {args: []string{"sevre"}, code: 2, says: []string{"sevre"}},
		"an unknown flag":        {args: []string{"serve", "-lisen", "x"}, code: 2, says: []string{"lisen"}},
		"an argument too many":   {args: []string{"export", "here"}, code: 2, says: []string{"here"}},
		"a wrong variable":       {args: []string{"serve"}, environ: []string{"SANDBOX_STEP=soon"}, code: 2, says: []string{"SANDBOX_STEP"}},
		"a wrong fault":          {args: []string{"serve", "-fault", "upload"}, code: 2, says: []string{"step:kind"}},
		"a wrong pattern":        {args: []string{"serve", "-reject", "["}, code: 1, says: []string{"pattern"}},
		"a wrong channel":        {args: []string{"serve", "-channel", "x"}, code: 1, says: []string{"flu or hqms"}},
		"no directory":           {args: []string{"export"}, code: 2, says: []string{"-flu"}},
		"nobody to ask":          {args: []string{"healthcheck", "-listen", "127.0.0.1:1"}, code: 1},
		"no password file":       {args: []string{"serve", "-password-file", "/nonexistent"}, code: 1, says: []string{"password file"}},
		"an address in use":      {args: []string{"serve", "-listen", "256.0.0.1:1"}, code: 1, says: []string{"listen"}},
		"a secret is not echoed": {args: []string{"serve", "-h"}, environ: []string{"SANDBOX_PASSWORD=hidden-pw"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			code := run(t.Context(), c.args, surroundings{stdout: &out, stderr: &out, environ: c.environ})
			if code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, out.String())
			}
			for _, words := range c.says {
				if !strings.Contains(out.String(), words) {
					t.Errorf("does not say %q:\n%s", words, out.String())
				}
			}
			if strings.Contains(out.String(), "hidden-pw") {
				t.Error("says a secret")
			}
		})
	}
}

func TestFlagsWinOverVariablesAndUnknownVariablesAreNamed(t *testing.T) {
	t.Parallel()
	var f serveFlags
	fs := newFlags("serve")
	f.register(fs)
	unknown, err := parse(fs, []string{"-account", "a2", "-reject", "x*", "-reject", "y*", "-partial="}, surroundings{environ: []string{
		"SANDBOX_ACCOUNT=a1", "SANDBOX_PASSWORD=p1", "SANDBOX_FAULT=upload:lost;result:reset", "SANDBOX_ACOUNT=x", "OTHER=1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	opts, err := f.options(nil)
	if err != nil {
		t.Fatal(err)
	}
	if opts.Accounts["a2"] != "p1" || len(opts.Faults) != 2 || strings.Join(opts.Reject, " ") != "x* y*" || len(opts.Partial) != 0 {
		t.Errorf("got %+v", opts)
	}
	if strings.Join(unknown, " ") != "SANDBOX_ACOUNT" {
		t.Errorf("unknown: %v", unknown)
	}
}

func TestHealthcheckAsksTheSandbox(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	for _, listen := range []string{strings.TrimPrefix(p.url, "http://"), strings.Replace(strings.TrimPrefix(p.url, "http://"), "127.0.0.1", "", 1)} {
		if code := run(t.Context(), []string{"healthcheck", "-listen", listen}, surroundings{stdout: io.Discard, stderr: io.Discard}); code != 0 {
			t.Errorf("%s: exit %d", listen, code)
		}
	}
	_ = p.stop(os.Interrupt)
}
