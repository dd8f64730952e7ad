package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// layer is a layer as it is stored, and what it is named by.
type layer struct {
	packed []byte
	digest string // of packed
	diffID string // of what is in it
}

// newLayer packs entries, which are in the order they are to have.
func newLayer(entries []entry, at time.Time) (layer, error) {
	var plain bytes.Buffer
	if err := writeTar(&plain, entries, at); err != nil {
		return layer{}, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return layer{}, err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return layer{}, err
	}
	if err := z.Close(); err != nil {
		return layer{}, err
	}
	return layer{packed: packed.Bytes(), digest: digest(packed.Bytes()), diffID: digest(plain.Bytes())}, nil
}

func writeTar(w io.Writer, entries []entry, at time.Time) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{
			Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: e.name, Mode: int64(e.mode), Size: int64(len(e.data)),
			Uid: e.uid, Gid: e.uid, ModTime: at.UTC().Truncate(time.Second),
		}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("write %s: %w", e.name, err)
		}
		if _, err := t.Write(e.data); err != nil {
			return fmt.Errorf("write %s: %w", e.name, err)
		}
	}
	return t.Close()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
