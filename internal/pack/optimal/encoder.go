package optimal

import (
	"fmt"
	"io"
	"runtime/debug"
)

// encoder parses chunks and writes them.
type encoder struct {
	out    bitWriter
	block  *block
	parser parser
	split  splitter
	costs  costs // of the last block: the next one begins with them
	ends   []int
}

func newEncoder() *encoder {
	e := &encoder{parser: parser{make([]uint32, chunkSize+1), make([]match, chunkSize)}}
	e.out.buf = make([]byte, 0, bitBuffer+8)
	e.block = newBlock(&e.out)
	return e
}

func (e *encoder) reset(out io.Writer) {
	e.out = bitWriter{to: out, buf: e.out.buf[:0]}
	e.costs.begin()
}

// chunk writes one chunk. A fault of ours must not end the program: it is an
// error like any other.
func (e *encoder) chunk(c *chunk) (err error) {
	defer func() {
		if r := recover(); r != nil { // the value may quote data
			err = fmt.Errorf("compress: panic (%T)\n%s", r, debug.Stack())
		}
	}()
	e.parser.stretch(c, 0, len(c.data), len(c.matches), &e.costs)
	e.ends = e.split.split(&e.parser, c, e.ends[:0])
	from, last := 0, 0
	for _, to := range e.ends {
		for _, n := range c.counts[from:to] {
			last += int(n)
		}
		var h histogram
		e.parser.walk(c, from, to, &h)
		for range c.times {
			e.costs.set(&h)
			e.parser.stretch(c, from, to, last, &e.costs)
			h = histogram{}
			e.parser.walk(c, from, to, &h)
		}
		e.costs.set(&h)
		e.block.write(&e.parser, c, from, to, &h)
		from = to
	}
	return e.out.err
}

func (e *encoder) end() error {
	e.block.end()
	return e.out.err
}

func (e *encoder) endAt(size int64) error {
	if e.out.err == nil && !e.block.endAt(size) {
		return ErrTooLong
	}
	return e.out.err
}
