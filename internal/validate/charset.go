package validate

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The names of charsets in reports.
const (
	CharsetUTF8    = "utf-8"
	CharsetGB18030 = "gb18030"
)

const (
	// window is how many bytes are held back to decide the charset.
	window = 64 << 10
	// firm is the number of multi-byte characters that settle UTF-8 for good.
	firm = 32
)

// charset is what is known of the encoding so far.
type charset struct {
	name    string // empty: only ASCII so far
	weak    int    // UTF-8 on so much evidence only; 0: firm
	held    []byte // bytes waiting for the decision
	room    []byte // what held begins in
	started bool
}

// take passes on what may be read now: p itself once the charset is known or
// while all is ASCII; else the held bytes as soon as they decide.
func (c *charset) take(p []byte, eof bool) []byte {
	if !c.started {
		if len(c.held) > 0 || len(p) < 8 {
			if c.held = append(c.held, p...); len(c.held) < 8 && !eof {
				return nil
			}
			p, c.held = c.held, nil
		}
		c.started = true
		if rest, ok := bytes.CutPrefix(p, []byte("\xef\xbb\xbf")); ok {
			c.name, p = CharsetUTF8, rest
		}
		if rest, ok := bytes.CutPrefix(p, []byte("\x84\x31\x95\x33")); ok {
			c.name, p = CharsetGB18030, rest
		}
	}
	if c.name != "" || (len(c.held) == 0 && isASCII(p)) {
		return p
	}
	if len(c.held) == 0 {
		c.held = c.room[:0]
	}
	c.held = append(c.held, p...)
	if len(c.held) < window && !eof {
		return nil
	}
	p, c.held, c.room = c.held, nil, c.held
	c.decide(p)
	return p
}

// decide judges a window that holds bytes beyond ASCII.
func (c *charset) decide(p []byte) {
	chars, badUTF8 := scanUTF8(trimCut(p))
	if badUTF8 == 0 {
		c.name = CharsetUTF8
		if chars < firm {
			c.weak = chars + 1
		}
		return
	}
	_, badGB := countGB18030(p)
	switch {
	case chars >= firm && badUTF8*20 <= chars: // UTF-8 with a few damaged characters
		c.name = CharsetUTF8
	case badGB <= badUTF8:
		c.name = CharsetGB18030
	default:
		c.name = CharsetUTF8
	}
}

// measure counts the characters of a field and its bad sequences. It is where
// weak evidence is strengthened or overturned.
func (c *charset) measure(v []byte) (chars, bad int) {
	if c.name == CharsetGB18030 {
		return countGB18030(v)
	}
	if utf8.Valid(v) {
		chars = utf8.RuneCount(v)
		if c.weak > 0 {
			c.strengthen(v, chars)
		}
		return chars, 0
	}
	if c.weak > 0 || c.name == "" {
		if n, badGB := countGB18030(v); badGB == 0 {
			c.name, c.weak = CharsetGB18030, 0
			return n, 0
		}
	}
	return countUTF8(v)
}

func (c *charset) strengthen(v []byte, chars int) {
	if isASCII(v) {
		return
	}
	c.weak += chars
	if _, badGB := countGB18030(v); badGB > 0 || c.weak > firm {
		c.weak = 0
	}
}

// countUTF8 counts characters and bad bytes.
func countUTF8(v []byte) (chars, bad int) {
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		chars++
		v = v[n:]
	}
	return chars, bad
}

// scanUTF8 counts multi-byte characters and bad bytes.
func scanUTF8(v []byte) (multi, bad int) {
	for i := asciiRun(v); i < len(v); i += asciiRun(v[i:]) {
		if neverUTF8(v[i]) || i+1 < len(v) && utf8.RuneStart(v[i+1]) { // most of GB 18030, without a closer look
			bad++
			i++
			continue
		}
		r, n := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			multi++
		}
		i += n
	}
	return multi, bad
}

// neverUTF8 reports whether no character begins with a byte that is not ASCII.
func neverUTF8(b byte) bool { return b < 0xc2 || b > 0xf4 }

// asciiRun is how many bytes of ASCII v begins with; it looks at eight at a time.
func asciiRun(v []byte) (n int) {
	for ; n+8 <= len(v); n += 8 {
		if high := binary.LittleEndian.Uint64(v[n:]) & highBits; high != 0 {
			return n + bits.TrailingZeros64(high)/8
		}
	}
	for n < len(v) && v[n] < utf8.RuneSelf {
		n++
	}
	return n
}

// highBits are those that no byte of ASCII has.
const highBits = 0x8080808080808080

// trimCut drops a UTF-8 character cut off by the end of p.
func trimCut(p []byte) []byte {
	for i := 1; i <= 3 && i <= len(p); i++ {
		if b := p[len(p)-i]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-i:]) {
				return p[:len(p)-i]
			}
			break
		}
	}
	return p
}

// countGB18030 counts characters and bad sequences by the structure of GB 18030.
func countGB18030(v []byte) (chars, bad int) {
	for i := 0; i < len(v); chars++ {
		if i+8 <= len(v) {
			switch word := binary.LittleEndian.Uint64(v[i:]); {
			case word&highBits == 0:
				chars, i = chars+7, i+8
				continue
			case fourHan(word):
				chars, i = chars+3, i+8
				continue
			}
		}
		if v[i] < 0x80 {
			i++
			continue
		}
		// Nearly all characters beyond ASCII have two bytes.
		if i+1 < len(v) && v[i] != 0x80 && v[i] != 0xff {
			if t := v[i+1]; t >= 0x40 && t != 0x7f && t != 0xff {
				i += 2
				continue
			}
		}
		n := sizeGB18030(v[i:])
		if n < 0 {
			bad++
			n = 1
		}
		i += n
	}
	return chars, bad
}

// fourHan reports whether eight bytes, the first of which begins a character, are
// four characters of GB 2312: all bytes of theirs lie in A1 to FE.
func fourHan(word uint64) bool {
	const each = 0x0101010101010101
	low := word & (0x7f * each)
	return word&(low+0x5f*each)&^(low+each)&(0x80*each) == 0x80*each
}

// sizeGB18030 is the length of the character at the head of v, -1 if bad.
func sizeGB18030(v []byte) int {
	b := v[0]
	if b < 0x80 {
		return 1
	}
	if b == 0x80 || b == 0xff || len(v) < 2 {
		return -1
	}
	switch t := v[1]; {
	case t >= 0x40 && t != 0x7f && t != 0xff:
		return 2
	case t < '0' || t > '9' || len(v) < 4:
		return -1
	}
	if v[2] < 0x81 || v[2] == 0xff || v[3] < '0' || v[3] > '9' {
		return -1
	}
	// The plane-0 part ends at 84 31 A4 39, the others run 90 30 81 30 … E3 32 9A 35.
	code := uint32(b)<<24 | uint32(v[1])<<16 | uint32(v[2])<<8 | uint32(v[3])
	if code > 0x8431a439 && code < 0x90308130 || code > 0xe3329a35 {
		return -1
	}
	return 4
}

// isASCII reports whether all of p is ASCII.
func isASCII(p []byte) bool { return asciiRun(p) == len(p) }
