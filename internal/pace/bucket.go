package pace

import (
	"context"
	"io"
	"sync"
	"time"
)

// Burst is how much time's worth may go out at once after a rest, and how large
// one piece of a sending is at most.
const Burst = 50 * time.Millisecond

const (
	leastPiece = 256
	mostPiece  = 32 << 10
)

// Bucket holds all who take from it to one rate. It is safe for concurrent use.
type Bucket struct {
	rate func(now time.Time) Rate
	now  func() time.Time

	mu   sync.Mutex
	free time.Time // when all that was given out so far has been paid for
}

// NewBucket makes a bucket with the rate that holds at a moment; the moments are
// those of now (nil: time.Now). A rate of 0 does not limit.
func NewBucket(rate func(now time.Time) Rate, now func() time.Time) *Bucket {
	if now == nil {
		now = time.Now
	}
	return &Bucket{rate: rate, now: now}
}

// Take returns when n bytes may go out, or ctx ends.
func (b *Bucket) Take(ctx context.Context, n int) {
	wait := b.reserve(n)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// reserve puts n bytes behind all that were asked for before, and tells how long
// it takes until it is their turn.
func (b *Bucket) reserve(n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	rate := b.rate(now)
	if rate <= 0 {
		b.free = time.Time{}
		return 0
	}
	if rested := now.Add(-Burst); b.free.Before(rested) {
		b.free = rested
	}
	b.free = b.free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return b.free.Sub(now)
}

// piece is how much is taken in one go.
func (b *Bucket) piece() int {
	rate := b.rate(b.now())
	if rate <= 0 {
		return mostPiece
	}
	return int(min(max(float64(rate)*Burst.Seconds(), leastPiece), mostPiece))
}

// Reader gives r's bytes no faster than the bucket allows. When ctx ends it
// waits no longer.
func (b *Bucket) Reader(ctx context.Context, r io.ReadSeeker) io.ReadSeeker {
	return &paced{ReadSeeker: r, take: func(n int) { b.Take(ctx, n) }, piece: b.piece}
}

type paced struct {
	io.ReadSeeker
	take  func(n int)
	piece func() int
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.ReadSeeker.Read(b[:min(len(b), p.piece())])
	if n > 0 {
		p.take(n)
	}
	return n, err
}
