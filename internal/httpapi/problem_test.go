package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestErrorsBecomeTheirProblems(t *testing.T) {
	t.Parallel()
	private := errors.New("SELECT secret_column")
	wrapped := func(err error) error { return fmt.Errorf("act retried: %w", err) }
	for name, tc := range map[string]struct {
		err    error
		status int
		name   string
	}{
		"no such upload":      {wrapped(journal.ErrNotFound), 404, "not-found"},
		"no such channel":     {wrapped(ErrUnknownChannel), 404, "unknown-channel"},
		"illegal transition":  {wrapped(upload.ErrIllegalTransition), 409, "not-possible-now"},
		"nothing to restore":  {fmt.Errorf("%w: nothing is archived", ErrNotPossible), 409, "not-possible-now"},
		"name taken":          {wrapped(fs.ErrExist), 409, "not-possible-now"},
		"another open upload": {wrapped(journal.ErrConflict), 409, "not-possible-now"},
		"content held":        {wrapped(journal.ErrContentTaken), 409, "not-possible-now"},
		"lease lost":          {wrapped(journal.ErrLeaseLost), 409, "not-possible-now"},
		"disk full":           {upload.LocalFaultOf(upload.DiskFull, "", private), 503, "unavailable"},
		"journal away":        {upload.LocalFaultOf(upload.JournalUnavailable, "", private), 503, "unavailable"},
		"server away":         {upload.PassingFault(upload.ServerUnreachable, "", private), 503, "unavailable"},
		"credentials refused": {upload.RefusedFault(""), 409, "not-possible-now"},
		"permanent":           {upload.PermanentFault(upload.UploadRefused, "", private), 409, "not-possible-now"},
		"internal fault":      {upload.PassingFault(upload.InternalFault, "", private), 500, "internal-error"},
		"anything else":       {private, 500, "internal-error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.err = tc.err
			a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/full/restore"})
			if p := a.json(t); a.status != tc.status || p["type"] != problemType+tc.name || p["instance"] != "/uploads/full/restore" {
				t.Errorf("got %d %v", a.status, p)
			}
			if strings.Contains(string(a.body), "secret_column") {
				t.Errorf("the private cause went out: %s", a.body)
			}
			if a.status >= 500 && !strings.Contains(w.log.String(), "secret_column") {
				t.Errorf("the cause is not in the log: %s", w.log)
			}
		})
	}
}

func TestFaultsCarryReasonRemedyAndRetryAfter(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.err = &upload.Fault{Class: upload.Local, Reason: upload.DiskFull, Detail: "/data is full", RetryAfter: 90 * time.Second}
	a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/full/restore"})
	p := a.json(t)
	if p["reason"] != "disk_full" || p["detail"] != "/data is full" || p["remedy"] == nil || a.header.Get("Retry-After") != "90" {
		t.Errorf("got %v, Retry-After %q", p, a.header.Get("Retry-After"))
	}
}

func TestARefusedActSaysWhatStateTheUploadIsIn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.err = upload.ErrIllegalTransition
	for _, act := range []string{"retry", "cancel", "restore"} {
		a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/full/" + act})
		if d := a.json(t)["detail"]; a.status != 409 || d != "the upload is decided, rejected" {
			t.Errorf("%s: %d %v", act, a.status, d)
		}
	}
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for name, tc := range map[string]struct {
		request
		status int
		allow  string
	}{
		"unknown address":         {request{path: "/nowhere"}, 404, ""},
		"trailing slash":          {request{path: "/status/"}, 404, ""},
		"unknown upload":          {request{path: "/uploads/none"}, 404, ""},
		"findings of unknown":     {request{path: "/uploads/none/findings"}, 404, ""},
		"unknown channel":         {request{method: "POST", path: "/channels/none/pause"}, 404, ""},
		"wrong method":            {request{method: "DELETE", path: "/uploads/full"}, 405, "GET"},
		"wrong method to act":     {request{path: "/uploads/full/retry"}, 405, "POST"},
		"options":                 {request{method: "OPTIONS", path: "/status"}, 405, "GET"},
		"unknown without a token": {request{path: "/nowhere", token: "-"}, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := call(t, s, tc.request)
			if a.status != tc.status || a.header.Get("Allow") != tc.allow {
				t.Errorf("got %d, Allow %q", a.status, a.header.Get("Allow"))
			}
		})
	}
}

func TestARouteOutsideTheDocumentIsNeverReached(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	reached := false
	s.echo.GET("/forgotten", func(echo.Context) error { reached = true; return nil })
	if a := call(t, s, request{path: "/forgotten"}); a.status != 404 || reached {
		t.Errorf("got %d, reached %v", a.status, reached)
	}
}

func TestAPanicIsAnInternalErrorAndShowsNoValue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		throw func()
		inLog string
	}{
		"by the runtime": {func() { var v any = 1; _ = v.(string) }, "interface conversion"},
		"by somebody":    {func() { panic("patient 110101") }, "panic: string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			s := w.server(t, func(o *Options) {
				o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { tc.throw() })
			})
			rec := httptest.NewRecorder()
			s.Handler().ServeHTTP(rec, request{path: "/metrics"}.build())
			isProblem(t, answer{rec.Code, rec.Header(), rec.Body.Bytes()})
			if log := w.log.String(); rec.Code != 500 || !strings.Contains(log, tc.inLog) || strings.Contains(log+rec.Body.String(), "110101") {
				t.Errorf("got %d, log %s", rec.Code, log)
			}
		})
	}
}

func TestAnAbortedHandlerStaysAborted(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the connection is not cut: %v", err)
		}
	}()
	s.Handler().ServeHTTP(httptest.NewRecorder(), request{path: "/metrics"}.build())
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for _, path := range []string{"/status", "/nowhere", "/livez", "/metrics"} {
		h := call(t, s, request{path: path}).header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
}
