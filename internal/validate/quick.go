package validate

import "github.com/hqms-sidecar/hqms-sidecar/internal/standard"

// right tells what a cell is that is right at first sight: in ASCII, and what its
// column says. isBad says nothing yet: such a cell is looked at in full.
func (p *cell) right(v []byte) (int64, valueKind) {
	switch p.check {
	case checkDict:
		if p.dict.hasShort(v) {
			return p.coded(v)
		}
	case checkNumber:
		if n, whole, decimals, ok := number(v); ok && p.fits(whole, decimals) && p.within(n) {
			return n, isNumber
		}
	case checkDate, checkDateTime:
		if n, kind := date(v); kind != isDate || p.check == checkDate {
			return n, kind
		}
	case checkDigits:
		if p.digits(v) {
			return 0, isText
		}
	case checkCode:
		if p.list == nil && (p.max <= 0 || len(v) <= p.max) && isASCII(v) && p.wellFormed(v) {
			return 0, isText
		}
	case checkNothing, checkText, checkSet:
	}
	return 0, isBad
}

// coded tells what a code of the column's dictionary is.
func (p *cell) coded(v []byte) (int64, valueKind) {
	if p.spec.Type == standard.Number {
		if n, _, _, ok := number(v); ok {
			return n, isNumber
		}
	}
	return 0, isText
}

// fits reports whether a number has no more digits than the column.
func (p *cell) fits(whole, decimals int) bool {
	return decimals <= p.spec.Scale && (p.spec.Length <= 0 || whole <= p.spec.Length-p.spec.Scale)
}

// within reports whether a number lies in the column's range.
func (p *cell) within(n int64) bool { return n >= p.low && n <= p.high }

func (p *cell) digits(v []byte) bool {
	return len(v) == p.spec.Digits && digitsAt(v, 0, len(v)) == len(v)
}

// wellFormed reports whether a code has the form of its code system.
func (p *cell) wellFormed(v []byte) bool {
	switch p.spec.Coding {
	case standard.Morphology:
		return morphology(v)
	case standard.ICD9:
		return icd9(v)
	default:
		return icd10(v)
	}
}

const (
	maySpaceFirst = 1 << iota // a space of some charset may begin with the byte
	maySpaceLast              // or end with it
)

// edges says of every byte whether a space may begin or end with it, see spaces.
var edges = func() (t [256]byte) {
	for _, b := range []byte(" \t\r\n\x81\xa1\xc2\xe3\xef") {
		t[b] |= maySpaceFirst
	}
	for _, b := range []byte(" \t\r\n2\xa1\xa0\x80") {
		t[b] |= maySpaceLast
	}
	return t
}()

// padded is a quick look whether there may be something to trim from v, which is
// not empty.
func padded(v []byte) bool {
	last := v[len(v)-1]
	if edges[v[0]]&maySpaceFirst != 0 {
		return true
	}
	// A '2' is mostly a digit, and seldom the end of GB18030's no-break space.
	return edges[last]&maySpaceLast != 0 && (last != '2' || len(v) >= 4 && v[len(v)-2] == 0x84)
}
