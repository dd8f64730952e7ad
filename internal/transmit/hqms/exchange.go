package hqms

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"
)

// The operations, as spans, metrics and errors name them.
const (
	opToken  = "gettoken"
	opUpload = "upload"
	opResult = "result"
)

// maxAnswer is how much of an answer is read; the real ones have some 400 bytes.
const maxAnswer = 1 << 20

// maxWish bounds Retry-After: a server's slip must not silence a channel.
const maxWish = 24 * time.Hour

// reply is an answer of the server, read whole or cut at maxAnswer.
type reply struct {
	status int
	header http.Header
	body   []byte
	cut    bool // the connection ended before the answer did
}

func (r reply) ok() bool          { return r.status >= 200 && r.status < 300 }
func (r reply) clientError() bool { return r.status >= 400 && r.status < 500 }

// footing is how far a request got, as the connection tells it.
type footing struct {
	mu        sync.Mutex
	connected bool  // a connection was ready
	tlsErr    error // of the handshake
	wroteErr  error // of writing the request
}

func (f *footing) note(change func(*footing)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *footing) get() (connected bool, tlsErr, wroteErr error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connected, f.tlsErr, f.wroteErr
}

// trace follows the request on its way, for the watchdog and for footing.
func (f *footing) trace(ctx context.Context, w *watchdog, p Patience) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { f.note(func(f *footing) { f.tlsErr = err }) },
		GotConn: func(httptrace.GotConnInfo) {
			f.note(func(f *footing) { f.connected = true })
			w.expect("sending", p.Stall)
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			f.note(func(f *footing) { f.wroteErr = i.Err })
			w.expect("waiting for the answer", p.Answer)
		},
	})
}

// exchange sends req and reads the answer. Its error is a *upload.Fault, or
// wraps ctx's error; the footing is given in either case.
func (c *Client) exchange(ctx context.Context, op string, req *http.Request, body *meter) (_ reply, f *footing, err error) {
	f = &footing{}
	status := 0
	if c.o.Tracer != nil {
		var end func(int, error)
		ctx, end = c.o.Tracer.Start(ctx, op, req.Method, c.base.Host)
		defer func() { end(status, err) }()
	}
	if c.o.Propagate != nil {
		c.o.Propagate(ctx, req.Header)
	}
	watched, dog := watch(ctx, "connecting", c.o.Patience.Connect)
	defer dog.stop()
	if body != nil {
		body.taken = func() { dog.expect("sending", c.o.Patience.Stall) }
	}
	began := c.o.Now()
	resp, err := c.http.Do(req.WithContext(f.trace(watched, dog, c.o.Patience)))
	if err != nil {
		return reply{}, f, netFault(ctx, watched, op, f, err)
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it is wanted
	status = resp.StatusCode
	c.tellSkew(resp.Header, began)
	r := reply{status: status, header: resp.Header}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if _, late := errors.AsType[*stalled](context.Cause(watched)); err != nil && (late || ctx.Err() != nil) {
		return r, f, netFault(ctx, watched, op, f, err)
	}
	r.cut = err != nil
	return r, f, nil
}

// tellSkew compares the server's clock with ours, in the middle of the exchange.
func (c *Client) tellSkew(h http.Header, began time.Time) {
	if c.o.Skew == nil {
		return
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now := c.o.Now()
		c.o.Skew(date.Sub(began.Add(now.Sub(began) / 2)))
	}
}

// retryAfter reads the server's wish: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date // by its own clock
		}
		d = at.Sub(now)
	}
	return min(max(d, 0), maxWish)
}
