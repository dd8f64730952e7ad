package sandbox

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// byWord is an Examiner that reads its findings off the rows: a row that says
// bad is in error, one that says warn has a warning, "fatal" spoils the file.
type byWord struct{}

func (byWord) Kind(_ upload.Channel, name string) (upload.Kind, bool) {
	kind, _, ok := strings.Cut(name, "_")
	return upload.Kind(kind), ok && strings.HasSuffix(name, ".csv")
}

func (byWord) Examine(_ upload.Channel, _ upload.Kind, csv io.Reader) (Examined, error) {
	text, err := io.ReadAll(csv)
	var seen Examined
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		seen.Rows++
		switch {
		case strings.Contains(line, "fatal"):
			seen.Tally.Fatal++
		case strings.Contains(line, "bad"):
			seen.RowsFailed++
			seen.Tally.Error++
			seen.Findings = append(seen.Findings, upload.Finding{Severity: upload.Error, Rule: "TEST", Row: int64(i + 2), Column: "A"})
		case strings.Contains(line, "warn"):
			seen.RowsWarned++
			seen.Tally.Warning++
		}
	}
	return seen, err
}

// running is a sandbox behind a real HTTP server.
type running struct {
	*Server
	t    *testing.T
	http *httptest.Server
}

func start(t *testing.T, opts Options) *running {
	t.Helper()
	if opts.Examiner == nil {
		opts.Examiner = byWord{}
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		s.LetGo()
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &running{Server: s, t: t, http: h}
}

// get asks and gives the decoded envelope; it fails on anything but 200 and JSON.
func (r *running) get(pathAndQuery string) reply {
	r.t.Helper()
	resp, err := r.http.Client().Get(r.http.URL + pathAndQuery)
	return r.decode(resp, err)
}

func (r *running) decode(resp *http.Response, err error) (rep reply) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("status %d", resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(&rep); err != nil {
		r.t.Fatal(err)
	}
	return rep
}

func login(account, password string) string {
	return pathToken + "?" + url.Values{"loginid": {account}, "pwd": {password}, "datatype": {"json"}, "isDev": {"1"}}.Encode()
}

// token logs in as demo under base.
func (r *running) token(base string) string {
	r.t.Helper()
	rep := r.get(base + login("demo", "demo"))
	if !rep.Succ {
		r.t.Fatalf("no token: %s", rep.ErrorCode)
	}
	return rep.Result.(map[string]any)["token"].(string)
}

func (r *running) post(base, token string, body []byte, more string) (*http.Response, error) {
	return r.http.Client().Post(r.http.URL+base+pathUpload+"?datatype=json&token="+token+more,
		"multipart/form-data; boundary=Bounday---------------------------7d318fd100112", bytes.NewReader(body))
}

// send uploads a CSV under a new token and gives the token.
func (r *running) send(base, filename, csv string) string {
	r.t.Helper()
	token := r.token(base)
	resp, err := r.post(base, token, zipOf(r.t, filename, csv), "")
	if rep := r.decode(resp, err); !rep.Succ {
		r.t.Fatalf("upload refused: %s", rep.ErrorCode)
	}
	return token
}

type resultReply struct {
	reply
	Result resultBody `json:"result"`
}

func (r *running) result(base, token string) (rep resultReply) {
	r.t.Helper()
	resp, err := r.http.Client().Get(r.http.URL + base + pathResult + "?datatype=json&token=" + token)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&rep); err != nil {
		r.t.Fatal(err)
	}
	return rep
}

// settled waits until n deliveries have their verdict.
func (r *running) settled(n int) []Arrival {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	err := r.Await(ctx, func(rep Report) bool {
		done := 0
		for _, a := range rep.Items {
			if a.Status.Final() {
				done++
			}
		}
		return done >= n
	})
	if err != nil {
		r.t.Fatalf("waiting for %d verdicts: %v; have %+v", n, err, r.Arrivals())
	}
	return r.Arrivals()
}

func zipOf(t testing.TB, filename, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(filename)
	if err == nil {
		_, err = io.WriteString(w, content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256:" + hex.EncodeToString(sum[:])
}

func open(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
