package optimal

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"
)

// ChunkSize is how much of the input is parsed at once.
const ChunkSize = 8 * window

const (
	chunkSize = ChunkSize
	// behind is how much of what follows has to be there to look at a chunk.
	behind = mostLen + 8
	// mostMatches bounds what is remembered of a chunk.
	mostMatches = 640 << 10
	// cold is how many chunks are gone over as often as at the highest effort: what
	// symbols cost is not known yet, and each block begins with what the last one's
	// did.
	cold = 2
	// inFlight is how many chunks there are: one whose matches are being found,
	// one that is parsed.
	inFlight = 2
)

// Efforts are the levels of effort, from the quickest; higher ones take longer
// and give less.
const (
	Least = 1
	Most  = 4
)

// effort is how hard is tried.
type effort struct {
	depth int // steps down a tree
	nice  int // a match of that length is taken without looking further
	times int // passes over each block
}

var efforts = [Most + 1]effort{
	1: {depth: 8, nice: 64, times: 0},
	2: {depth: 16, nice: 130, times: 0},
	3: {depth: 32, nice: mostLen, times: 1},
	4: {depth: 80, nice: mostLen, times: 3},
}

// chunk is a piece of the input with the matches found in it.
type chunk struct {
	data    []byte
	matches []match
	counts  []uint8 // of the matches at each position
	times   int     // passes over each block
}

// ErrTooLong says that what was written does not fit into the size that CloseAt was given.
var ErrTooLong = errors.New("more has been written than was to be")

// errEnded: a writer that has ended was used again; a fault of ours.
var errEnded = errors.New("this writer has ended")

// Writer compresses what is written to it. Writing finds matches; a goroutine of
// its own parses and writes to the underlying writer. It is for one goroutine,
// and is ended by Close or Stop; Reset begins anew.
type Writer struct {
	effort effort
	finder *finder
	buf    []byte // the window, and what has come of the next chunk
	held   int    // of buf: of the window

	free, full chan *chunk
	done       chan struct{}
	broken     atomic.Bool // failed is set
	failed     error       // for whoever has seen done
	encoder    *encoder
	told       func(in, out int64)
	chunks     int // handed over
	ended      bool
}

// New makes a writer. It has to be Reset before use.
func New() *Writer {
	w := &Writer{finder: &finder{}, encoder: newEncoder(), ended: true}
	w.buf = make([]byte, 0, window+chunkSize+behind)
	w.free = make(chan *chunk, inFlight)
	for range inFlight {
		w.free <- &chunk{data: make([]byte, 0, chunkSize), counts: make([]uint8, 0, chunkSize)}
	}
	return w
}

// Reset begins anew, with out to write to and an effort from Least to Most. What
// the writer did before must have ended.
func (w *Writer) Reset(out io.Writer, level int) {
	w.effort = efforts[min(max(level, Least), Most)]
	w.finder.reset()
	w.buf, w.held, w.failed, w.ended = w.buf[:0], 0, nil, false
	w.chunks = 0
	w.full, w.done = make(chan *chunk, inFlight), make(chan struct{})
	w.broken.Store(false)
	w.told = nil
	w.encoder.reset(out)
	go w.run()
}

// Effort changes the effort, for what has not been looked at yet.
func (w *Writer) Effort(level int) { w.effort = efforts[min(max(level, Least), Most)] }

// Tell has told called after each ChunkSize of the input, and at the end, with how
// much of the input has become how many bytes. It is called from the writer's own
// goroutine, and is to be set before the first Write.
func (w *Writer) Tell(told func(in, out int64)) { w.told = told }

// run parses and writes chunk after chunk. Once something has failed, they are
// only given back.
func (w *Writer) run() {
	defer close(w.done)
	in := int64(0)
	for c := range w.full {
		if w.failed == nil {
			w.failed = w.encoder.chunk(c)
			w.broken.Store(w.failed != nil)
		}
		in += int64(len(c.data))
		w.free <- c
		if w.failed == nil && w.told != nil {
			w.told(in, w.encoder.out.written())
		}
	}
}

// Write implements io.Writer. A fault of the underlying writer is told by one of
// the next calls.
func (w *Writer) Write(b []byte) (int, error) {
	if w.ended {
		return 0, errEnded
	}
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), w.held+chunkSize+behind-len(w.buf))
		w.buf = append(w.buf, b[:k]...)
		b = b[k:]
		if len(w.buf) < w.held+chunkSize+behind {
			continue
		}
		if w.broken.Load() {
			w.Stop()
			return 0, w.failed
		}
		w.hand(chunkSize)
	}
	return n, nil
}

// hand finds the matches of the next n bytes and hands them over to be written.
func (w *Writer) hand(n int) {
	c := <-w.free
	end := w.held + n
	c.data, c.times = append(c.data[:0], w.buf[w.held:end]...), w.effort.times
	if w.chunks++; w.chunks <= cold {
		c.times = efforts[Most].times
	}
	w.finder.chunk(w.buf, w.held, end, w.effort, c)
	w.full <- c
	if n < chunkSize {
		w.held = end
		return // the last one
	}
	w.finder.shift(int32(end - window)) //nolint:gosec // at most a chunk
	w.buf = slices.Delete(w.buf, 0, end-window)
	w.held = window
}

// Close writes what is left and waits until all is written. A second time does
// nothing.
func (w *Writer) Close() error { return w.close((*encoder).end) }

// CloseAt is Close where all that is written has to be size bytes: empty blocks
// (5 bytes each, which any inflater passes over) fill it up. [ErrTooLong] says that
// it is more already, or so nearly that much that it cannot be filled.
func (w *Writer) CloseAt(size int64) error {
	return w.close(func(e *encoder) error { return e.endAt(size) })
}

func (w *Writer) close(end func(*encoder) error) error {
	if w.ended {
		return w.failed
	}
	for len(w.buf) > w.held {
		w.hand(min(len(w.buf)-w.held, chunkSize))
	}
	w.Stop()
	if w.failed == nil {
		w.failed = end(w.encoder)
	}
	return w.failed
}

// Stop ends the writer without an end of what was written: nothing is written
// any more when it returns.
func (w *Writer) Stop() {
	if w.ended {
		return
	}
	w.ended = true
	close(w.full)
	<-w.done
}
