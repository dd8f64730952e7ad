package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func preview(query, body string) request {
	return request{method: "POST", path: "/validate?" + query, body: body, token: viToken, header: map[string]string{"Content-Type": "text/csv"}}
}

func TestPreviewAnswersWithWhatWasFound(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	a := call(t, s, preview("filename=flu_1.csv", "P4\r\n\r\n"))
	got := a.json(t)
	items, _ := got["items"].([]any)
	if a.status != http.StatusOK || got["file"] != "flu_1.csv" || got["bytes"] != 6.0 || len(items) != 1 {
		t.Fatalf("%d %v", a.status, got)
	}
	item, _ := items[0].(map[string]any)
	words, _ := item["text"].(map[string]any)
	if words["zh"] == "" || words["en"] == "" || item["rule"] != "COL-REQUIRED" {
		t.Errorf("finding without words: %v", item)
	}
}

func TestPreviewAsCSVHoldsNoFormula(t *testing.T) {
	t.Parallel()
	a := call(t, newWorld().server(t, nil), preview("filename=flu_1.csv&format=csv", "P4\r\n"))
	if a.status != http.StatusOK || !strings.HasPrefix(string(a.body), "\ufeff") || !strings.Contains(string(a.body), ",'=P4,") {
		t.Errorf("%d %q", a.status, a.body)
	}
}

func TestPreviewTakesMoreThanOtherCallsButNotEverything(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, func(o *Options) { o.BodyLimit = 10 })
	if a := call(t, s, preview("filename=flu_1.csv", strings.Repeat("x", 1<<20))); a.status != http.StatusOK {
		t.Errorf("1 MiB: %d %s", a.status, a.body)
	}
	req := preview("filename=flu_1.csv", "x").build()
	req.ContentLength = streamLimit + 1
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	if a := rec; a.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("said to be too long: %d", a.Code)
	}
}

func TestPreviewOfWhatNobodyTakesIsUnprocessable(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for name, c := range map[string]struct {
		request
		status int
	}{
		"no kind of file":  {preview("filename=other.csv", "x"), http.StatusUnprocessableEntity},
		"no name":          {preview("", "x"), http.StatusBadRequest},
		"an empty file":    {preview("filename=flu_1.csv", ""), http.StatusOK},
		"as curl sends it": {request{method: "POST", path: "/validate?filename=flu_1.csv", body: "x", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, http.StatusOK},
	} {
		if a := call(t, s, c.request); a.status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, a.status, c.status, a.body)
		}
	}
}

// slow is a body of which nothing comes before it is let go.
type slow struct {
	asked chan<- struct{}
	let   <-chan struct{}
}

func (s slow) Read([]byte) (int, error) {
	s.asked <- struct{}{}
	<-s.let
	return 0, io.EOF
}

func TestABodyThatDoesNotComeWholeIsNoFaultOfTheProgram(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for want, err := range map[int]error{http.StatusRequestTimeout: os.ErrDeadlineExceeded, http.StatusBadRequest: io.ErrUnexpectedEOF} {
		req := preview("filename=flu_1.csv", "x").build()
		req.Body = io.NopCloser(iotest.ErrReader(err))
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%v: %d %s", err, rec.Code, rec.Body)
		}
	}
}

func TestOnlyAFewFilesArePreviewedAtOnce(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	asked, let, answers := make(chan struct{}, maxPreviews), make(chan struct{}), make(chan int, maxPreviews)
	for range maxPreviews {
		req := preview("filename=flu_1.csv", "x").build()
		req.Body = io.NopCloser(slow{asked, let})
		go func() {
			rec := httptest.NewRecorder()
			s.Handler().ServeHTTP(rec, req)
			answers <- rec.Code
		}()
	}
	for range maxPreviews {
		<-asked
	}
	next := preview("filename=flu_1.csv", "x")
	a := call(t, s, next)
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "5" || a.header.Get("Connection") != "close" {
		t.Errorf("one more: %d %v %s", a.status, a.header, a.body)
	} else if p := a.json(t); p["detail"] != "too many files are being checked" {
		t.Errorf("one more: %v", p)
	}
	close(let)
	for range maxPreviews {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("one of the few: %d", status)
		}
	}
	if a := call(t, s, next); a.status != http.StatusOK {
		t.Errorf("after these: %d %s", a.status, a.body)
	}
}

// nameAlone is a preview that knows by the name what it wants to know.
type nameAlone struct{}

func (nameAlone) Preview(context.Context, Body) (Previewed, error) {
	return Previewed{Kind: "flu"}, nil
}

// untouched is a body of which nobody is to read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read by somebody else")
	return 0, io.EOF
}

func TestNobodyButThePreviewReadsItsBody(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, func(o *Options) { o.Preview = nameAlone{} })
	req := preview("filename=flu_1.csv", "x").build()
	req.Body = io.NopCloser(untouched{t})
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
