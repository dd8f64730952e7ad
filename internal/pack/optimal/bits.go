package optimal

import (
	"io"
	"math/bits"
)

const (
	window    = 32 << 10
	leastLen  = 3
	mostLen   = 258
	endOf     = 256 // the symbol that ends a block
	litSyms   = 286
	distSyms  = 30
	lenSyms   = 19 // of the code that the lengths of the two others are told in
	mostBits  = 15
	headerMax = 7 // most bits of a code of lengths
)

// slots are the tables of RFC 1951, 3.2.5: which symbol a length or distance
// has, and how many bits follow it.
type slots struct {
	length     [mostLen + 1]uint8  // length → symbol - 257
	lengthLast [mostLen + 1]uint16 // length → the longest with the same symbol
	lengthBase [29]uint16
	lengthBits [29]uint8
	distBase   [distSyms]uint16
	distBits   [distSyms]uint8
	near       [256]uint8 // distance - 1 → symbol
	far        [256]uint8 // (distance - 1) >> 7 → symbol
}

var table = newSlots()

func newSlots() *slots {
	t := &slots{}
	at := leastLen
	for s := range t.lengthBase {
		if s >= 8 && s < 28 {
			t.lengthBits[s] = uint8(s/4 - 1)
		}
		if s == 28 {
			at = mostLen
		}
		t.lengthBase[s] = uint16(at)
		for n := 0; n < 1<<t.lengthBits[s] && at <= mostLen; n++ {
			t.length[at] = uint8(s)
			at++
		}
	}
	for n := mostLen; n >= leastLen; n-- {
		t.lengthLast[n] = uint16(n)
		if n < mostLen && t.length[n] == t.length[n+1] {
			t.lengthLast[n] = t.lengthLast[n+1]
		}
	}
	at = 1
	for s := range t.distBase {
		if s >= 4 {
			t.distBits[s] = uint8(s/2 - 1)
		}
		t.distBase[s] = uint16(at)
		for n := 0; n < 1<<t.distBits[s]; n++ {
			if at <= 256 {
				t.near[at-1] = uint8(s)
			}
			t.far[(at-1)>>7] = uint8(s)
			at++
		}
	}
	return t
}

// distSym is the symbol of a distance.
func distSym(d uint32) uint8 {
	if d <= 256 {
		return table.near[(d-1)&0xff]
	}
	return table.far[(d-1)>>7&0xff]
}

// bitWriter packs bits from the low end of each byte.
type bitWriter struct {
	to   io.Writer
	buf  []byte
	acc  uint64
	have uint
	gone int64 // bytes that have left buf
	err  error
}

// written is how many bytes there are, the one that is begun included.
func (w *bitWriter) written() int64 { return (w.bits() + 7) / 8 }

func (w *bitWriter) bits() int64 { return 8*(w.gone+int64(len(w.buf))) + int64(w.have) } //nolint:gosec // less than 64

const bitBuffer = 32 << 10

// put writes the n lowest bits of v, 32 at most; the others are 0.
func (w *bitWriter) put(v uint32, n uint8) {
	w.acc |= uint64(v) << w.have
	w.have += uint(n)
	if w.have < 32 {
		return
	}
	w.buf = append(w.buf, byte(w.acc), byte(w.acc>>8), byte(w.acc>>16), byte(w.acc>>24)) //nolint:gosec // byte by byte is meant
	w.acc >>= 32
	w.have -= 32
	if len(w.buf) >= bitBuffer {
		w.flush()
	}
}

// align fills up the byte that is begun.
func (w *bitWriter) align() {
	for w.have > 0 {
		w.buf = append(w.buf, byte(w.acc)) //nolint:gosec // the lowest byte is meant
		w.acc >>= 8
		w.have -= min(w.have, 8)
	}
}

// bytes writes whole bytes after align.
func (w *bitWriter) bytes(b []byte) {
	w.buf = append(w.buf, b...)
	if len(w.buf) >= bitBuffer {
		w.flush()
	}
}

func (w *bitWriter) flush() {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.to.Write(w.buf)
	}
	w.gone += int64(len(w.buf))
	w.buf = w.buf[:0]
}

// reversed turns the first n bits of a code around: Huffman codes are written
// from their high end.
func reversed(code uint16, n uint8) uint16 { return bits.Reverse16(code) >> (16 - n) }
