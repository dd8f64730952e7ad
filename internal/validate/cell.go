package validate

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// check says how the cells of a column are read.
type check uint8

const (
	checkNothing check = iota // not a column of the layout: only its encoding
	checkText
	checkCode // text in a code system
	checkDigits
	checkDict
	checkSet
	checkNumber
	checkDate
	checkDateTime
)

// cell is what the plan knows of one field of every row.
type cell struct {
	check    check
	required bool
	column   int // in the layout; -1: none
	slot     int // where rules across columns find its value; -1: nobody asks
	max      int
	low      int64 // of numbers
	high     int64
	dict     *dictTable
	list     *standard.Dictionary // mounted code list
	spec     *standard.Column
}

func (p *plan) newCell(at int) cell {
	spec := &p.layout.Columns[at]
	c := cell{check: checkText, required: spec.Need == standard.Required, column: at, slot: p.slots[at], max: spec.Length, high: math.MaxInt64, spec: spec}
	if spec.Min != nil {
		c.low = *spec.Min
	}
	if spec.Max != nil {
		c.high = *spec.Max
	}
	if spec.Dictionary != nil && !spec.Dictionary.Open {
		c.check, c.dict = checkDict, p.table(spec.Dictionary)
		if spec.Type == standard.Set {
			c.check = checkSet
		}
		return c
	}
	switch {
	case spec.Type == standard.Number:
		c.check = checkNumber
	case spec.Type == standard.Date:
		c.check = checkDate
	case spec.Type == standard.DateTime:
		c.check = checkDateTime
	case spec.Digits > 0:
		c.check = checkDigits
	case spec.Coding != standard.NoCoding:
		c.check, c.list = checkCode, codeList(p.layout, spec.Coding, p.opts.Codings)
	}
	return c
}

func codeList(l *standard.Layout, coding standard.Coding, versions Codings) *standard.Dictionary {
	version := map[standard.Coding]string{
		standard.ICD10: versions.Diagnosis, standard.Morphology: versions.Morphology, standard.ICD9: versions.Procedure,
	}[coding]
	if d := l.List(string(coding) + "-" + version); d != nil {
		return d
	}
	return l.List(string(coding))
}

// look checks one trimmed cell and tells what it is.
func (c *Checker) look(p *cell, v []byte) (int64, valueKind) {
	if len(v) == 0 {
		if p.required {
			c.led.add(colRequired, p.column, nil)
		}
		return 0, isEmpty
	}
	if len(v) == 1 && v[0] == '-' && p.check != checkNothing {
		return c.dash(p)
	}
	if n, kind := p.right(v); kind != isBad {
		return n, kind
	}
	return c.examine(p, v)
}

// examine looks at a cell in full.
func (c *Checker) examine(p *cell, v []byte) (int64, valueKind) {
	chars, ascii := len(v), isASCII(v)
	if !ascii {
		var bad int
		if chars, bad = c.cs.measure(v); bad > 0 {
			c.badEncoding(p)
			return 0, isBad
		}
	}
	switch p.check {
	case checkNothing:
	case checkText:
		return c.text(p, v, chars, ascii)
	case checkDict:
		if !p.dict.has(v) {
			return c.fail(colDict, p, v)
		}
		return p.coded(v)
	case checkNumber:
		return c.number(p, v)
	case checkDate, checkDateTime:
		return c.date(p, v)
	case checkCode:
		return c.code(p, v, chars)
	case checkDigits:
		if !p.digits(v) {
			return c.fail(colDigits, p, v)
		}
	case checkSet:
		return c.set(p, v)
	}
	return 0, isText
}

func (c *Checker) badEncoding(p *cell) {
	if c.cur.cut && p == &c.plan.cells[len(c.plan.cells)-1] {
		c.led.add(fileTruncated, p.column, c.fieldCount(c.cur)) // broken off inside a character
		return
	}
	c.led.add(encBad, p.column, param("charset", c.cs.name))
}

// dash is a cell that says "not available".
func (c *Checker) dash(p *cell) (int64, valueKind) {
	switch {
	case p.spec.Dash:
	case p.spec.Key:
		c.led.add(colRequired, p.column, nil)
	case p.required:
		c.led.add(colDash, p.column, nil)
	}
	return 0, isDash
}

