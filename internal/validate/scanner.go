package validate

import "bytes"

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
	doubled  bool // holds quotes written twice
}

// row is one record of the file. Its slices are valid until the next call.
type row struct {
	number int64 // the header is row 1
	raw    []byte
	fields []span
	count  int // fields in all; more than len(fields) if too many
	fault  fault
	cut    bool // ended by the end of the file instead of a line end
}

// field gives the i-th field as written, without quotes around it.
func (r *row) field(i int) []byte { s := r.fields[i]; return r.raw[s.from:s.to] }

// scanner cuts bytes into rows and fields. Bytes are appended with feed; next
// gives rows until it needs more. It tolerates what is seen in the field: a
// quote inside unquoted text, TABs before a quoted value, CR LF or LF.
type scanner struct {
	buf   []byte
	start int // of the row being read
	at    int // search goes on here
	head  int // start of the field being read
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
	doubled := bytes.IndexByte(s.buf[s.head:i], '"') >= 0
	s.addRange(s.head, i, doubled)
}

func (s *scanner) addRange(from, to int, doubled bool) {
	s.add(uint32(from-s.start), uint32(max(to, from)-s.start), doubled) //nolint:gosec // a row is shorter than maxRow and a piece
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
	s.buf = append(s.buf, p...)
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
	s.start, s.at, s.head = i, i, i
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
	line := s.buf[s.start:end]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	fields, count, from := s.fields, s.count, 0
	for i, b := range line {
		if b == ',' {
			if count++; count <= maxFields {
				fields = append(fields, span{from: uint32(from), to: uint32(i)})
			}
			from = i + 1
		}
	}
	s.fields, s.count = fields, count
	s.add(uint32(from), uint32(len(line)), false) //nolint:gosec // a row is shorter than maxRow and a piece
}

func (s *scanner) add(from, to uint32, doubled bool) {
	if s.count++; len(s.fields) < maxFields {
		s.fields = append(s.fields, span{from, to, doubled})
	}
}

// walk goes field by field through a row that holds quotes.
func (s *scanner) walk() (int, bool) {
	for {
		if s.at == s.head && !s.quote && s.opens() {
			s.quote = true
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
		s.addRange(s.head, s.trimCR(i), false)
		if i == len(s.buf) || s.buf[i] == '\n' {
			return i, true
		}
		s.at, s.head = i+1, i+1
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
