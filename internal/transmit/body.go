package transmit

import (
	"context"
	"io"
	"log/slog"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// body is what is sent of an upload: the packed copy as it waits, or a smaller one
// that is made meanwhile.
type body struct {
	waiting io.ReadSeekCloser
	size    int64
	remade  Recompressed // nil: as it waits
}

// open opens the copy, and begins to make a smaller one where that may be.
func (s *Stage) open(ctx context.Context, u upload.Upload, ch Channel) (*body, error) {
	waiting, size, err := s.o.Spool.Open(ctx, u)
	if err != nil {
		return nil, err
	}
	b := &body{waiting: waiting, size: size}
	if s.o.Recompress != nil && ch.WhileSending {
		b.remade = s.o.Recompress(ctx, u)
	}
	return b, nil
}

// ready decides which it is, and gives u with it: the size of a smaller copy, whose
// digest nobody knows yet. The journal has it so before the first byte goes out:
// after a crash it does not vouch for bytes that were not sent.
func (s *Stage) ready(ctx context.Context, u upload.Upload, b *body) upload.Upload {
	if b.remade == nil {
		u.PackedSize = b.size
		return u
	}
	if err := b.remade.Ready(ctx); err != nil {
		s.o.Logger.Debug("packed copy is sent as it is: no smaller one can be made in time", slog.String("upload", string(u.ID)), slog.Any("error", err))
		_ = b.remade.Close() // read only: closing cannot lose anything
		b.remade = nil
		u.PackedSize = b.size
		return u
	}
	s.o.Logger.Debug("packed copy is made smaller while it is sent", slog.String("upload", string(u.ID)),
		slog.Int64("was", b.size), slog.Int64("bytes", b.remade.Size()))
	u.PackedSize, u.PackedDigest = b.remade.Size(), ""
	return u
}

func (b *body) reader() io.ReadSeeker {
	if b.remade != nil {
		return b.remade
	}
	return b.waiting
}

func (b *body) close() {
	if b.remade != nil {
		_ = b.remade.Close()
	}
	_ = b.waiting.Close() // read only, both
}

// sent has the outcome say what was sent. Where it is to be sent again, nothing is
// left of a smaller copy, and the one in the spool waits as before.
func (b *body) sent(u upload.Upload, o upload.Outcome) upload.Outcome {
	if b.remade == nil {
		return o
	}
	if digest := b.remade.Digest(); digest != "" && !o.Stays() {
		return o.As(b.remade.Size(), digest)
	}
	return o.As(u.PackedSize, u.PackedDigest)
}
