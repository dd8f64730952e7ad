package e2e

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var documented = regexp.MustCompile(`(?s)data-operation="([A-Za-z]+)">(.*?)</pre>`)

// shell runs the documentation's examples as a reader would.
type shell struct {
	*rig
	dir      string
	examples map[string]string
	env      map[string]string
	ran      map[string]bool
}

// runs runs an example and gives what it printed; an endless one is cut off.
func (s *shell) runs(operation string) string {
	s.t.Helper()
	s.ran[operation] = true
	example, ok := s.examples[operation]
	if !ok {
		s.t.Errorf("%s has no example", operation)
		return ""
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	if operation == "streamEvents" {
		ctx, cancel = context.WithTimeout(s.t.Context(), 3*time.Second)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", example)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "API=" + s.base, "TOKEN=" + operatorToken}
	for k, v := range s.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	if err != nil && operation != "streamEvents" {
		s.t.Errorf("%s: %v\n%s\n%s", operation, err, example, out)
	}
	if len(out) == 0 {
		s.t.Errorf("%s printed nothing: %s", operation, example)
	}
	return string(out)
}

func TestEveryExampleOfTheDocumentationWorks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no curl: apt-get install curl")
		}
		t.Skip("there is no curl")
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	srv := newServer(t)
	r := newRig(t, srv, "ALERT_WEBHOOK_URL="+receiver.URL)
	r.start()
	s := &shell{rig: r, dir: t.TempDir(), examples: map[string]string{}, env: map[string]string{}, ran: map[string]bool{}}
	check(t, os.WriteFile(filepath.Join(s.dir, "flu_20261123.csv"), good(t), 0o600))
	var page string
	r.call("GET", "/docs", nil, &page)
	for _, m := range documented.FindAllStringSubmatch(page, -1) {
		s.examples[m[1]] = html.UnescapeString(m[2])
	}
	drop(t, r.flu, "flu_reject_1.csv", good(t))
	s.env["UPLOAD"] = r.endsWith("flu_reject_1.csv", "rejected").ID
	s.env["ALERT"] = r.anAlert()
	if out := s.runs("streamEvents"); !strings.Contains(out, "retry:") {
		t.Errorf("events: %s", out)
	}
	s.runs("createSession")
	s.runs("endSession")
	s.runs("restoreUpload")
	if out := s.runs("pauseChannel"); !strings.Contains(out, `"paused"`) {
		t.Errorf("paused: %s", out)
	}
	paused := "flu"
	if r.channel("hqms").State == "paused" {
		paused = "hqms"
	}
	name, dir, content := "flu_waits.csv", r.flu, good(t)
	if paused == "hqms" {
		name, dir, content = "hqms_waits.csv", r.hqms, hqmsFile(t)
	}
	drop(t, dir, name, content)
	s.env["UPLOAD"] = r.until(paused+"/"+name, "waits", func(u row) bool { return u.Reason == "channel_paused" }).ID
	for _, operation := range []string{"retryUpload", "cancelUpload", "resumeChannel", "acknowledgeAlert"} {
		s.runs(operation)
	}
	for operation := range s.examples {
		if !s.ran[operation] {
			s.runs(operation)
		}
	}
	if len(s.ran) < 30 {
		t.Errorf("only %d examples", len(s.ran))
	}
}

// anAlert waits for an alert that is open.
func (r *rig) anAlert() string {
	r.t.Helper()
	var page struct{ Items []struct{ ID string } }
	eventually(r.t, "there is an alert", func() bool {
		return r.call("GET", "/alerts", nil, &page) == http.StatusOK && len(page.Items) > 0
	})
	return page.Items[0].ID
}
