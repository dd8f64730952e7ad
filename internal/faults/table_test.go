package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/transmittest"
)

// step is where in a delivery the fault strikes.
type step string

// The steps. Ask is the question about a body that was broken off, before
// anything is sent again.
const (
	stepToken  step = "gettoken"
	stepUpload step = "upload"
	stepResult step = "result"
	stepAsk    step = "ask"
)

func steps() []step { return []step{stepToken, stepUpload, stepResult, stepAsk} }

func (s step) request() transmittest.Step {
	switch s {
	case stepToken:
		return transmittest.Admission
	case stepUpload:
		return transmittest.Upload
	default:
		return transmittest.Question
	}
}

// fault is one row's cause.
type fault struct {
	id      string // of its phrase, faults.<id>
	params  map[string]string
	server  transmittest.Fault
	line    func(t *testing.T) func(context.Context) (net.Conn, error)
	only    []step        // empty: every step
	size    int           // of the content; 0: small
	lasting bool          // it is not mended
	slow    bool          // it ends by the watchdog, whose patience is short then
	tls     bool          // over TLS
	wish    time.Duration // of the server, by Retry-After
}

// catalogue lists the faults in the order of the document.
func catalogue() []fault {
	all := []fault{
		{id: "dns_no_host", line: to(noSuchHost)},
		{id: "dns_failing", line: to(noNameServer)},
		{id: "no_route", line: to(unreachableNetwork)},
		{id: "refused", line: to(refusedConnection)},
		{id: "connect_silent", line: to(silentNetwork), slow: true},
		{id: "tls_stranger", line: strangeCertificate, tls: true},
		{id: "tls_none", line: noTLS, tls: true},
		{id: "reset", server: transmittest.Reset(small)},
		{id: "reset_body", server: transmittest.Reset(100_000), only: []step{stepUpload}, size: large},
		{id: "deaf", server: transmittest.Deaf(100_000), only: []step{stepUpload}, size: large, slow: true},
		{id: "silence", server: transmittest.Silence(), slow: true},
		{id: "loris", server: transmittest.SlowLoris(20 * time.Millisecond), slow: true},
		{id: "late", server: late, slow: true},
		{id: "lost", server: transmittest.LostAnswer()},
		{id: "cut_answer", server: transmittest.CutAnswer()},
		{id: "html", server: transmittest.Status(http.StatusOK)},
		{id: "truncated", server: transmittest.Answer(`{"succ": true, "result": {"tok`)},
		{id: "other_json", server: transmittest.Answer(`["ok"]`)},
		{id: "huge", server: transmittest.Huge()},
		{id: "empty", server: transmittest.Answer("")},
		{id: "forgotten", server: transmittest.Answer(`{"succ":true}`), only: []step{stepUpload}},
		{id: "redirect", server: transmittest.Redirect(http.StatusTemporaryRedirect, "http://127.0.0.1:1/")},
		{id: "wrong_token", server: transmittest.Answer(`{"succ":true,"result":{"token":"0123456789abcdef0123456789abcdef"}}`), only: []step{stepToken}},
		{id: "no_token", server: transmittest.Answer(`{"succ":true,"result":{"token":""}}`), only: []step{stepToken}},
		{id: "refusal", server: refusal()},
		{id: "refusal_lasting", server: refusal(), only: []step{stepUpload}, lasting: true},
	}
	for _, code := range []int{400, 401, 403, 404, 408, 413, 429} {
		all = append(all, status(code))
	}
	all = append(all, waits(429))
	for _, code := range []int{500, 502, 503} {
		all = append(all, status(code))
	}
	return append(all, waits(503), status(504))
}

func to(dial func(context.Context) (net.Conn, error)) func(*testing.T) func(context.Context) (net.Conn, error) {
	return func(*testing.T) func(context.Context) (net.Conn, error) { return dial }
}

func refusal() transmittest.Fault {
	return transmittest.Answer(`{"succ":false,"errMsg":"no","errorCode":"E1"}`)
}

func status(code int) fault {
	return fault{id: "status", params: map[string]string{"code": fmt.Sprint(code)}, server: transmittest.Status(code)}
}

func waits(code int) fault {
	return fault{
		id: "status_wish", params: map[string]string{"code": fmt.Sprint(code)}, wish: wish,
		server: transmittest.Status(code, "Retry-After", fmt.Sprint(int(wish.Seconds()))),
	}
}

// late does all the work and answers when the client has given up.
func late(_ *transmittest.Server, w http.ResponseWriter, r *http.Request, works http.Handler) {
	answer := httptest.NewRecorder()
	works.ServeHTTP(answer, r)
	<-r.Context().Done()
	_, _ = io.Copy(w, answer.Body)
}

func (f fault) at(s step) bool {
	if len(f.only) == 0 {
		return true
	}
	for _, o := range f.only {
		if o == s {
			return true
		}
	}
	return false
}

// world makes the world for the fault.
func (f fault) world(t *testing.T) *world {
	t.Helper()
	return newWorld(t, max(f.size, small), f.tls)
}

// inflict begins the fault at the step; mend ends it.
func (f fault) inflict(w *world, s step) (mend func()) {
	if f.slow {
		w.patience.loseWith(s.request())
	}
	if f.line != nil {
		w.line.breakAt(s.request(), f.line(w.t))
	} else {
		w.server.Break(s.request(), f.server)
	}
	return func() {
		w.patience.loseWith("")
		w.line.breakAt("", nil)
		w.server.Break(s.request(), nil)
	}
}
