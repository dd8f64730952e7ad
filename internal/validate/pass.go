package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// ahead is how many pieces of a source are in memory at once: one being
	// read and checked, the others on their way to the packed copy.
	ahead = 4
	// overlapFrom is the size from which on packing has a goroutine of its own;
	// below, starting it costs more than it brings.
	overlapFrom = ahead * piece
)

// errGrew: there is more than what settled.
var errGrew = errors.New("the source grew")

// pass is one reading of a source: every piece is digested and checked by the
// caller's goroutine while another one packs it.
type pass struct {
	file    File
	sum     hash.Hash
	check   *Checker
	keys    *keysOf
	packing Packing
	size    int64
}

// run reads to the end and one byte further than what settled at most. When it
// returns, nothing of it goes on.
func (p *pass) run(ctx context.Context, settled int64) error {
	if settled < overlapFrom {
		lent, _ := smallPool.Get().(*[]byte)
		buf := slices.Grow((*lent)[:0], int(max(settled+1, bytes.MinRead))) // one more than there should be, to see it grow
		buf = buf[:cap(buf)]
		if *lent = buf; len(buf) <= mostLent {
			defer smallPool.Put(lent)
		}
		return p.read(ctx, settled, func() ([]byte, error) { return buf, nil }, p.pack)
	}
	a := &aside{pack: p.pack, full: make(chan []byte, ahead), free: make(chan []byte, ahead), done: make(chan struct{})}
	pieces := piecePool.Get().(*[ahead][piece]byte)
	for i := range pieces {
		a.free <- pieces[i][:]
	}
	go a.run()
	err := func() error {
		defer a.end() // also when a check panics
		return p.read(ctx, settled, a.next, a.hand)
	}()
	piecePool.Put(pieces)
	if a.err != nil {
		return a.err
	}
	return err
}

// piecePool keeps the pieces for the next file.
var piecePool = sync.Pool{New: func() any { return new([ahead][piece]byte) }}

// smallPool keeps the one buffer that a small file is read through.
var smallPool = sync.Pool{New: func() any { return new([]byte) }}

// read takes the source through buffers that next gives and hand takes over.
func (p *pass) read(ctx context.Context, settled int64, next func() ([]byte, error), hand func([]byte) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf, err := next()
		if err != nil {
			return err
		}
		n, err := p.file.Read(buf)
		if p.size += int64(n); p.size > settled {
			return errGrew
		}
		if failed := hand(buf[:n]); failed != nil {
			return failed
		}
		_, _ = p.sum.Write(buf[:n])   // a hash never fails
		_, _ = p.check.Write(buf[:n]) // nor does a check; both only look
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return readFault(err)
		}
	}
}

func (p *pass) pack(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := p.packing.Write(b); err != nil {
		return durable.Fault(err, "write the packed copy")
	}
	return nil
}

// errAside: packing has failed; why is said where it is waited for.
var errAside = errors.New("packing has ended")

// aside packs in a goroutine of its own. Pieces go round: free, read and handed
// over, full, packed, free again.
type aside struct {
	pack       func([]byte) error
	full, free chan []byte
	done       chan struct{} // closed when nothing more is packed
	err        error         // for whoever has seen done
}

func (a *aside) run() {
	defer close(a.done)
	defer func() {
		if r := recover(); r != nil { // as the pipeline does for the goroutine of a stage; the value may quote data
			a.err = upload.PassingFault(upload.InternalFault, "panic while packing", fmt.Errorf("panic (%T)\n%s", r, debug.Stack()))
		}
	}()
	for b := range a.full {
		if a.err = a.pack(b); a.err != nil {
			return
		}
		a.free <- b[:cap(b)]
	}
}

// next gives a piece that nobody looks at any more.
func (a *aside) next() ([]byte, error) {
	select {
	case b := <-a.free:
		return b, nil
	case <-a.done:
		return nil, errAside
	}
}

// hand never waits: there is room for every piece.
func (a *aside) hand(b []byte) error {
	a.full <- b
	return nil
}

// end waits until what was handed over is packed.
func (a *aside) end() {
	close(a.full)
	<-a.done
}
