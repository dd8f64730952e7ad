package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// TestAnOriginalRestoredAsAFileIsNotTakenAgain: a person wants to look at it, or
// to correct it; only the correction is an upload.
func TestAnOriginalRestoredAsAFileIsNotTakenAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	content := good(t)
	digest := drop(t, r.flu, "flu_reject_back.csv", content)
	before := r.endsWith("flu_reject_back.csv", "rejected")
	if code := r.call("POST", "/uploads/"+before.ID+"/restore", map[string]string{"as": "file"}, nil); code != 200 {
		t.Fatalf("restore: status %d", code)
	}
	back, err := os.ReadFile(filepath.Join(r.flu, "flu_reject_back.csv"))
	if err != nil || digestOf(back) != digest {
		t.Fatalf("not put back: %v", err)
	}
	var looked struct {
		Items []struct {
			Filename, Reason string
			Taken            bool
		}
	}
	left := func() {
		t.Helper()
		if code := r.call("POST", "/uploads/trigger", map[string]any{"channel": "flu"}, &looked); code != 202 {
			t.Fatalf("trigger: status %d", code)
		}
		if len(looked.Items) != 1 || looked.Items[0].Taken || looked.Items[0].Reason != string(upload.AlreadyKnown) {
			t.Errorf("after a look: %+v, want it left alone", looked.Items)
		}
		if n := len(r.uploads("flu_reject_back.csv")); n != 1 {
			t.Errorf("%d uploads, want the one", n)
		}
	}
	left()
	if err := r.proc.Terminate(); err != nil { // a new process has only the journal to know it by
		t.Fatal(err)
	}
	r.start()
	left()
	srv.mustHave(digest, 1, 0)
	if code := r.call("POST", "/uploads/"+before.ID+"/restore", map[string]string{"as": "file"}, nil); code != 409 {
		t.Errorf("restored over a file: status %d", code)
	}
	r.seen.mine("flu_reject_back.csv")
	corrected := slices.Concat(content, content[strings.IndexByte(string(content), '\n')+1:])
	drop(t, r.flu, "flu_reject_back.csv", corrected)
	r.until("flu_reject_back.csv", "is taken when it has changed", func(u row) bool { return u.ID != before.ID && u.over() })
}

func TestRestoredAsAnUploadItIsTakenButNotSentAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	digest := drop(t, r.flu, "flu_back.csv", good(t))
	before := r.endsWith("flu_back.csv", "accepted")
	if code := r.call("POST", "/uploads/"+before.ID+"/restore", map[string]string{"as": "upload"}, nil); code != 200 {
		t.Fatalf("restore: status %d", code)
	}
	r.until("flu_back.csv", "is taken and ends", func(u row) bool { return u.ID != before.ID && u.Verdict == "duplicate" && u.over() })
	srv.mustHave(digest, 1, 1)
	if code := r.call("POST", "/uploads/"+before.ID+"/restore", map[string]string{"as": "nonsense"}, nil); code != 400 && code != 422 {
		t.Errorf("nonsense: status %d", code)
	}
}

// TestWhyExplainsAFile: the same answer from the running program and, when it
// does not run, from the journal.
func TestWhyExplainsAFile(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	free, err := net.Listen("tcp", "127.0.0.1:0") // why has to know where to ask
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	r := newRig(t, srv, "LISTEN_ADDR="+free.Addr().String())
	ask := func(name string) string {
		t.Helper()
		p := process.Start(t, binDir+"/hqms-sidecar", []string{"why", name}, r.environ())
		if code := p.Exit(); code != 0 {
			t.Errorf("why %s: exit %d", name, code)
		}
		return p.Out.String()
	}
	must := func(text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing from\n%s", want, text)
			}
		}
	}
	must(ask("flu_never.csv"), "kind flu", "there is no journal")
	r.start()
	drop(t, r.flu, "flu_bad.csv", fileOf(t, "flu", 2, 1))
	u := r.endsWith("flu_bad.csv", "invalid")
	srv.fault(sandbox.Fault{Step: "gettoken", Kind: "status", Code: 503})
	drop(t, r.flu, "flu_waits.csv", good(t))
	r.until("flu_waits.csv", "waits for the server", func(u row) bool { return u.Attempt > 0 })
	for _, way := range []string{"the running program says", "the journal says"} {
		must(ask(filepath.Join(r.flu, "flu_bad.csv")), way, u.ID, "校验未通过", "invalid (not sent)", "in the quarantine: "+u.Path, "kept until", "SETTLE=auto", "BLOCK_ON=error", "1 errors")
		must(ask("flu_waits.csv"), way, "state: packed", "next: sent at", "it stands in the watched directory")
		must(ask("flu_never.csv"), way, "it has never been seen")
		must(ask("flu_half.csv.tmp"), "临时文件")
		must(ask("notes.txt"), "通道")
		if way == "the running program says" {
			if err := r.proc.Terminate(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
