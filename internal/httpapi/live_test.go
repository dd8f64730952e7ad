package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/api"
)

// heldTest serves a world whose connection tests are held at each step.
func heldTest(t *testing.T) (*world, *httptest.Server) {
	t.Helper()
	w := newWorld()
	w.held, w.left = make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(w.server(t, nil).Handler())
	t.Cleanup(srv.Close)
	return w, srv
}

// watchTest asks for a test of the channel flu, step by step.
func watchTest(t *testing.T, srv *httptest.Server, accept string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/channels/flu/test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+opToken)
	req.Header.Set("Accept", accept)
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// line reads one line of progress, as the document describes it.
func line(t *testing.T, from *bufio.Reader) api.TestProgress {
	t.Helper()
	raw, err := from.ReadBytes('\n')
	if err != nil {
		t.Fatalf("read line: %v, got %q", err, raw)
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	if err := document(t).Components.Schemas["TestProgress"].Value.VisitJSON(value); err != nil {
		t.Errorf("%s is not as the document says: %v", raw, err)
	}
	var p api.TestProgress
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAConnectionTestIsSeenStepByStepWhileItRuns(t *testing.T) {
	t.Parallel()
	w, srv := heldTest(t)
	resp := watchTest(t, srv, "application/x-ndjson, application/json;q=0.5")
	if got := resp.Header.Get("Content-Type"); got != ndjson {
		t.Fatalf("content type %q", got)
	}
	from := bufio.NewReader(resp.Body)
	for _, want := range w.test.Steps {
		p := line(t, from) // comes although the step has not ended
		if p.Step == nil || p.Step.Name != want.Name || p.Step.State != api.TestStepStateRunning || p.Step.Ok || p.Result != nil {
			t.Errorf("before the end of %s: %+v", want.Name, p)
		}
		w.held <- struct{}{}
		p = line(t, from)
		if d := cmp.Diff(new(viewStep(want)), p.Step); d != "" || p.Result != nil {
			t.Errorf("end of %s: %s", want.Name, d)
		}
	}
	if d := cmp.Diff(new(viewTest(w.test)), line(t, from).Result); d != "" {
		t.Errorf("result: %s", d)
	}
	if rest, err := from.ReadByte(); err == nil {
		t.Errorf("more after the result: %q", rest)
	}
}

func TestAConnectionTestEndsWithItsWatcher(t *testing.T) {
	t.Parallel()
	w, srv := heldTest(t)
	resp := watchTest(t, srv, ndjson)
	line(t, bufio.NewReader(resp.Body))
	_ = resp.Body.Close()
	select {
	case <-w.left:
	case <-time.After(30 * time.Second):
		t.Error("the test goes on although nobody watches")
	}
}

func TestWhoDoesNotAskForLinesGetsTheWholeTest(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"", "*/*", "application/json", "application/json, application/x-ndjson"} {
		a := call(t, newWorld().server(t, nil), request{method: "POST", path: "/channels/flu/test", header: map[string]string{"Accept": accept}})
		if a.header.Get("Content-Type") != "application/json" || a.json(t)["steps"] == nil {
			t.Errorf("%q: %s", accept, a.body)
		}
	}
}

func TestLinesOfAChannelThatIsNotThereAreAProblem(t *testing.T) {
	t.Parallel()
	a := call(t, newWorld().server(t, nil), request{method: "POST", path: "/channels/hqms/test", header: map[string]string{"Accept": ndjson}})
	if a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestStepsHaveWords(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dns", "tcp", "tls", "http", "clock", "credentials", "sent", "answer"} {
		if s := viewStep(Step{Name: name}); s.Text.Zh == name || s.Text.En == name || s.Text.Zh == s.Text.En {
			t.Errorf("step %s is called %q, %q", name, s.Text.Zh, s.Text.En)
		}
	}
}
