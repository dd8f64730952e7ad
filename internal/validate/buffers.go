package validate

import "sync"

// buffers are what reading a file takes that is not kept: small files are many,
// and would leave more of it behind than of all else.
type buffers struct {
	held, text []byte
	fields     []span
}

// mostLent bounds the buffers that are kept for another file.
const mostLent = 64 << 10

var bufferPool = sync.Pool{New: func() any { return &buffers{} }}

// borrow gives the checker the buffers of a file before.
func (c *Checker) borrow() {
	c.lent, _ = bufferPool.Get().(*buffers)
	c.cs.room, c.scan.buf, c.scan.fields = c.lent.held, c.lent.text, c.lent.fields
}

// giveBack ends the reading: nothing may look into a row after it. A checker that
// is given up keeps its buffers.
func (c *Checker) giveBack() {
	b := c.lent
	if b == nil {
		return
	}
	b.held, b.text, b.fields = c.cs.room[:0], c.scan.buf[:0], c.scan.fields[:0]
	if cap(b.held) <= mostLent && cap(b.text) <= mostLent && cap(b.fields) <= maxFields {
		bufferPool.Put(b)
	}
	c.lent, c.cur, c.scan, c.cs.held, c.cs.room = nil, nil, scanner{eof: true}, nil, nil
	if c.plan != nil {
		clear(c.plan.values)
	}
}
