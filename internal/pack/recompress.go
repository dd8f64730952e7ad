package pack

import (
	"context"
	"errors"
	"io"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// queued is how many pieces of some 32 KiB may wait to be read: more than there are
// when all efforts have had their sample, of what cannot be compressed at all.
const queued = (optimal.Most*mostSample+2*optimal.ChunkSize)/(32<<10) + 8

var (
	// ErrNoGain says that the copy would not become enough smaller.
	ErrNoGain = errors.New("the packed copy would not become smaller")
	// ErrOutgrown says that the copy became larger than was foretold; it has to be sent as
	// it is.
	ErrOutgrown error = upload.PassingFault(upload.UploadBroken, "the packed copy became larger than was foretold; it is sent again as it is", nil)
)

// Recompression is a packed copy that is made smaller while it is sent: its size is
// known before the first byte, its digest after the last. It is read once, from its
// start, by one goroutine; whoever has it closes it.
//
// Its bytes are a zip of the same entry. Unless what is read of the spool has the
// source's digest, the last of them never come.
type Recompression struct {
	sized  <-chan struct{} // closed when size is set
	size   int64
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing is made any more
	pieces chan []byte   // closed when all is made; then err and digest are set
	err    error
	digest string

	rest []byte // of the piece that is being read
	read int64
}

// Recompress begins to make the packed copy of u smaller at a slow level while it is
// sent, by pace bytes per second at least, or at a lower level; 0: no matter how
// long it takes. nil: it is too small or too large for that, has outgrown what was
// foretold before, or as many as may be are being made smaller already.
func (s *Stage) Recompress(ctx context.Context, u upload.Upload, level int, pace float64) *Recompression {
	if level <= lastFast || u.Source.Size < large || u.Source.Size > largest || s.asItIs(u.ID) || !s.writers.share() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &Recompression{cancel: cancel, ended: make(chan struct{}), pieces: make(chan []byte, queued)}
	m := newRemaking(ctx, r, u, level-lastFast, pace)
	r.sized = m.foretold
	go func() {
		defer close(r.ended)
		defer s.writers.unshare()
		if r.err = m.from(s); errors.Is(r.err, ErrOutgrown) {
			s.sendAsItIs(u.ID)
		}
		close(r.pieces)
	}()
	return r
}

// Ready waits until Size is known. It fails with [ErrNoGain] where the copy would not
// become enough smaller, or not in time, and like Open.
func (r *Recompression) Ready(ctx context.Context) error {
	select {
	case <-r.sized:
		return nil
	default:
	}
	select {
	case <-r.sized:
		return nil
	case <-r.ended:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Size is how many bytes there will be.
func (r *Recompression) Size() int64 { return r.size }

// Digest is "sha-256:<hex>" of all bytes, once they have been read; "" before, and
// where there are more than Size. It is called by whoever reads.
func (r *Recompression) Digest() string {
	select {
	case <-r.sized:
	default:
		return ""
	}
	if r.read != r.size {
		return ""
	}
	for range r.pieces { // the last one is handed over before all is summed up
	}
	return r.digest
}

// Read implements io.Reader. Its error is [ErrOutgrown] where the bytes would have
// been more than Size.
func (r *Recompression) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		piece, more := <-r.pieces
		if !more && r.err == nil {
			return 0, io.EOF
		}
		if !more {
			return 0, r.err
		}
		r.rest = piece
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	r.read += int64(n)
	return n, nil
}

// errRead: it was read already; a fault of ours.
var errRead = errors.New("a copy that is made while it is sent can be read once")

// Seek implements io.Seeker as far as it can be: to the start, before reading.
func (r *Recompression) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart || r.read != 0 {
		return r.read, errRead
	}
	return 0, nil
}

// Close ends the making, and waits for that. It has no error.
func (r *Recompression) Close() error {
	r.cancel()
	<-r.ended
	return nil
}
