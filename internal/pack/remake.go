package pack

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// largest is the largest source whose packed copy is made smaller: beyond it zip
// has other headers.
const largest = 2 << 30

// remaking makes a Recompression. How large it will be is foretold from a sample at
// the source's beginning: how much smaller that has become, all of it will become,
// and a margin. What is left at the end is filled up with empty blocks; as long as
// it looks as if it would not do, more effort is made.
type remaking struct {
	r        *Recompression
	ctx      context.Context //nolint:containedctx // of one making
	u        upload.Upload
	foretold chan struct{} // closed when r.size is set
	packed   hash.Hash
	source   hash.Hash
	made     int64 // bytes handed over
	overhead int64 // of the zip, around the compressed data

	mu       sync.Mutex // what the encoder's goroutine and ours share
	estimate estimate
	failed   error
}

func newRemaking(ctx context.Context, r *Recompression, u upload.Upload, effort int, pace float64) *remaking {
	m := &remaking{r: r, ctx: ctx, u: u, foretold: make(chan struct{}), packed: sha256.New(), source: sha256.New()}
	m.estimate = newEstimate(u.Source.Size, effort, pace, time.Now())
	return m
}

// from makes it of the copy in the spool.
func (m *remaking) from(s *Stage) error {
	body, size, err := s.Open(m.ctx, m.u)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // read only
	return m.run(body, size, &s.writers)
}

// run reads the packed copy of so many bytes and makes another.
func (m *remaking) run(body io.ReadSeeker, size int64, writers *compressors) (err error) {
	defer func() {
		if p := recover(); p != nil { // the value may quote data
			err = fmt.Errorf("make the packed copy smaller: panic (%T)\n%s", p, debug.Stack())
		}
	}()
	if m.overhead, err = overhead(m.u); err != nil {
		return err
	}
	at, ok := body.(io.ReaderAt)
	if !ok {
		return ErrNoGain
	}
	entry, total, err := entryOf(at, size)
	if err != nil {
		return lost(err)
	}
	m.estimate.total = total
	ow := writers.writer()
	defer writers.keep(ow)
	archive := zip.NewWriter(m)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		ow.Reset(w, m.estimate.effort)
		ow.Tell(m.told)
		return filler{ow, m}, nil
	})
	to, err := archive.CreateHeader(headerOf(m.u))
	if err != nil {
		return err
	}
	if err := m.copy(to, ow, entry); err != nil {
		return err
	}
	if got := durable.DigestPrefix + hex.EncodeToString(m.source.Sum(nil)); got != m.u.Digest {
		return lost(durable.ErrMismatch)
	}
	return m.finish(archive)
}

func (m *remaking) finish(archive *zip.Writer) error {
	err := archive.Close()
	if errors.Is(err, optimal.ErrTooLong) || err == nil && m.made != m.r.size {
		return ErrOutgrown
	}
	m.r.digest = durable.DigestPrefix + hex.EncodeToString(m.packed.Sum(nil))
	return err
}

// copy goes through the entry, a chunk at a time.
func (m *remaking) copy(to io.Writer, ow *optimal.Writer, from *inflating) error {
	chunk := make([]byte, optimal.ChunkSize)
	for {
		n, err := io.ReadFull(from, chunk)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return lost(err)
		}
		ended := err != nil
		_, _ = m.source.Write(chunk[:n])
		effort, err := m.came(from.came())
		if err != nil {
			return err
		}
		ow.Effort(effort)
		if _, err := to.Write(chunk[:n]); err != nil || ended {
			return err
		}
	}
}

// came notes how many compressed bytes another chunk has taken, and tells how much
// effort is to be made.
func (m *remaking) came(bytes int64) (effort int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.estimate.taken = append(m.estimate.taken, bytes)
	if m.failed == nil {
		m.failed = m.ctx.Err()
	}
	return m.estimate.effort, m.failed
}

// told is called by the encoder: so much of the source has become so many bytes.
func (m *remaking) told(in, out int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	foretold := m.estimate.size > 0
	err := m.estimate.became(in, out, time.Now())
	if m.failed == nil {
		m.failed = err
	}
	if !foretold && m.estimate.size > 0 {
		m.r.size = m.estimate.size + m.overhead
		close(m.foretold)
	}
}

// Write hands a piece of the zip over. It waits as long as there are many.
func (m *remaking) Write(b []byte) (int, error) {
	piece := append([]byte(nil), b...)
	select {
	case m.r.pieces <- piece:
	case <-m.ctx.Done():
		return 0, m.ctx.Err()
	}
	_, _ = m.packed.Write(piece)
	m.made += int64(len(piece))
	return len(piece), nil
}

// filler has the compressed data end at the size foretold.
type filler struct {
	*optimal.Writer
	m *remaking
}

// Close implements io.Closer.
func (f filler) Close() error {
	f.m.mu.Lock()
	size := f.m.estimate.size
	f.m.mu.Unlock()
	return f.CloseAt(size)
}

// inflating reads an entry, and knows how much of the compressed data that took.
type inflating struct {
	io.Reader
	from *counted
}

func (i *inflating) came() int64 { return i.from.n }

// counted gives single bytes, as an inflater needs them to take no more than it
// has use for.
type counted struct {
	*bufio.Reader
	n int64
}

// ReadByte implements io.ByteReader.
func (c *counted) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

// entryOf opens the one entry of a packed copy, and tells how large it is there.
func entryOf(at io.ReaderAt, size int64) (*inflating, int64, error) {
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, 0, err
	}
	if len(z.File) != 1 || z.File[0].Method != zip.Deflate {
		return nil, 0, zip.ErrFormat
	}
	begins, err := z.File[0].DataOffset()
	if err != nil {
		return nil, 0, err
	}
	total := int64(z.File[0].CompressedSize64) //nolint:gosec // no more than size, as zip has seen
	from := &counted{Reader: bufio.NewReaderSize(io.NewSectionReader(at, begins, total), 64<<10)}
	return &inflating{Reader: flate.NewReader(from), from: from}, total, nil
}

// overhead is what the zip of u has around the compressed data.
func overhead(u upload.Upload) (int64, error) {
	var n count
	z := zip.NewWriter(&n)
	z.RegisterCompressor(zip.Deflate, func(io.Writer) (io.WriteCloser, error) { return nothing{io.Discard}, nil })
	w, err := z.CreateHeader(headerOf(u))
	if err == nil {
		_, err = w.Write([]byte{0})
	}
	if err != nil {
		return 0, err
	}
	err = z.Close()
	return int64(n), err
}

type count int64

// Write implements io.Writer.
func (c *count) Write(b []byte) (int, error) { *c += count(len(b)); return len(b), nil }

type nothing struct{ io.Writer }

// Close implements io.Closer.
func (nothing) Close() error { return nil }
