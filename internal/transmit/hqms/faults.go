package hqms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// netFault classifies what http.Client returned. The error itself is dropped:
// its text holds the URL, and may hold what a server or proxy wrote.
func netFault(caller, watched context.Context, op string, f *footing, err error) error {
	connected, tlsErr, _ := f.get()
	if s, ok := errors.AsType[*stalled](context.Cause(watched)); ok {
		return upload.PassingFault(upload.ServerTimeout, op+": "+s.Error(), nil)
	}
	if end := caller.Err(); end != nil && !errors.Is(end, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, end)
	}
	if errors.Is(err, errRedirect) {
		return upload.PassingFault(upload.ServerMisconfigured, op+": the server redirects elsewhere", nil)
	}
	if detail, ok := tlsDetail(err, tlsErr, connected); ok {
		return upload.PassingFault(upload.ServerTLS, op+": "+detail, nil)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		detail := "name lookup failed"
		if dns.IsNotFound {
			detail = "no such host name"
		}
		return upload.PassingFault(upload.ServerUnreachable, op+": "+detail, nil)
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return upload.PassingFault(upload.ServerTimeout, op+": no connection in time", nil)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return upload.PassingFault(upload.ServerUnreachable, op, errno)
	}
	if connected {
		return upload.PassingFault(upload.ServerUnreachable, op+": the connection broke", nil)
	}
	return upload.PassingFault(upload.ServerUnreachable, op+": no connection", nil)
}

// tlsDetail says in fixed words what is wrong with TLS, if that is it.
func tlsDetail(err, handshake error, connected bool) (string, bool) {
	if h, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is not valid for " + h.Host, true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate comes from an unknown authority", true
	}
	if i, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if i.Reason == x509.Expired {
			return "the certificate has expired or is not yet valid", true
		}
		return "the certificate is not acceptable", true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate cannot be verified", true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the server does not speak TLS", true
	}
	if o, ok := errors.AsType[*net.OpError](err); ok && (o.Op == "remote error" || o.Op == "local error") {
		return "the server refused the handshake", true
	}
	if t, ok := errors.AsType[net.Error](handshake); ok && t.Timeout() {
		return "", false
	}
	if handshake != nil && !connected {
		return "the handshake failed", true
	}
	return "", false
}

// statusFault classifies an answer whose status is not 2xx.
func statusFault(op string, r reply, now time.Time) *upload.Fault {
	f := upload.PassingFault(upload.ServerMisconfigured, fmt.Sprintf("%s: HTTP status %d", op, r.status), nil)
	f.RetryAfter = retryAfter(r.header, now)
	switch {
	case r.status == http.StatusRequestTimeout, r.status == http.StatusTooEarly, r.status == http.StatusTooManyRequests,
		r.status == http.StatusServiceUnavailable && f.RetryAfter > 0:
		f.Reason = upload.ServerBusy
	case r.status >= http.StatusInternalServerError:
		f.Reason = upload.ServerError
	case r.status >= 300 && r.status < 400:
		f.Detail = op + ": the server redirects elsewhere"
	}
	return f
}
