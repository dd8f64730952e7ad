package hqms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Client is one channel's side of the interface. It implements
// transmit.Protocol, and with Result alone what confirm needs. Its methods may
// be called concurrently.
type Client struct {
	o    Options
	base *url.URL
	http *http.Client
	// expires is when the server's certificate does, as of the latest connection.
	expires atomic.Pointer[time.Time]
}

var _ transmit.Protocol = (*Client)(nil)

// New makes a client. It fails on a server URL that cannot be one.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.ServerURL)
	if err != nil {
		return nil, err
	}
	if o.Credentials == nil {
		return nil, errors.New("no source of credentials")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Wire, o.Patience = o.Wire.withDefaults(), o.Patience.withDefaults()
	c := &Client{o: o, base: base}
	c.http = &http.Client{Transport: newTransport(o.Network, o.Patience, c.noteCertificate), CheckRedirect: checkRedirect}
	return c, nil
}

// noteCertificate keeps when the server's certificate expires; a proxy's is not
// meant.
func (c *Client) noteCertificate(s tls.ConnectionState) {
	if len(s.PeerCertificates) > 0 && (s.ServerName == "" || strings.EqualFold(s.ServerName, c.base.Hostname())) {
		c.expires.Store(&s.PeerCertificates[0].NotAfter)
	}
}

// ServerCertificate is when the server's certificate expires, as of the latest
// connection; not ok before the first one, and where the address is http.
func (c *Client) ServerCertificate() (expires time.Time, ok bool) {
	if at := c.expires.Load(); at != nil {
		return *at, true
	}
	return time.Time{}, false
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Admit gets a token, which is the ticket of one file.
func (c *Client) Admit(ctx context.Context, _ transmit.Delivery) (upload.Ticket, error) {
	account, password, _ := c.o.Credentials.Credentials()
	if account == "" || password == "" {
		return upload.Ticket{}, upload.LocalFaultOf(upload.CredentialsMissing, "", nil)
	}
	q := query{{"loginid", account}, {"pwd", password}, {"datatype", "json"}, {"isDev", c.o.Wire.IsDev}}
	r, err := c.get(ctx, opToken, c.o.Wire.TokenPath, q)
	if err != nil {
		return upload.Ticket{}, err
	}
	a, readable := parse(r.body)
	if f := tokenFault(r, a, readable, c.o.Now()); f != nil {
		return upload.Ticket{}, f
	}
	return upload.Ticket{Token: a.token(), IssuedAt: c.o.Now().UTC(), Fate: upload.Untouched}, nil
}

// tokenFault finds what is wrong with the answer to a token request.
func tokenFault(r reply, a answer, readable error, now time.Time) *upload.Fault {
	said := readable == nil
	switch {
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden,
		said && a.refuses() && (r.ok() || r.clientError()):
		f := upload.RefusedFault("the server refused account or password")
		f.Err = a.refusal()
		return f
	case !r.ok():
		return statusFault(opToken, r, now)
	case !said:
		return upload.PassingFault(upload.ServerUnreadable, opToken+": "+readable.Error(), nil)
	case !validToken(a.token()):
		return upload.PassingFault(upload.ServerUnreadable, opToken+": the answer holds no usable token", nil)
	default:
		return nil
	}
}

// Result asks what became of the delivery under t.
func (c *Client) Result(ctx context.Context, t upload.Ticket) (upload.Answer, error) {
	q := query{{"token", t.Token}, {"datatype", "json"}}
	r, err := c.get(ctx, opResult, c.o.Wire.ResultPath, q)
	if err != nil {
		return upload.Answer{}, err
	}
	a, readable := parse(r.body)
	if readable == nil && a.refuses() && (r.ok() || r.clientError()) {
		return upload.Answer{Standing: upload.StandingUnknown, Receipt: a.receipt(c.o.Now())}, nil
	}
	if !r.ok() {
		return upload.Answer{}, statusFault(opResult, r, c.o.Now())
	}
	if readable != nil {
		return upload.Answer{}, upload.PassingFault(upload.ServerUnreadable, opResult+": "+readable.Error(), nil)
	}
	return a.standing(c.o.Now()), nil
}

// Arrived asks whether a broken upload is there after all. A server that
// failed on what it got (status 5) got a torn file: that has not arrived.
func (c *Client) Arrived(ctx context.Context, t upload.Ticket) (bool, error) {
	a, err := c.Result(ctx, t)
	if err != nil {
		return false, err
	}
	failed := a.Standing == upload.StandingDone && a.Receipt != nil && a.Receipt.Status == statusFailed
	return a.Standing != upload.StandingUnknown && !failed, nil
}

// query keeps the parameters in the order of the known clients.
type query []Param

func (q query) encode() string {
	var b strings.Builder
	for i, p := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value))
	}
	return b.String()
}

// request makes a request for path below the base.
func (c *Client) request(ctx context.Context, op, method, path string, q query) (*http.Request, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = q.encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil { // its text would hold the URL
		return nil, fmt.Errorf("%s: the request cannot be made", op)
	}
	req.Header.Set("User-Agent", "hqms-sidecar/"+or(c.o.Version, "dev"))
	return req, nil
}

func (c *Client) get(ctx context.Context, op, path string, q query) (reply, error) {
	req, err := c.request(ctx, op, http.MethodGet, path, q)
	if err != nil {
		return reply{}, err
	}
	r, _, err := c.exchange(ctx, op, req, nil)
	return r, err
}
