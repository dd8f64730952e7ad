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
	io.ReadSeekCloser
	size   int64
	remade Recompressed // nil: as it waits
}

func (s *Stage) open(ctx context.Context, u upload.Upload, ch Channel) (body, error) {
	if s.o.Recompress != nil && ch.WhileSending {
		r, err := s.o.Recompress(ctx, u)
		if err != nil {
			return body{}, err
		}
		if r != nil {
			s.o.Logger.Debug("packed copy is made smaller while it is sent", slog.String("upload", string(u.ID)),
				slog.Int64("was", u.PackedSize), slog.Int64("bytes", r.Size()))
			return body{r, r.Size(), r}, nil
		}
	}
	waiting, size, err := s.o.Spool.Open(ctx, u)
	return body{waiting, size, nil}, err
}

// as is u with what is going to be sent: the size of a smaller copy, whose digest
// nobody knows yet. The journal has it so before the first byte goes out: after a
// crash it does not vouch for bytes that were not sent.
func (b body) as(u upload.Upload) upload.Upload {
	if b.remade != nil {
		u.PackedSize, u.PackedDigest = b.size, ""
	}
	return u
}

// sent has the outcome say what was sent. Where it is to be sent again, nothing is
// left of a smaller copy, and the one in the spool waits as before.
func (b body) sent(u upload.Upload, o upload.Outcome) upload.Outcome {
	if b.remade == nil {
		return o
	}
	if digest := b.remade.Digest(); digest != "" && !o.Stays() {
		return o.As(b.size, digest)
	}
	return o.As(u.PackedSize, u.PackedDigest)
}
