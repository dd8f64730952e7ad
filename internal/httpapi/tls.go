package httpapi

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles name the PEM files of the API's TLS. ClientCA may be empty; where it
// is set, every call but the probes needs a certificate of that authority.
type TLSFiles struct {
	Cert, Key, ClientCA string
}

const certificatesLook = 5 * time.Second // at most so often are the files read

// certificates serves the newest usable content of the files: they are read
// again, not more often than every few seconds, when somebody connects. Files
// that cannot be used (half-written, gone) leave the last good ones in place.
type certificates struct {
	files TLSFiles
	now   func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	looked time.Time
	raw    [3][]byte
	good   *tls.Config
	bad    string // the last failure, to be logged once
}

func newCertificates(files TLSFiles, now func() time.Time, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, now: now, log: log, looked: now()}
	raw, err := c.read()
	if err != nil {
		return nil, err
	}
	if c.good, err = configOf(raw); err != nil {
		return nil, err
	}
	c.raw = raw
	return c, nil
}

// config is for the listener; each connection asks it for the newest.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.newest(), nil },
	}
}

func (c *certificates) newest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < certificatesLook && !now.Before(c.looked) {
		return c.good
	}
	c.looked = now
	if err := c.renew(); err != nil {
		if err.Error() != c.bad {
			c.log.Error("tls files cannot be used; the last good ones stay in use", "error", err)
		}
		c.bad = err.Error()
		return c.good
	}
	c.bad = ""
	return c.good
}

func (c *certificates) renew() error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	if bytes.Equal(raw[0], c.raw[0]) && bytes.Equal(raw[1], c.raw[1]) && bytes.Equal(raw[2], c.raw[2]) {
		return nil
	}
	fresh, err := configOf(raw)
	if err != nil {
		return err
	}
	c.raw, c.good = raw, fresh
	c.log.Info("tls files changed and were taken over")
	return nil
}

func (c *certificates) read() (raw [3][]byte, err error) {
	for i, name := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if name == "" && i == 2 {
			continue
		}
		if raw[i], err = os.ReadFile(name); err != nil {
			return raw, fmt.Errorf("read tls file: %w", err)
		}
	}
	return raw, nil
}

func configOf(raw [3][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(raw[0], raw[1])
	if err != nil {
		return nil, fmt.Errorf("use tls certificate and key: %w", err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	if raw[2] == nil {
		return cfg, nil
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(raw[2]) {
		return nil, errors.New("the client authority's file holds no certificate")
	}
	cfg.ClientAuth = tls.VerifyClientCertIfGiven // the gatekeeper insists where one is needed: probes have none
	return cfg, nil
}
