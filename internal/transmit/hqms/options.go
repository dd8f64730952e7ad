package hqms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Credentials gives the account as it is now: secrets rotate, so they are read
// anew for each request. The hash names this pair without revealing it; this
// package has no use for it (the channel's gate does).
type Credentials interface {
	Credentials() (account, password, hash string)
}

// Tracer sees each request by its operation, host and outcome, never its URL.
type Tracer interface {
	// Start begins a span for op ("gettoken", "upload", "result"). The context
	// it returns is the request's; end is called once, with the status (0: no
	// answer) and the scrubbed error, if any.
	Start(ctx context.Context, op, method, host string) (_ context.Context, end func(status int, err error))
}

// Param is one more parameter of the upload's query.
type Param struct{ Name, Value string }

// Wire holds what is not known of the live service. The zero value of a field
// means its default.
type Wire struct {
	// TokenPath, UploadPath and ResultPath are below the server's URL; by
	// default docking/auto/gettoken.shtml, autoReqTran.shtml and
	// docking/auto/findResult.shtml, as observed on ts.hqms.org.cn. Whether
	// flu.hqms.org.cn has the same is unknown.
	TokenPath, UploadPath, ResultPath string
	// ContentType of the upload, by default the one the known clients send.
	ContentType string
	// ProcedureParam is the name of the parameter for the ICD-9-CM-3 edition;
	// by default rc022 (assumed). "-" sends none.
	ProcedureParam string
	// IsDev is the value of isDev in the token request, by default 1 (observed).
	IsDev string
	// Extra parameters of the upload. The oldest known client sends year,
	// month, genLargeDat=0 and orgid; none by default.
	Extra []Param
}

// Patience holds the watchdog's limits. The zero value of a field means its
// default.
type Patience struct {
	// Connect: until a connection is ready, name lookup, proxy and TLS
	// included; 30s.
	Connect time.Duration
	// Stall: without one more byte of the body being taken; 60s.
	Stall time.Duration
	// Answer: from the end of the request to the end of the answer; 2m.
	Answer time.Duration
}

// Network says how the server is reached. Every field may be left empty.
type Network struct {
	// Proxy is as http.Transport's, e.g. http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	// RootCAs are trusted instead of the system's; nil: the system's.
	RootCAs *x509.CertPool
	// ClientCertificate is asked for at each handshake, so that it may rotate.
	ClientCertificate func() (*tls.Certificate, error)
	// Dial replaces the dialer, for tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Options are what a client is made of.
type Options struct {
	Channel     upload.Channel
	ServerURL   string
	Credentials Credentials
	Version     string // of this program, for User-Agent
	Wire        Wire
	Patience    Patience
	Network     Network
	// Tracer, Propagate (adds traceparent), Skew (server's clock minus ours,
	// told after each answer that has a Date) and Now may be nil.
	Tracer    Tracer
	Propagate func(ctx context.Context, h http.Header)
	Skew      func(d time.Duration)
	Now       func() time.Time
}

func (w Wire) withDefaults() Wire {
	w.TokenPath = or(w.TokenPath, "docking/auto/gettoken.shtml")
	w.UploadPath = or(w.UploadPath, "autoReqTran.shtml")
	w.ResultPath = or(w.ResultPath, "docking/auto/findResult.shtml")
	w.ContentType = or(w.ContentType, "multipart/form-data; boundary=Bounday---------------------------7d318fd100112")
	w.ProcedureParam = or(w.ProcedureParam, "rc022")
	w.IsDev = or(w.IsDev, "1")
	return w
}

func (p Patience) withDefaults() Patience {
	p.Connect = or(p.Connect, 30*time.Second)
	p.Stall = or(p.Stall, time.Minute)
	p.Answer = or(p.Answer, 2*time.Minute)
	return p
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// parseBase checks a server's URL. Its errors do not repeat it: a careless
// operator may have put a password there.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		return nil, errors.New("server URL cannot be read")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("server URL must begin with https:// or http://")
	case u.Hostname() == "":
		return nil, errors.New("server URL names no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("server URL must hold neither user, query nor fragment")
	}
	return u, nil
}
