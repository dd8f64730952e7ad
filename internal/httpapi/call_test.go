package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
)

// request is one call of the API; the zero values are a GET of the operator.
type request struct {
	method, path string
	token        string // empty: the operator's; "-": none
	body         string
	header       map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("answer is not a JSON object: %v\n%s", err, a.body)
	}
	return v
}

func (r request) build() *http.Request {
	if r.method == "" {
		r.method = http.MethodGet
	}
	req := httptest.NewRequestWithContext(context.Background(), r.method, r.path, strings.NewReader(r.body))
	if r.body == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	switch r.token {
	case "":
		req.Header.Set("Authorization", "Bearer "+opToken)
	case "-":
	default:
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	return req
}

// call makes a request and checks the answer against the document.
func call(t testing.TB, s *Server, r request) answer {
	t.Helper()
	req, rec := r.build(), httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	a := answer{rec.Code, rec.Header(), rec.Body.Bytes()}
	conforms(t, s, r.build(), a)
	return a
}

// conforms fails the test if the answer is not one the document describes.
func conforms(t testing.TB, s *Server, req *http.Request, a answer) {
	t.Helper()
	if a.status >= http.StatusBadRequest {
		isProblem(t, a)
	}
	c := s.echo.NewContext(req, nil)
	s.echo.Router().Find(req.Method, req.URL.Path, c)
	op, ok := s.operations[c.Path()][req.Method]
	if !ok {
		return // 404 and 405 of what is not in the document
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: op.route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, ExcludeResponseBody: !strings.Contains(a.header.Get("Content-Type"), "json")},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		t.Errorf("%s %s: answer %d is not as the document says: %v", req.Method, req.URL.Path, a.status, err)
	}
}

func isProblem(t testing.TB, a answer) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("error %d has content type %q, body %q", a.status, got, a.body)
	}
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("error %d is no problem: %v", a.status, err)
	}
	if p.Status != a.status || !strings.HasPrefix(p.Type, problemType) || p.Title == "" || p.TitleZh == nil || p.Title == *p.TitleZh {
		t.Errorf("error %d: incomplete problem %s", a.status, a.body)
	}
}

func operationsOf(t testing.TB) operations {
	t.Helper()
	ops, err := newOperations(document(t))
	if err != nil {
		t.Fatal(err)
	}
	return ops
}

func document(t testing.TB) *openapi3.T {
	t.Helper()
	spec, err := api.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// each operation of the document, with a path that its parameters are filled into.
type sample struct {
	*operation
	method, path string
}

// needed is what a call of a path cannot do without.
var needed = map[string]string{"/validate": "?filename=flu_1.csv"}

func samples(t testing.TB) []sample {
	t.Helper()
	fill := strings.NewReplacer(":id", "full", ":name", "flu", ":file", "all.js")
	var all []sample
	for path, methods := range operationsOf(t) {
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			all = append(all, sample{methods[method], method, fill.Replace(path) + needed[path]})
		}
	}
	return all
}

func registered(s *Server) map[string]bool {
	all := map[string]bool{}
	for _, r := range s.echo.Routes() {
		if r.Method != echo.RouteNotFound {
			all[r.Method+" "+r.Path] = true
		}
	}
	return all
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
