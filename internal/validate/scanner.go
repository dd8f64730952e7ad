package validate

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Limits that bound memory. The longest legal row is far shorter: the fields of
// the widest kind add up to some 150,000 characters.
const (
	maxRow    = 1 << 20 // bytes of a row
	maxFields = 4096    // fields of a row that are looked at
)

// fault says what is wrong with a row as such.
type fault uint8

const (
	faultNone  fault = iota
	faultLong        // longer than maxRow; its content is skipped
	faultQuote       // a quote was opened and never closed; read line by line instead
)

// span is one field: offsets in the row, without the enclosing quotes.
type span struct {
	from, to uint32
	at       uint16 // which field of the row it is
	doubled  bool   // holds quotes written twice
}

// row is one record of the file. Its slices are valid until the next call.
type row struct {
	number int64 // the header is row 1
	raw    []byte
	fields []span // the first maxFields, in order, without those that hold nothing
	count  int    // fields in all
	fault  fault
	cut    bool // ended by the end of the file instead of a line end
}

// text gives a field as written, without quotes around it.
func (r *row) text(f *span) []byte { return r.raw[f.from:f.to] }

// field gives the i-th field likewise.
func (r *row) field(i int) []byte {
	low, high := 0, len(r.fields)
	for low < high {
		if mid := (low + high) / 2; int(r.fields[mid].at) < i {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(r.fields) && int(r.fields[low].at) == i {
		return r.text(&r.fields[low])
	}
	return nil
}

// scanner cuts bytes into rows and fields. Bytes are appended with feed; next
// gives rows until it needs more. It tolerates what is seen in the field: a
// quote inside unquoted text, TABs before a quoted value, CR LF or LF.
type scanner struct {
	buf   []byte
	start int // of the row being read
	at    int // search goes on here
	head  int // start of the field being read
	line  int // the first line end from head on, if it is not before head
	quote bool
	eof   bool
	skip  bool  // drop everything up to the next line end
	base  int64 // offset in the file of buf[0]
	// no quote is closed before this offset of the file: keeps a file full of
	// open quotes from being searched again for each of them.
	openUntil int64
	walking   bool
	rows      int64
	fields    []span
	count     int
	cur       row
}

// addQuoted adds the quoted field that ends before the quote at i.
func (s *scanner) addQuoted(i int) {
	s.keep(s.count, s.head, i, bytes.IndexByte(s.buf[s.head:i], '"') >= 0)
	s.count++
}

// addPlain adds the field without quotes that ends at i.
func (s *scanner) addPlain(i int) {
	if i > s.head {
		s.keep(s.count, s.head, i, false)
	}
	s.count++
}

// trimCR leaves out the carriage return before a line end at i.
func (s *scanner) trimCR(i int) int {
	if i > s.head && s.buf[i-1] == '\r' && (i == len(s.buf) || s.buf[i] == '\n') {
		return i - 1
	}
	return i
}

// breakQuote gives up on a quote that is not closed: the line it began in is
// read as if quotes had no meaning, and reading goes on with the next line.
func (s *scanner) breakQuote() *row {
	s.openUntil = s.base + int64(len(s.buf))
	s.fields, s.count, s.quote, s.walking = s.fields[:0], 0, false, false
	i := bytes.IndexByte(s.buf[s.start:], '\n')
	if i < 0 {
		s.skip = !s.eof
		return s.emit(len(s.buf), faultQuote)
	}
	s.split(s.start + i)
	return s.emit(s.start+i, faultQuote)
}

// emit hands out the row that ends before the line end at end.
func (s *scanner) emit(end int, f fault) *row {
	s.rows++
	s.cur = row{number: s.rows, raw: s.buf[s.start:end], fields: s.fields, count: s.count, fault: f, cut: end == len(s.buf)}
	fields := s.fields
	if end-s.start > maxRow && f == faultNone {
		s.cur.fault = faultLong
	}
	s.moveTo(min(end+1, len(s.buf)))
	s.fields = fields[:0]
	return &s.cur
}

// feed takes the next bytes of the file.
func (s *scanner) feed(p []byte) {
	if s.start > 0 {
		n := copy(s.buf, s.buf[s.start:])
		s.buf = s.buf[:n]
		s.base += int64(s.start)
		s.at, s.head, s.start = s.at-s.start, s.head-s.start, 0
	}
	s.line = -1
	s.buf = append(s.buf, p...)
	s.buf = slices.Grow(s.buf, 8) // whole words are read up to the end
}

// next gives the next whole row; false when more bytes are needed, or at the
// end of the file after eof was set.
func (s *scanner) next() (*row, bool) {
	if s.skip && !s.skipLine() {
		return nil, false
	}
	if s.start >= len(s.buf) {
		return nil, false
	}
	end, ok := s.findEnd()
	if ok {
		return s.emit(end, faultNone), true
	}
	long := len(s.buf)-s.start > maxRow
	switch {
	case s.quote && (s.eof || long):
		return s.breakQuote(), true
	case !s.quote && long:
		s.skip = true
		return s.emit(len(s.buf), faultLong), true
	case s.eof:
		return s.emit(len(s.buf), faultNone), true
	default:
		return nil, false
	}
}

// skipLine drops the rest of a row that was too long.
func (s *scanner) skipLine() bool {
	i := bytes.IndexByte(s.buf[s.start:], '\n')
	if i < 0 {
		s.moveTo(len(s.buf))
		return false
	}
	s.skip = false
	s.moveTo(s.start + i + 1)
	return true
}

func (s *scanner) moveTo(i int) {
	s.start, s.at, s.head, s.line = i, i, i, -1
	s.quote, s.walking = false, false
	s.fields, s.count = s.fields[:0], 0
}

// findEnd looks for the end of the row. A row without quotes is found and split
// at once; in one with quotes every field is walked.
func (s *scanner) findEnd() (int, bool) {
	if !s.walking {
		i := bytes.IndexByte(s.buf[s.at:], '\n')
		end := s.at + i
		if i < 0 {
			end = len(s.buf)
		}
		if bytes.IndexByte(s.buf[s.at:end], '"') < 0 {
			s.at = end
			if i < 0 && !s.eof {
				return 0, false
			}
			s.at, s.head = s.start, s.start
			s.split(end)
			return end, true
		}
		s.walking, s.at, s.head = true, s.start, s.start
	}
	return s.walk()
}

// split cuts a row without quotes at its commas.
func (s *scanner) split(end int) {
	if end > s.start && s.buf[end-1] == '\r' {
		end--
	}
	s.cut(s.start, end)
}

// comma is the mark of a comma in the first byte of a word.
const comma = 0x80

// commas marks the bytes of a word that are commas by their highest bits.
func commas(word uint64) uint64 {
	const low = 0x7f7f7f7f7f7f7f7f
	x := word ^ 0x2c2c2c2c2c2c2c2c
	return ^((x&low + low) | x | low)
}

// cut adds the fields of a text without quotes and line ends, eight bytes at a
// time. A run of commas, of which there are many, costs no more than any bytes:
// only where a field ends is there something to do. Of what the last word holds
// behind the text nothing is looked at.
func (s *scanner) cut(from, end int) {
	buf, fields, count := s.buf[:cap(s.buf)], s.fields, s.count
	before, head := uint64(comma), 0 // as if there were a comma before the first byte
	for at := from; at <= end; at += 8 {
		found := commas(binary.LittleEndian.Uint64(buf[at:]))
		if left := uint(end - at); left < 8 {
			found = found&(1<<(8*left)-1) | comma<<(8*left) // the end ends a field
		}
		behind := found<<8 | before
		starts, ends, place := behind&^found, found&^behind, at-s.start
		if next := place + bits.TrailingZeros64(starts)/8; before != 0 {
			head, starts = next, starts&(starts-1)
		}
		for ; ends != 0; ends &= ends - 1 {
			if i := count + bits.OnesCount64(found&(ends&-ends-1)); i < maxFields {
				fields = append(fields, span{from: uint32(head), to: uint32(place + bits.TrailingZeros64(ends)/8), at: uint16(i)}) //nolint:gosec // a row is shorter than maxRow and a piece
			}
			head, starts = place+bits.TrailingZeros64(starts)/8, starts&(starts-1)
		}
		count += bits.OnesCount64(found)
		before = found >> 56
	}
	s.fields, s.count = fields, count
}

// keep notes where a field is.
func (s *scanner) keep(at, from, to int, doubled bool) {
	if at < maxFields {
		s.fields = append(s.fields, span{uint32(from - s.start), uint32(to - s.start), uint16(at), doubled}) //nolint:gosec // a row is shorter than maxRow and a piece
	}
}

// walk goes field by field through a row that holds quotes.
func (s *scanner) walk() (int, bool) {
	for {
		if s.at == s.head && !s.quote {
			s.plain()
			s.quote = s.opens()
		}
		if s.quote {
			done, end, more := s.walkQuoted()
			if more {
				return 0, false
			}
			if done {
				return end, true
			}
			continue
		}
		i := s.at
		for i < len(s.buf) && s.buf[i] != ',' && s.buf[i] != '\n' {
			i++
		}
		if i == len(s.buf) && !s.eof {
			if len(bytes.Trim(s.buf[s.head:], "\t")) > 0 {
				s.at = i // after TABs alone a quote may still open
			}
			return 0, false
		}
		s.addPlain(s.trimCR(i))
		if i == len(s.buf) || s.buf[i] == '\n' {
			return i, true
		}
		s.at, s.head = i+1, i+1
	}
}

// plain cuts what comes before the next quote or line end as a row without quotes
// is cut; the field that leads up to it is left.
func (s *scanner) plain() {
	if s.line < s.head {
		s.line = len(s.buf)
		if i := bytes.IndexByte(s.buf[s.head:], '\n'); i >= 0 {
			s.line = s.head + i
		}
	}
	text := s.buf[s.head:s.line]
	if i := bytes.IndexByte(text, '"'); i >= 0 {
		text = text[:i]
	}
	if i := bytes.LastIndexByte(text, ','); i >= 0 {
		s.cut(s.head, s.head+i)
		s.head += i + 1
		s.at = s.head
	}
}

// opens reports whether the field at head begins with a quote, perhaps after
// TABs, and moves at behind the quote.
func (s *scanner) opens() bool {
	i := s.head
	for i < len(s.buf) && s.buf[i] == '\t' {
		i++
	}
	if i == len(s.buf) || s.buf[i] != '"' {
		return false
	}
	s.at, s.head = i+1, i+1
	if skip := int(s.openUntil - s.base); skip > s.at {
		s.at = min(skip, len(s.buf))
	}
	return true
}

// walkQuoted looks for the quote that closes the field: one before a comma or a
// line end. Others belong to the text, written twice or not.
func (s *scanner) walkQuoted() (done bool, end int, more bool) {
	for {
		i := bytes.IndexByte(s.buf[s.at:], '"')
		if i < 0 {
			s.at = len(s.buf)
			return false, 0, true
		}
		i += s.at
		if len(s.buf)-i < 3 && !s.eof {
			s.at = i // what follows is not here yet
			return false, 0, true
		}
		next := s.buf[i+1:]
		switch {
		case len(next) == 0 || next[0] == '\n':
			s.addQuoted(i)
			return true, i + 1, false
		case next[0] == '\r' && (len(next) == 1 || next[1] == '\n'):
			s.addQuoted(i)
			return true, i + 2, false
		case next[0] == ',':
			s.addQuoted(i)
			s.quote = false
			s.at, s.head = i+2, i+2
			return false, 0, false
		case next[0] == '"':
			s.at = i + 2
		default:
			s.at = i + 1
		}
	}
}
