package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func (r *running) admin(method, path, contentType, body, bearer string) seen {
	r.t.Helper()
	req, err := http.NewRequest(method, r.http.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := r.http.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return seen{resp.StatusCode, resp.Header, text, err}
}

func TestFaultsAreSetAndClearedOverHTTP(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	const asJSON = "application/json; charset=utf-8"
	for _, c := range []struct {
		method, path, kind, body string
		want, left               int
	}{
		{"POST", "/sandbox/faults", asJSON, `{"step":"result","kind":"status","code":503,"retry_after":"5s","file":"flu_*"}`, 201, 1},
		{"POST", "/sandbox/faults", asJSON, `{"step":"any","kind":"lost","count":1}`, 201, 2},
		{"POST", "/sandbox/faults", "text/plain", `{"step":"any","kind":"lost"}`, 415, 2},
		{"POST", "/sandbox/faults", asJSON, `{"step":"any","kind":"no such"}`, 400, 2},
		{"POST", "/sandbox/faults", asJSON, `{"step":"any","kind":"lost","color":1}`, 400, 2},
		{"POST", "/sandbox/faults", asJSON, `{`, 400, 2},
		{"DELETE", "/sandbox/faults/9", "", "", 404, 2},
		{"DELETE", "/sandbox/faults/1", "", "", 204, 1},
		{"DELETE", "/sandbox/faults", "", "", 204, 0},
		{"PUT", "/sandbox/faults", "", "", 405, 0},
	} {
		if got := r.admin(c.method, c.path, c.kind, c.body, ""); got.code != c.want || len(r.Faults()) != c.left {
			t.Errorf("%s %s %s: %d, %d faults; want %d, %d", c.method, c.path, c.body, got.code, len(r.Faults()), c.want, c.left)
		}
	}
}

func TestArrivalsAreListedShownAndReset(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	token := r.send("/flu", "flu_1.csv", "A\n1\nbad\n")
	r.settled(1)
	list := r.admin("GET", "/sandbox/arrivals", "", "", "")
	var rep Report
	if err := json.Unmarshal(list.body, &rep); err != nil || len(rep.Items) != 1 || rep.Items[0].Token != token[:8] || rep.Contents[0].Accepted != 1 {
		t.Errorf("list %s: %v", list.body, err)
	}
	if bytes.Contains(list.body, []byte(token)) {
		t.Error("the list shows a whole token")
	}
	if got := r.admin("GET", "/sandbox/arrivals/1", "", "", ""); got.code != 200 || !bytes.Contains(got.body, []byte(`"TEST"`)) {
		t.Errorf("one: %d %s", got.code, got.body)
	}
	if got := r.admin("GET", "/sandbox/arrivals/2", "", "", ""); got.code != 404 {
		t.Errorf("none: %d", got.code)
	}
	if got := r.admin("DELETE", "/sandbox/arrivals", "", "", ""); got.code != 204 || len(r.Arrivals()) != 0 {
		t.Errorf("reset: %d, %v", got.code, r.Arrivals())
	}
	if r.admin("POST", "/sandbox/pause", "", "", ""); true {
		r.send("/flu", "flu_1.csv", "A\n1\n")
	}
	if a := r.Arrivals()[0]; a.Status != Queued {
		t.Errorf("paused: %+v", a)
	}
	r.admin("POST", "/sandbox/resume", "", "", "")
	r.settled(1)
}

func TestTheAdminTokenGuardsTheAdminInterfaceAlone(t *testing.T) {
	t.Parallel()
	r := start(t, Options{AdminToken: "secret"})
	for path, want := range map[string]int{"/sandbox/arrivals": 401, "/sandbox/faults": 401, "/healthz": 200, "/sandbox/page.css": 200} {
		if got := r.admin("GET", path, "", "", ""); got.code != want {
			t.Errorf("%s without token: %d, want %d", path, got.code, want)
		}
	}
	if got := r.admin("DELETE", "/sandbox/arrivals", "", "", "wrong"); got.code != 401 {
		t.Errorf("wrong token: %d", got.code)
	}
	if got := r.admin("GET", "/sandbox/arrivals", "", "", "secret"); got.code != 200 {
		t.Errorf("right token: %d", got.code)
	}
	r.token("/flu")
}

func TestThePageEscapesWhatCameFromOutside(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	r.send("/flu", `flu_<script>alert(1)<.csv`, "A\n1\nbad\n")
	r.send("/hqms", "hqms_1.csv", "A\n1\n")
	r.settled(2)
	page := r.admin("GET", "/", "", "", "")
	if page.code != 200 || bytes.Contains(page.body, []byte("<script")) || !bytes.Contains(page.body, []byte("flu_&lt;script&gt;")) {
		t.Errorf("%d %s", page.code, page.body)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	if only := r.admin("GET", "/hqms/", "", "", ""); bytes.Contains(only.body, []byte("flu_&lt;")) || !bytes.Contains(only.body, []byte("hqms_1.csv")) {
		t.Errorf("the page of one channel: %s", only.body)
	}
	req, _ := http.NewRequest(http.MethodGet, r.http.URL+"/sandbox/arrivals/1", nil)
	req.Header.Set("Accept", "text/html")
	resp, err := r.http.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	one, _ := io.ReadAll(resp.Body)
	if bytes.Contains(one, []byte("<script")) || !bytes.Contains(one, []byte("TEST")) || !bytes.Contains(one, []byte("</html>")) {
		t.Errorf("%s", one)
	}
}

// safeBuffer may be written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestNeitherSecretsNorCellsAreLoggedShownOrKept(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	dir := t.TempDir()
	r := start(t, Options{
		Dir: dir, Accounts: map[string]string{"demo": "pw-secret-1"}, Faults: []Fault{{Step: StepResult, Kind: FaultSlow, Count: 1}},
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	r.get("/flu" + login("demo", "pw-wrong-2"))
	rep := r.get("/flu" + login("demo", "pw-secret-1"))
	token := rep.Result.(map[string]any)["token"].(string)
	r.decode(r.post("/flu", token, zipOf(t, "flu_1.csv", "A\n张三-cell-3\nbad-cell-4\n"), ""))
	r.settled(1)
	r.result("/flu", token)
	journal, err := io.ReadAll(open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{
		"log": log.String(), "page": string(r.admin("GET", "/", "", "", "").body),
		"list": string(r.admin("GET", "/sandbox/arrivals", "", "", "").body), "journal": string(journal),
	} {
		for _, secret := range []string{"pw-secret-1", "pw-wrong-2", "cell-3", "cell-4", "张三"} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s holds %q", where, secret)
			}
		}
		if where != "journal" && strings.Contains(text, token) {
			t.Errorf("the %s holds a whole token", where)
		}
	}
	if r.Arrivals()[0].Verdict != upload.PartiallyAccepted || !strings.Contains(log.String(), "fault strikes") {
		t.Errorf("the test saw nothing: %+v, %s", r.Arrivals()[0], log.String())
	}
}
