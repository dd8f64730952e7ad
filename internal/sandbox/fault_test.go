package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// seen is what a client gets to see of one request.
type seen struct {
	code   int
	header http.Header
	body   []byte
	err    error // of the request or of reading the body
}

func (r *running) try(method, pathAndQuery string, body io.Reader) seen {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.http.URL+pathAndQuery, body)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return seen{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return seen{resp.StatusCode, resp.Header, text, err}
}

func (s seen) json() bool { return s.err == nil && json.Valid(s.body) }

// TestFaultsStrikeAnUpload shows for each kind of fault what the client sees of
// it, and whether the upload arrived.
func TestFaultsStrikeAnUpload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   string
		sees    func(seen) bool
		arrived bool
	}{
		"a status":                {"upload:status,code=503,retry_after=1500ms", func(s seen) bool { return s.code == 503 && s.header.Get("Retry-After") == "2" }, false},
		"a status after the work": {"upload:status,code=500,processed", func(s seen) bool { return s.code == 500 }, true},
		"a status at once":        {"upload:status,code=429,early", func(s seen) bool { return s.code == 429 }, false},
		"cut in the body":         {"upload:cut,bytes=10", func(s seen) bool { return s.err != nil && s.code == 0 }, false},
		"cut in the answer":       {"upload:cut-answer,bytes=5", func(s seen) bool { return s.code == 200 && errors.Is(s.err, io.ErrUnexpectedEOF) && len(s.body) == 5 }, true},
		"a lost answer":           {"upload:lost", func(s seen) bool { return s.err != nil && s.code == 0 }, true},
		"a forgotten upload":      {"upload:forget", func(s seen) bool { return s.json() && strings.Contains(string(s.body), `"succ":true`) }, false},
		"a reset":                 {"upload:reset", func(s seen) bool { return s.err != nil && s.code == 0 }, false},
		"a slow server":           {"upload:slow,rate=2000,delay=10ms", func(s seen) bool { return s.json() }, true},
		"a hanging server":        {"upload:hang,delay=20ms", func(s seen) bool { return s.err != nil && s.code == 0 }, false},
		"a maintenance page":      {"upload:html", func(s seen) bool { return s.code == 200 && strings.Contains(string(s.body), "<html>") }, false},
		"a page with a status":    {"upload:html,code=502", func(s seen) bool { return s.code == 502 && !s.json() }, false},
		"broken JSON":             {"upload:truncated", func(s seen) bool { return s.code == 200 && s.err == nil && !s.json() && s.body[0] == '{' }, false},
		"a huge answer":           {"upload:huge,bytes=300000", func(s seen) bool { return len(s.body) == 300000 && s.json() }, false},
		"no JSON":                 {"upload:text", func(s seen) bool { return string(s.body) == "ok" }, false},
		"a refusal":               {"upload:refuse,message=no", func(s seen) bool { return strings.Contains(string(s.body), `"succ":false,"errMsg":"no"`) }, false},
		"an unknown token":        {"upload:token-unknown", func(s seen) bool { return strings.Contains(string(s.body), "TOKEN_UNKNOWN") }, false},
		"an expired token":        {"upload:token-expired", func(s seen) bool { return strings.Contains(string(s.body), "TOKEN_EXPIRED") }, false},
		"a redirect":              {"upload:redirect,location=http://elsewhere.invalid/", func(s seen) bool { return s.code == 302 && s.header.Get("Location") == "http://elsewhere.invalid/" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := ParseFault(c.fault + ",count=1")
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, Options{Faults: []Fault{f}})
			token := r.token("/flu")
			body := zipOf(t, "flu_1.csv", "A\n1\n")
			got := r.try(http.MethodPost, "/flu"+pathUpload+"?token="+token, strings.NewReader(string(body)))
			if !c.sees(got) {
				t.Errorf("the client sees %d %v %q %v", got.code, got.header, got.body[:min(len(got.body), 80)], got.err)
			}
			if arrived := len(r.Arrivals()) == 1; arrived != c.arrived {
				t.Errorf("arrived: %v, want %v", arrived, c.arrived)
			}
			if n := r.Faults()[0].Struck; n != 1 {
				t.Errorf("struck %d times", n)
			}
			// The fault is used up: the same token works unless it was used.
			if again := r.decode(r.post("/flu", token, body, "")); again.Succ == c.arrived {
				t.Errorf("afterwards: %+v", again)
			}
		})
	}
}

func TestFaultsStrikeOnlyWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault string
		fails []string // of: token-flu token-hqms upload-flu upload-hqms result-flu result-hqms
	}{
		"one step":              {"gettoken:status,code=500,count=1", []string{"token-flu"}},
		"one channel":           {"any:status,code=500,channel=hqms,count=1", []string{"token-hqms"}},
		"one file's upload":     {"upload:status,code=500,file=HQMS_*", []string{"upload-hqms"}},
		"one file's result":     {"result:status,code=500,file=flu_*", []string{"result-flu"}},
		"a file never at login": {"gettoken:status,code=500,file=*", nil},
		"after some":            {"result:status,code=500,after=1", []string{"result-hqms"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := ParseFault(c.fault)
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, Options{Faults: []Fault{f}})
			var fails []string
			note := func(what string, s seen) seen {
				if s.code == 500 {
					fails = append(fails, what)
				}
				return s
			}
			for _, ch := range []string{"flu", "hqms"} {
				note("token-"+ch, r.try(http.MethodGet, "/"+ch+login("demo", "demo"), nil))
				token, err := r.ledger.issue("demo", upload.Channel(ch))
				if err != nil {
					t.Fatal(err)
				}
				body := string(zipOf(t, ch+"_1.csv", "A\n1\n"))
				if note("upload-"+ch, r.try(http.MethodPost, "/"+ch+pathUpload+"?token="+token, strings.NewReader(body))).code != 200 {
					continue
				}
				note("result-"+ch, r.try(http.MethodGet, "/"+ch+pathResult+"?token="+token, nil))
			}
			if diff := cmp.Diff(c.fails, fails); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAHangEndsWithTheClientAndWithTheServer(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Faults: []Fault{{Step: StepToken, Kind: FaultHang}}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.http.URL+"/flu"+login("demo", "demo"), nil)
	if _, err := r.http.Client().Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	done := make(chan seen, 1)
	go func() { done <- r.try(http.MethodGet, "/flu"+login("demo", "demo"), nil) }()
	if err := r.Await(t.Context(), func(Report) bool { return r.Faults()[0].Struck == 2 }); err != nil {
		t.Fatal(err)
	}
	r.LetGo()
	if s := <-done; s.err == nil {
		t.Errorf("a hang answered: %+v", s)
	}
}

func TestABodyWithoutProgressIsDropped(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Stall: 50 * time.Millisecond})
	token := r.token("/flu")
	body, feed := io.Pipe()
	req, _ := http.NewRequest(http.MethodPost, r.http.URL+"/flu"+pathUpload+"?token="+token, body)
	req.ContentLength = 1000
	failed := make(chan error, 1)
	go func() {
		_, err := r.http.Client().Do(req)
		failed <- err
	}()
	_, _ = feed.Write([]byte("PK\x03\x04 and then nothing more comes, for ever"))
	if err := r.Await(t.Context(), func(rep Report) bool { return rep.Counts.BrokenUploads == 1 }); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if err := <-failed; err == nil {
		t.Error("a body that never came was answered")
	}
	if rep := r.decode(r.post("/flu", token, zipOf(t, "flu_1.csv", "A\n1\n"), "")); !rep.Succ {
		t.Errorf("the token is lost: %+v", rep)
	}
}

func TestTheStallLimitIsNoLimitOnSlowAnswersOrIdleConnections(t *testing.T) {
	t.Parallel()
	const stall = 50 * time.Millisecond
	r := start(t, Options{Stall: stall, Faults: []Fault{{Step: StepUpload, Kind: FaultSlow, Delay: Duration(3 * stall)}}})
	token := r.token("/flu")
	began := time.Now()
	got := r.admin(http.MethodPost, "/flu"+pathUpload+"?token="+token, "", string(zipOf(t, "flu_1.csv", "A\n1\n")), "")
	if !got.json() || time.Since(began) < 3*stall {
		t.Errorf("after %v: %+v", time.Since(began), got)
	}
	<-time.After(2 * stall)
	if got = r.admin(http.MethodPost, "/sandbox/pause", "", "", ""); got.code != http.StatusNoContent {
		t.Errorf("on the same connection: %d", got.code)
	}
}

func TestFaultsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "upload", "login:status,code=500", "upload:explode", "upload:status", "upload:status,code=99", "upload:status,code=x",
		"upload:redirect", "upload:lost,count=-1", "upload:lost,colour=red", "upload:lost,file=[", "upload:hang,delay=soon", "upload:lost,processed=perhaps",
		"upload:huge,bytes=99999999999",
	} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q was understood as %+v", text, f)
		}
	}
	if _, err := New(Options{Faults: []Fault{{Step: "x"}}}); err == nil {
		t.Error("New took a fault that cannot be meant")
	}
}
