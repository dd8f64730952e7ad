package faults

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/transmittest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// line is the way to the server. It may be cut for one step: connections left
// from the step before are hung up then, and new ones go where the cut says.
type line struct {
	addr   string
	hangUp []func()

	mu  sync.Mutex
	now transmittest.Step
	at  transmittest.Step
	cut func(ctx context.Context) (net.Conn, error)
}

func newLine(t *testing.T, s *transmittest.Server) *line {
	t.Helper()
	_, addr, _ := strings.Cut(s.URL, "://")
	return &line{addr: addr}
}

// breakAt cuts the line at a step; a nil cut mends it.
func (l *line) breakAt(step transmittest.Step, cut func(context.Context) (net.Conn, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.cut = step, cut
}

// Start implements hqms.Tracer: it tells which step is next.
func (l *line) Start(ctx context.Context, op, _, _ string) (_ context.Context, end func(int, error)) {
	l.mu.Lock()
	l.now = map[string]transmittest.Step{
		"gettoken": transmittest.Admission, "upload": transmittest.Upload, "result": transmittest.Question,
	}[op]
	broken := l.cut != nil && l.at == l.now
	l.mu.Unlock()
	if broken {
		for _, hangUp := range l.hangUp {
			hangUp()
		}
	}
	return ctx, func(int, error) {}
}

func (l *line) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	l.mu.Lock()
	cut := l.cut
	if l.at != l.now {
		cut = nil
	}
	l.mu.Unlock()
	if cut != nil {
		return cut(ctx)
	}
	return (&net.Dialer{}).DialContext(ctx, network, l.addr)
}

// patience is a protocol's client that is patient with every step but one.
type patience struct {
	plenty, brief transmit.Protocol

	mu   sync.Mutex
	with transmittest.Step // brief with
}

func (p *patience) loseWith(step transmittest.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.with = step
}

func (p *patience) at(step transmittest.Step) transmit.Protocol {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.with == step {
		return p.brief
	}
	return p.plenty
}

// Admit implements transmit.Protocol.
func (p *patience) Admit(ctx context.Context, d transmit.Delivery) (upload.Ticket, error) {
	return p.at(transmittest.Admission).Admit(ctx, d)
}

// Send implements transmit.Protocol.
func (p *patience) Send(ctx context.Context, d transmit.Delivery, t upload.Ticket, b transmit.Body, told transmit.Progress) (transmit.Sending, error) {
	return p.at(transmittest.Upload).Send(ctx, d, t, b, told)
}

// Arrived implements transmit.Protocol.
func (p *patience) Arrived(ctx context.Context, t upload.Ticket) (bool, error) {
	return p.at(transmittest.Question).Arrived(ctx, t)
}

// Result implements transmit.Protocol.
func (p *patience) Result(ctx context.Context, t upload.Ticket) (upload.Answer, error) {
	return p.at(transmittest.Question).Result(ctx, t)
}

// refusedConnection dials where nobody listens.
func refusedConnection(ctx context.Context) (net.Conn, error) {
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

// unreachableNetwork is what dialling without a route gives.
func unreachableNetwork(context.Context) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}
}

// silentNetwork swallows what is sent to connect.
func silentNetwork(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
}

// noSuchHost and noNameServer are what the resolver gives.
func noSuchHost(context.Context) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "server.invalid", IsNotFound: true}}
}

func noNameServer(context.Context) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "server misbehaving", Name: "server.invalid", IsTemporary: true}}
}

// strangeCertificate leads to a server whose certificate nobody vouches for.
func strangeCertificate(t *testing.T) func(context.Context) (net.Conn, error) {
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	stranger.Config.ErrorLog = silent()
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	return dialTo(stranger.Listener.Addr().String())
}

// noTLS leads to a server that speaks plain HTTP.
func noTLS(t *testing.T) func(context.Context) (net.Conn, error) {
	plain := httptest.NewUnstartedServer(http.NotFoundHandler())
	plain.Config.ErrorLog = silent()
	plain.Start()
	t.Cleanup(plain.Close)
	return dialTo(plain.Listener.Addr().String())
}

func dialTo(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) } // what goes wrong there is meant

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
