package validate

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// notText reports whether the file begins like something other than text.
func notText(head []byte) string {
	for _, m := range []struct{ magic, what string }{
		{"PK\x03\x04", "ZIP/XLSX"},
		{"\xd0\xcf\x11\xe0", "XLS"},
		{"\xff\xfe", "UTF-16"},
		{"\xfe\xff", "UTF-16"},
		{"\x1f\x8b", "GZIP"},
		{"%PDF", "PDF"},
		{"<html", "HTML"},
		{"<!DOC", "HTML"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.what
		}
	}
	return ""
}

// header reads the first row and lays out the rest of the check. It is false
// when the file cannot be checked further.
func (c *Checker) header(r *row) bool {
	c.led.row = r.number
	switch {
	case r.fault == faultLong || r.count > maxFields:
		c.led.add(hdrTooMany, -1, param("limit", strconv.Itoa(maxFields)))
		return false
	case r.fault == faultQuote:
		c.led.add(rowQuote, -1, nil)
	}
	sound, before := r.fault == faultNone, c.led.tally
	if sound && c.recall(r) {
		return true
	}
	names, blank := c.headerNames(r)
	if blank {
		c.led.add(fileEmpty, -1, nil)
		return false
	}
	layout := c.choose(names)
	if layout == nil {
		c.led.add(hdrUnknown, -1, func() map[string]string { return map[string]string{"n": strconv.Itoa(len(names))} })
		return false
	}
	c.continueWith(newRulebook(layout, c.opts.Severities), layout)
	c.columns(names)
	if sound && c.led.tally == before {
		c.remember(r)
	}
	return true
}

// continueWith goes on by the rules of a layout.
func (c *Checker) continueWith(book *rulebook, layout *standard.Layout) {
	led := newLedger(book, layout, c.led.max)
	led.adopt(c.led)
	led.row = c.led.row
	c.led, c.layout = led, layout
}

// headerNames trims the names and drops the unnamed column at the front and the
// empty one at the end.
func (c *Checker) headerNames(r *row) (names []string, blank bool) {
	names, blank = make([]string, min(r.count, maxFields)), true
	for i := range r.fields {
		name := string(trim(unquote(r, &r.fields[i], &c.scratch), c.cs.name))
		blank = blank && name == ""
		names[r.fields[i].at] = name
	}
	if blank {
		return nil, true
	}
	if len(names) > 1 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	return names, false
}

// choose finds the layout of a header. A row of which hardly any field is a
// column code is no header: data, more likely, in which a code or two occurs by
// chance.
func (c *Checker) choose(names []string) *standard.Layout {
	layout := c.lib.Choose(c.channel, c.kind, names)
	if all := c.opts.layouts(c.lib, c.channel, c.kind); len(all) == 1 {
		layout = all[0]
	}
	if layout == nil || c.known(layout, names) == 0 {
		return nil
	}
	if n := c.known(layout, names); n < 10 && 4*n < len(names) {
		return nil
	}
	return layout
}

func (c *Checker) known(l *standard.Layout, names []string) int {
	n := 0
	for _, name := range names {
		if _, ok := l.Column(name); ok {
			n++
		}
	}
	return n
}

// columns maps fields to columns and reports what is wrong with the header.
func (c *Checker) columns(names []string) {
	c.plan = newPlan(c.layout, c.led.book, c.opts, len(names))
	c.plan.findHaves(c.lib, c.kind)
	seen := make([]bool, len(c.layout.Columns))
	trusted := 4*c.known(c.layout, names) >= 3*len(names)
	for i, name := range names {
		at, ok := c.layout.Column(name)
		switch {
		case i == 0 && name == "":
			c.plan.index = true // a row number, as some exporters write
		case !ok:
			c.led.addNamed(hdrExtra, columnLabel(name, i, trusted), param("n", strconv.Itoa(i+1)))
		case seen[at]:
			c.led.add(hdrRepeated, at, param("n", strconv.Itoa(i+1)))
		default:
			seen[at] = true
			c.plan.place(i, at)
		}
	}
	for at, col := range c.layout.Columns {
		if col.Need == standard.Required && !seen[at] {
			c.led.add(hdrMissing, at, nil)
		}
	}
}

// columnLabel names an unknown column: by its code if it looks like one in a
// header that is surely one, else by its place, so that data taken for a header
// does not get into a finding.
func columnLabel(name string, at int, trusted bool) string {
	if !trusted || name == "" || len(name) > 12 || !utf8.ValidString(name) || strings.Trim(strings.ToUpper(name), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" ||
		!strings.ContainsAny(strings.ToUpper(name[:1]), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return "#" + strconv.Itoa(at+1)
	}
	return name
}

// headerAgain reports whether a row is a header: most of its fields are column
// codes of the layout.
func (c *Checker) headerAgain(r *row) bool {
	known := 0
	for i := range r.fields {
		v := trim(r.text(&r.fields[i]), c.cs.name)
		if len(v) < 2 || len(v) > 10 {
			continue
		}
		if _, ok := c.layout.Column(string(v)); ok {
			known++
		}
	}
	return known >= 3 && 3*known >= len(c.plan.cells)
}

func param(name, value string) func() map[string]string {
	return func() map[string]string { return map[string]string{name: value} }
}
