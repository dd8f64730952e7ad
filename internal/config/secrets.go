package config

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Secrets holds the secrets as they are now. Those given as files are read
// again by Reload and, every so often, by Run; by content, since Kubernetes
// swaps a link two directories up and the file's own times say nothing. Safe
// for concurrent use.
type Secrets struct {
	files map[string]string // variable → path
	log   *slog.Logger

	reading sync.Mutex // one Reload at a time

	mu      sync.RWMutex
	values  map[string]string
	hashes  map[upload.Channel]string
	unread  map[string]string // variable → why its file could not be read last time
	settled time.Duration
}

// NewSecrets takes over the secrets of cfg; log may be nil.
func NewSecrets(cfg *Config, log *slog.Logger) *Secrets {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Secrets{
		files: maps.Clone(cfg.files), log: log, values: map[string]string{},
		hashes: map[upload.Channel]string{}, unread: map[string]string{}, settled: 300 * time.Millisecond,
	}
	for name, secret := range cfg.secrets() {
		s.values[name] = secret.Reveal()
	}
	return s
}

// secrets lists the secrets by variable.
func (c *Config) secrets() map[string]Secret {
	return map[string]Secret{
		"DATABASE_URL": c.DatabaseURL, "API_TOKEN": c.APIToken, "API_VIEW_TOKEN": c.APIViewToken,
		"ALERT_WEBHOOK_URL": c.AlertWebhookURL, "ALERT_SECRET": c.AlertSecret,
		"HQMS_ACCOUNT": c.HQMS.Account, "HQMS_PASSWORD": c.HQMS.Password,
		"FLU_ACCOUNT": c.Flu.Account, "FLU_PASSWORD": c.Flu.Password,
	}
}

// Credentials are account and password of a channel as they are now, and a
// short fingerprint of the two by which it can be told later whether they
// changed. The fingerprint may be stored: it is slow to make and too short to
// be turned back.
func (s *Secrets) Credentials(ch upload.Channel) (account, password, hash string) {
	prefix := strings.ToUpper(string(ch)) + "_"
	s.mu.RLock()
	account, password, hash = s.values[prefix+"ACCOUNT"], s.values[prefix+"PASSWORD"], s.hashes[ch]
	s.mu.RUnlock()
	if hash != "" || account == "" && password == "" {
		return account, password, hash
	}
	hash = fingerprint(account, password)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values[prefix+"ACCOUNT"] == account && s.values[prefix+"PASSWORD"] == password {
		s.hashes[ch] = hash
	}
	return account, password, hash
}

// Tokens are the API's bearer tokens as they are now; empty: not set.
func (s *Secrets) Tokens() (operator, viewer string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.values["API_TOKEN"], s.values["API_VIEW_TOKEN"]
}

// Alerts are the address of the receiver of alerts and the secret that messages
// are signed with, as they are now; empty: not set. The address holds a token.
func (s *Secrets) Alerts() (webhook, secret string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.values["ALERT_WEBHOOK_URL"], s.values["ALERT_SECRET"]
}

// DatabaseURL is the address of the shared journal as it is now; empty: there is
// none. It holds a password.
func (s *Secrets) DatabaseURL() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.values["DATABASE_URL"]
}

// Run reloads every so often, and at once when asked, until ctx ends, and calls
// changed with the variables whose values changed.
func (s *Secrets) Run(ctx context.Context, every time.Duration, asked <-chan struct{}, changed func(variables []string)) error {
	if len(s.files) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-asked:
		}
		if names := s.Reload(ctx); len(names) > 0 {
			changed(names)
		}
	}
}

// Reload reads the files again and gives the variables whose values changed. A
// new content must be the same on a second look shortly after, so that a file
// in the middle of being written is not taken; an unreadable, empty or unfit
// one leaves the old value.
func (s *Secrets) Reload(ctx context.Context) []string {
	s.reading.Lock()
	defer s.reading.Unlock()
	first := s.look()
	if len(first) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(s.settled):
	}
	second := s.look()
	var names []string
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range first {
		if second[name] != value {
			continue
		}
		s.values[name] = value
		names = append(names, name)
		for _, ch := range []upload.Channel{upload.HQMS, upload.Flu} {
			if strings.HasPrefix(name, strings.ToUpper(string(ch))+"_") {
				delete(s.hashes, ch)
			}
		}
	}
	slices.Sort(names)
	return names
}

// look gives the readable secrets that differ from what we have.
func (s *Secrets) look() map[string]string {
	differing := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		value, err := readSecret(s.files[name])
		if err == nil && value == "" {
			err = errEmpty
		}
		if err == nil && unfit(value) != "" {
			err = errUnfit
		}
		s.noteUnread(name, err)
		s.mu.RLock()
		if err == nil && value != s.values[name] {
			differing[name] = value
		}
		s.mu.RUnlock()
	}
	return differing
}

// noteUnread logs once when a file becomes unreadable, and once when it is
// readable again.
func (s *Secrets) noteUnread(name string, err error) {
	why := ""
	if err != nil {
		why = cause(err)
	}
	s.mu.Lock()
	before := s.unread[name]
	s.unread[name] = why
	s.mu.Unlock()
	switch {
	case why != "" && why != before:
		s.log.Warn("secret file cannot be read; the old value stays", "variable", name+"_FILE", "cause", why)
	case why == "" && before != "":
		s.log.Info("secret file can be read again", "variable", name+"_FILE")
	}
}

var (
	errEmpty = errors.New("the file is empty")
	errUnfit = errors.New("the file holds line breaks or control characters, or is too long")
)

// readSecret reads and trims a secret's file, at most a little more than the
// longest secret; it never hangs on a FIFO.
func readSecret(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w", errNotRegular)
	}
	b, err := io.ReadAll(io.LimitReader(f, 2*maxSecret))
	if err != nil {
		return "", err
	}
	return trim(string(b)), nil
}

// fingerprint is made slowly and cut to 64 bits, so that a stolen journal does
// not give weak passwords away.
func fingerprint(account, password string) string {
	key, err := pbkdf2.Key(sha256.New, password, []byte("hqms-sidecar credentials\x00"+account), 50_000, 8)
	if err != nil {
		return "" // only with FIPS mode and parameters unlike these
	}
	return hex.EncodeToString(key)
}
