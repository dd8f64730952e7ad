package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsThatDoNotFitSayWhere(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	trigger := func(body string) request {
		return request{method: "POST", path: "/uploads/trigger", body: body}
	}
	for name, tc := range map[string]struct {
		request
		in, where string
	}{
		"limit too large":      {request{path: "/uploads?limit=501"}, "query", "limit"},
		"limit no number":      {request{path: "/uploads?limit=x"}, "query", "limit"},
		"limit zero":           {request{path: "/uploads?limit=0"}, "query", "limit"},
		"unknown state":        {request{path: "/uploads?state=done"}, "query", "state"},
		"one of two unknown":   {request{path: "/uploads?state=sent&state=done"}, "query", "state"},
		"unknown verdict":      {request{path: "/uploads?verdict=good"}, "query", "verdict"},
		"no time":              {request{path: "/uploads?spotted_after=yesterday"}, "query", "spotted_after"},
		"misspelt parameter":   {request{path: "/uploads?sate=sent"}, "query", "sate"},
		"empty filter":         {request{path: "/uploads?filename="}, "query", "filename"},
		"bad channel":          {request{path: "/uploads?channel=../x"}, "query", "channel"},
		"foreign cursor":       {request{path: "/uploads?cursor=%21"}, "query", "cursor"},
		"foreign find cursor":  {request{path: "/uploads/full/findings?cursor=x"}, "query", "cursor"},
		"unknown format":       {request{path: "/uploads/full/findings?format=xls"}, "query", "format"},
		"bad event id":         {request{path: "/events", header: map[string]string{"Last-Event-ID": "x"}}, "header", "Last-Event-ID"},
		"negative event":       {request{path: "/events?after=-1"}, "query", "after"},
		"body with unknown":    {trigger(`{"chanel":"flu"}`), "body", "/"},
		"body wrong type":      {trigger(`{"force":"yes"}`), "body", "/force"},
		"body no object":       {trigger(`[]`), "body", "/"},
		"body no JSON":         {trigger(`{"force`), "body", "/"},
		"body file with path":  {trigger(`{"files":["../../etc/passwd"]}`), "body", "/files/0"},
		"body no file":         {trigger(`{"files":[]}`), "body", "/files"},
		"body file name empty": {trigger(`{"files":[""]}`), "body", "/files/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := call(t, s, tc.request)
			var p struct {
				Errors []struct{ In, Name, Detail string }
			}
			if err := json.Unmarshal(a.body, &p); err != nil || a.status != http.StatusBadRequest {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			for _, e := range p.Errors {
				if e.In == tc.in && e.Name == tc.where && e.Detail != "" {
					return
				}
			}
			t.Errorf("want %s %s among %s", tc.in, tc.where, a.body)
		})
	}
}

func TestBodiesAreLimitedAndTyped(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, func(o *Options) { o.BodyLimit = 100 })
	long := `{"files":["` + strings.Repeat("x", 200) + `"]}`
	for name, tc := range map[string]struct {
		request
		status int
	}{
		"too long, as said":   {request{method: "POST", path: "/uploads/trigger", body: long}, 413},
		"not JSON":            {request{method: "POST", path: "/uploads/trigger", body: "a=b", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415},
		"no type":             {request{method: "POST", path: "/uploads/trigger", body: "{}", header: map[string]string{"Content-Type": ""}}, 415},
		"JSON with charset":   {request{method: "POST", path: "/uploads/trigger", body: "{}", header: map[string]string{"Content-Type": "application/json; charset=utf-8"}}, 202},
		"body not asked for":  {request{method: "POST", path: "/uploads/full/retry", body: "{}"}, 400},
		"body of a GET":       {request{path: "/status", body: "{}"}, 400},
		"prober's parameter":  {request{path: "/livez?verbose=1"}, 200},
		"no body":             {request{method: "POST", path: "/uploads/trigger"}, 202},
		"too long for a GET":  {request{path: "/status", body: long}, 413},
		"unlisted media type": {request{method: "POST", path: "/uploads/trigger", body: "<a/>", header: map[string]string{"Content-Type": "text/xml"}}, 415},
	} {
		if a := call(t, s, tc.request); a.status != tc.status {
			t.Errorf("%s: got %d, want %d: %s", name, a.status, tc.status, a.body)
		}
	}
	req := request{method: "POST", path: "/uploads/trigger", body: long}.build()
	req.ContentLength = -1 // it does not say how long it is
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too long, unsaid: %d %s", rec.Code, rec.Body)
	}
}

func TestTriggerGetsWhatWasAskedAndOnlyThat(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]Look{
		``:                              {},
		`{}`:                            {},
		`{"channel":"flu"}`:             {Channel: "flu"},
		`{"files":["a.csv","流感.csv"]}`:  {Files: []string{"a.csv", "流感.csv"}},
		`{"force":true,"dry_run":true}`: {Force: true, DryRun: true},
	} {
		w := newWorld()
		a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/trigger", body: body})
		if d := cmp.Diff(want, w.look); a.status != http.StatusAccepted || d != "" {
			t.Errorf("%s: %d, (-want +got):\n%s", body, a.status, d)
		}
	}
	// Members match exactly: a validator and a decoder that read the same body
	// differently would let the one check what the other does not use.
	w := newWorld()
	if a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/trigger", body: `{"DRY_RUN":false,"dry_run":true}`}); a.status != http.StatusBadRequest {
		t.Errorf("a second spelling of a member passes: %d, look %+v", a.status, w.look)
	}
}

func TestTriggerOfAnUnknownChannelIsUnprocessable(t *testing.T) {
	t.Parallel()
	a := call(t, newWorld().server(t, nil), request{method: "POST", path: "/uploads/trigger", body: `{"channel":"hqms"}`})
	if p := a.json(t); a.status != http.StatusUnprocessableEntity || p["type"] != problemType+"unknown-channel" {
		t.Errorf("got %d %v", a.status, p)
	}
}

// FuzzRequests: whatever is asked is answered, by what the document describes,
// and never by an internal error.
func FuzzRequests(f *testing.F) {
	for _, seed := range [][3]string{
		{"/uploads", "state=sent&limit=3", ""},
		{"/uploads/full/findings", "format=csv&severity=error", ""},
		{"/uploads/trigger", "", `{"channel":"flu","files":["a"],"force":true}`},
		{"/uploads", "spotted_after=2026-11-22T00:00:00%2B08:00&cursor=%zz;", ""},
		{"/uploads/%00", "limit=1e3", `{"a":{"b":[1,2,{"c":null}]}}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s := newWorld().server(f, nil)
	f.Fuzz(func(t *testing.T, path, query, body string) {
		if strings.HasPrefix(path, "/events") {
			t.Skip("endless")
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req := request{method: method, path: "/", body: body}.build()
			req.URL.Path, req.URL.RawQuery = "/"+strings.TrimPrefix(path, "/"), query
			rec := httptest.NewRecorder()
			s.Handler().ServeHTTP(rec, req)
			if rec.Code >= http.StatusInternalServerError {
				t.Fatalf("%s %q ? %q: %d %s", method, path, query, rec.Code, rec.Body)
			}
			if rec.Code >= http.StatusBadRequest {
				isProblem(t, answer{rec.Code, rec.Header(), rec.Body.Bytes()})
			}
		}
	})
}
