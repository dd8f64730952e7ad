package optimal

import (
	"encoding/binary"
	"io"
)

// MostSmall is the size of source up to which a [Small] finds all there is.
const MostSmall = window

const (
	smallHashBits = 12
	smallLeast    = 4  // bytes of a match; shorter ones give little
	smallDepth    = 16 // places looked at for a match
	smallLazy     = 16 // a match of that length is taken without looking at the next position
	smallNice     = 64 // and of that one without looking for a longer one
)

// Small is a writer for sources of some kilobytes, of which there may be hundreds
// a second. Its tables are as small as they are: those of other encoders, a hundred
// times as large as the source, have left the processor's caches from one source to
// the next, and to fetch them takes longer than all else. More than MostSmall is
// taken as well, as so many sources on end.
//
// It is for one goroutine, and has to be Reset before use.
type Small struct {
	head   [1 << smallHashBits]uint16 // the latest place with each hash, counted from 1
	before []uint16                   // the one before each place with the same hash
	counts histogram
	chunk  chunk
	way    parser
	out    bitWriter
	block  *block
}

// NewSmall makes a writer.
func NewSmall() *Small {
	s := &Small{}
	s.block = newBlock(&s.out)
	return s
}

// Reset begins anew, with out to write to.
func (s *Small) Reset(out io.Writer) {
	s.out = bitWriter{to: out, buf: s.out.buf[:0]}
	s.chunk.data = s.chunk.data[:0]
}

// Write implements io.Writer. A fault of the underlying writer may be told by Close
// alone.
func (s *Small) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), MostSmall-len(s.chunk.data))
		s.chunk.data, b = append(s.chunk.data, b[:k]...), b[k:]
		if len(s.chunk.data) == MostSmall {
			s.compress()
		}
	}
	return n, s.out.err
}

// Close writes what is left.
func (s *Small) Close() error {
	if len(s.chunk.data) > 0 {
		s.compress()
	}
	s.block.end()
	return s.out.err
}

// compress writes what there is as one block.
func (s *Small) compress() {
	clear(s.head[:])
	s.counts = histogram{}
	s.fit(len(s.chunk.data))
	s.parse(s.chunk.data)
	s.way.walk(&s.chunk, 0, len(s.chunk.data), &s.counts)
	s.block.write(&s.way, &s.chunk, 0, len(s.chunk.data), &s.counts)
	s.chunk.data = s.chunk.data[:0]
}

// fit makes the tables large enough for a source of n bytes. Most take far less
// than MostSmall.
func (s *Small) fit(n int) {
	const step = 4 << 10
	if len(s.before) < n {
		n = (n + step - 1) / step * step
		s.before, s.way.step = make([]uint16, n), make([]match, n)
	}
}

// parse takes at each position the longest match, unless there is a longer one at
// the next.
func (s *Small) parse(b []byte) {
	next := match(0) // what is known of the position at hand
	for i := 0; i < len(b); {
		m := next
		if next = 0; m == 0 {
			m = s.longest(b, i, smallLeast-1)
		}
		n, seen := int(m>>16), i+1
		if m != 0 && n < smallLazy {
			next = s.longest(b, seen, n)
			seen++
		}
		if m == 0 || next != 0 {
			s.way.step[i] = 0
			i++
			continue
		}
		s.way.step[i] = m
		for i += n; seen < i; seen++ {
			s.add(b, seen)
		}
	}
}

// add adds position i and gives the latest place before it with the same hash,
// counted from 1.
func (s *Small) add(b []byte, i int) int {
	if len(b)-i < smallLeast {
		return 0
	}
	h := binary.LittleEndian.Uint32(b[i:]) * 0x9E3779B1 >> (32 - smallHashBits)
	was := s.head[h]
	s.head[h], s.before[i] = uint16(i+1), was //nolint:gosec // up to 32768
	return int(was)
}

// longest adds position i and gives the longest match there that is longer than
// least; 0: none.
func (s *Small) longest(b []byte, i, least int) (found match) {
	q := s.add(b, i)
	here := b[i:min(i+mostLen, len(b))]
	for depth := smallDepth; q > 0 && depth > 0 && least < min(len(here), smallNice); depth-- {
		at := q - 1
		q = int(s.before[at])
		if b[at+least] != here[least] {
			continue
		}
		if n := same(b[at:at+len(here)], here, 0); n > least {
			least, found = n, match(n<<16|(i-at)) //nolint:gosec // 9 and 15 bits
		}
	}
	return found
}
