package hqms

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

const maxRedirects = 5

// errRedirect stands for a redirect that is not followed.
var errRedirect = errors.New("redirect refused")

// newTransport makes the only way out. HTTP/1.1 alone, as the known clients:
// it also makes "the body went out whole" a question with an answer. seen gets
// each connection's TLS state once it has been found good.
func newTransport(n Network, p Patience, seen func(tls.ConnectionState)) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	t := &http.Transport{
		Proxy:                  n.Proxy,
		Protocols:              &protocols,
		DialContext:            n.Dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.RootCAs, VerifyConnection: func(s tls.ConnectionState) error { seen(s); return nil }},
		TLSHandshakeTimeout:    p.Connect,
		DisableCompression:     true, // the limit on answers counts what is read
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    256, // more than are open at once, three for each of CONCURRENCY: a handshake costs more than the question
		IdleConnTimeout:        30 * time.Second,
	}
	if t.DialContext == nil {
		t.DialContext = (&net.Dialer{Timeout: p.Connect, KeepAlive: 15 * time.Second, Control: keepQueueShort}).DialContext
	}
	if n.ClientCertificate != nil {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return n.ClientCertificate()
		}
	}
	return t
}

// checkRedirect follows a GET to the same scheme, host and port; http may
// become https on the same host name. A POST is never repeated elsewhere.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	req.Header.Del("Referer") // it would hold the query, and so the password
	same := strings.EqualFold(req.URL.Host, first.URL.Host) && req.URL.Scheme == first.URL.Scheme
	better := first.URL.Scheme == "http" && req.URL.Scheme == "https" &&
		strings.EqualFold(req.URL.Hostname(), first.URL.Hostname())
	if first.Method != http.MethodGet || len(via) > maxRedirects || (!same && !better) {
		return errRedirect
	}
	return nil
}
