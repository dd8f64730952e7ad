package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// spool keeps received packages as files named by their token, which is the
// server's own; the root keeps any other name inside the directory all the same.
type spool struct {
	root *os.Root
	sync func(*os.File) error // nil: nothing here need outlive a power cut
	// small are packages without a file; nil: each has its own.
	small *shelf
}

func (s spool) name(token string) string { return token + ".zip" }

// receive writes a body of exactly size bytes to disk, durable when it returns
// unless nothing here has to be.
// Of a body that is not whole nothing stays.
func (s spool) receive(token string, body io.Reader, size int64) (digest string, err error) {
	if s.small.fits(size) {
		b, err := s.small.receive(token, body, size)
		if err != nil {
			return "", fmt.Errorf("receive package: %w", err)
		}
		sum := sha256.Sum256(b)
		return "sha-256:" + hex.EncodeToString(sum[:]), nil
	}
	part := s.name(token) + ".part"
	f, err := s.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
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
		err = s.root.Rename(part, s.name(token))
	}
	if err == nil {
		err = syncDir(s.root.Name(), s.sync)
	}
	if err != nil {
		_ = s.root.Remove(part)
		return "", fmt.Errorf("receive package: %w", err)
	}
	return "sha-256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func (s spool) open(token string) (parcel, error) {
	if p, here := s.small.open(token); here {
		return p, nil
	}
	f, err := s.root.Open(s.name(token))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// remove drops a package; one that cannot be removed is swept at the next start.
func (s spool) remove(token string) {
	if !s.small.remove(token) {
		_ = s.root.Remove(s.name(token))
	}
}

// sweep removes what no delivery needs: halves, and packages not in keep.
func (s spool) sweep(keep func(token string) bool) error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("sweep packages: %w", err)
	}
	for _, e := range entries {
		token, whole := strings.CutSuffix(e.Name(), ".zip")
		if whole && keep(token) {
			continue
		}
		if whole || strings.HasSuffix(e.Name(), ".zip.part") {
			_ = s.root.Remove(e.Name())
		}
	}
	return nil
}
