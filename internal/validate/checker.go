package validate

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strconv"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// piece is how much is looked at in one go, whatever Write is given.
const piece = 128 << 10

// Checker checks one file, written to it in pieces of any size. It is not safe
// for concurrent use.
type Checker struct {
	lib     *standard.Library
	channel upload.Channel
	kind    upload.Kind
	opts    Options

	cs      charset
	scan    scanner
	led     *ledger
	layout  *standard.Layout
	plan    *plan
	lent    *buffers
	cur     *row
	scratch []byte
	seed    maphash.Seed
	rowSet  *seenSet
	now     value // a date and time; 0: not known

	bytes, rows, wrong int64
	begun              bool // the first bytes were looked at
	sawHeader          bool
	unreadable         bool // nothing more can be checked
	hasNUL             bool
}

// NewChecker makes a checker for a file of this kind on this channel.
func NewChecker(lib *standard.Library, channel upload.Channel, kind upload.Kind, o Options) *Checker {
	if o.MaxFindings <= 0 {
		o.MaxFindings = defaultFindings
	}
	c := &Checker{
		lib: lib, channel: channel, kind: kind, opts: o,
		led: newLedger(o.Plans.rules(o.Severities), nil, o.MaxFindings), seed: maphash.MakeSeed(), rowSet: newSeenSet(),
	}
	c.borrow()
	if !o.Now.IsZero() {
		t := chinaTime(o.Now)
		c.now = value{n: daysSince1970(t.Year(), int(t.Month()), t.Day())*secondsPerDay + int64(t.Hour()*3600+t.Minute()*60+t.Second()), kind: isDateTime}
	}
	return c
}

// Write takes the next bytes of the file. It never fails.
func (c *Checker) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(len(p), piece)]
		p = p[len(part):]
		c.take(part, false)
	}
	return n, nil
}

func (c *Checker) take(p []byte, eof bool) {
	c.bytes += int64(len(p))
	if c.unreadable {
		return
	}
	if !c.hasNUL && bytes.IndexByte(p, 0) >= 0 {
		c.hasNUL = true
	}
	if p = c.cs.take(p, eof); len(p) > 0 {
		if what := notText(p); !c.begun && what != "" {
			c.led.add(fileBinary, -1, param("found", what))
			c.unreadable = true
			return
		}
		c.begun = true
		for len(p) > piece {
			c.feed(p[:piece])
			p = p[piece:]
		}
		c.feed(p)
	}
}

func (c *Checker) feed(p []byte) {
	c.scan.feed(p)
	c.drain()
}

func (c *Checker) drain() {
	for !c.unreadable {
		r, ok := c.scan.next()
		if !ok {
			return
		}
		c.row(r)
	}
}

// row looks at one row of the file.
func (c *Checker) row(r *row) {
	c.cur, c.led.row, c.led.rowWrong = r, r.number, false
	if c.hasNUL && bytes.IndexByte(r.raw, 0) >= 0 {
		c.led.add(fileNUL, -1, nil)
	}
	if !c.sawHeader {
		c.sawHeader = true
		c.unreadable = !c.header(r)
		return
	}
	if len(r.raw) == 0 || (r.count == 1 && len(trim(r.raw, c.cs.name)) == 0) {
		return // a blank line
	}
	if again := c.dataRow(r); again {
		return
	}
	c.rows++
	if c.led.rowWrong {
		c.wrong++
	}
}

// dataRow checks a row that is not the header; true if it is one again.
func (c *Checker) dataRow(r *row) (again bool) {
	switch r.fault {
	case faultLong:
		c.led.add(rowLong, -1, param("limit", strconv.Itoa(maxRow)))
		return false
	case faultQuote:
		c.led.add(rowQuote, -1, nil)
	case faultNone:
	}
	n := len(c.plan.cells)
	switch extra := r.count - n; {
	case extra == 0, extra == 1 && r.count <= maxFields && len(trim(r.field(n), c.cs.name)) == 0:
	case c.headerAgain(r):
		c.led.add(rowHeader, -1, nil)
		return true
	case r.fault == faultQuote:
		return false // said already
	case r.cut && extra < 0:
		c.led.add(fileTruncated, -1, c.fieldCount(r))
		return false
	default:
		c.led.add(rowFields, -1, c.fieldCount(r))
		return false
	}
	if c.looksLikeHeader(r) && c.headerAgain(r) {
		c.led.add(rowHeader, -1, nil)
		return true
	}
	if c.blank(r) {
		c.led.add(rowEmpty, -1, nil)
		return false
	}
	c.cells(r)
	return false
}

