package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

const (
	patience  = 15 * time.Second // for one message, in all
	maxAnswer = 64 << 10
)

// Receiver is whom messages are posted to. It is safe for concurrent use.
type Receiver struct {
	format Format
	target func() (address, secret string) // as they are now; both are secrets
	client *http.Client
	now    func() time.Time
}

// NewReceiver makes a receiver. roots is nil for the system's authorities; proxy
// is as in http.Transport.
func NewReceiver(f Format, target func() (address, secret string), roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error), now func() time.Time) *Receiver {
	t := &http.Transport{
		Proxy: proxy, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: patience, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	return &Receiver{format: f, target: target, now: now, client: &http.Client{
		Transport: t, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token goes to nobody else
	}}
}

// Close ends idle connections.
func (r *Receiver) Close() { r.client.CloseIdleConnections() }

// Send posts a message. The error is a *Failure, unless ctx ended.
func (r *Receiver) Send(ctx context.Context, m Message) error {
	address, secret := r.target()
	p, err := r.format.post(m, address, secret, r.now())
	if err != nil {
		return &Failure{Text: "the message could not be made"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil { // its text would hold the address
		return &Failure{Text: "ALERT_WEBHOOK_URL is not an address"}
	}
	req.Header = p.header
	req.Header.Set("User-Agent", "hqms-sidecar")
	res, err := r.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &Failure{Text: what(err)}
	}
	defer res.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &Failure{Text: what(err)}
	}
	return r.format.judge(res.StatusCode, res.Header, body, r.now())
}

// what says in fixed words why a request failed: the client's own error holds
// the address.
func what(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the receiver's name has no address"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the receiver's certificate is not trusted"
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return "the receiver did not answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "no connection to the receiver"
	}
	return "the connection to the receiver broke"
}

// Step is one step of a test.
type Step struct {
	Name   string // dns, tcp, tls, sent, answer
	OK     bool
	Detail string
	Took   time.Duration
}

// Try sends a message and tells of each step, up to the first that fails.
func (r *Receiver) Try(ctx context.Context, m Message) []Step {
	w := &stepper{began: time.Now()}
	err := r.Send(httptrace.WithClientTrace(ctx, w.trace()), m)
	return w.ended(err)
}

// Reach connects to the receiver, or to the proxy that leads there, and sends
// nothing.
func (r *Receiver) Reach(ctx context.Context) error {
	address, _ := r.target()
	u, err := url.Parse(address)
	if err != nil {
		return &Failure{Text: "ALERT_WEBHOOK_URL is not an address"}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t, _ := r.client.Transport.(*http.Transport)
	if t.Proxy != nil {
		if proxy, err := t.Proxy(&http.Request{URL: u}); err == nil && proxy != nil {
			u = proxy
		}
	}
	host := net.JoinHostPort(u.Hostname(), port(u))
	dial := (&net.Dialer{}).DialContext
	if u.Scheme == "https" {
		dial = (&tls.Dialer{Config: t.TLSClientConfig}).DialContext
	}
	conn, err := dial(ctx, "tcp", host)
	if err != nil {
		return &Failure{Text: what(err)}
	}
	return conn.Close()
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
