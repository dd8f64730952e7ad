package docker

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
)

// exported is a file that a HIS would write, with so many rows.
func exported(t *testing.T, rows int) string {
	t.Helper()
	dir := t.TempDir()
	written, err := exporter.Run(t.Context(), exporter.Options{FluDir: dir, Rows: rows, Pace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range written {
		if f.Expect == "accepted" && f.Kind == "flu" {
			return filepath.Join(dir, f.Filename)
		}
	}
	t.Fatalf("no file to be accepted among %+v", written)
	return ""
}

// put copies a file into the demonstration's volume, as 65532, by its last name at once.
func (p *project) put(file string) {
	p.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	h := &tar.Header{Name: "flu/" + filepath.Base(file), Typeflag: tar.TypeReg, Mode: 0o644, Uid: 65532, Gid: 65532}
	docker(p.t, packed(h, content), "cp", "-", p.container("sidecar")+":/export")
}

// working is a project with a file in the middle of its upload, which the sandbox
// takes a few bytes at a time.
func working(t *testing.T) (p *project, name string) {
	t.Helper()
	p = newProject(t)
	p.settings(flu())
	p.careless()
	p.must("--profile", "demo", "up", "-d")
	p.untilVerdict("accepted")
	p.must("--profile", "demo", "stop", "-t", "3", "exporter")
	body := strings.NewReader(`{"step":"upload","kind":"slow","rate":2000,"count":1,"file":"flu_*"}`)
	resp, err := w.engine.http().Post("http://"+p.env["SANDBOX_PORT"]+"/sandbox/faults", "application/json", body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%v %+v", err, resp)
	}
	_ = resp.Body.Close()
	file := exported(t, 3000)
	p.put(file)
	name = filepath.Base(file)
	until(t, "bytes of the file are on their way", func() bool {
		for _, u := range p.uploads() {
			if u.Filename == name && u.Progress != nil && u.Progress.Sent > 0 {
				return true
			}
		}
		return false
	})
	return p, name
}

// careless makes the sandbox take the same content again, so that it is the
// sidecar's own care that shows.
func (p *project) careless() {
	p.t.Helper()
	overlay := "services:\n  sandbox:\n    environment: {SANDBOX_ACCEPT_DUPLICATES: \"true\"}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "careless.yml"), []byte(overlay), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.env["COMPOSE_FILE"] = "docker-compose.yml:careless.yml"
}

// times is how often the server has accepted a content that came under the name.
func (p *project) times(name string) int {
	p.t.Helper()
	var all struct {
		Items []struct {
			Filename      string
			AcceptedTimes int `json:"accepted_times"`
		}
	}
	get(p.t, "http://"+p.env["SANDBOX_PORT"]+"/sandbox/arrivals", &all)
	most := 0
	for _, a := range all.Items {
		if a.Filename == name {
			most = max(most, a.AcceptedTimes)
		}
	}
	return most
}

func (p *project) untilAccepted(name string) {
	p.t.Helper()
	until(p.t, name+" is accepted", func() bool {
		for _, u := range p.uploads() {
			if u.Filename == name && u.Verdict == "accepted" {
				return true
			}
		}
		return false
	})
	if n := p.times(name); n != 1 {
		p.t.Errorf("the server accepted it %d times", n)
	}
}

func TestStoppedInTheMiddleOfAnUploadItEndsInOrder(t *testing.T) {
	t.Parallel()
	p, name := working(t)
	began := time.Now()
	docker(t, nil, "stop", "-t", "30", p.container("sidecar"))
	took := time.Since(began)
	i := p.inspect("sidecar")
	t.Logf("ended with %d after %.1f s", i.State.ExitCode, took.Seconds())
	if i.State.ExitCode != 0 || i.State.OOMKilled || took > 28*time.Second {
		t.Errorf("%+v after %v", i.State, took)
	}
	p.must("start", "sidecar")
	p.untilAccepted(name)
}

func TestKilledInTheMiddleOfAnUploadNothingIsLostOrTwice(t *testing.T) {
	t.Parallel()
	p, name := working(t)
	docker(t, nil, "kill", "-s", "KILL", p.container("sidecar"))
	if code := docker(t, nil, "wait", p.container("sidecar")); code != "137" {
		t.Errorf("it ended with %s", code)
	}
	p.must("start", "sidecar")
	p.untilAccepted(name)
}