func (c *Checker) text(p *cell, v []byte, chars int, ascii bool) (int64, valueKind) {
	switch {
	case p.max > 0 && chars > p.max:
		c.led.add(colLength, p.column, func() map[string]string {
			return map[string]string{"limit": strconv.Itoa(p.max), "n": strconv.Itoa(chars)}
		})
		return 0, isBad
	case ascii && scientific(v):
		return c.fail(colScientific, p, v)
	case !ascii && mojibake(v, c.cs.name):
		c.led.add(encMojibake, p.column, nil)
	}
	return 0, isText
}

func (c *Checker) number(p *cell, v []byte) (int64, valueKind) {
	n, whole, decimals, ok := number(v)
	switch {
	case !ok || !p.fits(whole, decimals):
		return c.fail(colNumber, p, v)
	case !p.within(n):
		return c.fail(colRange, p, v)
	}
	return n, isNumber
}

func (c *Checker) date(p *cell, v []byte) (int64, valueKind) {
	n, kind := date(v)
	if kind == isBad {
		return c.fail(colDate, p, v)
	}
	if kind == isDate && p.check == checkDateTime {
		c.led.add(colDateOnly, p.column, nil)
	}
	return n, kind
}

func (c *Checker) code(p *cell, v []byte, chars int) (int64, valueKind) {
	if p.max > 0 && chars > p.max {
		return c.text(p, v, chars, false)
	}
	if !p.wellFormed(v) {
		c.fail(codeRule(p.spec.Coding), p, v)
	} else if p.list != nil && !p.list.Open && !p.list.Has(v) && !p.list.Has(bytes.ReplaceAll(v, []byte("X"), []byte("x"))) {
		c.fail(colCodeList, p, v)
	}
	return 0, isText
}

func codeRule(c standard.Coding) ruleID {
	switch c {
	case standard.Morphology:
		return colMorphology
	case standard.ICD9:
		return colICD9
	default:
		return colICD10
	}
}

func (c *Checker) set(p *cell, v []byte) (int64, valueKind) {
	for code := range bytes.SplitSeq(v, []byte(",")) {
		if code = trim(code, c.cs.name); !p.dict.has(code) {
			return c.fail(colDict, p, code)
		}
	}
	return 0, isText
}

// fail reports a value of the wrong form. Where the cause can be told, the
// finding is about the cause.
func (c *Checker) fail(rule ruleID, p *cell, v []byte) (int64, valueKind) {
	switch {
	case fullWidth(v, c.cs.name):
		rule = colFullWidth
	case scientific(v):
		rule = colScientific
	case (rule == colDict || rule == colDigits) && zeroLost(v, p.spec.Dictionary, p.spec.Digits):
		rule = colZero
	}
	c.led.add(rule, p.column, func() map[string]string {
		params := map[string]string{"expected": expected(p.spec)}
		if !p.spec.Personal {
			params["shape"] = shape(v, c.cs.name)
		}
		return params
	})
	return 0, isBad
}

// expected writes what a column wants, in signs that need no translation.
func expected(spec *standard.Column) string {
	switch {
	case spec.Dictionary != nil && !spec.Dictionary.Open:
		return spec.Dictionary.Name
	case spec.Type == standard.Number:
		return expectedNumber(spec)
	case spec.Type == standard.Date:
		return "yyyy-MM-dd"
	case spec.Type == standard.DateTime:
		return "yyyy-MM-dd HH:mm:ss"
	case spec.Digits > 0:
		return strings.Repeat("9", spec.Digits)
	case spec.Coding == standard.ICD10:
		return "A00.000x000"
	case spec.Coding == standard.Morphology:
		return "M0000/0"
	case spec.Coding == standard.ICD9:
		return "00.0000x000"
	default:
		return fmt.Sprintf("C %d", spec.Length)
	}
}

func expectedNumber(spec *standard.Column) string {
	low, high := "0", ""
	if spec.Min != nil {
		low = strconv.FormatFloat(float64(*spec.Min)/scale, 'f', -1, 64)
	}
	if spec.Max != nil {
		high = strconv.FormatFloat(float64(*spec.Max)/scale, 'f', -1, 64)
	}
	form := strconv.Itoa(spec.Length)
	if spec.Scale > 0 {
		form += "," + strconv.Itoa(spec.Scale)
	}
	return fmt.Sprintf("N %s, %s…%s", form, low, high)
}
