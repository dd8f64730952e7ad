package optimal

import (
	"encoding/binary"
	"math/bits"
)

const (
	hash4Bits = 16
	hash3Bits = 14
	none      = -1
)

// finder finds, for each position, the earlier places in the window that begin
// with the same bytes. Places that begin with the same four bytes are in a
// binary tree, sorted by what follows, the latest at its root; so that each
// step of a search halves what is left, also where half of a file begins alike.
type finder struct {
	head4 [1 << hash4Bits]int32
	head3 [1 << hash3Bits]int32
	child [2 * window]int32 // smaller and larger of each place in the window
}

// reset forgets all places.
func (f *finder) reset() {
	for _, places := range [][]int32{f.head4[:], f.head3[:], f.child[:]} {
		for i := range places {
			places[i] = none
		}
	}
}

// shift makes up for a buffer whose first n bytes were dropped.
func (f *finder) shift(n int32) {
	for _, places := range [][]int32{f.head4[:], f.head3[:], f.child[:]} {
		for i, at := range places {
			places[i] = max(at-n, none)
		}
	}
}

// match is a length and a distance, in the form length<<16 | distance.
type match = uint32

// chunk fills c with what is found at each position of buf from from to to, of
// which c is a copy. What lies behind to is there so that trees are sorted by
// what really follows: unless it is the end of all, it has to be mostLen bytes.
func (f *finder) chunk(buf []byte, from, to int, e effort, c *chunk) {
	end := len(buf)
	c.matches, c.counts = c.matches[:0], c.counts[:0]
	for p := from; p < to; p++ {
		before := len(c.matches)
		longest := 0
		if end-p >= 5 {
			c.matches = f.at(buf, p, min(mostLen, end-p), e, c.matches)
			if n := len(c.matches); n > before {
				longest = int(c.matches[n-1] >> 16)
				if n > mostMatches { // all but the longest go
					c.matches[before] = c.matches[n-1]
					c.matches = c.matches[:before+1]
				}
			}
		}
		c.counts = append(c.counts, uint8(len(c.matches)-before)) //nolint:gosec // at most one per length
		if longest < e.nice {
			continue
		}
		for last := min(p+longest, to) - 1; p < last; { // long enough: nothing better is looked for inside
			p++
			if end-p >= 5 {
				f.skip(buf, p, min(mostLen, end-p), e)
			}
			c.counts = append(c.counts, 0)
		}
	}
}

func hash4(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - hash4Bits) }
func hash3(v uint32) uint32 { return v << 8 * 0x9E3779B1 >> (32 - hash3Bits) }

// at adds position p and appends what is found there, longer with each match.
func (f *finder) at(buf []byte, p, most int, e effort, found []match) []match {
	v := binary.LittleEndian.Uint32(buf[p:])
	h3 := hash3(v)
	longest := leastLen
	if q := int(f.head3[h3]); q > p-window && q >= 0 {
		if w := binary.LittleEndian.Uint32(buf[q:]); (v^w)<<8 == 0 {
			found = append(found, leastLen<<16|match(p-q)) //nolint:gosec // below 32768
		}
	}
	f.head3[h3] = int32(p) //nolint:gosec // within the buffer
	return f.descend(buf, p, v, most, e, longest, found, true)
}

// skip adds position p without looking for anything.
func (f *finder) skip(buf []byte, p, most int, e effort) {
	v := binary.LittleEndian.Uint32(buf[p:])
	f.head3[hash3(v)] = int32(p) //nolint:gosec // within the buffer
	f.descend(buf, p, v, most, e, mostLen, nil, false)
}

// descend goes down the tree of p's first four bytes, and makes p its root: what
// it passes on the smaller side goes left of p, the rest right.
func (f *finder) descend(buf []byte, p int, v uint32, most int, e effort, longest int, found []match, record bool) []match {
	h := hash4(v)
	q := int(f.head4[h])
	f.head4[h] = int32(p) //nolint:gosec // within the buffer
	nice := min(e.nice, most)
	left, right := uint(2*p)&childMask, uint(2*p+1)&childMask
	leftLen, rightLen := 0, 0
	here := buf[p : p+most]
	for depth := e.depth; ; depth-- {
		if q <= p-window || q < 0 || depth == 0 {
			f.child[left], f.child[right] = none, none
			return found
		}
		there := buf[q : q+len(here)]
		n := min(leftLen, rightLen)
		if there[n] == here[n] {
			n = same(there, here, n+1)
			if record && n > longest {
				longest = n
				found = append(found, match(n<<16|(p-q))) //nolint:gosec // 9 and 15 bits
			}
			if n >= nice {
				smaller := uint(2*q) & childMask
				f.child[left], f.child[right] = f.child[smaller], f.child[smaller|1]
				return found
			}
		}
		if there[n] < here[n] {
			f.child[left] = int32(q) //nolint:gosec // within the buffer
			left = uint(2*q+1) & childMask
			q, leftLen = int(f.child[left]), n
		} else {
			f.child[right] = int32(q) //nolint:gosec // within the buffer
			right = uint(2*q) & childMask
			q, rightLen = int(f.child[right]), n
		}
	}
}

// childMask makes a position's place in child.
const childMask = 2*window - 1

// same is up to where a and b, of one length, are the same; they are up to n.
func same(a, b []byte, n int) int {
	for len(a)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
