package hqms

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/probe"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const opReach = "reach"

// Target is what the connection test needs of this client. login is the
// channel's gate around the asking, so that a test also opens a refused channel;
// nil asks directly.
func (c *Client) Target(login func(context.Context, func(context.Context) error) error) probe.Target {
	ask := func(ctx context.Context) error {
		_, err := c.Admit(ctx, transmit.Delivery{})
		return err
	}
	t := probe.Target{
		ServerURL: c.base, Proxy: c.proxy(), Dial: c.o.Network.Dial, Reach: c.reach,
		Login: func(ctx context.Context) error { return ask(ctx) },
	}
	if login != nil {
		t.Login = func(ctx context.Context) error { return login(ctx, ask) }
	}
	return t
}

// proxy is the proxy on the way to the server, if any.
func (c *Client) proxy() *url.URL {
	if c.o.Network.Proxy == nil {
		return nil
	}
	u, err := c.o.Network.Proxy(&http.Request{Method: http.MethodGet, URL: c.base, Header: http.Header{}})
	if err != nil {
		return nil // the request itself will say so
	}
	return u
}

// reach asks for the base URL, over a connection of its own; any answer will do.
func (c *Client) reach(ctx context.Context) (skew time.Duration, known bool, err error) {
	var first atomic.Pointer[time.Time]
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { now := c.o.Now(); first.Store(&now) },
	})
	req, err := c.request(ctx, opReach, http.MethodGet, "", nil)
	if err != nil {
		return 0, false, err
	}
	req.Close = true
	c.http.CloseIdleConnections() // the handshake is what is tested
	r, _, err := c.exchange(ctx, opReach, req, nil)
	if f, ok := errors.AsType[*upload.Fault](err); ok && f.Reason == upload.ServerMisconfigured {
		return 0, false, nil // its front page is elsewhere; it was reached
	}
	if err != nil {
		return 0, false, err
	}
	date, err := http.ParseTime(r.header.Get("Date"))
	if at := first.Load(); err == nil && at != nil {
		return date.Sub(*at), true, nil
	}
	return 0, false, nil
}