// blank reports whether no field holds anything.
func (c *Checker) blank(r *row) bool {
	first := c.plan.first()
	return !slices.ContainsFunc(r.fields, func(f span) bool {
		return int(f.at) >= first && len(trim(r.text(&f), c.cs.name)) > 0
	})
}

func (c *Checker) fieldCount(r *row) func() map[string]string {
	return func() map[string]string {
		return map[string]string{"n": strconv.Itoa(r.count), "limit": strconv.Itoa(len(c.plan.cells))}
	}
}

// looksLikeHeader is a cheap look at the first column.
func (c *Checker) looksLikeHeader(r *row) bool {
	at := c.plan.first()
	if at >= len(c.plan.cells) || c.plan.cells[at].column < 0 {
		return false
	}
	v := r.field(at)
	if len(v) == 0 || v[0] < 0xe0 && v[0] > 'z' {
		return false
	}
	return bytes.EqualFold(trim(v, c.cs.name), []byte(c.led.code(c.plan.cells[at].column)))
}

// cells checks every cell of a row and then the rules across them.
func (c *Checker) cells(r *row) {
	p := c.plan
	clear(p.values)
	required := p.required
	for i := range r.fields {
		f := &r.fields[i]
		at := int(f.at)
		if at < p.first() || at >= len(p.cells) || f.from == f.to {
			continue
		}
		for ; len(required) > 0 && required[0] <= at; required = required[1:] {
			if required[0] < at {
				c.look(&p.cells[required[0]], nil)
			}
		}
		c.cell(r, f, &p.cells[at])
	}
	for _, at := range required {
		c.look(&p.cells[at], nil)
	}
	c.across()
	c.haveLinks()
	c.duplicate(r)
}

// cell checks a field that holds something.
func (c *Checker) cell(r *row, f *span, p *cell) {
	v := r.text(f)
	if padded(v) {
		v = trim(v, c.cs.name)
	}
	if f.doubled {
		v = undouble(v, &c.scratch)
	}
	n, kind := c.look(p, v)
	if p.slot < 0 {
		return
	}
	if f.doubled {
		v = bytes.Clone(v)
	}
	c.plan.values[p.slot] = value{raw: v, n: n, kind: kind}
}

// duplicate notices a row that was there before, byte for byte.
func (c *Checker) duplicate(r *row) {
	if c.led.book.off(rowDuplicate) {
		return
	}
	raw := r.raw
	if c.plan.index && r.fields[0].at == 0 {
		raw = raw[r.fields[0].to:]
	}
	if first, again := c.rowSet.see(c.hash(bytes.TrimRight(raw, "\r")), r.number); again {
		c.led.add(rowDuplicate, -1, param("first", strconv.FormatInt(first, 10)))
	}
}

func (c *Checker) hash(v []byte) uint64 { return maphash.Bytes(c.seed, v) }

// Close ends the file and gives the report. The checker is of no use after it.
func (c *Checker) Close() Report {
	c.take(nil, true)
	c.scan.eof = true
	if !c.unreadable {
		c.drain()
	}
	c.giveBack()
	c.led.row = 0
	switch {
	case c.bytes == 0 || (!c.sawHeader && !c.unreadable):
		c.led.add(fileEmpty, -1, nil)
	case c.plan != nil && c.rows == 0:
		c.led.add(fileNoRows, -1, nil)
	}
	return c.report()
}

func (c *Checker) report() Report {
	r := Report{
		Rows: c.rows, RowsInError: c.wrong, Bytes: c.bytes, Charset: c.cs.name, Kind: c.kind,
		Tally: c.led.tally, Findings: c.led.kept, Counts: c.led.counted(),
	}
	if r.Charset == "" {
		r.Charset = CharsetUTF8 // ASCII alone
	}
	if c.layout != nil {
		r.Standard = c.layout.Standard
	}
	if c.led.fileBad {
		r.RowsInError = r.Rows
	}
	return r
}

// unquote gives a field with quotes written twice made one.
func unquote(r *row, f *span, scratch *[]byte) []byte {
	if !f.doubled {
		return r.text(f)
	}
	return undouble(r.text(f), scratch)
}

func undouble(v []byte, scratch *[]byte) []byte {
	out := (*scratch)[:0]
	for i := 0; i < len(v); i++ {
		out = append(out, v[i])
		if v[i] == '"' && i+1 < len(v) && v[i+1] == '"' {
			i++
		}
	}
	*scratch = out
	return out
}
