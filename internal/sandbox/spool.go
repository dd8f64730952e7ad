package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// spool keeps received packages as files named by their token, which is the
// server's own and so safe as a name.
type spool struct {
	dir  string
	sync func(*os.File) error // nil: nothing here need outlive a power cut
}

func (s spool) path(token string) string { return filepath.Join(s.dir, token+".zip") }

// receive writes a body of exactly size bytes to disk, durable when it returns.
// Of a body that is not whole nothing stays.
func (s spool) receive(token string, body io.Reader, size int64) (digest string, err error) {
	part := s.path(token) + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("create package: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), body)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && s.sync != nil {
		err = s.sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, s.path(token))
	}
	if err == nil {
		err = syncDir(s.dir, s.sync)
	}
	if err != nil {
		_ = os.Remove(part)
		return "", fmt.Errorf("receive package: %w", err)
	}
	return "sha-256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func (s spool) open(token string) (*os.File, error) { return os.Open(s.path(token)) }

// remove drops a package; one that cannot be removed is swept at the next start.
func (s spool) remove(token string) { _ = os.Remove(s.path(token)) }

// sweep removes what no delivery needs: halves, and packages not in keep.
func (s spool) sweep(keep func(token string) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("sweep packages: %w", err)
	}
	for _, e := range entries {
		token, whole := strings.CutSuffix(e.Name(), ".zip")
		if whole && keep(token) {
			continue
		}
		if whole || strings.HasSuffix(e.Name(), ".zip.part") {
			_ = os.Remove(filepath.Join(s.dir, e.Name()))
		}
	}
	return nil
}
