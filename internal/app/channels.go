package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/hqms"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// line is everything of one channel.
type line struct {
	config.Channel
	dir     *durable.Dir
	client  *hqms.Client
	gate    *channel.Gate
	watcher *watch.Watcher
	blocks  *blocks

	certNoted time.Time // when the server's certificate expires, as last noted in the journal
	certRead  struct {  // the note, as last read
		at   journal.Moment // before that
		text string
	}
}

// newClient makes the protocol's client of a channel.
func newClient(cfg *config.Config, ch config.Channel, secrets *config.Secrets, obs *telemetry.Observer, now func() time.Time) (*hqms.Client, error) {
	network, err := networkOf(ch)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", ch.Name, err)
	}
	o := hqms.Options{
		Channel: ch.Name, ServerURL: ch.ServerURL.String(), Version: Version, Network: network, Now: now,
		Credentials: credentials{secrets, ch.Name},
		Wire: hqms.Wire{
			TokenPath: ch.TokenPath, UploadPath: ch.UploadPath, ResultPath: ch.ResultPath, ContentType: ch.UploadContentType, ProcedureParam: cfg.ICD9Parameter, Extra: extraParams(ch.UploadParameters),
		},
	}
	if obs != nil {
		o.Tracer, o.Propagate = requestTracer{obs}, telemetry.Propagate
	}
	client, err := hqms.New(o)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", ch.Name, err)
	}
	return client, nil
}

// networkOf is how a channel's server is reached: proxy from the environment,
// a private authority beside the system's, a client certificate that may rotate.
func networkOf(ch config.Channel) (hqms.Network, error) {
	n := hqms.Network{Proxy: http.ProxyFromEnvironment}
	if ch.CAFile != "" {
		pem, err := os.ReadFile(ch.CAFile)
		if err != nil {
			return n, fmt.Errorf("read CA_FILE: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return n, fmt.Errorf("CA_FILE %s holds no certificate in PEM form", ch.CAFile)
		}
		n.RootCAs = pool
	}
	if ch.ClientCertFile != "" {
		n.ClientCertificate = func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(ch.ClientCertFile, ch.ClientKeyFile)
			return &pair, err
		}
		if _, err := n.ClientCertificate(); err != nil {
			return n, fmt.Errorf("read CLIENT_CERT_FILE and CLIENT_KEY_FILE: %w", err)
		}
	}
	return n, nil
}

func extraParams(p config.Parameters) []hqms.Param {
	var all []hqms.Param
	for name, values := range url.Values(p) {
		for _, v := range values {
			all = append(all, hqms.Param{Name: name, Value: v})
		}
	}
	return all
}

// codingOf is how the files of a channel are coded; only channel hqms says so.
func codingOf(cfg *config.Config, ch upload.Channel) transmit.Coding {
	if ch != upload.HQMS {
		return transmit.Coding{}
	}
	return transmit.Coding{
		Diagnosis: transmit.Edition(cfg.ICD10Diagnosis), Morphology: transmit.Edition(cfg.ICD10Morphology),
		Procedure: transmit.Edition(cfg.ICD9Procedure),
	}
}

// credentials are those of one channel, as they are now.
type credentials struct {
	secrets *config.Secrets
	ch      upload.Channel
}

// Credentials implements hqms.Credentials.
func (c credentials) Credentials() (account, password, hash string) {
	return c.secrets.Credentials(c.ch)
}

func (c credentials) hash() string {
	_, _, hash := c.secrets.Credentials(c.ch)
	return hash
}

// requestTracer gives each request to a server its span.
type requestTracer struct{ obs *telemetry.Observer }

// Start implements hqms.Tracer.
func (t requestTracer) Start(ctx context.Context, op, _, host string) (context.Context, func(status int, err error)) {
	return t.obs.RequestSpan(ctx, op, host)
}

// gateStore keeps the gates' records in the journal.
type gateStore struct{ j *journal.Journal }

// Channel implements channel.Store.
func (s gateStore) Channel(ctx context.Context, ch upload.Channel) (channel.Record, error) {
	r, err := s.j.Channel(ctx, ch)
	return channel.Record(r), err
}

// SaveChannel implements channel.Store.
func (s gateStore) SaveChannel(ctx context.Context, r channel.Record) error {
	err := s.j.SaveChannel(ctx, journal.ChannelRecord(r))
	if errors.Is(err, journal.ErrConflict) {
		return channel.ErrConflict
	}
	return err
}
