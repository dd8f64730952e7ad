package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const marker = "TAINT"

// tainted is a world with a marker in everything that is never to be shown.
func tainted() *world {
	w := newWorld()
	u := &w.uploads[0]
	u.Ticket = upload.Ticket{Token: marker + "-ticket", URL: "https://x/" + marker + "-upload-url"}
	u.Receipt.Stack = marker + "-stack"
	u.RootSpanID = "00f067aa0ba902b7"
	w.channel.ServerURL = "https://" + marker + "-user:" + marker + "-password@flu.example/x?pwd=" + marker + "-query#" + marker
	w.opToken, w.viToken = marker+"-operator", marker+"-viewer"
	return w
}

func TestNoSecretLeavesByAnyAnswerHeaderOrLogLine(t *testing.T) {
	t.Parallel()
	failures := map[string]error{
		"all is well":     nil,
		"internal error":  errors.New("boom"),
		"illegal":         upload.ErrIllegalTransition,
		"fault of server": &upload.Fault{Class: upload.Passing, Reason: upload.ServerUnreachable, Err: errors.New("dial")},
	}
	for name, failure := range failures {
		w := tainted()
		w.err = failure
		s := w.server(t, func(o *Options) { o.Middleware = append(o.Middleware, cancelled) })
		for _, op := range samples(t) {
			for _, token := range []string{w.opToken, w.viToken, marker + "-wrong", "-"} {
				r := request{method: op.method, path: op.path, token: token}
				if op.id == "listFindings" {
					r.path += "?format=csv"
				}
				if op.id == "triggerUploads" {
					r.body = fmt.Sprintf(`{"channel":%q,"%s-member":1}`, "flu", "x")
				}
				clean(t, name, op.id, serve(s, r))
			}
		}
		clean(t, name, "log", w.log.String())
	}
}

// serve gives status line, headers and body as one text.
func serve(s *Server, r request) string {
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r.build())
	var b strings.Builder
	_ = rec.Header().Write(&b)
	return http.StatusText(rec.Code) + "\n" + b.String() + "\n" + rec.Body.String()
}

func clean(t *testing.T, when, where, text string) {
	t.Helper()
	if i := strings.Index(text, marker); i >= 0 {
		t.Errorf("%s, %s: …%s", when, where, text[max(0, i-60):min(len(text), i+60)])
	}
	if strings.Contains(text, "00f067aa0ba902b7") {
		t.Errorf("%s, %s: the root span's id is of no use to a client", when, where)
	}
}

func TestTicketsTokensAndStackTracesHaveNoPlaceInTheDocument(t *testing.T) {
	t.Parallel()
	for name, schema := range document(t).Components.Schemas {
		if name == "SessionRequest" {
			continue // what is sent to log in; no answer holds it
		}
		for member := range schema.Value.Properties {
			for _, never := range []string{"ticket", "token", "stack", "password"} {
				if strings.Contains(strings.ToLower(member), never) {
					t.Errorf("%s.%s", name, member)
				}
			}
		}
	}
}

func TestUnreadableServerURLsAreNotShown(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://u:p@h/x?q#f": "https://h/x", "http://h:81": "http://h:81", "": "", "https://u:p%zz@h/": "", "://x": "", "u:p@h/x": "",
	} {
		if got := bareURL(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
